//! `FAL_KEY` (docs/protocol.md §1.2).

use super::{Context, Finding, Outcome, Source, variable};
use crate::credentials::environment::{Environment, Variable};
use crate::key::Key;

const NAME: &str = "FAL_KEY";

/// Names that other libraries and guides use for `FAL_KEY`. No official client of fal reads them.
const MISNAMED: [&str; 3] = ["FAL_API_KEY", "FALAI_API_KEY", "FAL_TOKEN"];

pub(crate) const SOURCE: Source = Source {
    name: NAME,
    skippable: true,
    read,
};

fn read(context: &Context<'_>) -> Finding {
    match variable(context.environment, NAME) {
        Ok(text) => Finding::key(Key::parse(&text)).at(NAME),
        Err(finding) if matches!(finding.outcome, Outcome::Absent) => {
            finding.notes(misnamed(context.environment))
        }
        Err(finding) => finding,
    }
}

/// Returns a remark for each such variable that is set.
pub(crate) fn misnamed(environment: &Environment) -> impl Iterator<Item = String> {
    let is_set = |name: &&str| {
        matches!(
            environment.variable(name),
            Variable::Set(_) | Variable::NotUnicode
        )
    };
    MISNAMED
        .into_iter()
        .filter(is_set)
        .map(|name| format!("{name} is set, but libfal reads only {NAME}"))
}
