//! The chain that tries the sources in order.

use std::sync::Arc;

use super::credential::Credential;
use super::dotenv;
use super::environment::{Environment, Variable};
use super::options::Options;
use super::provider::Provider;
use super::report::{Problem, Resolution, SourceReport, State};
use super::sources::{Context, Finding, Outcome, Source};
use super::sources::{
    colab, explicit, key_command, key_file, key_pair, key_variable, profile, system_keyring,
    user_login,
};
use crate::key::Key;

const SOURCES: [Source; 12] = [
    explicit::KEY,
    explicit::TOKEN,
    explicit::PROFILE,
    explicit::CALLBACK,
    key_variable::SOURCE,
    key_pair::SOURCE,
    key_file::SOURCE,
    key_command::SOURCE,
    profile::SOURCE,
    system_keyring::SOURCE,
    colab::SOURCE,
    user_login::SOURCE,
];

/// The name in the report of a resolution to no credential.
const ANONYMOUS: &str = "anonymous";
/// The variable that skips keys.
const FORCE: &str = "FAL_FORCE_AUTH_BY_USER";

/// Reads every source in order, and reports what each one contains.
///
/// The first source that is not empty decides: its credential is used, or, if its content is
/// malformed, the resolution has a [`Problem`]. Later sources are read only for the report. Blocks
/// on files, but not on the network, on other programs or on the user.
pub fn resolve(options: &Options, environment: &Environment) -> Resolution {
    let context = Context::new(options, environment);
    if options.anonymous {
        return anonymous(&context);
    }
    let keys_skipped = forced_by_user(environment);
    let findings = sources(options).map(|source| {
        let skipped = keys_skipped && source.skippable;
        (source, (!skipped).then(|| (source.read)(&context)))
    });
    let nothing = if keys_skipped {
        Problem::KeysSkipped
    } else {
        Problem::NotFound
    };
    decide(findings.collect(), nothing, environment)
}

/// The variables that decided about a credential.
#[derive(Debug)]
pub(crate) struct Deciding {
    names: &'static [&'static str],
    /// Without other variables.
    pub(crate) environment: Arc<Environment>,
    /// The resolution in the whole environment.
    pub(crate) found: Arc<Resolution>,
}

impl Deciding {
    /// Returns the variables that led to `found`. Returns `None` if other things did, too, such as
    /// a file.
    pub(crate) fn of(found: &Arc<Resolution>, environment: &Environment) -> Option<Self> {
        let names = deciding(found.used()?.source)?;
        Some(Self {
            names,
            environment: Arc::new(environment.only(names)),
            found: found.clone(),
        })
    }

    /// Whether an environment leads to the same credential, with the same options.
    pub(crate) fn hold_in(&self, environment: &Environment) -> bool {
        let agrees = |name| environment.agrees(&self.environment, name);
        self.names.iter().copied().all(agrees)
    }
}

/// Returns the variables that decide about the credential if this source provides it. `None`: other
/// things do, too.
fn deciding(source: &str) -> Option<&'static [&'static str]> {
    let passed = [
        explicit::KEY.name,
        explicit::TOKEN.name,
        explicit::CALLBACK.name,
        ANONYMOUS,
    ];
    if passed.contains(&source) {
        return Some(&[]);
    }
    (source == key_variable::SOURCE.name).then_some(&[FORCE, key_variable::SOURCE.name])
}

/// Returns the sources. Outside a notebook, its source is left out of the report.
fn sources(options: &Options) -> impl Iterator<Item = &'static Source> {
    let in_notebook = options.notebook.is_some();
    SOURCES
        .iter()
        .filter(move |source| in_notebook || source.name != colab::SOURCE.name)
}

/// The official clients compare the value with `1` exactly (docs/protocol.md §1.2).
fn forced_by_user(environment: &Environment) -> bool {
    matches!(environment.variable(FORCE), Variable::Set(text) if *text == "1")
}

