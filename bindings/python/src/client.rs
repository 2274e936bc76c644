//! The client, and the search for a key without one.

use std::time::Duration;

use fal::credentials::{self, Environment, Resolution};
use fal::webhook::Webhook;
use fal::{Job, Request};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use serde_json::Value;

use crate::answer::Answer;
use crate::channel::Channel;
use crate::dict::{Content, from_dict};
use crate::download::Given as GivenDownload;
use crate::op::{Op, taken, waited};
use crate::options::{ClientOptions, CredentialOptions};
use crate::plain::{Output, Plain};
use crate::request::{Given, pairs, set_headers, set_timeout};
use crate::session::{Options as SessionOptions, Session};
use crate::task::{Done, Task};
use crate::upload::Given as GivenUpload;
use crate::values::{
    caught, count, explained, failed, invalid, object, parsed, seconds, step, value_or_failure,
};

/// The native half of `libfal.Client`.
#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Core {
    pub(crate) inner: fal::Client,
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
        body: Option<Content>,
        content_type: Option<PyBackedStr>,
        headers: Option<PyBackedBytes>,
        timeout: Option<f64>,
    }
}

impl Sent {
    fn request(self) -> fal::Result<Request> {
        let mut request = Request::new(&self.method, &self.url)?;
        if let Some(Content(body)) = self.body {
            let content_type = self.content_type.as_deref();
            request.set_bytes(body, content_type.unwrap_or("application/octet-stream"))?;
        }
        set_headers(&mut request, self.headers.as_deref())?;
        set_timeout(&mut request, self.timeout)?;
        Ok(request)
    }
}

/// A run after the first step of its wait.
#[derive(IntoPyObject)]
enum Ran<T> {
    Ended(T),
    Running(Op),
}

impl Core {
    /// Starts a run, unless this thread must not wait, and waits for its end. Nothing reads its events.
    fn ran<T>(
        &self,
        py: Python<'_>,
        request: impl FnOnce() -> fal::Result<Request>,
        seconds: f64,
        ended: impl FnOnce(Answer) -> T,
    ) -> fal::Result<Ran<T>> {
        fal::runtime::may_wait()?;
        let op = self.inner.run_start(request()?)?;
        op.discard_events();
        match waited(&op, py, step(seconds))? {
            true => taken(&op).map(|response| Ran::Ended(ended(response.into()))),
            false => Ok(Ran::Running(Op::awaited(op))),
        }
    }
}

