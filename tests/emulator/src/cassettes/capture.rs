//! The body of a response as it is recorded.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::input;
use super::notation::Layout;
use super::recorder::Recorder;
use super::tape::{self, Event, Media, Recorded};
use super::texts;

/// The longest text in bytes that is a part of its recording; a longer one is a file beside it.
const LONGEST_TEXT: usize = 64 * 1024;

/// What replaces the content of a data URL before the name of the file that has it.
pub(super) const DATA_FILE: &str = ";file,";

/// What arrived of a body.
#[derive(Default)]
pub(super) struct Body {
    /// All bytes; none if they are more than are kept.
    pub(super) bytes: Vec<u8>,
    /// In bytes.
    pub(super) size: u64,
    pub(super) is_too_large: bool,
    /// Whether the content is unknown because it could not be decoded.
    pub(super) is_encoded: bool,
    /// The time of each complete event of a stream, and its end within the bytes.
    pub(super) events: Vec<(u64, usize)>,
    /// The number of bytes that no search for the end of an event has to read again.
    pub(super) searched: usize,
}

impl Body {
    pub(super) fn push(&mut self, bytes: &[u8], largest: u64) {
        self.size += bytes.len() as u64;
        if self.size > largest {
            self.is_too_large = true;
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Notes the events that the bytes up to now complete, and returns them.
    pub(super) fn note_events(&mut self, at_ms: u64) -> &[u8] {
        if self.is_too_large {
            return &[];
        }
        let from = self.events.last().map_or(0, |(_, end)| *end);
        let mut end = from;
        while let Some(next) = event_end(&self.bytes, end.max(self.searched)) {
            end = next;
            self.events.push((at_ms, end));
        }
        // The next bytes may complete an end that begins here.
        self.searched = self.bytes.len().saturating_sub(LONGEST_END - 1);
        &self.bytes[from..end]
    }
}

/// What ends an event, and the longest of them.
const ENDS: [&[u8]; 3] = [b"\n\n", b"\r\n\r\n", b"\r\r"];
const LONGEST_END: usize = 4;

/// The end of the first event that ends behind `from`, with its blank line.
fn event_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = bytes[at..].iter().position(|byte| b"\n\r".contains(byte)) {
        at += found;
        if let Some(end) = ENDS.iter().find(|end| bytes[at..].starts_with(end)) {
            return Some(at + end.len());
        }
        at += 1;
    }
    None
}

/// The file of a body.
pub(super) fn media(recorder: &Recorder, body: &Body, content_type: &str) -> io::Result<Media> {
    let left_out = |why: &str| Media {
        file: None,
        left_out: Some(why.into()),
        size: body.size,
    };
    if body.is_encoded {
        return Ok(left_out("it is encoded"));
    }
    if body.is_too_large {
        return Ok(recorder.folder.too_large(body.size));
    }
    let text = std::str::from_utf8(&body.bytes).ok();
    let masked = text.map(|text| texts::kept(recorder, text, false));
    let bytes = masked.as_deref().map_or(&body.bytes[..], str::as_bytes);
    if recorder.mask.is_in(bytes) {
        return Ok(left_out("it contains a secret"));
    }
    recorder
        .folder
        .keep(bytes, &recorder.mask.text(content_type))
}

/// Puts a body into its recording.
pub(super) fn put(
    recorder: &Recorder,
    recorded: &mut Recorded,
    body: &Body,
    content_type: &str,
) -> io::Result<()> {
    let text = std::str::from_utf8(&body.bytes).ok();
    let is_known = !body.is_too_large && !body.is_encoded;
    match text {
        _ if body.size == 0 => {}
        Some(text) if is_known && !body.events.is_empty() => {
            recorded.events = Some(events(recorder, text, &body.events));
        }
        Some(text) if is_known => match json(recorder, text) {
            Some((json, spaced)) => (recorded.json, recorded.spaced) = (Some(json), spaced),
            // A file of JSON would not get the URLs of uploads when it replays.
            None if text.len() <= LONGEST_TEXT || texts::is_json(text) => {
                recorded.text = Some(texts::kept(recorder, text, true));
            }
            None => recorded.media = Some(media(recorder, body, content_type)?),
        },
        _ => recorded.media = Some(media(recorder, body, content_type)?),
    }
    Ok(())
}

fn events(recorder: &Recorder, text: &str, ends: &[(u64, usize)]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut from = 0;
    let last = ends.last().copied().unwrap_or_default();
    for (at_ms, end) in ends.iter().copied().chain([(last.0, text.len())]) {
        let piece = text.get(from..end).unwrap_or_default();
        from = end;
        let data = piece
            .strip_prefix("data: ")
            .and_then(|rest| rest.strip_suffix("\n\n"));
        let data = data.and_then(|data| json(recorder, data));
        if let Some((data, spaced)) = data {
            events.push(Event {
                at_ms,
                data: Some(data),
                spaced,
                text: None,
            });
        } else if !piece.is_empty() {
            let text = Some(texts::kept(recorder, piece, true));
            events.push(Event {
                at_ms,
                data: None,
                spaced: false,
                text,
            });
        }
    }
    events
}

/// A JSON text that a recording can reproduce, without secrets, and whether it has spaces.
fn json(recorder: &Recorder, text: &str) -> Option<(Box<serde_json::value::RawValue>, bool)> {
    let (json, layout) = tape::layout_of(text)?;
    let kept = input::kept(
        json.get(),
        Layout::Compact,
        &recorder.mask,
        &mut |url| recorder.uploads.hash(url),
        &mut |data| data_file(recorder, data),
    );
    let json = serde_json::value::RawValue::from_string(kept).ok()?;
    Some((json, layout == Layout::Spaced))
}

/// A long data URL with the name of a file in place of its content. A file that cannot be written, or
/// that would not give the same URL again, stays in the recording.
fn data_file(recorder: &Recorder, url: &str) -> Option<String> {
    let (head, content) = url.strip_prefix("data:")?.split_once(";base64,")?;
    let bytes = STANDARD.decode(content).ok()?;
    let is_clean = recorder.mask.is_clean(head) && !recorder.mask.is_in(&bytes);
    if STANDARD.encode(&bytes) != content || !is_clean {
        return None;
    }
    let name = recorder.folder.keep(&bytes, head).ok()?.file?;
    Some(format!("data:{head}{DATA_FILE}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_end_with_a_blank_line() {
        let mut body = Body::default();
        body.push(b"data: 1\n\ndata: 2\r\n\r\ndata:", 100);
        assert_eq!(body.note_events(5), b"data: 1\n\ndata: 2\r\n\r\n");
        body.push(b" 3\n", 100);
        assert_eq!(body.note_events(6), b"");
        body.push(b"\n", 100);
        assert_eq!(body.note_events(7), b"data: 3\n\n");
        assert_eq!(body.events, [(5, 9), (5, 20), (7, 29)]);
        for piece in [&b"x\r"[..], b"\n", b"\r", b"\ny"] {
            assert_eq!(body.note_events(8), b"");
            body.push(piece, 100);
        }
        assert_eq!(body.note_events(9), b"x\r\n\r\n");
        body.events.pop();
        body.push(&[b'\n'; 100], 100);
        assert_eq!(body.note_events(8), b"");
        assert_eq!(
            (body.is_too_large, body.size, body.bytes.len()),
            (true, 135, 0)
        );
    }

    #[test]
    fn no_byte_of_a_long_event_is_searched_again_and_again() {
        let mut body = Body::default();
        for _ in 0..100 {
            body.push(&[b'x'; 1000], 1 << 20);
            body.note_events(0);
            assert_eq!(body.searched, body.bytes.len() - 3);
        }
        body.push(b"\n\nnext", 1 << 20);
        assert_eq!(body.note_events(0).len(), 100_002);
        body.push(b"\n\n", 1 << 20);
        assert_eq!(body.note_events(0), b"next\n\n");
    }
}
