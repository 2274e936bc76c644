//! Recordings of the real services, and answers from them.
//!
//! A [`Recorder`] passes each request on and writes what was answered into a folder; a [`Replay`]
//! answers from it. Between the two stand readable files without secrets.

mod capture;
mod coding;
mod folder;
mod input;
mod jobs;
mod masking;
mod names;
mod notation;
mod passage;
mod pending;
mod play;
mod recorder;
mod relay;
mod replay;
mod report;
mod shelf;
mod tape;
mod texts;
mod uploads;
mod upstream;
mod urls;

use std::sync::Arc;

pub(crate) use masking::{MASKED, Mask, is_secret};
pub(crate) use recorder::Recorder;
pub use recorder::Recording;
pub(crate) use replay::{Chosen, Replay};
pub use replay::{ReplayPace, Replaying};
pub use report::RecordingReport;
pub(crate) use tape::Way;

/// What an emulator records and replays, if anything.
#[derive(Clone, Default)]
pub(crate) struct Cassettes {
    pub(crate) recorder: Option<Arc<Recorder>>,
    pub(crate) replay: Option<Arc<Replay>>,
}

impl Cassettes {
    /// The same, as if no recording had answered.
    pub(crate) fn anew(&self) -> Self {
        Self {
            recorder: self.recorder.clone(),
            replay: self.replay.as_ref().map(|replay| Arc::new(replay.anew())),
        }
    }
}