#[pymethods]
impl Core {
    /// Start a run.
    #[pyo3(signature = (request, /))]
    fn run<'py>(&self, py: Python<'py>, request: Given) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            let reports = request.has_files();
            let op = self.inner.run_start(request.request()?)?;
            Ok(answering(op, reports))
        })
    }

    /// Start a run and wait for its end without the GIL. Return its outcome, or the operation if it
    /// has not ended, which is cancelled when it is deleted. Start nothing on a thread that must not wait.
    #[pyo3(signature = (request, seconds, /))]
    fn run_wait<'py>(
        &self,
        py: Python<'py>,
        request: Given,
        seconds: f64,
    ) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            self.ran(py, || request.request(), seconds, |answer| answer)
        })
    }

    /// Run an endpoint with an input, waiting like `run_wait`. Return the decoded response, an `Answer`
    /// that Python must decode, or the operation, which is cancelled when it is deleted. Return
    /// NotImplemented and start nothing if Python must convert the endpoint or the input.
    #[pyo3(signature = (endpoint, input, timeout, seconds, /))]
    fn run_plain<'py>(
        &self,
        py: Python<'py>,
        endpoint: &Bound<'py, PyAny>,
        input: &Bound<'py, PyAny>,
        timeout: f64,
        seconds: f64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(plain) = Plain::of(endpoint, input) else {
            return Ok(py.NotImplemented().into_bound(py));
        };
        value_or_failure(py, || {
            self.ran(py, || plain.request(timeout), seconds, Output)
        })
    }

    /// Start to submit a job.
    #[pyo3(signature = (request, /))]
    fn submit<'py>(&self, py: Python<'py>, request: Given) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            let reports = request.has_files();
            let op = self.inner.submit_start(request.request()?)?;
            Ok(answering(op, reports))
        })
    }

    /// Start to submit a job and to wait for its result.
    #[pyo3(signature = (request, /))]
    fn subscribe<'py>(&self, py: Python<'py>, request: Given) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            let op = self.inner.subscribe_start(request.request()?)?;
            Ok(Op::reporting(op))
        })
    }

    /// Start a stream.
    #[pyo3(signature = (request, /))]
    fn stream<'py>(&self, py: Python<'py>, request: Given) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            let op = self.inner.stream_start(request.request()?)?;
            Ok(Op::delivering(op))
        })
    }

    /// Start to ask for a job's status or its result, to cancel it, or to wait for it.
    #[pyo3(signature = (verb, endpoint, request_id, logs, keep_running, timeout, /))]
    #[expect(clippy::too_many_arguments, reason = "each is one value of Python")]
    fn job<'py>(
        &self,
        py: Python<'py>,
        verb: &str,
        endpoint: &str,
        request_id: &str,
        logs: bool,
        keep_running: bool,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            let mut job = Job::new(endpoint, request_id)?;
            job.set_logs(logs);
            job.set_keep_running(keep_running);
            if let Some(timeout) = timeout {
                job.set_timeout(seconds("timeout", timeout)?);
            }
            match verb {
                "status" => self.inner.status_start(&job).map(Op::silent),
                "result" => self.inner.result_start(&job).map(Op::silent),
                "cancel" => self.inner.cancel_start(&job).map(Op::silent),
                "attach" => self.inner.attach_start(&job).map(Op::reporting),
                _ => Err(invalid(format!("a job has no verb {verb:?}"))),
            }
        })
    }

    /// Start a session with a realtime app.
    #[pyo3(signature = (request, options, /))]
    fn realtime<'py>(
        &self,
        py: Python<'py>,
        request: Given,
        options: SessionOptions,
    ) -> PyResult<Bound<'py, PyAny>> {
        let start = || {
            self.inner
                .realtime_start(request.request()?, options.options()?)
        };
        match caught(start) {
            Ok(session) => object(py, Session::realtime(py, session)?),
            Err(error) => failed(py, error),
        }
    }

    /// Open a WebSocket of an app.
    #[pyo3(signature = (request, options, /))]
    fn websocket<'py>(
        &self,
        py: Python<'py>,
        request: Given,
        options: SessionOptions,
    ) -> PyResult<Bound<'py, PyAny>> {
        let start = || {
            self.inner
                .websocket_start(request.request()?, options.options()?)
        };
        match caught(start) {
            Ok(socket) => object(py, Session::websocket(py, socket)?),
            Err(error) => failed(py, error),
        }
    }

    /// Make a channel for many runs of one endpoint.
    #[pyo3(signature = (request, /))]
    fn channel<'py>(&self, py: Python<'py>, request: Given) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || self.inner.channel(&request.request()?).map(Channel))
    }

    /// Start an upload.
    #[pyo3(signature = (upload, timeout, /))]
    fn upload<'py>(
        &self,
        py: Python<'py>,
        upload: GivenUpload,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            let mut upload = upload.upload()?;
            if let Some(timeout) = timeout {
                upload = upload.timeout(seconds("timeout", timeout)?);
            }
            self.inner.upload_start(upload).map(Op::reporting)
        })
    }

    /// Start a download.
    #[pyo3(signature = (download, /))]
    fn download<'py>(
        &self,
        py: Python<'py>,
        download: GivenDownload,
    ) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            let download = download.download()?;
            self.inner.download_start(download).map(Op::reporting)
        })
    }

    /// Start to verify that fal sent a webhook; the headers are JSON.
    #[pyo3(signature = (headers, body, /))]
    fn verify_webhook<'py>(
        &self,
        py: Python<'py>,
        headers: &[u8],
        body: Content,
    ) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            let mut webhook = Webhook::new(body.0);
            for (name, value) in pairs(headers)? {
                webhook.set_header(&name, &value);
            }
            self.inner.verify_webhook_start(webhook).map(Op::silent)
        })
    }

    /// Start a request to a URL.
    #[pyo3(signature = (request, /))]
    fn send<'py>(&self, py: Python<'py>, request: Sent) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            let op = self.inner.send_start(request.request()?)?;
            Ok(Op::silent(op))
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
        value_or_failure(py, || self.inner.check_start().map(Op::silent))
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
                .map(Op::silent)
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
                .map(Op::delivering)
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
            self.inner.revoke_key_start(id, allow_own).map(Op::silent)
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
            self.inner.mint_token_start(&apps, lifetime).map(Op::silent)
        })
    }
}

/// Returns an operation with a single answer, which reports how its files are uploaded.
fn answering(op: fal::Op, reports: bool) -> Op {
    match reports {
        true => Op::reporting(op),
        false => Op::silent(op),
    }
}
