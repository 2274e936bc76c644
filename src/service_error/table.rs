//! The rows of the tables of named errors.

/// Whether the same request may succeed if it is sent again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Yes,
    No,
    /// Only if the response says so (fal: "may be", "depends").
    Depends,
    /// The status decides.
    ByStatus,
}

/// How far the request may have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Execution {
    /// The request reached no app and was not executed.
    NotStarted,
    /// The request may have reached an app; the outcome is unknown.
    Unknown,
    /// The app or the service handled the request and sent this response.
    Answered,
}

/// An error to which fal gives a name.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: &'static str,
    /// The status that fal documents. It decides the code even if the response has another status.
    /// 0: the status of the response decides.
    pub(super) status: u16,
    pub(super) again: Again,
    pub(super) reached: Execution,
    /// The members of `ctx` that state the limits.
    pub(super) context: &'static [&'static str],
    /// Empty if the remedy of the status suffices.
    pub(super) remedy: &'static str,
    /// The section of docs/protocol.md.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "documents the row; a test checks it")
    )]
    pub(super) source: &'static str,
}

impl Named {
    /// Whether the error says that no app was reached and that a retry may reach one.
    pub(super) fn is_not_reached(&self) -> bool {
        self.reached == Execution::NotStarted && self.again == Again::Yes
    }
}

/// Returns the row with this name.
pub(super) fn find(table: &'static [Named], name: &str) -> Option<&'static Named> {
    table.iter().find(|row| row.name == name)
}
