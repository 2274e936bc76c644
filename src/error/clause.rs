//! Texts of a service as parts of a message.

/// Removes the punctuation at the end of a text, so that a message can continue after it. The
/// result may be empty.
pub(crate) fn clause(text: &str) -> &str {
    let text = text.trim();
    // An ellipsis says that the text was shortened.
    let text = if text.ends_with("..") {
        text
    } else {
        text.trim_end_matches('.')
    };
    text.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ':' | ';' | ','))
        .trim_end()
}

/// Returns the [`clause`] of a text, or `default` if the clause is empty or there is no text.
pub(crate) fn clause_or<'a>(text: Option<&'a str>, default: &'a str) -> &'a str {
    match text.map_or("", clause) {
        "" => default,
        text => text,
    }
}

#[cfg(test)]
mod tests {
    use super::clause;

    #[test]
    fn what_ends_a_sentence_goes_and_nothing_else() {
        for (text, kept) in [
            ("Bad input.", "Bad input"),
            (" Bad input:\n", "Bad input"),
            ("Bad input;", "Bad input"),
            ("Bad input", "Bad input"),
            ("Bad input!", "Bad input!"),
            ("Why?", "Why?"),
            ("It goes on...", "It goes on..."),
            ("It goes on…", "It goes on…"),
            ("Expected 'a:b'.", "Expected 'a:b'"),
            ("See (this).", "See (this)"),
            (".", ""),
            (" : ", ""),
            ("", ""),
        ] {
            assert_eq!(clause(text), kept, "{text:?}");
        }
    }
}
