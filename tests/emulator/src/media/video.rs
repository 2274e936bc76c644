//! A video: a picture that moves to the left, one frame a second.

use std::io;
use std::num::NonZeroU32;

use bytes::Bytes;
use less_avc::ycbcr_image::{DataPlane, Planes, YCbCrImage};
use less_avc::{BitDepth, LessEncoder};
use shiguredo_mp4::boxes::{Avc1Box, AvccBox, SampleEntry, VisualSampleEntryFields};
use shiguredo_mp4::mux::{Mp4FileMuxer, Sample};
use shiguredo_mp4::{TrackKind, Uint};

use super::Picture;

/// Units of time per second.
const TIMESCALE: NonZeroU32 = NonZeroU32::new(1000).unwrap();

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Video {
    /// The first frame. Its sides are even.
    pub(crate) picture: Picture,
    pub(crate) seconds: f64,
}

impl Video {
    /// The video as MP4 with H.264.
    pub(super) fn mp4(&self) -> io::Result<Bytes> {
        let (width, height) = (self.picture.width, self.picture.height);
        let pixels = self.picture.pixels();
        let mut muxer = Mp4FileMuxer::new().map_err(io::Error::other)?;
        let mut file = muxer.initial_boxes_bytes().to_vec();
        let mut encoder: Option<LessEncoder> = None;
        let mut left = (self.seconds * 1000.0).round() as u32;
        let mut moved = 0;
        while left > 0 {
            let frame = Frame::new(&pixels, width as usize, height as usize, moved);
            let image = frame.image(width, height);
            let (slice, entry) = match &mut encoder {
                Some(encoder) => (encoder.encode(&image).map_err(broken)?, None),
                None => {
                    let (first, made) = LessEncoder::new(&image).map_err(broken)?;
                    encoder = Some(made);
                    let entry = sample_entry(
                        width as u16,
                        height as u16,
                        first.sps.to_nal_unit(),
                        first.pps.to_nal_unit(),
                    );
                    (first.frame, Some(entry))
                }
            };
            let slice = slice.to_nal_unit();
            let data_offset = file.len() as u64;
            file.extend((slice.len() as u32).to_be_bytes());
            file.extend(&slice);
            let duration = left.min(TIMESCALE.get());
            let sample = Sample {
                track_kind: TrackKind::Video,
                sample_entry: entry,
                keyframe: true,
                timescale: TIMESCALE,
                duration,
                composition_time_offset: None,
                data_offset,
                data_size: slice.len() + 4,
            };
            muxer.append_sample(&sample).map_err(io::Error::other)?;
            left -= duration;
            moved += width as usize / 16;
        }
        let ends = muxer.finalize().map_err(io::Error::other)?;
        for (offset, bytes) in ends.offset_and_bytes_pairs() {
            let (from, to) = (offset as usize, offset as usize + bytes.len());
            if file.len() < to {
                file.resize(to, 0);
            }
            file[from..to].copy_from_slice(bytes);
        }
        Ok(file.into())
    }
}

fn broken(error: less_avc::Error) -> io::Error {
    io::Error::other(error.to_string())
}

fn sample_entry(width: u16, height: u16, sps: Vec<u8>, pps: Vec<u8>) -> SampleEntry {
    SampleEntry::Avc1(Avc1Box {
        visual: VisualSampleEntryFields {
            data_reference_index: VisualSampleEntryFields::DEFAULT_DATA_REFERENCE_INDEX,
            width,
            height,
            horizresolution: VisualSampleEntryFields::DEFAULT_HORIZRESOLUTION,
            vertresolution: VisualSampleEntryFields::DEFAULT_VERTRESOLUTION,
            frame_count: VisualSampleEntryFields::DEFAULT_FRAME_COUNT,
            compressorname: VisualSampleEntryFields::NULL_COMPRESSORNAME,
            depth: VisualSampleEntryFields::DEFAULT_DEPTH,
        },
        avcc_box: AvccBox {
            // The three bytes after the head of the sequence parameter set.
            avc_profile_indication: sps[1],
            profile_compatibility: sps[2],
            avc_level_indication: sps[3],
            length_size_minus_one: Uint::new(3),
            sps_list: vec![sps],
            pps_list: vec![pps],
            chroma_format: None,
            bit_depth_luma_minus8: None,
            bit_depth_chroma_minus8: None,
            sps_ext_list: Vec::new(),
        },
        unknown_boxes: Vec::new(),
    })
}

/// The planes of a frame in 4:2:0, whose sides are filled up to multiples of 16.
struct Frame {
    stride: usize,
    planes: [Vec<u8>; 3],
}

impl Frame {
    /// Takes the pixels, in red, green and blue, `moved` columns further to the right.
    fn new(pixels: &[u8], width: usize, height: usize, moved: usize) -> Self {
        let (stride, rows) = (width.next_multiple_of(16), height.next_multiple_of(16));
        let at = |x: usize, y: usize| -> [i32; 3] {
            let start = (y.min(height - 1) * width + (x.min(width - 1) + moved) % width) * 3;
            [0, 1, 2].map(|channel| i32::from(pixels[start + channel]))
        };
        // ITU-R BT.601, full range.
        let luma = |[r, g, b]: [i32; 3]| ((299 * r + 587 * g + 114 * b) / 1000) as u8;
        let blue = |[r, g, b]: [i32; 3]| (128 + (-169 * r - 331 * g + 500 * b) / 1000) as u8;
        let red = |[r, g, b]: [i32; 3]| (128 + (500 * r - 419 * g - 81 * b) / 1000) as u8;
        let plane = |step: usize, of: &dyn Fn([i32; 3]) -> u8| -> Vec<u8> {
            (0..rows)
                .step_by(step)
                .flat_map(|y| (0..stride).step_by(step).map(move |x| (x, y)))
                .map(|(x, y)| of(at(x, y)))
                .collect()
        };
        Self {
            stride,
            planes: [plane(1, &luma), plane(2, &blue), plane(2, &red)],
        }
    }

    fn image(&self, width: u32, height: u32) -> YCbCrImage<'_> {
        let [luma, blue, red] = &self.planes;
        let plane = |data, stride| DataPlane {
            data,
            stride,
            bit_depth: BitDepth::Depth8,
        };
        YCbCrImage {
            planes: Planes::YCbCr((
                plane(luma, self.stride),
                plane(blue, self.stride / 2),
                plane(red, self.stride / 2),
            )),
            width,
            height,
        }
    }
}
