//! `FAL_KEY_ID` and `FAL_KEY_SECRET` (docs/protocol.md §1.2).
//!
//! If only one of the variables is set, the official clients try the next source. Here that is an
//! error: a user who sets one half wants this key, and the next source may bill another account.

use super::{Context, Finding, Source};
use crate::credentials::environment::Variable;
use crate::credentials::variables::{blank, not_unicode};
use crate::key::{Half, Key};

const ID: &str = "FAL_KEY_ID";
const SECRET: &str = "FAL_KEY_SECRET";
const NAME: &str = "FAL_KEY_ID + FAL_KEY_SECRET";

pub(crate) const SOURCE: Source = Source {
    name: NAME,
    skippable: true,
    read,
};

fn read(context: &Context<'_>) -> Finding {
    use Variable::{Blank, NotUnicode, Set, Unset};
    let halves = (
        context.environment.variable(ID),
        context.environment.variable(SECRET),
    );
    match halves {
        (NotUnicode, _) => Finding::malformed(not_unicode(ID)).at(ID),
        (_, NotUnicode) => Finding::malformed(not_unicode(SECRET)).at(SECRET),
        (Set(id), Set(secret)) => join(&id, &secret),
        (Set(_), missing) => half(SECRET, &missing).at(ID),
        (missing, Set(_)) => half(ID, &missing).at(SECRET),
        (Unset, Unset) => Finding::absent(),
        (id, secret) => {
            let blanks = [(ID, id), (SECRET, secret)]
                .into_iter()
                .filter(|(_, variable)| matches!(variable, Blank));
            Finding::absent()
                .at(NAME)
                .notes(blanks.map(|(name, _)| blank(name)))
        }
    }
}

fn join(id: &str, secret: &str) -> Finding {
    match Key::from_halves(id, secret) {
        Ok((key, notes)) => {
            let notes = notes
                .iter()
                .map(|(half, note)| format!("{}: {note}", name_of(*half)));
            Finding::key(Ok((key, Vec::new()))).at(NAME).notes(notes)
        }
        Err((half, problem)) => {
            let name = name_of(half);
            Finding::malformed(format!("{name}: {problem}")).at(name)
        }
    }
}

fn half(name: &str, missing: &Variable) -> Finding {
    let state = if matches!(missing, Variable::Blank) {
        "empty"
    } else {
        "not set"
    };
    Finding::malformed(format!("half a key: {name} is {state}"))
}

fn name_of(half: Half) -> &'static str {
    match half {
        Half::Id => ID,
        Half::Secret => SECRET,
    }
}
