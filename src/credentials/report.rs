//! The report of a resolution, for people (`Display`) and for programs (`to_json`), without
//! secrets.

use std::fmt;

use serde_json::{Value, json};

use super::credential::Credential;
use super::provider::Provider;
use crate::error::Error;
use crate::system::replace::{IN_USE, SET_FREE};

/// The state of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// The source provides the credential.
    Used,
    /// The source is not empty, but an earlier source decided.
    Shadowed,
    /// The source is empty.
    Absent,
    /// The content of the source cannot be used, and no earlier source decided, so the resolution
    /// failed.
    Malformed,
    /// The source was not read, because of an option or a variable.
    Skipped,
    /// The source decided, but could not deliver a credential.
    Failed,
}

impl State {
    /// Returns the name of the state in JSON and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Shadowed => "shadowed",
            Self::Absent => "absent",
            Self::Malformed => "malformed",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The report of one source. Contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceReport {
    /// The name of the source, such as `FAL_KEY` or `profile`. Names do not change between
    /// versions.
    pub source: &'static str,
    /// The state of the source.
    pub state: State,
    /// The variable, the file and line, or the profile that holds the credential.
    pub location: Option<String>,
    /// The public half of the key, in printable form.
    pub key_id: Option<String>,
    /// Remarks, one sentence each. The first one is the reason if the source is malformed, skipped
    /// or failed.
    pub notes: Vec<String>,
}

impl SourceReport {
    fn to_json(&self) -> Value {
        json!({
            "source": self.source,
            "state": self.state.as_str(),
            "location": self.location,
            "key_id": self.key_id,
            "notes": self.notes,
        })
    }
}

/// Why a resolution has no credential. Contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Every source is empty.
    NotFound,
    /// `FAL_FORCE_AUTH_BY_USER=1` skips the keys, and there is no login.
    KeysSkipped,
    /// The first source that is not empty cannot be used. Later sources do not replace it.
    Malformed {
        /// The name of the source.
        source: &'static str,
        /// The location of the source.
        location: Option<String>,
        /// What is wrong.
        reason: String,
    },
}

impl Problem {
    /// Returns the name of the kind in JSON: `not_found`, `keys_skipped` or `malformed`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::KeysSkipped => "keys_skipped",
            Self::Malformed { .. } => "malformed",
        }
    }

    /// Returns what the user should do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotFound => {
                "Set FAL_KEY=<key id>:<key secret> in the environment of this program. Create a key at \
                 https://fal.ai/dashboard/keys."
            }
            Self::KeysSkipped => {
                "Log in with `fal auth login`, or unset FAL_FORCE_AUTH_BY_USER, or pass a key."
            }
            Self::Malformed { reason, .. } if reason.ends_with(IN_USE) => SET_FREE,
            Self::Malformed { .. } => {
                "Correct this source, or remove it so that the next one is used."
            }
        }
    }

    fn to_json(&self, text: &str) -> Value {
        let (source, location) = match self {
            Self::Malformed {
                source, location, ..
            } => (Some(*source), location.as_deref()),
            _ => (None, None),
        };
        json!({
            "kind": self.kind(),
            "source": source,
            "location": location,
            "message": text,
            "remedy": self.remedy(),
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("no fal key found"),
            Self::KeysSkipped => {
                f.write_str("no credential: FAL_FORCE_AUTH_BY_USER=1 skips every key")
            }
            Self::Malformed {
                source,
                location: Some(location),
                reason,
            } if location != source => {
                write!(f, "{source} ({location}): {reason}")
            }
            Self::Malformed { source, reason, .. } => write!(f, "{source}: {reason}"),
        }
    }
}

impl std::error::Error for Problem {}

/// The outcome of [`resolve`](super::resolve): a credential or a problem, and a report of every
/// source.
#[derive(Clone, Debug)]
pub struct Resolution {
    sources: Vec<SourceReport>,
    outcome: Result<Provider, Problem>,
    /// Remarks about places that are not sources.
    hints: Vec<String>,
}

impl Resolution {
    pub(super) fn new(sources: Vec<SourceReport>, outcome: Result<Provider, Problem>) -> Self {
        Self {
            sources,
            outcome,
            hints: Vec::new(),
        }
    }

    pub(super) fn with_hints(self, hints: Vec<String>) -> Self {
        Self { hints, ..self }
    }

    /// Returns the report of every source, in the order in which they are read.
    pub fn sources(&self) -> &[SourceReport] {
        &self.sources
    }

    /// Returns the source of the credential.
    pub fn used(&self) -> Option<&SourceReport> {
        self.sources
            .iter()
            .find(|report| report.state == State::Used)
    }

    fn used_mut(&mut self) -> Option<&mut SourceReport> {
        self.sources
            .iter_mut()
            .find(|report| report.state == State::Used)
    }

    /// Returns the credential. Returns `None` if there is a [`problem`](Self::problem), and if a
    /// function, a program, the keyring or a login has to deliver the credential at the first call.
    pub fn credential(&self) -> Option<&Credential> {
        self.provider()?.ready()
    }

