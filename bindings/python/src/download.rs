//! Downloads.

use std::path::PathBuf;

use fal::Download;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;

use crate::dict::from_dict;
use crate::values::{count, seconds};

from_dict! {
    pub(crate) struct Given {
        url: PyBackedStr,
        path: Option<PathBuf>,
        overwrite: Option<bool>,
        max_bytes: Option<i64>,
        with_file_token: Option<bool>,
        timeout: Option<f64>,
    }
}

impl Given {
    pub(crate) fn download(self) -> fal::Result<Download> {
        let mut download = Download::new(&self.url)?
            .overwrite(self.overwrite.unwrap_or_default())
            .with_file_token(self.with_file_token.unwrap_or_default());
        if let Some(path) = self.path {
            download = download.to(path);
        }
        if let Some(most) = self.max_bytes {
            download = download.max_bytes(count("max_bytes", most)?);
        }
        if let Some(timeout) = self.timeout {
            download = download.timeout(seconds("timeout", timeout)?);
        }
        Ok(download)
    }
}
