//! Generated files that are valid: pictures, videos and sounds.

mod audio;
mod picture;
mod video;

use std::io;

use bytes::Bytes;

pub(crate) use audio::Audio;
pub(crate) use picture::{Format, Picture};
pub(crate) use video::Video;

/// The values that determine a file, which is made when it is downloaded, so that a run costs
/// neither time nor memory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Media {
    Picture(Picture),
    Video(Video),
    Audio(Audio),
}

impl Media {
    pub(crate) fn content_type(&self) -> &'static str {
        match self {
            Self::Picture(picture) => picture.format.content_type(),
            Self::Video(_) => "video/mp4",
            Self::Audio(_) => "audio/wav",
        }
    }

    pub(crate) fn encode(&self) -> io::Result<Bytes> {
        match self {
            Self::Picture(picture) => picture.encode(),
            Self::Video(video) => video.mp4(),
            Self::Audio(audio) => audio.wav(),
        }
    }
}
