//! Content that a function of the host gives, once and in order.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::error::{Code, Error, Result};
use crate::helpers::{Kind, blocking};

type Boxed = Box<dyn Read + Send>;

/// A reader that waits to be used. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Waiting {
    reader: Arc<Mutex<Option<Boxed>>>,
    size: Option<u64>,
}

impl Waiting {
    pub(super) fn new(reader: Boxed, size: Option<u64>) -> Self {
        Waiting { reader: Arc::new(Mutex::new(Some(reader))), size }
    }

    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Whether it was used.
    pub(super) fn is_spent(&self) -> bool {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    pub(super) fn is_same(&self, other: &Waiting) -> bool {
        Arc::ptr_eq(&self.reader, &other.reader)
    }

    /// Takes the reader, which works once.
    pub(super) fn begin(&self) -> Result<Pull> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        let reader = reader.ok_or_else(|| Error::invalid("the reader was used before: it can be read once"))?;
        Ok(Pull { reader: Some(reader), size: self.size, got: 0 })
    }
}

/// A reader in use.
pub(super) struct Pull {
    /// Away while it is read.
    reader: Option<Boxed>,
    size: Option<u64>,
    got: u64,
}

impl Pull {
    /// The next `most` bytes; fewer only at the end, none behind it. An end that comes too early or too late is an error.
    pub(super) async fn next(&mut self, most: usize) -> Result<Bytes> {
        let lost = || Error::new(Code::Io, "the reader failed before");
        let mut reader = self.reader.take().ok_or_else(lost)?;
        let left = self.size.map(|size| size - self.got);
        let (reader, bytes) = blocking(Kind::Readers, move || {
            let mut bytes = Vec::new();
            // A byte behind the promised end is asked for: nobody else would.
            let most = left.filter(|left| *left <= most as u64).map_or(most as u64, |left| left + 1);
            let read = reader.by_ref().take(most).read_to_end(&mut bytes);
            read.map_err(|e| Error::new(Code::Io, format!("the reader failed: {e}")))?;
            Ok::<_, Error>((reader, Bytes::from(bytes)))
        })
        .await??;
        self.reader = Some(reader);
        self.got += bytes.len() as u64;
        let ended = bytes.len() < most;
        match self.size {
            Some(size) if self.got > size || (ended && self.got < size) => {
                let than = if self.got > size { "more" } else { "fewer" };
                Err(Error::new(Code::Io, format!("the reader gave {than} than the {size} bytes that were promised")))
            }
            _ => Ok(bytes),
        }
    }
}
