//! The client, and the search for a key without one.

use std::time::Duration;

use bytes::Bytes;
use fal::Request;
use fal::credentials::{self, Environment, Resolution};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use serde_json::Value;

use crate::op::Op;
use crate::options::{ClientOptions, CredentialOptions, from_dict};
use crate::task::{Done, Task};
use crate::values::{count, explained, parsed, seconds, value_or_failure};

/// The native half of `libfal.Client`.
#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Core {
    inner: fal::Client,
}

/// Make a client.
#[pyfunction]
#[pyo3(signature = (credential, options, /))]
pub(crate) fn client(
    py: Python<'_>,
    credential: CredentialOptions,
    options: ClientOptions,
) -> PyResult<Bound<'_, PyAny>> {
    value_or_failure(py, || {
        let builder = options.builder()?.credentials(credential.into());
        Ok(Core {
            inner: builder.build()?,
        })
    })
}

/// Look for a key as a client with these options does.
#[pyfunction]
#[pyo3(signature = (credential, /))]
pub(crate) fn explain(py: Python<'_>, credential: CredentialOptions) -> PyResult<Bound<'_, PyAny>> {
    let (options, environment) = (credential.into(), Environment::process());
    value_or_failure(py, || {
        Task::start(move || Ok(report(&credentials::resolve(&options, &environment))))
    })
}

fn report(resolution: &Resolution) -> Done {
    Done::Value(explained(resolution))
}

from_dict! {
    /// The arguments of `libfal.Client.request`. The headers are JSON.
    struct Sent {
        method: PyBackedStr,
        url: PyBackedStr,
        body: Option<PyBackedBytes>,
        content_type: PyBackedStr,
        headers: PyBackedBytes,
        timeout: Option<f64>,
    }
}

#[pymethods]
impl Core {
    /// Start a run; the input is JSON.
    #[pyo3(signature = (endpoint, input, timeout, /))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        endpoint: &str,
        input: Option<PyBackedBytes>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            let mut request = Request::run(endpoint)?;
            if let Some(text) = input {
                request.set_bytes(shared(text), "application/json")?;
            }
            set_timeout(&mut request, timeout)?;
            self.inner.run_start(request).map(Op::new)
        })
    }

    /// Start a request to a URL.
    #[pyo3(signature = (request, /))]
    fn send<'py>(&self, py: Python<'py>, request: Sent) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            let mut sent = Request::new(&request.method, &request.url)?;
            if let Some(body) = request.body {
                sent.set_bytes(shared(body), &request.content_type)?;
            }
            set_timeout(&mut sent, request.timeout)?;
            let headers = parsed(&request.headers)?;
            for header in headers.as_array().into_iter().flatten() {
                if let (Some(name), Some(value)) = (header[0].as_str(), header[1].as_str()) {
                    sent.set_header(name, value)?;
                }
            }
            self.inner.send_start(sent).map(Op::new)
        })
    }

    /// Look for the key again.
    fn explain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.inner.clone();
        value_or_failure(py, || Task::start(move || Ok(report(&client.explain()))))
    }

    /// Use another credential for later calls.
    #[pyo3(signature = (credential, /))]
    fn set_credentials(&self, credential: CredentialOptions) {
        self.inner.set_credentials(credential.into());
    }

    /// Start a check of the credential.
    fn check<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || self.inner.check_start().map(Op::new))
    }

    /// Return the scope of the key in use, if it is known.
    fn known_scope(&self) -> Option<&'static str> {
        self.inner.known_scope().map(fal::Scope::as_str)
    }

    /// Start a call of the Platform API; the parameters are JSON.
    #[pyo3(signature = (name, params, /))]
    fn platform<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        params: &[u8],
    ) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            self.inner
                .platform_start(name, parsed(params)?)
                .map(Op::new)
        })
    }

    /// Start to read a list.
    #[pyo3(signature = (name, params, /))]
    fn platform_list<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        params: &[u8],
    ) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            self.inner
                .platform_list_start(name, parsed(params)?)
                .map(Op::list)
        })
    }

    /// Start to create an API key.
    #[pyo3(signature = (alias, /))]
    fn create_key<'py>(&self, py: Python<'py>, alias: &str) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || self.inner.create_key_start(alias).map(Op::creating))
    }

    /// Start to revoke an API key.
    #[pyo3(signature = (id, allow_own, /))]
    fn revoke_key<'py>(
        &self,
        py: Python<'py>,
        id: &str,
        allow_own: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            self.inner.revoke_key_start(id, allow_own).map(Op::new)
        })
    }

    /// Start to create a token; the apps are JSON.
    #[pyo3(signature = (apps, seconds, /))]
    fn mint_token<'py>(
        &self,
        py: Python<'py>,
        apps: &[u8],
        seconds: i64,
    ) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            let apps = parsed(apps)?;
            let apps: Vec<&str> = apps
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let lifetime = Duration::from_secs(count("seconds", seconds)?);
            self.inner.mint_token_start(&apps, lifetime).map(Op::new)
        })
    }
}

/// Returns the bytes of an object. Few are copied, because it costs more to release the object on
/// a thread of the runtime, which does not hold the GIL.
fn shared(content: PyBackedBytes) -> Bytes {
    match content.len() {
        0..=4096 => Bytes::copy_from_slice(&content),
        _ => Bytes::from_owner(content),
    }
}

fn set_timeout(request: &mut Request, timeout: Option<f64>) -> fal::Result<()> {
    if let Some(timeout) = timeout {
        request.set_timeout(seconds("timeout", timeout)?);
    }
    Ok(())
}
