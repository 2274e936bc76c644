//! A stream of events: however it is cut, it says the same, and nothing of it costs more than it is long.

use super::*;
use crate::fuzz::input::Input;

const MOST: usize = 512;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let size = usize::from(input.byte()) % 16 + 1;
    let stream = input.rest();
    let whole = read(stream, stream.len().max(1));
    assert_eq!(read(stream, size), whole, "in pieces of {size}");
    // A byte that is no UTF-8 becomes three.
    assert!(whole.iter().map(|event| event.data.len()).sum::<usize>() <= 3 * stream.len());
}

fn read(stream: &[u8], size: usize) -> Vec<ServerEvent> {
    let mut parser = Parser::new(MOST);
    let mut events = Vec::new();
    for piece in stream.chunks(size) {
        let mut piece = Bytes::copy_from_slice(piece);
        loop {
            match parser.next(&mut piece) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(_) => return events,
            }
        }
        assert!(parser.line.len() <= MOST && parser.data.len() <= MOST);
    }
    events
}
