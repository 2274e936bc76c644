//! Reads and writes JSON.
//!
//! A tree takes up to a hundred times the memory of its text, so libfal builds trees only of the
//! parts that it needs. serde_json's own `Value` is not deserialized directly: with the feature
//! `raw_value` it parses the string under the name `$serde_json::private::RawValue` as JSON, so a
//! text could mean one thing to libfal and another to other readers, and exceed the depth limit.

mod splice;
mod text;
mod tree;

pub(crate) use splice::{places, spliced};
pub use text::fits;
pub(crate) use text::{
    Entries, beside, entry, first_entries, index, is_null, last_entries, look, members, text,
};
pub use tree::parsed;
pub(crate) use tree::{check, ends_itself, is_json, own, tree, tree_within, written};

#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/json.rs"]
pub(crate) mod fuzz;
