//! Divides the content of an upload into parts.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::request::{Pull, Waiting};
use crate::services::storage::content::{Data, Opened};

/// The size of a part in all official clients.
const PART: u64 = 10 << 20;
/// The most parts that object stores accept. Very large files have larger parts.
const MOST: u64 = 10_000;

/// A part: the bytes `from..to` of `data`. Numbers start with 1.
pub(super) struct Part {
    pub(super) number: u32,
    pub(super) data: Data,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// A reader that has been started, and its first part if that was read.
pub(super) struct Begun {
    pull: Pull,
    first: Option<Bytes>,
}

/// Reads the first part from a reader. Returns the whole content if the reader has no more.
pub(super) async fn begin(waiting: &Waiting) -> Result<(Opened, Option<Begun>)> {
    let mut pull = waiting.begin()?;
    let first = pull.next(PART as usize).await?;
    if (first.len() as u64) < PART || waiting.size() == Some(PART) {
        Ok((Opened::Data(Data::Bytes(first)), None))
    } else {
        let first = Some(first);
        Ok((Opened::Reader(waiting.clone()), Some(Begun { pull, first })))
    }
}

/// An iterator over parts.
pub(super) struct Supply {
    from: From,
    number: u32,
    size: u64,
}

enum From {
    Data(Data),
    Reader(Begun),
}

impl Supply {
    pub(super) fn of(opened: Opened, begun: Option<Begun>) -> Result<Self> {
        let from = match (opened, begun) {
            (_, Some(begun)) => From::Reader(begun),
            (Opened::Data(data), None) => From::Data(data),
            (Opened::Reader(waiting), None) => From::Reader(Begun {
                pull: waiting.begin()?,
                first: None,
            }),
        };
        Ok(Supply {
            from,
            number: 0,
            size: 0,
        })
    }

    /// The content that must not change during the upload.
    pub(super) fn data(&self) -> Option<Data> {
        match &self.from {
            From::Data(data) => Some(data.clone()),
            From::Reader(_) => None,
        }
    }

    /// Returns the next part. Empty content has one part, which is empty.
    pub(super) async fn next(&mut self) -> Result<Option<Part>> {
        let (data, from, to) = match &mut self.from {
            From::Data(data) => {
                let length = data.length();
                let (from, to) = (self.size, (self.size + part_size(length)).min(length));
                (data.clone(), from, to)
            }
            From::Reader(Begun { pull, first }) => {
                let bytes = match first.take() {
                    Some(first) => first,
                    None => pull.next(PART as usize).await?,
                };
                let length = bytes.len() as u64;
                (Data::Bytes(bytes), 0, length)
            }
        };
        if from == to && self.number > 0 {
            return Ok(None);
        }
        let next = self.number.checked_add(1);
        self.number = next.ok_or_else(|| Error::invalid("the upload has too many parts"))?;
        self.size += to - from;
        Ok(Some(Part {
            number: self.number,
            data,
            from,
            to,
        }))
    }
}

/// The size of each part of content of this length: 10 MiB, or more if that made too many parts.
fn part_size(length: u64) -> u64 {
    PART.max(length.div_ceil(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_before_there_are_too_many() {
        for length in [0, 1, PART * MOST, PART * MOST + 1, u64::MAX / 2] {
            assert!(length.div_ceil(part_size(length)) <= MOST, "{length}");
        }
        assert_eq!(part_size(PART * MOST), PART);
    }
}
