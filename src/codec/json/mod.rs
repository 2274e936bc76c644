//! Looks at JSON that somebody else wrote.
//!
//! A tree takes up to a hundred times as much memory as its text, so one is made only of what is
//! needed. It is made here and not by serde_json's own reader of trees, for which one name in an
//! object means that a string holds more JSON: a text could say one thing to us and another to
//! everybody else, and be deeper than its depth.

mod text;
mod tree;

pub use text::fits;
pub(crate) use text::{
    Entries, beside, ends_itself, entry, first_entries, index, is_json, is_null, last_entries,
    look, members, text,
};
pub use tree::parsed;
pub(crate) use tree::{own, tree, tree_within, written, written_text};

#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/json.rs"]
pub(crate) mod fuzz;
