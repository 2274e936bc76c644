//! The secret of a notebook in Google Colab (docs/protocol.md §1.2). Only the Python package can
//! ask for it.

use super::{Context, Finding, Source};
use crate::credentials::{Callback, Provider};

pub(crate) const SOURCE: Source = Source {
    name: "Colab",
    skippable: true,
    read,
};

/// The secret store of a notebook.
#[derive(Clone, Debug)]
pub(crate) enum Notebook {
    /// It can be asked.
    Ask(Callback),
    /// It was asked, and has no key, for this reason.
    Empty(String),
}

/// The notebook's user may be asked for his consent, so the secret waits for the first call.
fn read(context: &Context<'_>) -> Finding {
    let finding = match context.options.notebook_secrets() {
        None => return Finding::absent(),
        Some(Notebook::Empty(reason)) => Finding::absent().notes([reason]),
        Some(Notebook::Ask(callback)) => Finding::found(Provider::Callback(callback.clone()))
            .notes(["asked when a key is needed"]),
    };
    finding.at("secret FAL_KEY")
}
