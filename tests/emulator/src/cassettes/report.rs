//! What a recorder has written and what it has left out, for its user.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was recorded so far.
#[derive(Clone, Debug, Default)]
pub struct RecordingReport {
    /// The number of recorded requests. A queued request counts once.
    pub recorded: u64,
    /// The number of recorded downloads.
    pub files: u64,
    /// The requests that were passed on without a recording, by the reason.
    pub passed_on: BTreeMap<String, u64>,
    /// Why recordings could not be written.
    pub errors: Vec<String>,
}

impl fmt::Display for RecordingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (requests, files) = (
            counted(self.recorded, "request"),
            counted(self.files, "file"),
        );
        write!(f, "recorded {requests} and {files}")?;
        for (reason, count) in &self.passed_on {
            write!(f, "; {count} not recorded: {reason}")?;
        }
        for error in &self.errors {
            write!(f, "; {error}")?;
        }
        Ok(())
    }
}

fn counted(count: u64, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

#[derive(Default)]
pub(super) struct Report(Mutex<RecordingReport>);

impl Report {
    fn locked(&self) -> MutexGuard<'_, RecordingReport> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn recorded(&self, written: io::Result<()>) {
        match written {
            Ok(()) => self.locked().recorded += 1,
            Err(error) => self.locked().errors.push(error.to_string()),
        }
    }

    pub(super) fn file(&self, written: io::Result<()>) {
        match written {
            Ok(()) => self.locked().files += 1,
            Err(error) => self.locked().errors.push(error.to_string()),
        }
    }

    pub(super) fn passed_on(&self, reason: impl Into<String>) {
        *self.locked().passed_on.entry(reason.into()).or_default() += 1;
    }

    pub(super) fn now(&self) -> RecordingReport {
        self.locked().clone()
    }
}
