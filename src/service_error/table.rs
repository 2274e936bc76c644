//! What a row of the tables of named errors says.

/// Whether the same request may succeed if it is sent again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Yes,
    No,
    /// Only if the answer itself says so ("may be", "depends").
    Depends,
    /// As for any answer of this status.
    ByStatus,
}

/// How far the request can have come when this is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Execution {
    /// No app: it was not executed.
    NotStarted,
    /// Perhaps an app: nobody knows what became of it.
    Unknown,
    /// An app, or the service itself, and this is its answer.
    Answered,
}

/// One of fal's names of an error.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: &'static str,
    /// The status that fal documents, which decides the code also where another one arrives; 0
    /// where the one that arrives decides.
    pub(super) status: u16,
    pub(super) again: Again,
    pub(super) reached: Execution,
    /// The members of its `ctx` that say what would be right.
    pub(super) context: &'static [&'static str],
    /// What to do; empty where the status says it.
    pub(super) remedy: &'static str,
    /// Where docs/protocol.md has it.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for the reader, and held to by a test")
    )]
    pub(super) source: &'static str,
}

impl Named {
    /// Whether it says that no app was reached, and that another try may reach one.
    pub(super) fn is_not_reached(&self) -> bool {
        self.reached == Execution::NotStarted && self.again == Again::Yes
    }
}

/// The row of this name.
pub(super) fn find(table: &'static [Named], name: &str) -> Option<&'static Named> {
    table.iter().find(|row| row.name == name)
}
