//! What a resolution found, for people (`Display`) and for programs (`to_json`), without secrets.

use std::fmt;

use serde_json::{Value, json};

use super::credential::Credential;
use super::provider::Provider;
use crate::error::Error;
use crate::system::replace::{IN_USE, SET_FREE};

/// What became of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// The credential comes from here.
    Used,
    /// It holds something, but an earlier source decided.
    Shadowed,
    /// Nothing is there.
    Absent,
    /// What is there cannot be used, and no earlier source decided: the resolution fails here.
    Malformed,
    /// Not looked at, by the wish of the caller or of the user.
    Skipped,
    /// It was asked for a credential, and had none to give.
    Failed,
}

impl State {
    /// The name of the state in JSON and in the table.
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

/// What one source had to offer. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceReport {
    /// The stable name of the source, such as `FAL_KEY` or `profile`.
    pub source: &'static str,
    /// What became of it.
    pub state: State,
    /// The variable, the file and line, or the profile.
    pub location: Option<String>,
    /// The public half of the key that was found, in printable form.
    pub key_id: Option<String>,
    /// Remarks, one sentence each; the reason first, if the source is malformed or skipped.
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

/// Why a resolution has no credential. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// No source holds a credential.
    NotFound,
    /// No source was left to look at: `FAL_FORCE_AUTH_BY_USER=1` skips the keys.
    KeysSkipped,
    /// A source holds something that cannot be used. Later sources are not used in its place.
    Malformed {
        /// The name of the source.
        source: &'static str,
        /// Where it is.
        location: Option<String>,
        /// What is wrong.
        reason: String,
    },
}

impl Problem {
    /// The name of the kind in JSON: `not_found`, `keys_skipped` or `malformed`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::KeysSkipped => "keys_skipped",
            Self::Malformed { .. } => "malformed",
        }
    }

    /// What the user should do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotFound => {
                "Set FAL_KEY=<key id>:<key secret> in the environment that this program is started in; keys are made at \
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

/// The outcome of trying every source, in order.
#[derive(Clone, Debug)]
pub struct Resolution {
    sources: Vec<SourceReport>,
    outcome: Result<Provider, Problem>,
    /// What was found where no source is.
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

    /// Every source, in the order in which they are tried.
    pub fn sources(&self) -> &[SourceReport] {
        &self.sources
    }

    /// The source of the credential.
    pub fn used(&self) -> Option<&SourceReport> {
        self.sources
            .iter()
            .find(|report| report.state == State::Used)
    }

    /// The credential, if it is there already: not with a [`problem`](Self::problem), and not if a
    /// function or a program has to be asked for it first.
    pub fn credential(&self) -> Option<&Credential> {
        self.provider()?.ready()
    }

    pub(crate) fn provider(&self) -> Option<&Provider> {
        self.outcome.as_ref().ok()
    }

    /// The same report once the source in use has delivered this credential.
    pub(crate) fn delivered(mut self, credential: &Credential, notes: &[String]) -> Self {
        if let Some(used) = self
            .sources
            .iter_mut()
            .find(|report| report.state == State::Used)
        {
            if let Credential::Key(key) = credential {
                used.key_id = Some(key.printable_id());
            }
            used.notes.extend_from_slice(notes);
        }
        self
    }

    /// The same report for a client that goes on with a key found before, in `then`, whatever is
    /// found now.
    pub(crate) fn beside(mut self, kept: &Credential, then: &Resolution) -> Self {
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
                "calls go on with key {}, which was found before",
                key.printable_id()
            ));
        }
        self
    }

    /// The same report after the source in use has failed to deliver.
    pub(crate) fn failed(mut self, reason: &str) -> Self {
        if let Some(used) = self
            .sources
            .iter_mut()
            .find(|report| report.state == State::Used)
        {
            used.state = State::Failed;
            used.notes.insert(0, reason.to_owned());
        }
        self
    }

    /// Why there is no credential.
    pub fn problem(&self) -> Option<&Problem> {
        self.outcome.as_ref().err()
    }

    /// The same for people, with what was found that may be the key that was meant.
    pub(crate) fn problem_text(&self) -> Option<String> {
        let problem = self.problem()?.to_string();
        Some(
            std::iter::once(&problem)
                .chain(&self.hints)
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join("; "),
        )
    }

    /// The report for programs. Keys are only ever added to this shape:
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
    /// `used` is null when nothing is; `location` and `key_id` are null when there is none.
    /// `problem` is null or `{"kind", "source", "location", "message", "remedy"}`, with `kind` as
    /// in [`Problem::kind`] and `source` and `location` null unless the kind is `malformed`.
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

/// A table: one line a source, its remarks below it, and the outcome at the end.
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
    /// Where the credential of the failed call came from: every source that was tried, in order.
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
