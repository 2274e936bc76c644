//! Refusals that have no name, only a text: of a credential (docs/protocol.md §2.5) and of the app
//! framework (§12.5).

use crate::error::RefusalReason;

/// A text that fal is known to answer with.
#[derive(Debug)]
pub(super) struct Row {
    status: u16,
    begins: &'static str,
    ends: &'static str,
    pub(super) about: RefusalReason,
    pub(super) remedy: &'static str,
    /// Where docs/protocol.md has it.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for the reader, and held to by a test")
    )]
    source: &'static str,
}

const fn row(
    status: u16,
    text: (&'static str, &'static str),
    about: RefusalReason,
    remedy: &'static str,
) -> Row {
    Row {
        status,
        begins: text.0,
        ends: text.1,
        about,
        remedy,
        source: "§2.5",
    }
}

const fn app(
    status: u16,
    text: (&'static str, &'static str),
    about: RefusalReason,
    remedy: &'static str,
) -> Row {
    Row {
        source: "§12.5",
        ..row(status, text, about, remedy)
    }
}

/// What to do where no key arrived.
pub(crate) const NO_KEY: &str = "Send a key: set FAL_KEY to one from https://fal.ai/dashboard/keys. If one was sent, a proxy in between may have removed it.";
const WRONG_KEY: &str = "Check that the key still exists at https://fal.ai/dashboard/keys, and that it is the one you meant.";

/// fal says the same of a key that does not exist and of one that it has not linked to its account.
pub(crate) const UNLINKED: &str = "If it is right, fal may not have linked it to the account yet, as happens with new keys: wait a little, make another one, or \
     write to support@fal.ai with the request id.";

/// All of them seen by third parties only (§16.17), so none decides more than the remedy.
#[rustfmt::skip]
static TEXTS: &[Row] = &[
    row(401, ("invalid key credentials", ""), RefusalReason::WrongKey, WRONG_KEY),
    row(401, ("No user found for Key ID and Secret", ""), RefusalReason::UnknownKey, WRONG_KEY),
    row(401, ("Invalid Key Authorization header format", ""), RefusalReason::MalformedKey, "Give the whole key: it has the form id:secret, as https://fal.ai/dashboard/keys shows it once."),
    row(401, ("bearer: ", ""), RefusalReason::WrongScheme, "Give a key as a key, which goes out as \"Authorization: Key\"; only the token of a login is a bearer token. If it is one, log in again: fal auth login."),
    // Its end is not known (§16.18).
    row(401, ("Cannot access application", ""), RefusalReason::NoKey, NO_KEY),
    row(401, ("Authorization header is required", ""), RefusalReason::NoKey, NO_KEY),
    // No key or a wrong one: the Platform API does not say which.
    row(401, ("Authentication required", ""), RefusalReason::WrongKey, WRONG_KEY),
    row(401, ("API key authentication required", ""), RefusalReason::WrongKey, WRONG_KEY),
    row(404, ("Application \"", " not found"), RefusalReason::App, "Check the endpoint id: there is no app of this name, or it is hidden from this key."),
    app(404, ("Path ", " not found"), RefusalReason::Path, "The app exists, but not this path of it: check what follows its name in the endpoint id."),
    app(500, ("Internal Server Error", ""), RefusalReason::Failure, "The app failed in a way that its author did not foresee: report the request id to its owner."),
];

/// The row of an answer with this status and text.
pub(super) fn find(status: u16, text: &str) -> Option<&'static Row> {
    TEXTS.iter().find(|row| {
        row.status == status && text.starts_with(row.begins) && text.ends_with(row.ends)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_found_by_its_own_row() {
        for row in TEXTS {
            let text = format!("{}x{}", row.begins, row.ends);
            let found = find(row.status, &text);
            assert!(
                found.is_some_and(|found| std::ptr::eq(found, row)),
                "{row:?}"
            );
            assert!(
                find(400, &text).is_none() && !row.remedy.is_empty() && row.source.starts_with('§')
            );
        }
    }
}
