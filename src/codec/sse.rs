//! An incremental parser of server-sent events (the HTML standard's "event stream";
//! docs/protocol.md §5.4, §6).
//!
//! Unlike eventsource-stream, the parser bounds what it keeps: one unfinished line and one
//! unfinished event.

use std::time::Duration;

use bytes::{Buf, Bytes};

use crate::codec::json;
use crate::error::{Code, Error, Result};
use crate::system::memory;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// How many bytes of a piece are parsed before other tasks of the thread may run.
const STEP: usize = 64 << 10;

/// Splits a stream into events. Pieces may end anywhere, even within a line end or a character.
pub(crate) struct Parser {
    most: usize,
    line: Vec<u8>,
    /// The last byte was a CR, so an LF that follows belongs to it.
    after_cr: bool,
    /// No line has ended yet, so a byte order mark may follow.
    at_start: bool,
    data: Vec<u8>,
    has_data: bool,
    /// A line of an event has ended, but not the event.
    has_begun: bool,
    retry: Option<Duration>,
}

impl Parser {
    /// Creates a parser that refuses lines and events of more than `most` bytes.
    pub(crate) fn new(most: usize) -> Self {
        Parser {
            most,
            line: Vec::new(),
            after_cr: false,
            at_start: true,
            data: Vec::new(),
            has_data: false,
            has_begun: false,
            retry: None,
        }
    }

    /// Consumes `piece` up to the end of the next event, and returns the event's data: its `data:`
    /// lines, joined by line feeds. Returns `None` once the piece is consumed. Names and ids of
    /// events are discarded, because fal's protocol does not use them (docs/protocol.md §6).
    ///
    /// At the end of the stream call [`finish`](Self::finish). After an error the parser cannot be
    /// used again. Yields to other tasks, because a piece may hold any number of events.
    pub(crate) async fn next(&mut self, piece: &mut Bytes) -> Result<Option<Bytes>> {
        while !piece.is_empty() {
            tokio::task::consume_budget().await;
            if let Some(data) = self.step(piece, piece.len().saturating_sub(STEP))? {
                return json::look(data, text).await?.map(Some);
            }
        }
        Ok(None)
    }

