//! Content that a function of the host gives, once and in order.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::error::{Code, Error, Result};
use crate::runtime::host_functions::{self, HostOwned};
use crate::system::memory;

type Boxed = HostOwned<Box<dyn Read + Send>>;

/// A reader that waits to be used. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Waiting {
    reader: Arc<Reader>,
    size: Option<u64>,
}

struct Reader {
    spent: AtomicBool,
    /// Locked by nobody but who has spent it, so that no other thread can hold it at a fork.
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

    /// Whether it was used.
    pub(crate) fn is_spent(&self) -> bool {
        self.reader.spent.load(Ordering::Acquire)
    }

    pub(crate) fn is_same(&self, other: &Waiting) -> bool {
        Arc::ptr_eq(&self.reader, &other.reader)
    }

    /// Takes the reader, which works once.
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
            .ok_or_else(|| Error::invalid("the reader was used before: it can be read once"))?;
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
    /// Away while it is read.
    reader: Option<Boxed>,
    size: Option<u64>,
    got: u64,
    buffers: Buffers,
}

/// Buffers that were sent, to be filled again: an allocator keeps much of what one thread allocates
/// and another frees.
#[derive(Clone, Default)]
struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// A buffer that goes back to the others when nobody needs its bytes any more.
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
        // Room for all of it: what grows is, for a moment, there twice.
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
    /// The next `most` bytes; fewer only at the end, none behind it. An end that comes too early or
    /// too late is an error.
    pub(crate) async fn next(&mut self, most: usize) -> Result<Bytes> {
        let lost = || Error::new(Code::Io, "the reader failed before");
        let reader = self.reader.take().ok_or_else(lost)?;
        let left = self.size.map(|size| size - self.got);
        let home = self.buffers.clone();
        let (reader, bytes) = host_functions::call(host_functions::Kind::Readers, move || {
            // A byte behind the promised end is asked for: nobody else would.
            let most = left
                .filter(|left| *left <= most as u64)
                .map_or(most, |left| left as usize + 1);
            let mut bytes = home.take(most)?;
            let mut source = reader.take().ok_or_else(lost)?;
            let read = source.by_ref().take(most as u64).read_to_end(&mut bytes);
            let reader = HostOwned::new(source);
            read.map_err(|e| Error::new(Code::Io, format!("the reader failed: {e}")))?;
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
                    format!("the reader gave {than} than the {size} bytes that were promised"),
                ))
            }
            _ => Ok(bytes),
        }
    }
}
