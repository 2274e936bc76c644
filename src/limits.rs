//! What the network may make us spend: nothing that arrives costs more than a constant times its
//! size, and each of these is part of that constant. docs/guarantees.md has the table.

/// Bytes of an error's message or remedy, whatever the service told us.
pub(crate) const MESSAGE: usize = 4 << 10;
/// Characters of the service's own text in a message.
pub(crate) const QUOTED: usize = 500;
/// An error's body is kept up to here, if the answers of the call may be as large. A validator
/// repeats the input that it refuses, which may be a file's content.
pub(crate) const ERROR_BODY: usize = 16 << 20;
/// What the library asks for on its own behalf, tokens, keys and addresses, is never larger.
pub(crate) const SMALL: usize = 1 << 20;

/// Refused fields of an input: nobody reads more.
pub(crate) const FIELDS: usize = 1000;
/// Values in what an error says about its fields, all together.
pub(crate) const FIELD_VALUES: usize = 1 << 16;

/// Bytes of a job's status with its window of the log.
pub(crate) const STATUS: usize = 16 << 20;
/// Lines of a window that are looked at, the newest, and so many different ones are remembered.
pub(crate) const LINES: usize = 1 << 16;
/// Bytes of JSON that are read to be written in one way, whoever wrote it.
pub(crate) const TIDIED: usize = 64 << 10;

/// Levels of JSON that are written. serde_json reads no more, and so does whoever reads ours.
pub(crate) const DEPTH: usize = 128;
/// Levels of MessagePack. What it has and JSON has not takes a few more there.
pub(crate) const PACKED_DEPTH: usize = 120;
/// Values in a frame: one may have one byte and takes forty in memory.
pub(crate) const PACKED_VALUES: usize = 1 << 20;
/// Bytes of JSON for each byte of MessagePack.
pub(crate) const PACKED_RATIO: usize = 16;

/// Headers of an answer that comes over a channel.
pub(crate) const HEADERS: usize = 1000;

/// Keys in a set of webhook keys: each is tried for each delivery.
pub(crate) const WEBHOOK_KEYS: usize = 100;

/// A text of at most so many bytes, whose secrets may still be in it. The last word goes as a
/// whole, and if it is the only one: half of a secret would not be known for one.
pub(crate) fn shortened(text: &str, most: usize) -> std::borrow::Cow<'_, str> {
    if text.len() <= most {
        return text.into();
    }
    let end = (0..=most)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or_default();
    let kept = &text[..end];
    let kept = kept
        .rfind(char::is_whitespace)
        .map_or("", |space| &kept[..space]);
    format!("{kept}…").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_ends_behind_a_word() {
        assert_eq!(shortened("one two", 7), "one two");
        assert_eq!(shortened("one two three", 9), "one two…");
        assert_eq!(shortened("onetwo", 3), "…");
        assert_eq!(shortened("ä ä", 4), "ä…");
        assert_eq!(shortened("ä ä", 3), "ä…");
        assert_eq!(shortened("ä", 1), "…");
    }
}
