//! The errors of the Platform API, by `error.type` (docs/protocol.md §14.2).

use super::table::{Again, Execution, Named};

const fn row(name: &'static str, status: u16, again: Again, remedy: &'static str) -> Named {
    Named {
        name,
        status,
        again,
        reached: Execution::Answered,
        context: &[],
        remedy,
        source: "§14.2",
    }
}

#[rustfmt::skip]
pub(super) static API: &[Named] = &[
    // 401 or 403 (§16.42). `auth` knows the operation and the key, and adds what is missing.
    row("authorization_error", 0, Again::No, ""),
    // 400, 409 or 422.
    row("validation_error", 0, Again::No, "Correct the parameters: the message names them."),
    row("not_found", 404, Again::No, "Check the id in the path: the object does not exist, or belongs to another account."),
    row("rate_limited", 429, Again::Yes, ""),
    // 500, and 502 for assets.
    row("server_error", 0, Again::ByStatus, ""),
    // fal documents no status.
    row("not_implemented", 501, Again::No, "Do not use this operation: the Platform API does not implement it yet."),
];
