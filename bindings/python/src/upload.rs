//! Uploads.

use std::path::PathBuf;

use fal::{Lifecycle, Upload, UploadWay};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};

use crate::dict::{Content, from_dict};
use crate::request::pairs;
use crate::values::invalid;

from_dict! {
    /// An upload of a file or of bytes. The rules are JSON pairs of a user and a decision.
    pub(crate) struct Given {
        path: Option<PathBuf>,
        data: Option<Content>,
        content_type: Option<PyBackedStr>,
        file_name: Option<PyBackedStr>,
        way: Option<PyBackedStr>,
        expires_in: Option<PyBackedStr>,
        access: Option<PyBackedStr>,
        rules: Option<PyBackedBytes>,
    }
}

impl Given {
    pub(crate) fn upload(self) -> fal::Result<Upload> {
        let lifecycle = self.lifecycle()?;
        let mut upload = match (self.path, self.data) {
            (Some(path), None) => Upload::file(path),
            (None, Some(Content(bytes))) => Upload::bytes(bytes),
            _ => return Err(invalid("an upload must have either a path or data")),
        };
        if let Some(content_type) = self.content_type {
            upload = upload.content_type(&content_type)?;
        }
        if let Some(name) = self.file_name {
            upload = upload.file_name(&name);
        }
        if let Some(way) = self.way {
            upload = upload.way(named(&way)?);
        }
        Ok(upload.lifecycle(lifecycle))
    }

    fn lifecycle(&self) -> fal::Result<Lifecycle> {
        let mut lifecycle = Lifecycle::new();
        if let Some(time) = &self.expires_in {
            lifecycle = lifecycle.expires_in(time)?;
        }
        if let Some(access) = &self.access {
            lifecycle = lifecycle.access(access.parse()?);
        }
        let rules = self.rules.as_deref().map(pairs).transpose()?;
        for (user, decision) in rules.unwrap_or_default() {
            lifecycle = lifecycle.rule(&user, decision.parse()?)?;
        }
        Ok(lifecycle)
    }
}

const WAYS: [(&str, UploadWay); 7] = [
    ("automatic", UploadWay::Automatic),
    ("signed", UploadWay::Signed),
    ("signed_google", UploadWay::SignedGoogle),
    ("direct", UploadWay::Direct),
    ("direct_parts", UploadWay::DirectParts),
    ("signed_parts", UploadWay::SignedParts),
    ("google_parts", UploadWay::GoogleParts),
];

fn named(way: &str) -> fal::Result<UploadWay> {
    let known = WAYS.iter().find(|(name, _)| *name == way);
    known
        .map(|(_, way)| *way)
        .ok_or_else(|| invalid(format!("{way:?} is not a way to upload")))
}
