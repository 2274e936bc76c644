//! The chain that tries the sources in order.

use super::environment::Variable;
use super::sources::{Context, Finding, Outcome, Source};
use super::sources::{
    colab, explicit_callback, explicit_key, explicit_profile, explicit_token, key_command,
    key_file, key_pair, key_variable, profile, system_keyring, user_login,
};
use super::{
    Credential, Environment, Options, Problem, Provider, Resolution, SourceReport, State, dotenv,
};
use crate::key::Key;

const SOURCES: [Source; 12] = [
    explicit_key::SOURCE,
    explicit_token::SOURCE,
    explicit_profile::SOURCE,
    explicit_callback::SOURCE,
    key_variable::SOURCE,
    key_pair::SOURCE,
    key_file::SOURCE,
    key_command::SOURCE,
    profile::SOURCE,
    system_keyring::SOURCE,
    colab::SOURCE,
    user_login::SOURCE,
];

/// Tries every source in order, and tells what became of each.
///
/// The first source that holds anything decides: with its credential, or, if what it holds cannot
/// be used, with a problem. Later sources are read only to report them. Reads variables and files;
/// blocks no longer than that takes.
pub fn resolve(options: &Options, environment: &Environment) -> Resolution {
    let context = Context::new(options, environment);
    if options.is_anonymous() {
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

/// Outside a notebook, its source is not worth a line.
fn sources(options: &Options) -> impl Iterator<Item = &'static Source> {
    let in_notebook = options.notebook_secrets().is_some();
    SOURCES
        .iter()
        .filter(move |source| in_notebook || source.name != colab::SOURCE.name)
}

/// Exactly `1`, as the official clients have it (docs/protocol.md §1.2).
fn forced_by_user(environment: &Environment) -> bool {
    matches!(environment.variable("FAL_FORCE_AUTH_BY_USER"), Variable::Set(text) if *text == "1")
}

/// A finding for each source; none for a skipped one.
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
        let (report, found) = judge(source, finding, decides);
        if let Ok(Some(Provider::Ready(Credential::Key(key)))) = &found {
            keys.push((index, key.clone()));
        }
        if let (true, Some(found)) = (decides, found.transpose()) {
            outcome = found;
        }
        reports.push(report);
    }
    if let (Some(used), Ok(Provider::Ready(Credential::Key(key)))) = (decider, &outcome) {
        compare(&mut reports, used, key, &keys);
    }
    let in_use = match &outcome {
        Ok(Provider::Ready(Credential::Key(key))) => Some(key),
        _ => None,
    };
    reports.extend(dotenv::report(environment, &reports, in_use));
    let hints = if matches!(outcome, Err(Problem::NotFound)) {
        hints(environment, &reports)
    } else {
        Vec::new()
    };
    Resolution::new(reports, outcome).with_hints(hints)
}

/// What was found that is no source, and may be what the user meant.
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

/// The report of one source, and what it holds.
fn judge(
    source: &Source,
    finding: Finding,
    decides: bool,
) -> (SourceReport, Result<Option<Provider>, Problem>) {
    let Finding {
        outcome,
        location,
        mut notes,
    } = finding;
    let mut key_id = None;
    let (state, found) = match outcome {
        Outcome::Absent => (State::Absent, Ok(None)),
        Outcome::Found(provider) => {
            if let Provider::Ready(Credential::Key(key)) = &provider {
                key_id = Some(key.printable_id());
            }
            (
                if decides {
                    State::Used
                } else {
                    State::Shadowed
                },
                Ok(Some(provider)),
            )
        }
        Outcome::Malformed(reason) if decides => {
            notes.insert(0, reason.clone());
            let location = location.clone();
            (
                State::Malformed,
                Err(Problem::Malformed {
                    source: source.name,
                    location,
                    reason,
                }),
            )
        }
        Outcome::Malformed(reason) => {
            notes.insert(0, format!("could not be used: {reason}"));
            (State::Shadowed, Ok(None))
        }
    };
    (
        SourceReport {
            source: source.name,
            state,
            location,
            key_id,
            notes,
        },
        found,
    )
}

/// Points out which of the other sources hold the key in use, and which another one.
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

/// The caller wants no credential; one that he passes nevertheless contradicts that.
fn anonymous(context: &Context<'_>) -> Resolution {
    const NAME: &str = "anonymous";
    let passed = [
        (
            context.options.key_text().is_some(),
            explicit_key::SOURCE.name,
        ),
        (
            context.options.token_text().is_some(),
            explicit_token::SOURCE.name,
        ),
        (
            context.options.profile_name().is_some(),
            explicit_profile::SOURCE.name,
        ),
        (
            context.options.callback_function().is_some(),
            explicit_callback::SOURCE.name,
        ),
    ];
    let contradiction = passed.into_iter().find(|(is_passed, _)| *is_passed);
    let (state, notes, outcome) = match contradiction {
        None => (
            State::Used,
            Vec::new(),
            Ok(Provider::Ready(Credential::Anonymous)),
        ),
        Some((_, name)) => {
            let reason = format!("no credential was asked for, and yet an {name} was passed");
            let problem = Problem::Malformed {
                source: NAME,
                location: None,
                reason: reason.clone(),
            };
            (State::Malformed, vec![reason], Err(problem))
        }
    };
    let head = SourceReport {
        source: NAME,
        state,
        location: None,
        key_id: None,
        notes,
    };
    let rest = sources(context.options)
        .map(|source| skipped(source, "the caller asked for no credential"));
    Resolution::new(std::iter::once(head).chain(rest).collect(), outcome)
}

fn skipped(source: &Source, reason: &str) -> SourceReport {
    SourceReport {
        source: source.name,
        state: State::Skipped,
        location: None,
        key_id: None,
        notes: vec![reason.to_owned()],
    }
}
