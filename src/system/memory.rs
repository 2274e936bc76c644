//! Memory for what a service sends and a host gives, of which the system may refuse as much.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Code, Error, Result};

/// Makes room for so many bytes more.
pub(crate) fn reserve(bytes: &mut Vec<u8>, more: usize) -> Result<()> {
    bytes
        .try_reserve(more)
        .map_err(|_| refused(bytes.len().saturating_add(more)))
}

/// Room for so many bytes, and no more.
pub(crate) fn room(size: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| refused(size))?;
    Ok(bytes)
}

/// Fails if so many bytes are not to be had now, for what takes them in a way that cannot fail.
/// Somebody else may take them in between.
pub(crate) fn probe(size: usize) -> Result<()> {
    let bytes = room(size)?;
    // What nobody looks at is not allocated at all.
    std::hint::black_box(&bytes);
    Ok(())
}

/// Adds a piece.
pub(crate) fn append(bytes: &mut Vec<u8>, piece: &[u8]) -> Result<()> {
    reserve(bytes, piece.len())?;
    bytes.extend_from_slice(piece);
    Ok(())
}

/// A copy of bytes.
#[cfg(any(test, feature = "capi"))]
pub(crate) fn copy(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut copy = room(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// A copy of a text.
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

/// These bytes in base64, between two texts.
pub(crate) fn base64(before: &str, bytes: &[u8], after: &str) -> Result<String> {
    let encoded = base64::encoded_len(bytes.len(), true).unwrap_or(usize::MAX);
    let mut text = string(encoded.saturating_add(before.len() + after.len()))?;
    text.push_str(before);
    STANDARD.encode_string(bytes, &mut text);
    text.push_str(after);
    Ok(text)
}

/// Takes what is written, as long as there is room for it.
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
    Error::new(Code::Io, format!("there is no memory for {size} bytes")).with_remedy(
        "Allow the process more memory, or send and ask for less: max_response_bytes refuses larger answers.",
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
