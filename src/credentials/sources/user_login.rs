//! The tokens of `fal auth login` (docs/protocol.md §1.4). They are renewed at the first call, not
//! when the sources are read.

use super::{Context, Finding, Source};
use crate::credentials::login::LoginFile;
use crate::credentials::provider::Provider;

pub(crate) const SOURCE: Source = Source {
    name: "login",
    skippable: false,
    read,
};

fn read(context: &Context<'_>) -> Finding {
    let file = match LoginFile::locate(context.environment) {
        Ok(file) => file,
        Err(_) => return Finding::absent().notes(["the home directory is unknown"]),
    };
    let finding = match file.read() {
        Ok(None) => Finding::absent(),
        Ok(Some(login)) => Finding::found(Provider::Login(file.clone())).notes(login.notes()),
        Err(error) => Finding::malformed(error.to_string()),
    };
    finding.at(file.location()).notes(file.notes())
}
