//! A stream of events: however it is cut, it says the same, and nothing of it costs more than it is
//! long.

use super::*;
use crate::fuzz::input::Input;
use crate::fuzz::spent::peak;

const MOST: usize = 512;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let size = usize::from(input.byte()) % 16 + 1;
    let stream = input.rest();
    let (whole, spent) = peak(|| read(stream, stream.len().max(1)));
    // An empty event is a line feed more than its field's name.
    assert!(
        spent <= 32 * stream.len() + 4096,
        "{spent} bytes for {}",
        stream.len()
    );
    assert_eq!(read(stream, size), whole, "in pieces of {size}");
    // A byte that is no UTF-8 becomes three.
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
