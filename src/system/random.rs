//! Random numbers. Every bit comes from the operating system: a forked child would inherit a
//! generator in this process, and parent and child would then produce the same numbers.

use std::io;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Code, Error, Result};

/// Returns random bytes. With enough of them no process gets the same number twice.
fn unique<const BYTES: usize>() -> io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("cannot get random numbers from the operating system"))?;
    Ok(bytes)
}

/// Returns a random file name of 16 hexadecimal digits.
pub(crate) fn unique_name() -> io::Result<String> {
    Ok(format!("{:016x}", u64::from_ne_bytes(unique()?)))
}

/// Returns a random UUID (version 4).
pub(crate) fn uuid() -> Result<String> {
    let random = u128::from_ne_bytes(
        unique().map_err(|e| Error::new(Code::Io, e.to_string()).with_source(e))?,
    );
    let marked = random & !(0xF << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let mut uuid = format!("{marked:032x}");
    for at in [20, 16, 12, 8] {
        uuid.insert(at, '-');
    }
    Ok(uuid)
}

/// Returns a random duration between `least` and `most` times `whole`, so that waiting programs do
/// not retry at the same moment.
pub(crate) fn jittered(whole: Duration, least: f64, most: f64) -> Duration {
    // Without random numbers the duration is the middle of the range.
    let random = unique().map_or(u32::MAX / 2, u32::from_ne_bytes);
    whole.mul_f64(least + (most - least) * f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_says_that_it_is_random() {
        let (one, other) = (uuid().unwrap(), uuid().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 36);
        assert!(
            &one[14..15] == "4" && "89ab".contains(&one[19..20]),
            "{one}"
        );
    }

    #[test]
    fn jitter_stays_within_its_bounds() {
        let second = Duration::from_secs(1);
        let times: Vec<_> = (0..200).map(|_| jittered(second, 0.5, 1.5)).collect();
        assert!(
            times
                .iter()
                .all(|time| (second / 2..=second * 3 / 2).contains(time))
        );
        assert!(times.iter().any(|time| *time < second) && times.iter().any(|time| *time > second));
    }
}
