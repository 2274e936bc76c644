//! Fuzzes keys and reports about keys: no output contains the secret half.

use super::input::{Input, PLANTED, planted};
use crate::credentials::{Environment, Options, resolve};
use crate::key::Key;

pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (whole, id, secret) = (
        planted(&input.text()),
        planted(&input.text()),
        planted(&input.text()),
    );
    let parsed = Key::parse(&whole);
    let shown = match &parsed {
        Ok((key, _)) => {
            let written = format!("{}:{}", key.id(), key.expose_secret());
            assert_eq!(
                Key::parse(&written),
                Ok((key.clone(), Vec::new())),
                "it reads what it writes"
            );
            assert_eq!(key.authorization().as_str(), format!("Key {written}"));
            assert!(written.bytes().all(|byte| byte.is_ascii_graphic()));
            format!("{key} {key:?} {}", key.printable_id())
        }
        Err(problem) => format!("{problem} {problem:?}"),
    };
    hides(&shown, parsed.as_ref().ok().map(|(key, _)| key));
    let halves = Key::from_halves(&id, &secret);
    match &halves {
        Ok((key, _)) => hides(&format!("{key} {key:?}"), Some(key)),
        Err(problem) => hides(&format!("{problem:?}"), None),
    }
    let half = halves.ok().map(|(key, _)| key);
    // This part takes many times longer than the rest.
    if cfg!(fuzzing) && !data.len().is_multiple_of(16) {
        return;
    }
    for (variables, key) in [
        (vec![("FAL_KEY", whole)], parsed.ok().map(|(key, _)| key)),
        (vec![("FAL_KEY_ID", id), ("FAL_KEY_SECRET", secret)], half),
    ] {
        let report = resolve(&Options::new(), &Environment::from_variables(variables));
        assert!(report.credential().is_none() || key.is_some());
        hides(
            &format!("{report} {report:?} {}", report.to_json()),
            key.as_ref(),
        );
    }
}

/// Checks that an output contains the planted secret only if it is the public half of the key.
fn hides(shown: &str, key: Option<&Key>) {
    let public = key.is_some_and(|key| key.id().contains(PLANTED));
    assert!(public || !shown.contains(PLANTED), "{shown}");
}
