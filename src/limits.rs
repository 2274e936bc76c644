//! Limits for everything that the network sends, so that received data costs at most a constant
//! times its size. docs/guarantees.md has the table.

/// Bytes of an error's message or remedy.
pub(crate) const MESSAGE: usize = 4 << 10;
/// Characters of the service's own text in a message.
pub(crate) const QUOTED: usize = 500;
/// Bytes of an error response's body, if the client's own limit is not lower. It is large because a
/// validator repeats the input that it refuses, which may be the content of a file.
pub(crate) const ERROR_BODY: usize = 16 << 20;
/// Bytes of a response that libfal requests for itself: tokens, keys, upload URLs.
pub(crate) const SMALL: usize = 1 << 20;

/// Fields of an input that an error lists as refused.
pub(crate) const FIELDS: usize = 1000;
/// JSON values in the details of all fields of an error together.
pub(crate) const FIELD_VALUES: usize = 1 << 16;

/// Bytes of a job's status, which includes a window of the log.
pub(crate) const STATUS: usize = 16 << 20;
/// Lines of a log window that are read, the newest ones, and different lines that are remembered.
pub(crate) const LINES: usize = 1 << 16;
/// Bytes of JSON that are parsed and rewritten in a uniform notation.
pub(crate) const TIDIED: usize = 64 << 10;

/// Levels of JSON that is written. serde_json reads at most as many.
pub(crate) const DEPTH: usize = 128;
/// Levels of MessagePack. It is lower than [`DEPTH`], because types that JSON lacks take more
/// levels in JSON.
pub(crate) const PACKED_DEPTH: usize = 120;
/// Values in a frame of MessagePack. A value of one byte takes 40 bytes in memory.
pub(crate) const PACKED_VALUES: usize = 1 << 20;
/// Bytes of JSON for each byte of MessagePack.
pub(crate) const PACKED_RATIO: usize = 16;

/// Headers of a response over a WebSocket channel.
pub(crate) const HEADERS: usize = 1000;

/// Keys in a set of webhook keys. A verification tries each key.
pub(crate) const WEBHOOK_KEYS: usize = 100;

/// Shortens a text to at most `most` bytes, and appends an ellipsis. Removes a cut word completely:
/// the text may contain secrets, and a part of a secret would not be recognized later.
pub(crate) fn shortened(text: &str, most: usize) -> std::borrow::Cow<'_, str> {
    if text.len() <= most {
        return text.into();
    }
    let kept = &text[..text.floor_char_boundary(most)];
    let kept = kept
        .rfind(char::is_whitespace)
        .map_or("", |space| &kept[..space]);
    format!("{kept}…").into()
}

/// Shortens a text to at most `most` characters, and appends an ellipsis.
pub(crate) fn first_characters(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
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
