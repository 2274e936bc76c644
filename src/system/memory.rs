//! Memory for what a service sends, of which the system may refuse as much.

use crate::error::{Code, Error, Result};

/// Makes room for so many bytes more.
pub(crate) fn reserve(bytes: &mut Vec<u8>, more: usize) -> Result<()> {
    bytes
        .try_reserve(more)
        .map_err(|_| refused(bytes.len() + more))
}

/// Fails if so many bytes are not to be had now, for what takes them in a way that cannot fail.
/// Somebody else may take them in between.
pub(crate) fn probe(size: usize) -> Result<()> {
    let mut bytes = Vec::new();
    reserve(&mut bytes, size)?;
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

fn refused(size: usize) -> Error {
    Error::new(
        Code::Io,
        format!("there is no memory for the {size} bytes of an answer"),
    )
    .with_remedy(
        "Allow the process more memory, or let max_response_bytes refuse answers of this size.",
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
}
