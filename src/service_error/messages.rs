//! The refusals that have a text but no name: those of a credential (docs/protocol.md §2.5) and
//! those of the app framework (§12.5).

use crate::error::RefusalReason;

/// A text that fal is known to send, and its meaning.
#[derive(Debug)]
pub(super) struct Row {
    status: u16,
    begins: &'static str,
    ends: &'static str,
    pub(super) about: RefusalReason,
    pub(super) remedy: &'static str,
    /// The section of docs/protocol.md.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "documents the row; a test checks it")
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

/// The remedy if no key arrived.
pub(crate) const NO_KEY: &str = "Set FAL_KEY to a key from https://fal.ai/dashboard/keys. If a key was sent, a proxy between this machine and fal may have removed it.";
const WRONG_KEY: &str = "Check that the key still exists at https://fal.ai/dashboard/keys, and that it is the one you meant.";

/// fal sends the same text for a key that does not exist and for a key that is not linked to its
/// account.
pub(crate) const UNLINKED: &str = "If the key is right, fal may not have linked it to the account yet, as happens with new keys. Wait a minute, make another key, \
     or write to support@fal.ai with the request id.";

/// Third parties saw these texts, but fal does not document them (§16.17). A text therefore decides
/// nothing but the remedy.
#[rustfmt::skip]
static TEXTS: &[Row] = &[
    row(401, ("invalid key credentials", ""), RefusalReason::WrongKey, WRONG_KEY),
    row(401, ("No user found for Key ID and Secret", ""), RefusalReason::UnknownKey, WRONG_KEY),
    row(401, ("Invalid Key Authorization header format", ""), RefusalReason::MalformedKey, "Give the whole key: it has the form id:secret, and https://fal.ai/dashboard/keys shows it once."),
    row(401, ("bearer: ", ""), RefusalReason::WrongScheme, "Pass the key as a key, so that libfal sends \"Authorization: Key\"; only the token of a login is a bearer token. If the credential is such a token, log in again: fal auth login."),
    // The end of this text is not known (§16.18).
    row(401, ("Cannot access application", ""), RefusalReason::NoKey, NO_KEY),
    row(401, ("Authorization header is required", ""), RefusalReason::NoKey, NO_KEY),
    // The Platform API does not distinguish a missing key from a wrong key.
    row(401, ("Authentication required", ""), RefusalReason::WrongKey, WRONG_KEY),
    row(401, ("API key authentication required", ""), RefusalReason::WrongKey, WRONG_KEY),
    row(404, ("Application \"", " not found"), RefusalReason::App, "Check the endpoint id: no app has this name, or the app is hidden from this key."),
    app(404, ("Path ", " not found"), RefusalReason::Path, "Check the part of the endpoint id after the name of the app: the app exists, but not this path of it."),
    app(500, ("Internal Server Error", ""), RefusalReason::Failure, "Report the request id to the owner of the app: the app failed with an unhandled error."),
];

/// Returns the row for a response with this status and text.
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
