//! Fuzzes server-sent events: how a stream is cut does not change its events, and the memory is
//! proportional to its length.

use super::*;
use crate::fuzz::input::Input;
use crate::fuzz::spent::bounded;

const MOST: usize = 512;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let size = usize::from(input.byte()) % 16 + 1;
    let stream = input.rest();
    // The smallest event has a few bytes.
    let whole = bounded(stream.len(), 32, 4096, || read(stream, stream.len().max(1)));
    assert_eq!(read(stream, size), whole, "in pieces of {size}");
    // A malformed byte becomes U+FFFD, three bytes.
    assert!(whole.iter().map(Bytes::len).sum::<usize>() <= 3 * stream.len());
}

fn read(stream: &[u8], size: usize) -> Vec<Bytes> {
    let mut parser = Parser::new(MOST);
    let mut events = Vec::new();
    for piece in stream.chunks(size) {
        let mut piece = Bytes::copy_from_slice(piece);
        loop {
            match parser.step(&mut piece, 0) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(_) => return events,
            }
        }
        assert!(parser.line.len() <= MOST && parser.data.len() <= MOST);
    }
    events
}
