//! The secret of a notebook in Google Colab (docs/protocol.md §1.2). Only the Python package can
//! ask for it.

use super::{Context, Finding, Source};
use crate::credentials::options::Notebook;
use crate::credentials::provider::Provider;

pub(crate) const SOURCE: Source = Source {
    name: "Colab",
    skippable: true,
    read,
};

/// The notebook's user may be asked for his consent, so the secret waits for the first call.
fn read(context: &Context<'_>) -> Finding {
    let finding = match context.options.notebook_secrets() {
        None => return Finding::absent(),
        Some(Notebook::Empty(reason)) => Finding::absent().notes([reason]),
        Some(Notebook::Ask(callback)) => Finding::found(Provider::Notebook(callback.clone()))
            .notes(["asked when a key is needed"]),
    };
    finding.at("secret FAL_KEY")
}