    /// Does the work of [`next`](Self::next) without yielding, until `until` bytes are left.
    fn step(&mut self, piece: &mut Bytes, until: usize) -> Result<Option<Bytes>> {
        while piece.len() > until {
            if std::mem::take(&mut self.after_cr) && piece.first() == Some(&b'\n') {
                piece.advance(1);
                continue;
            }
            let step = piece.len() - until;
            let end = piece[..step]
                .iter()
                .position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = piece.split_to(end.unwrap_or(step));
            self.lengthen(&part)?;
            if end.is_none() {
                break;
            }
            self.after_cr = piece.get_u8() == b'\r';
            if let Some(event) = self.end_line()? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Ends the stream, and returns the data of a last event without its empty line, if the data
    /// are complete JSON. Any other rest of an event means that the stream was cut: an error.
    pub(crate) async fn finish(&mut self) -> Result<Option<Bytes>> {
        let cut = || Error::new(Code::ConnectionLost, "the stream ended inside an event");
        let torn = self.line.first().is_some_and(|first| *first != b':');
        if torn {
            self.end_line()?;
        }
        if !self.has_data {
            return if self.has_begun { Err(cut()) } else { Ok(None) };
        }
        let data = Bytes::from(std::mem::take(&mut self.data));
        let first = data.trim_ascii_start().first();
        // The last line may be cut within a number.
        let may_go_on = torn && first.is_some_and(|first| *first == b'-' || first.is_ascii_digit());
        let is_whole = json::look(data.clone(), |data| {
            json::fits(&data).map(|()| json::is_json(&data))
        })
        .await??;
        if is_whole && !may_go_on {
            Ok(Some(data))
        } else {
            Err(cut())
        }
    }

    /// The delay before a reconnection, if the service sent a `retry:` field.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    fn lengthen(&mut self, part: &[u8]) -> Result<()> {
        // Of a comment only the colon is kept.
        if self.line.first() == Some(&b':') {
            return Ok(());
        }
        let part = if self.line.is_empty() && part.first() == Some(&b':') {
            &part[..1]
        } else {
            part
        };
        self.check(self.line.len() + part.len())?;
        memory::append(&mut self.line, part)
    }

    fn check(&self, length: usize) -> Result<()> {
        if length <= self.most {
            return Ok(());
        }
        let message = format!("the stream has an event of more than {} bytes", self.most);
        Err(Error::new(Code::TooLarge, message))
    }

    fn end_line(&mut self) -> Result<Option<Bytes>> {
        let line = std::mem::take(&mut self.line);
        let marked = std::mem::take(&mut self.at_start) && line.starts_with(BOM);
        let text = &line[if marked { BOM.len() } else { 0 }..];
        let event = if text.is_empty() {
            self.end_event()
        } else {
            self.field(text)?;
            None
        };
        self.line = line;
        self.line.clear();
        Ok(event)
    }

    fn field(&mut self, line: &[u8]) -> Result<()> {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = match colon {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        // A comment belongs to no event.
        self.has_begun |= colon != Some(0);
        match name {
            b"data" => {
                self.check(self.data.len() + value.len() + 1)?;
                if std::mem::replace(&mut self.has_data, true) {
                    memory::append(&mut self.data, b"\n")?;
                }
                memory::append(&mut self.data, value)?;
            }
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let text = std::str::from_utf8(value).unwrap_or_default();
                self.retry = text.parse().ok().map(Duration::from_millis);
            }
            _ => {}
        }
        Ok(())
    }

    fn end_event(&mut self) -> Option<Bytes> {
        let data = std::mem::take(&mut self.data);
        self.has_begun = false;
        std::mem::take(&mut self.has_data).then(|| data.into())
    }
}

/// Replaces malformed UTF-8 with U+FFFD, as the standard demands.
fn text(data: Bytes) -> Result<Bytes> {
    if std::str::from_utf8(&data).is_ok() {
        return Ok(data);
    }
    let mut text = Vec::new();
    for chunk in data.utf8_chunks() {
        memory::append(&mut text, chunk.valid().as_bytes())?;
        if !chunk.invalid().is_empty() {
            memory::append(&mut text, "\u{FFFD}".as_bytes())?;
        }
    }
    Ok(text.into())
}

#[cfg(any(test, fuzzing))]
#[path = "../fuzz/sse.rs"]
pub(crate) mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses a stream that arrives in these pieces. Returns its events and the parser.
    fn read(pieces: &[&[u8]]) -> (Vec<Bytes>, Parser) {
        let mut parser = Parser::new(64);
        let mut events = Vec::new();
        for piece in pieces {
            let mut piece = Bytes::copy_from_slice(piece);
            while let Some(event) = parser.step(&mut piece, 0).unwrap() {
                events.push(text(event).unwrap());
            }
            assert!(piece.is_empty());
        }
        (events, parser)
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    }

    fn data(text: &str) -> Bytes {
        text.to_owned().into()
    }