/// The finding of each source, or `None` if the source is skipped.
type Findings = Vec<(&'static Source, Option<Finding>)>;

fn decide(findings: Findings, nothing: Problem, environment: &Environment) -> Resolution {
    let holds = |finding: &Finding| !matches!(finding.outcome, Outcome::Absent);
    let decider = findings
        .iter()
        .position(|(_, finding)| finding.as_ref().is_some_and(holds));
    let mut reports = Vec::with_capacity(findings.len());
    let mut keys = Vec::new();
    let mut outcome = Err(nothing);
    for (index, (source, finding)) in findings.into_iter().enumerate() {
        let Some(finding) = finding else {
            reports.push(skipped(source, "FAL_FORCE_AUTH_BY_USER=1 skips keys"));
            continue;
        };
        let decides = decider == Some(index);
        let state = if decides {
            State::Used
        } else {
            State::Shadowed
        };
        let mut report = report(source.name, state, finding.notes);
        report.location = finding.location;
        match finding.outcome {
            Outcome::Absent => report.state = State::Absent,
            Outcome::Found(provider) => {
                if let Some(key) = provider.key() {
                    report.key_id = Some(key.printable_id());
                    keys.push((index, key.clone()));
                }
                if decides {
                    outcome = Ok(provider);
                }
            }
            Outcome::Malformed(reason) if decides => {
                report.state = State::Malformed;
                report.notes.insert(0, reason.clone());
                outcome = Err(Problem::Malformed {
                    source: source.name,
                    location: report.location.clone(),
                    reason,
                });
            }
            Outcome::Malformed(reason) => {
                report
                    .notes
                    .insert(0, format!("could not be used: {reason}"));
            }
        }
        reports.push(report);
    }
    let in_use = outcome.as_ref().ok().and_then(Provider::key);
    if let (Some(used), Some(key)) = (decider, in_use) {
        compare(&mut reports, used, key, &keys);
    }
    reports.extend(dotenv::report(environment, &reports, in_use));
    let hints = if matches!(outcome, Err(Problem::NotFound)) {
        hints(environment, &reports)
    } else {
        Vec::new()
    };
    Resolution::new(reports, outcome).with_hints(hints)
}

/// Returns remarks about places that are not sources, but may hold the key that the user expects.
fn hints(environment: &Environment, reports: &[SourceReport]) -> Vec<String> {
    let unread = reports.iter().find(|report| report.source == dotenv::NAME);
    let unread = unread.and_then(|report| {
        Some(format!(
            "{} {}",
            report.location.as_ref()?,
            report.notes.first()?
        ))
    });
    key_variable::misnamed(environment).chain(unread).collect()
}

/// Adds notes that compare the keys of other sources with the key in use.
fn compare(reports: &mut [SourceReport], used: usize, key: &Key, keys: &[(usize, Key)]) {
    for (index, other) in keys.iter().filter(|(index, _)| *index != used) {
        let (here, there) = if other == key {
            ("the same key as the one in use", None)
        } else if other.id() == key.id() {
            (
                "the key id in use, with another secret",
                Some("another secret for this key id"),
            )
        } else {
            ("another key than the one in use", Some("another key"))
        };
        reports[*index].notes.push(here.to_owned());
        if let Some(there) = there {
            let name = reports[*index].source;
            reports[used].notes.push(format!("{name} holds {there}"));
        }
    }
}

/// Resolves to no credential. It is an error if the caller has passed one as well.
fn anonymous(context: &Context<'_>) -> Resolution {
    let options = context.options;
    let passed = [
        (options.key.is_some(), explicit::KEY),
        (options.token.is_some(), explicit::TOKEN),
        (options.profile.is_some(), explicit::PROFILE),
        (options.callback.is_some(), explicit::CALLBACK),
    ];
    let (head, outcome) = match passed.into_iter().find(|(is_passed, _)| *is_passed) {
        None => (
            report(ANONYMOUS, State::Used, Vec::new()),
            Ok(Provider::Ready(Credential::Anonymous)),
        ),
        Some((_, source)) => {
            let reason = format!(
                "the option `anonymous` was set, but an {} was passed",
                source.name
            );
            let problem = Problem::Malformed {
                source: ANONYMOUS,
                location: None,
                reason: reason.clone(),
            };
            (
                report(ANONYMOUS, State::Malformed, vec![reason]),
                Err(problem),
            )
        }
    };
    let rest = sources(options).map(|source| skipped(source, "the caller asked for no credential"));
    Resolution::new(std::iter::once(head).chain(rest).collect(), outcome)
}

fn skipped(source: &Source, reason: &str) -> SourceReport {
    report(source.name, State::Skipped, vec![reason.to_owned()])
}

fn report(source: &'static str, state: State, notes: Vec<String>) -> SourceReport {
    SourceReport {
        source,
        state,
        location: None,
        key_id: None,
        notes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_holds_while_the_variables_that_decide_are_the_same() {
        const KEY: (&str, &str) = ("FAL_KEY", "fake-id:fake-secret-of-before");
        const OTHER: (&str, &str) = ("FAL_KEY", "fake-id:fake-secret-of-later");
        const PAIR: [(&str, &str); 2] = [
            ("FAL_KEY_ID", "fake-id"),
            ("FAL_KEY_SECRET", "fake-secret-of-a-pair"),
        ];
        let chosen = Options::new();
        let passed = Options::new().key("fake-id:fake-secret-of-the-caller");
        for (options, then, now, expected) in [
            (&passed, &[KEY][..], &[OTHER][..], true),
            (&passed, &[], &[(FORCE, "1")], true),
            (&chosen, &[KEY], &[KEY], true),
            (&chosen, &[KEY], &[KEY, PAIR[0], PAIR[1]], true),
            (&chosen, &[KEY], &[OTHER], false),
            (&chosen, &[KEY], &[("FAL_KEY", " ")], false),
            (&chosen, &[KEY], &[], false),
            (&chosen, &[KEY], &[KEY, (FORCE, "1")], false),
            // Not worth a comparison.
            (&chosen, &PAIR, &PAIR, false),
            (&chosen, &[], &[], false),
        ] {
            let [then, now] =
                [then, now].map(|all| Environment::from_variables(all.iter().copied()));
            let found = Arc::new(resolve(options, &then));
            let holds = Deciding::of(&found, &then).is_some_and(|of| of.hold_in(&now));
            assert_eq!(holds, expected, "{found}");
            let again = resolve(options, &now);
            assert!(
                !expected || again.credential() == found.credential(),
                "{again}"
            );
        }
    }
}
