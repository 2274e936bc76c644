//! The key that the caller passed.

use super::{Context, Finding, Source};
use crate::key::Key;

pub(crate) const SOURCE: Source = Source {
    name: "explicit key",
    skippable: false,
    read,
};

fn read(context: &Context<'_>) -> Finding {
    match context.options.key_text() {
        None => Finding::absent(),
        // An empty text is refused, too: a caller that passes one has lost its key on the way, and
        // would not expect another account's.
        Some(text) => Finding::key(Key::parse(text)),
    }
}
