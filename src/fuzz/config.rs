//! Fuzzes reading and editing `config.toml`: an edit changes only its target.

#![allow(clippy::panic, reason = "a panic is what the fuzzer looks for")]

use super::edit::Edit;
use super::*;
use crate::fuzz::input::{Input, PLANTED, planted};

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.byte();
    let (table, member, value) = (input.text(), input.text(), input.text());
    let text = planted(&String::from_utf8_lossy(input.rest()));
    let before = read(&text);
    if name::check(&table).is_err() || value.chars().any(char::is_control) {
        return;
    }
    let member = if member.chars().any(char::is_control) {
        KEY
    } else {
        &member
    };
    let edit = match kind % 3 {
        0 => Edit::Set {
            table: &table,
            member,
            value: &value,
        },
        1 => Edit::Unset {
            table: &table,
            member,
        },
        _ => Edit::DropEmpty { table: &table },
    };
    let Ok(Some(changed)) = edit.apply(&text) else {
        return;
    };
    assert!(changed.len() <= text.len() + 4 * (table.len() + member.len() + value.len()) + 32);
    let after = read(&changed);
    let (Some(before), Some(after)) = (before, after) else {
        panic!("what was changed was read before and is after");
    };
    for (name, key) in before.iter().filter(|(name, _)| *name != table) {
        assert!(
            after
                .iter()
                .any(|(other, same)| (other, same) == (name, key)),
            "{name:?} is not what it was"
        );
    }
    if let (Edit::Set { .. }, KEY) = (&edit, member) {
        assert!(
            after.contains(&(table.clone(), Some(value.clone()))),
            "the key is not what was set"
        );
        // A key that was set can be removed.
        let again = Edit::Unset {
            table: &table,
            member,
        }
        .apply(&changed);
        let again = again.ok().flatten().and_then(|text| read(&text));
        let left = again.into_iter().flatten().find(|(name, _)| *name == table);
        assert!(
            left.is_none_or(|(_, key)| key.is_none()),
            "the key is still there"
        );
    }
    if let Ok(Some(twice)) = edit.apply(&changed) {
        assert_eq!(twice.as_str(), changed.as_str(), "twice is not once");
    }
}

/// Reads the profiles and their keys. The error for malformed text contains none of the text.
fn read(text: &str) -> Option<Vec<(String, Option<String>)>> {
    match config::parse(text, "config.toml".to_owned(), None) {
        Content::File(file) => {
            let key = |profile: &Profile| {
                profile
                    .key
                    .as_ref()
                    .and_then(|key| key.text.as_ref().map(|text| text.to_string()))
            };
            Some(
                file.profiles
                    .iter()
                    .map(|profile| (profile.name.clone(), key(profile)))
                    .collect(),
            )
        }
        Content::Bad { location, reason } => {
            assert!(
                !location.contains(PLANTED) && !reason.contains(PLANTED),
                "{location} {reason}"
            );
            None
        }
        Content::Missing(_) => None,
    }
}
