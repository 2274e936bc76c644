//! The secret `FAL_KEY` of a notebook in Google Colab (docs/protocol.md §1.2). Only the Python
//! package can read it.

use super::{Context, Finding, Source};
use crate::credentials::options::Notebook;
use crate::credentials::provider::Provider;

pub(crate) const SOURCE: Source = Source {
    name: "Colab",
    skippable: true,
    read,
};

/// Leaves the secret to the first call, because Colab may ask the user for permission.
fn read(context: &Context<'_>) -> Finding {
    let finding = match &context.options.notebook {
        None => return Finding::absent(),
        Some(Notebook::Empty(reason)) => Finding::absent().notes([reason]),
        Some(Notebook::Ask(callback)) => Finding::found(Provider::Notebook(callback.clone()))
            .notes(["asked when a key is needed"]),
    };
    finding.at("secret FAL_KEY")
}
