//! A request to an endpoint.

use fal::{Priority, Request};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};

use crate::dict::{Content, Pairs, from_dict};
use crate::upload::Given as GivenUpload;
use crate::values::{invalid, parsed, seconds};

from_dict! {
    /// A request as the Python half passes it. The body is JSON text, and so are the headers.
    pub(crate) struct Given {
        endpoint: PyBackedStr,
        method: Option<PyBackedStr>,
        path: Option<PyBackedStr>,
        body: Option<Content>,
        headers: Option<PyBackedBytes>,
        timeout: Option<f64>,
        priority: Option<PyBackedStr>,
        start_timeout: Option<f64>,
        hint: Option<PyBackedStr>,
        webhook_url: Option<PyBackedStr>,
        logs: Option<bool>,
        keep_running: Option<bool>,
        files: Option<Pairs<PyBackedStr, GivenUpload>>,
    }
}

impl Given {
    /// Whether files of the input are uploaded first.
    pub(crate) fn has_files(&self) -> bool {
        self.files.as_ref().is_some_and(|files| !files.0.is_empty())
    }

    pub(crate) fn request(self) -> fal::Result<Request> {
        let mut request = Request::run(&self.endpoint)?;
        if let Some(method) = self.method {
            request.set_method(&method)?;
        }
        if let Some(path) = self.path {
            request.set_path(&path)?;
        }
        if let Some(Content(text)) = self.body {
            let files = self.files.into_iter().flat_map(|files| files.0);
            let files = files.map(|(pointer, file)| Ok((pointer.to_string(), file.upload()?)));
            request.set_json_bytes(text, files.collect::<fal::Result<_>>()?)?;
        }
        set_headers(&mut request, self.headers.as_deref())?;
        set_timeout(&mut request, self.timeout)?;
        if let Some(priority) = self.priority {
            request.set_priority(named(&priority)?);
        }
        if let Some(timeout) = self.start_timeout {
            request.set_start_timeout(seconds("start_timeout", timeout)?)?;
        }
        if let Some(hint) = self.hint {
            request.set_runner_hint(&hint)?;
        }
        if let Some(url) = self.webhook_url {
            request.set_webhook(&url)?;
        }
        if let Some(logs) = self.logs {
            request.set_logs(logs);
        }
        if let Some(keep) = self.keep_running {
            request.set_keep_running(keep);
        }
        Ok(request)
    }
}

fn named(priority: &str) -> fal::Result<Priority> {
    match priority {
        "normal" => Ok(Priority::Normal),
        "low" => Ok(Priority::Low),
        _ => Err(invalid(format!(
            "priority must be normal or low, not {priority:?}"
        ))),
    }
}

/// Sets headers from a JSON list of pairs.
pub(crate) fn set_headers(request: &mut Request, headers: Option<&[u8]>) -> fal::Result<()> {
    let Some(headers) = headers else {
        return Ok(());
    };
    for (name, value) in pairs(headers)? {
        request.set_header(&name, &value)?;
    }
    Ok(())
}

pub(crate) fn set_timeout(request: &mut Request, timeout: Option<f64>) -> fal::Result<()> {
    if let Some(timeout) = timeout {
        request.set_timeout(seconds("timeout", timeout)?);
    }
    Ok(())
}

/// Reads a JSON list of pairs of texts.
pub(crate) fn pairs(text: &[u8]) -> fal::Result<Vec<(String, String)>> {
    serde_json::from_value(parsed(text)?).map_err(|error| invalid(error.to_string()))
}
