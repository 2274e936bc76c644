//! The files in the input of a request (docs/protocol.md §3.4).

use super::upload::Upload;

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
