//! The client.

use std::time::Duration;

use bytes::Bytes;
use fal::{ClientBuilder, HostRole, Request};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use serde_json::Value;

use crate::callbacks;
use crate::op::Op;
use crate::task::{Done, Task};
use crate::values::{count, explained, invalid, parsed, seconds, told};
use crate::wishes::Wishes;

/// What `libfal.Client` stands for.
#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Core {
    inner: fal::Client,
}

/// Make a client. log is the number of a log function.
#[pyfunction]
#[pyo3(signature = (wishes, timeout, max_attempts, max_response_bytes, user_agent, proxy, hosts, strict_scopes, log, log_level, /))]
#[expect(
    clippy::too_many_arguments,
    reason = "one for each of Python's keywords"
)]
pub(crate) fn client<'py>(
    py: Python<'py>,
    wishes: &Wishes,
    timeout: Option<f64>,
    max_attempts: Option<i64>,
    max_response_bytes: Option<i64>,
    user_agent: Option<&str>,
    proxy: Option<&str>,
    hosts: &str,
    strict_scopes: bool,
    log: Option<u64>,
    log_level: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let limits = Limits {
        timeout,
        max_attempts,
        max_response_bytes,
        user_agent,
    };
    told(py, || {
        let level = callbacks::level(log_level)?;
        let builder = fal::Client::builder()
            .credentials(wishes.options.clone())
            .strict_scopes(strict_scopes);
        let builder = with_hosts(limits.set(builder)?, &parsed(hosts)?)?;
        let builder = proxy.into_iter().try_fold(builder, ClientBuilder::proxy)?;
        let builder = log.into_iter().fold(builder, |builder, number| {
            builder.log(level, callbacks::sink(number))
        });
        Ok(Core {
            inner: builder.build()?,
        })
    })
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
        told(py, || {
            let mut request = Request::run(endpoint)?;
            if let Some(text) = input {
                request.set_bytes(Bytes::from_owner(text), "application/json")?;
            }
            set_timeout(&mut request, timeout)?;
            self.inner.run_start(request).map(Op::new)
        })
    }

    /// Start a request to an address; the headers are JSON.
    #[pyo3(signature = (method, url, body, content_type, headers, timeout, /))]
    #[expect(
        clippy::too_many_arguments,
        reason = "one for each of Python's keywords"
    )]
    fn send<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        url: &str,
        body: Option<PyBackedBytes>,
        content_type: &str,
        headers: &str,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        told(py, || {
            let mut request = Request::new(method, url)?;
            if let Some(body) = body {
                request.set_bytes(Bytes::from_owner(body), content_type)?;
            }
            set_timeout(&mut request, timeout)?;
            for (name, value) in texts(&parsed(headers)?) {
                request.set_header(name, value)?;
            }
            self.inner.send_start(request).map(Op::new)
        })
    }

    /// Look for the key anew.
    fn explain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.inner.clone();
        told(py, || {
            Task::start(move || Ok(Done::Text(explained(&client.explain()).to_string())))
        })
    }

    /// Use another credential from now on.
    #[pyo3(signature = (wishes, /))]
    fn set_credentials(&self, wishes: &Wishes) {
        self.inner.set_credentials(wishes.options.clone());
    }

    /// Start a check of the credential.
    fn check<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        told(py, || self.inner.check_start().map(Op::new))
    }

    /// The scope of the key in use, if it is known.
    fn known_scope(&self) -> Option<&'static str> {
        self.inner.known_scope().map(fal::Scope::as_str)
    }

    /// Start a call of the Platform API; the parameters are JSON.
    #[pyo3(signature = (name, params, /))]
    fn platform<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        params: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        told(py, || {
            self.inner
                .platform_start(name, parsed(params)?)
                .map(Op::new)
        })
    }

    /// Begin to read a list.
    #[pyo3(signature = (name, params, /))]
    fn platform_list<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        params: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        told(py, || {
            self.inner
                .platform_list_start(name, parsed(params)?)
                .map(Op::list)
        })
    }

    /// Begin to make an API key.
    #[pyo3(signature = (alias, /))]
    fn create_key<'py>(&self, py: Python<'py>, alias: &str) -> PyResult<Bound<'py, PyAny>> {
        told(py, || self.inner.create_key_start(alias).map(Op::creating))
    }

    /// Begin to revoke an API key.
    #[pyo3(signature = (id, allow_own, /))]
    fn revoke_key<'py>(
        &self,
        py: Python<'py>,
        id: &str,
        allow_own: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        told(py, || {
            self.inner.revoke_key_start(id, allow_own).map(Op::new)
        })
    }

    /// Begin to make a token; the apps are JSON.
    #[pyo3(signature = (apps, seconds, /))]
    fn mint_token<'py>(
        &self,
        py: Python<'py>,
        apps: &str,
        seconds: i64,
    ) -> PyResult<Bound<'py, PyAny>> {
        told(py, || {
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

struct Limits<'a> {
    timeout: Option<f64>,
    max_attempts: Option<i64>,
    max_response_bytes: Option<i64>,
    user_agent: Option<&'a str>,
}

impl Limits<'_> {
    fn set(&self, mut builder: ClientBuilder) -> fal::Result<ClientBuilder> {
        if let Some(timeout) = self.timeout {
            builder = builder.timeout(seconds("timeout", timeout)?);
        }
        if let Some(most) = self.max_attempts {
            builder = builder.max_attempts(count("max_attempts", most)?)?;
        }
        if let Some(most) = self.max_response_bytes {
            builder = builder.max_response_bytes(count("max_response_bytes", most)?);
        }
        match self.user_agent {
            Some(product) => builder.user_agent(product),
            None => Ok(builder),
        }
    }
}

fn with_hosts(builder: ClientBuilder, hosts: &Value) -> fal::Result<ClientBuilder> {
    texts(hosts).try_fold(builder, |builder, (name, host)| {
        let role = match name {
            "run" => HostRole::Run,
            "queue" => HostRole::Queue,
            "rest" => HostRole::Rest,
            "platform" => HostRole::Platform,
            "cdn" => HostRole::Cdn,
            "emulator" => HostRole::Emulator,
            _ => return Err(invalid(format!("there is no {name} host"))),
        };
        builder.host(role, host)
    })
}

/// The pairs of texts in a list.
fn texts(pairs: &Value) -> impl Iterator<Item = (&str, &str)> {
    let pairs = pairs.as_array().into_iter().flatten();
    pairs.filter_map(|pair| Some((pair.get(0)?.as_str()?, pair.get(1)?.as_str()?)))
}

fn set_timeout(request: &mut Request, timeout: Option<f64>) -> fal::Result<()> {
    if let Some(timeout) = timeout {
        request.set_timeout(seconds("timeout", timeout)?);
    }
    Ok(())
}