    pub(crate) fn provider(&self) -> Option<&Provider> {
        self.outcome.as_ref().ok()
    }

    /// Adds the credential that the source in use has delivered.
    pub(crate) fn delivered(mut self, credential: &Credential, notes: &[String]) -> Self {
        if let Some(used) = self.used_mut() {
            if let Credential::Key(key) = credential {
                used.key_id = Some(key.printable_id());
            }
            used.notes.extend_from_slice(notes);
        }
        self
    }

    /// Adds a note that the client keeps using `kept`, which the earlier resolution `then` found,
    /// if this resolution found another credential or none.
    pub(crate) fn keeping(mut self, kept: &Credential, then: &Resolution) -> Self {
        if self.credential() == Some(kept) {
            return self;
        }
        let before = then.used().map(|used| used.source);
        let deciding =
            |report: &SourceReport| matches!(report.state, State::Used | State::Malformed);
        let place = self.sources.iter().position(deciding);
        let place = place.or_else(|| {
            self.sources
                .iter()
                .position(|report| Some(report.source) == before)
        });
        if let (Some(report), Credential::Key(key)) =
            (place.and_then(|at| self.sources.get_mut(at)), kept)
        {
            report.notes.push(format!(
                "calls keep using key {}, which was found earlier",
                key.printable_id()
            ));
        }
        self
    }

    /// Marks the source in use as failed.
    pub(crate) fn failed(mut self, reason: &str) -> Self {
        if let Some(used) = self.used_mut() {
            used.state = State::Failed;
            used.notes.insert(0, reason.to_owned());
        }
        self
    }

    /// Returns why there is no credential.
    pub fn problem(&self) -> Option<&Problem> {
        self.outcome.as_ref().err()
    }

    /// Returns the problem as text, with remarks about places that may hold the key the user
    /// expects.
    pub(crate) fn problem_text(&self) -> Option<String> {
        let mut text = self.problem()?.to_string();
        for hint in &self.hints {
            text.push_str("; ");
            text.push_str(hint);
        }
        Some(text)
    }

    /// Returns the report for programs. Later versions may add members to these objects:
    ///
    /// ```json
    /// {
    ///   "used": {"source": "FAL_KEY", "location": "FAL_KEY", "key_id": "fake-id"},
    ///   "sources": [
    ///     {"source": "FAL_KEY", "state": "used", "location": "FAL_KEY", "key_id": "fake-id", "notes": []}
    ///   ],
    ///   "problem": null
    /// }
    /// ```
    ///
    /// Members without a value are null. `problem` is null or
    /// `{"kind", "source", "location", "message", "remedy"}`. `kind` is one of [`Problem::kind`].
    /// `source` and `location` are null unless the kind is `malformed`.
    pub fn to_json(&self) -> Value {
        let used = self.used().map(|report| {
            json!({
                "source": report.source,
                "location": report.location,
                "key_id": report.key_id,
            })
        });
        json!({
            "used": used,
            "sources": self.sources.iter().map(SourceReport::to_json).collect::<Vec<_>>(),
            "problem": self.problem().zip(self.problem_text()).map(|(problem, text)| problem.to_json(&text)),
        })
    }
}

/// Writes a table with one line for each source, its notes below that line, and the outcome at the
/// end.
impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self
            .sources
            .iter()
            .map(row)
            .fold(HEADER.map(str::len), |widths, row| {
                std::array::from_fn(|i| widths[i].max(row[i].chars().count()))
            });
        write_row(f, HEADER, widths)?;
        for report in &self.sources {
            write_row(f, row(report), widths)?;
            for note in &report.notes {
                writeln!(f, "    {note}")?;
            }
        }
        match (self.used(), self.problem_text()) {
            (_, Some(problem)) => write!(f, "{problem}"),
            (Some(used), None) => write!(f, "using {}", used.source),
            (None, None) => Ok(()),
        }
    }
}

const HEADER: [&str; 4] = ["SOURCE", "STATE", "KEY ID", "LOCATION"];

fn row(report: &SourceReport) -> [&str; 4] {
    let key_id = report.key_id.as_deref().unwrap_or("-");
    let location = report.location.as_deref().unwrap_or("-");
    [report.source, report.state.as_str(), key_id, location]
}

fn write_row(f: &mut fmt::Formatter<'_>, row: [&str; 4], widths: [usize; 4]) -> fmt::Result {
    let [source, state, key_id, location] = row;
    let [a, b, c, _] = widths;
    writeln!(f, "{source:a$}  {state:b$}  {key_id:c$}  {location}")
}

impl Error {
    /// Returns the resolution that provided the credential of the failed call.
    pub fn resolution(&self) -> Option<&Resolution> {
        self.resolution_of()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_program_holds_is_not_to_be_corrected() {
        let remedy = |reason: &str| {
            let reason = reason.to_owned();
            Problem::Malformed {
                source: "login",
                location: None,
                reason,
            }
            .remedy()
        };
        assert_eq!(
            remedy("cannot read the fal login C:\\a: in use by another program"),
            SET_FREE
        );
        assert_ne!(remedy("not valid TOML"), SET_FREE);
    }
}
