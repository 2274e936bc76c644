//! `FAL_KEY` (fal-protocol.md §1.2).

use super::source::{Context, Finding, Source, variable};
use crate::key::Key;

const NAME: &str = "FAL_KEY";

pub(super) const SOURCE: Source = Source { name: NAME, skippable: true, read };

fn read(context: &Context<'_>) -> Finding {
    match variable(context.environment, NAME) {
        Ok(text) => Finding::key(Key::parse(&text)).at(NAME),
        Err(finding) => finding,
    }
}
