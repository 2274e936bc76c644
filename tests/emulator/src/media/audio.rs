//! A sound: one tone that swells and fades, whose pitch depends on the seed.

use std::io::{self, Cursor};

use bytes::Bytes;
use hound::{SampleFormat, WavSpec, WavWriter};

/// Samples per second.
const RATE: u32 = 16_000;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Audio {
    pub(crate) seconds: f64,
    pub(crate) seed: u64,
}

impl Audio {
    /// The sound as WAV: one channel of 16 bits.
    pub(super) fn wav(&self) -> io::Result<Bytes> {
        let spec = WavSpec {
            channels: 1,
            sample_rate: RATE,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut wav = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut wav, spec).map_err(io::Error::other)?;
        let count = (self.seconds * f64::from(RATE)) as u32;
        let period = RATE / (220 + (self.seed % 440) as u32);
        for index in 0..count {
            // A triangle needs no sine, whose last bit differs between platforms.
            let phase = f64::from(index % period) / f64::from(period);
            let wave = 4.0 * (phase - 0.5).abs() - 1.0;
            let place = f64::from(index) / f64::from(count);
            let loudness = 4.0 * place * (1.0 - place) * 0.3;
            let sample = (wave * loudness * f64::from(i16::MAX)) as i16;
            writer.write_sample(sample).map_err(io::Error::other)?;
        }
        writer.finalize().map_err(io::Error::other)?;
        Ok(wav.into_inner().into())
    }
}
