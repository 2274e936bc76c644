//! The files in the input of a request (docs/protocol.md §3.4).

use std::ops::Range;

use serde_json::Value;

use super::field::path_of;
use super::upload::Upload;
use crate::codec::json;
use crate::error::{Error, Result};

/// What is in the place of a file until its URL is known.
const EMPTY: &str = "\"\"";

/// The files of a request, each with the path of its field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    pub(crate) files: Vec<(Vec<String>, Upload)>,
    /// Files of up to this many bytes become data URIs.
    pub(crate) inline: u64,
}

impl Inputs {
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub(crate) fn set(&mut self, path: Vec<String>, upload: Upload) {
        self.files.push((path, upload));
    }

    /// Removes the files at this path and below it.
    pub(crate) fn forget(&mut self, path: &[String]) {
        self.files.retain(|(place, _)| !place.starts_with(path));
    }

    pub(crate) fn set_inline(&mut self, most: u64) {
        self.inline = most;
    }
}

/// Returns the files of a text, by the paths of their places. Fails if the text does not have an
/// empty string in each, or if an object has two members of the same name, and one of them holds a
/// file.
pub(super) fn placed(
    text: &[u8],
    files: Vec<(String, Upload)>,
) -> Result<Vec<(Vec<String>, Upload)>> {
    let mut placed = Vec::with_capacity(files.len());
    for (pointer, upload) in files {
        upload.check()?;
        placed.push((path_of(&pointer, &Value::Null)?, upload));
    }
    if placed.is_empty() {
        return Ok(placed);
    }
    let text = std::str::from_utf8(text).unwrap_or_default();
    let paths: Vec<_> = placed.iter().map(|(path, _)| path.as_slice()).collect();
    let places = json::places(text, &paths);
    if places.is_ambiguous || !places.ranges.into_iter().all(|place| is_empty(text, place)) {
        let message = "two members of an object in the input have the same name, and one of them holds a file";
        return Err(Error::invalid(message));
    }
    Ok(placed)
}

/// Whether a text has an empty string in this place.
pub(super) fn is_written(text: &[u8], path: &[String]) -> bool {
    let text = std::str::from_utf8(text).unwrap_or_default();
    is_empty(text, json::places(text, &[path]).ranges.pop().flatten())
}

fn is_empty(text: &str, place: Option<Range<usize>>) -> bool {
    place.is_some_and(|place| &text[place] == EMPTY)
}
