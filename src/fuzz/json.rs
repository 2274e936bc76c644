//! Fuzzes the reading of JSON: reading without a tree agrees with the tree, and both take bounded
//! memory.

#![allow(clippy::unwrap_used, reason = "a panic is what the fuzzer looks for")]

use serde_json::Value;
use serde_json::value::RawValue;

use super::*;
use crate::fuzz::spent::bounded;

const NAMES: [&str; 3] = ["a", "status", "logs"];

pub(crate) fn run(text: &[u8]) {
    let looked = bounded(text.len(), 4, 4096, || is_json(text));
    let tree = bounded(text.len(), 256, 4096, || tree(text).unwrap());
    assert_eq!(looked, tree.is_ok());
    let found = bounded(text.len(), 4, 4096, || members(text, NAMES));
    let Ok(tree) = tree else { return };
    assert_eq!(found.is_some(), tree.is_object());
    for (name, raw) in NAMES.iter().zip(found.into_iter().flatten()) {
        let member = raw.map(|raw| super::tree(raw.get().as_bytes()).unwrap().unwrap());
        assert_eq!(member.as_ref(), tree.get(name));
        let (Some(raw), Some(Value::Array(entries))) = (raw, &member) else {
            continue;
        };
        let read = |raws: Vec<&RawValue>| {
            raws.iter()
                .map(|raw| super::tree(raw.get().as_bytes()).unwrap().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            read(first_entries(raw.get(), 2).unwrap()),
            entries[..entries.len().min(2)]
        );
        assert_eq!(
            read(last_entries(raw.get(), 2).unwrap().into()),
            entries[entries.len().saturating_sub(2)..]
        );
    }
    let mut left = 16;
    if let Ok(small) = tree_within(text, &mut left).unwrap() {
        assert_eq!(small, tree);
    }
    let again = tree.to_string();
    assert_eq!(super::tree(again.as_bytes()).unwrap().unwrap(), tree);
}
