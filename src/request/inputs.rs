//! Files in the input of a request (docs/protocol.md §3.4).

use super::upload::Upload;

/// The files of a request, each at its place in the input.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    pub(crate) files: Vec<(Vec<String>, Upload)>,
    /// Up to so many bytes a file becomes a data URI.
    pub(crate) inline: u64,
}

impl Inputs {
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub(crate) fn set(&mut self, path: Vec<String>, upload: Upload) {
        self.files.push((path, upload));
    }

    /// Something else is set there, so a file at this place or below it is gone.
    pub(crate) fn forget(&mut self, path: &[String]) {
        self.files.retain(|(place, _)| !place.starts_with(path));
    }

    pub(crate) fn set_inline(&mut self, most: u64) {
        self.inline = most;
    }
}