    /// Checks the events of a stream: in one piece, byte by byte, and cut at each two places.
    fn expect(stream: &[u8], expected: &[Bytes]) {
        assert_eq!(read(&[stream]).0, expected, "in one piece");
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(read(&bytes).0, expected, "byte by byte");
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(read(&pieces).0, expected, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn every_line_end_ends_a_line() {
        for end in ["\n", "\r\n", "\r"] {
            let stream = ["data: a", "data:b", "", ": x", "data: c", "", ""].join(end);
            expect(stream.as_bytes(), &[data("a\nb"), data("c")]);
        }
        expect(
            b"data:a\r\n\ndata:b\n\r\ndata:c\r\r\n",
            &[data("a"), data("b"), data("c")],
        );
    }

    #[test]
    fn a_mark_at_the_start_is_no_text_and_elsewhere_is() {
        expect(b"\xEF\xBB\xBFdata: a\n\n", &[data("a")]);
        expect(b"\n\xEF\xBB\xBFdata: a\n\n", &[]);
        expect(b"data: \xEF\xBB\xBF\n\n", &[data("\u{FEFF}")]);
        expect(b"\xEF\xBB\xBF: comment\ndata: a\n\n", &[data("a")]);
    }

    #[test]
    fn one_space_after_the_colon_goes_and_other_fields_do_not_count() {
        expect(b"data:  a \n\n", &[data(" a ")]);
        expect(b"data\n\n", &[data("")]);
        expect(b"data:\ndata:\n\n", &[data("\n")]);
        expect(b"Data: a\nfoo: b\nbar\n data: c\n\n", &[]);
        expect(b"data: a:b\n\n", &[data("a:b")]);
    }

    #[test]
    fn names_and_ids_are_no_data() {
        expect(
            b"event: progress\nid: 7\ndata: a\n\nid: 8\0\ndata: b\n\n",
            &[data("a"), data("b")],
        );
        expect(b"event: x\n\ndata: a\n\n", &[data("a")]);
    }

    #[test]
    fn a_long_piece_is_read_in_steps() {
        let stream = [
            &b"data: x\n"[..],
            &vec![b'\n'; 3 * STEP],
            b"data: ",
            &vec![b'y'; 2 * STEP],
            b"\n\n",
        ]
        .concat();
        let (mut parser, mut piece, mut events) =
            (Parser::new(4 * STEP), Bytes::from(stream), Vec::new());
        while let Some(event) = runtime().block_on(parser.next(&mut piece)).unwrap() {
            events.push(event);
        }
        assert_eq!(events, [data("x"), vec![b'y'; 2 * STEP].into()]);
    }

    #[test]
    fn what_the_end_cuts_off_is_no_event() {
        expect(b"data: a\n\ndata: b\n", &[data("a")]);
        expect(b"data: a\n\ndata: b", &[data("a")]);
        expect(b"", &[]);
    }

    #[test]
    fn what_the_end_leaves_is_an_event_if_it_is_whole_json() {
        let left = |stream: &str| {
            let (_, mut parser) = read(&[stream.as_bytes()]);
            runtime()
                .block_on(parser.finish())
                .map_err(|error| error.code())
        };
        for (stream, whole) in [
            ("data: {\"a\": 1}\n", "{\"a\": 1}"),
            ("data: {\"a\": 1}", "{\"a\": 1}"),
            ("data: 1\n\nevent: x\ndata: [\ndata: 2]\n", "[\n2]"),
            ("data: [2]\nid: 7\n", "[2]"),
            ("data: 12\n", "12"),
            ("data: \"12\"", "\"12\""),
        ] {
            assert_eq!(left(stream), Ok(Some(data(whole))), "{stream}");
        }
        for stream in [
            "",
            "data: 1\n\n",
            ": pin",
            "data: 1\n\n: ping\n",
            "id: 7\n\n",
            "\n\n",
            "\u{feff}: ping\n",
            "id: 7\n\n: ping\n",
        ] {
            assert_eq!(left(stream), Ok(None), "{stream}");
        }
        for stream in [
            "data: {\"a",
            "data: {\"a\": 1\n",
            "data: 12",
            "data: -",
            "data: hello\n",
            "data",
            "da",
            "id",
            "data\n",
            "id: 7\n",
            "data: 1\n\nevent: x\n",
            "event: x\n: ping",
        ] {
            assert_eq!(left(stream), Err(Code::ConnectionLost), "{stream}");
        }
    }

    #[test]
    fn characters_may_be_cut_and_malformed() {
        expect("data: \u{1F600}ü\n\n".as_bytes(), &[data("\u{1F600}ü")]);
        expect(b"data: \xFF\xF0\x9F\n\n", &[data("\u{FFFD}\u{FFFD}")]);
    }

    #[test]
    fn the_time_to_wait_is_a_whole_number() {
        assert_eq!(
            read(&[b"retry: 250\n"]).1.retry(),
            Some(Duration::from_millis(250))
        );
        for malformed in ["retry: -1\n", "retry: 1.5\n", "retry:\n", "retry: +1\n"] {
            assert_eq!(read(&[malformed.as_bytes()]).1.retry(), None, "{malformed}");
        }
    }

    #[test]
    fn lines_and_events_are_bounded_and_comments_are_not_kept() {
        let refuse = |stream: &[u8]| {
            let mut parser = Parser::new(16);
            let outcome = stream.iter().try_for_each(|byte| {
                parser.step(&mut Bytes::copy_from_slice(&[*byte]), 0)?;
                assert!(parser.line.len() <= 16 && parser.data.len() <= 16);
                Ok::<(), Error>(())
            });
            outcome.err().map(|error| error.code())
        };
        assert_eq!(refuse(&[b'x'; 1000]), Some(Code::TooLarge));
        assert_eq!(refuse(&b"data: a\n".repeat(20)), Some(Code::TooLarge));
        assert_eq!(refuse(&b"data\n".repeat(20)), Some(Code::TooLarge));
        assert_eq!(refuse(&b"data: a\n\n".repeat(1000)), None);
        assert_eq!(
            refuse(&[&[b':'; 1000][..], b"\ndata: a\n\n"].concat()),
            None
        );
    }
}
