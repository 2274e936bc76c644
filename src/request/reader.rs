//! Content from a reader of the host, which is read once and in order.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::error::{Code, Error, Result};
use crate::runtime::host_functions::{self, HostOwned};
use crate::system::memory;

type Boxed = HostOwned<Box<dyn Read + Send>>;

/// A reader that has not begun. Clones share the reader.
#[derive(Clone)]
pub(crate) struct Waiting {
    reader: Arc<Reader>,
    size: Option<u64>,
}

struct Reader {
    spent: AtomicBool,
    /// Locked only by the caller that has set `spent`, so no other thread can hold the lock during
    /// a fork.
    boxed: Mutex<Option<Boxed>>,
}

impl Waiting {
    pub(crate) fn new(reader: Box<dyn Read + Send>, size: Option<u64>) -> Self {
        let reader = Reader {
            spent: AtomicBool::new(false),
            boxed: Mutex::new(Some(HostOwned::new(reader))),
        };
        Waiting {
            reader: Arc::new(reader),
            size,
        }
    }

    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Whether reading has begun.
    pub(crate) fn is_spent(&self) -> bool {
        self.reader.spent.load(Ordering::Acquire)
    }

    pub(crate) fn is_same(&self, other: &Waiting) -> bool {
        Arc::ptr_eq(&self.reader, &other.reader)
    }

    /// Begins reading. Fails the second time.
    pub(crate) fn begin(&self) -> Result<Pull> {
        let first = !self.reader.spent.swap(true, Ordering::AcqRel);
        let reader = first
            .then(|| {
                self.reader
                    .boxed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take()
            })
            .flatten();
        let reader = reader
            .ok_or_else(|| Error::invalid("the reader is already used: it can be read once"))?;
        Ok(Pull {
            reader: Some(reader),
            size: self.size,
            got: 0,
            buffers: Buffers::default(),
        })
    }
}

/// A reader in use.
pub(crate) struct Pull {
    /// `None` while a thread reads from it.
    reader: Option<Boxed>,
    size: Option<u64>,
    got: u64,
    buffers: Buffers,
}

/// Buffers to fill again. Reuse keeps memory low, because an allocator retains much of the memory
/// that one thread allocates and another frees.
#[derive(Clone, Default)]
struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// A buffer that returns to the others when its last reference is dropped.
struct Filled {
    bytes: Vec<u8>,
    home: Buffers,
}

impl Buffers {
    fn take(&self, most: usize) -> Result<Vec<u8>> {
        let mut buffer = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_default();
        buffer.clear();
        // The full size at once, because a growing buffer briefly exists twice.
        buffer
            .try_reserve_exact(most)
            .map_err(|_| memory::refused(most))?;
        Ok(buffer)
    }
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.home
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(bytes);
    }
}

impl Pull {
    /// Returns the next `most` bytes: fewer at the end, and none after it. Fails if the content is
    /// shorter or longer than its stated size.
    pub(crate) async fn next(&mut self, most: usize) -> Result<Bytes> {
        let lost = || Error::new(Code::Io, "the reader has already failed");
        let reader = self.reader.take().ok_or_else(lost)?;
        let left = self.size.map(|size| size - self.got);
        let home = self.buffers.clone();
        let (reader, bytes) = host_functions::call(host_functions::Kind::Readers, move || {
            // One byte more than the stated size shows whether the content is longer.
            let most = left
                .filter(|left| *left <= most as u64)
                .map_or(most, |left| left as usize + 1);
            let mut bytes = home.take(most)?;
            let mut source = reader.take().ok_or_else(lost)?;
            let read = source.by_ref().take(most as u64).read_to_end(&mut bytes);
            let reader = HostOwned::new(source);
            read.map_err(|e| {
                Error::new(Code::Io, format!("the reader failed: {e}")).with_cause(&e)
            })?;
            Ok::<_, Error>((reader, Bytes::from_owner(Filled { bytes, home })))
        })
        .await??;
        self.reader = Some(reader);
        self.got += bytes.len() as u64;
        let ended = bytes.len() < most;
        match self.size {
            Some(size) if self.got > size || (ended && self.got < size) => {
                let than = if self.got > size { "more" } else { "fewer" };
                Err(Error::new(
                    Code::Io,
                    format!("the reader returned {than} than its stated {size} bytes"),
                ))
            }
            _ => Ok(bytes),
        }
    }
}
