//! Allocations that return an error when memory runs out. Their sizes depend on what a service
//! sends or a host passes.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Code, Error, Result};

/// Reserves capacity for `more` additional bytes.
pub(crate) fn reserve(bytes: &mut Vec<u8>, more: usize) -> Result<()> {
    bytes
        .try_reserve(more)
        .map_err(|_| refused(bytes.len().saturating_add(more)))
}

/// Returns an empty vector with a capacity of `size` bytes.
pub(crate) fn room(size: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| refused(size))?;
    Ok(bytes)
}

/// Fails if `size` bytes cannot be allocated now. For use before code that allocates infallibly.
/// Another thread may still take the memory between the two.
pub(crate) fn probe(size: usize) -> Result<()> {
    let bytes = room(size)?;
    // Without this, the compiler removes an allocation that is never read.
    std::hint::black_box(&bytes);
    Ok(())
}

/// Appends a piece.
pub(crate) fn append(bytes: &mut Vec<u8>, piece: &[u8]) -> Result<()> {
    reserve(bytes, piece.len())?;
    bytes.extend_from_slice(piece);
    Ok(())
}

/// Returns a copy of the bytes.
#[cfg(any(test, feature = "capi"))]
pub(crate) fn copy(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut copy = room(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// Returns a copy of the text.
pub(crate) fn text(text: &str) -> Result<String> {
    let mut copy = string(text.len())?;
    copy.push_str(text);
    Ok(copy)
}

fn string(size: usize) -> Result<String> {
    let mut text = String::new();
    text.try_reserve_exact(size).map_err(|_| refused(size))?;
    Ok(text)
}

/// Returns the bytes in base64, with a text before and a text after.
pub(crate) fn base64(before: &str, bytes: &[u8], after: &str) -> Result<String> {
    let encoded = base64::encoded_len(bytes.len(), true).unwrap_or(usize::MAX);
    let mut text = string(encoded.saturating_add(before.len() + after.len()))?;
    text.push_str(before);
    STANDARD.encode_string(bytes, &mut text);
    text.push_str(after);
    Ok(text)
}

/// A buffer that grows with each write. A write fails when memory runs out.
#[derive(Default)]
pub(crate) struct Growing(pub(crate) Vec<u8>);

impl io::Write for Growing {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        append(&mut self.0, piece).map_err(io::Error::other)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn refused(size: usize) -> Error {
    let message = format!("cannot allocate {size} bytes: out of memory");
    Error::new(Code::Io, message).with_remedy(
        "Raise the memory limit of the process, send less data, or lower max_response_bytes.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_can_be_is_an_error() {
        let mut bytes = vec![1];
        assert_eq!(
            reserve(&mut bytes, isize::MAX as usize).unwrap_err().code(),
            Code::Io
        );
        assert!(probe(isize::MAX as usize).is_err() && probe(1).is_ok());
        append(&mut bytes, &[2, 3]).unwrap();
        assert_eq!(bytes, [1, 2, 3]);
    }

    #[test]
    fn copies_are_what_they_are_copies_of() {
        assert_eq!(
            (copy(b"ab").unwrap(), text("ä").unwrap()),
            (b"ab".to_vec(), "ä".to_owned())
        );
        for (bytes, encoded) in [(&b""[..], "<>"), (b"1234", "<MTIzNA==>")] {
            assert_eq!(base64("<", bytes, ">").unwrap(), encoded);
        }
    }
}
