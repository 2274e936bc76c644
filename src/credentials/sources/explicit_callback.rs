//! The function that the caller passed.

use super::{Context, Finding, Source};
use crate::credentials::Provider;

pub(crate) const SOURCE: Source = Source {
    name: "explicit callback",
    skippable: false,
    read,
};

fn read(context: &Context<'_>) -> Finding {
    match context.options.callback_function() {
        None => Finding::absent(),
        Some(callback) => Finding::found(Provider::Callback(callback.clone()))
            .notes(["asked when a key is needed"]),
    }
}
