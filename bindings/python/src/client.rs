//! The client, and the function that needs none.

use std::path::PathBuf;
use std::time::Duration;

use fal::{ClientBuilder, HostRole, Op, Request};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyMapping};

use crate::convert::{self, count, invalid, seconds};
use crate::credential::{self, Wishes};
use crate::error::raise;
use crate::explanation;
use crate::log;
use crate::operation::{Operation, finish};
use crate::platform::{self, Items, NewKey};
use crate::response::Response;

/// A credential, addresses, limits and a pool of connections. Any number of threads may use it at once.
#[pyclass(frozen, module = "libfal")]
pub(crate) struct Client {
    inner: fal::Client,
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (
        key=None, *, profile=None, app_token=None, credential=None, anonymous=false, keyring=None, config_path=None,
        proxy=None, timeout=None, max_attempts=None, max_response_bytes=None, user_agent=None, run_host=None,
        queue_host=None, rest_host=None, platform_host=None, cdn_host=None, emulator_host=None,
        strict_scopes=false, log=None, log_level="info"
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn new(
        py: Python<'_>,
        key: Option<PyBackedStr>,
        profile: Option<PyBackedStr>,
        app_token: Option<Bound<'_, PyAny>>,
        credential: Option<Bound<'_, PyAny>>,
        anonymous: bool,
        keyring: Option<bool>,
        config_path: Option<PathBuf>,
        proxy: Option<&str>,
        timeout: Option<f64>,
        max_attempts: Option<i64>,
        max_response_bytes: Option<i64>,
        user_agent: Option<&str>,
        run_host: Option<&str>,
        queue_host: Option<&str>,
        rest_host: Option<&str>,
        platform_host: Option<&str>,
        cdn_host: Option<&str>,
        emulator_host: Option<&str>,
        strict_scopes: bool,
        log: Option<Bound<'_, PyAny>>,
        log_level: &str,
    ) -> PyResult<Self> {
        let limits = Limits { timeout, max_attempts, max_response_bytes, user_agent };
        let hosts = [
            (HostRole::Run, run_host),
            (HostRole::Queue, queue_host),
            (HostRole::Rest, rest_host),
            (HostRole::Platform, platform_host),
            (HostRole::Cdn, cdn_host),
            (HostRole::Emulator, emulator_host),
        ];
        let sink = log.map(log::sink).transpose()?;
        let options = Wishes { key, profile, app_token, credential, anonymous, keyring, config_path }.options(py)?;
        let build = || {
            let level = log::level(log_level)?;
            let builder = fal::Client::builder().credentials(options).strict_scopes(strict_scopes);
            let builder = with_hosts(limits.set(builder)?, &hosts)?;
            let builder = proxy.into_iter().try_fold(builder, ClientBuilder::proxy)?;
            sink.into_iter().fold(builder, |builder, sink| builder.log(level, sink)).build()
        };
        Ok(Client { inner: build().map_err(|error| raise(py, &error))? })
    }

    /// Run an endpoint and wait for its output.
    #[pyo3(signature = (endpoint, input=None, *, timeout=None))]
    fn run(
        &self,
        py: Python<'_>,
        endpoint: &str,
        input: Option<&Bound<'_, PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<Response> {
        let request = endpoint_request(py, endpoint, input, timeout)?;
        finish(py, || self.inner.run_start(request))
    }

    /// Start a run and return at once.
    #[pyo3(signature = (endpoint, input=None, *, timeout=None))]
    fn run_start(
        &self,
        py: Python<'_>,
        endpoint: &str,
        input: Option<&Bound<'_, PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<Operation> {
        let request = endpoint_request(py, endpoint, input, timeout)?;
        started(py, self.inner.run_start(request))
    }

    /// Send a request to any address of fal's, with the key where the service takes one, and wait for the answer.
    #[pyo3(signature = (method, url, *, json=None, content=None, content_type=None, headers=None, timeout=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn request(
        &self,
        py: Python<'_>,
        method: &str,
        url: &str,
        json: Option<&Bound<'_, PyAny>>,
        content: Option<&Bound<'_, PyAny>>,
        content_type: Option<&str>,
        headers: Option<&Bound<'_, PyMapping>>,
        timeout: Option<f64>,
    ) -> PyResult<Response> {
        let parts = Parts { json, content, content_type, headers, timeout };
        let request = parts.request(py, method, url)?;
        finish(py, || self.inner.send_start(request))
    }

    /// Start such a request and return at once.
    #[pyo3(signature = (method, url, *, json=None, content=None, content_type=None, headers=None, timeout=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn request_start(
        &self,
        py: Python<'_>,
        method: &str,
        url: &str,
        json: Option<&Bound<'_, PyAny>>,
        content: Option<&Bound<'_, PyAny>>,
        content_type: Option<&str>,
        headers: Option<&Bound<'_, PyMapping>>,
        timeout: Option<f64>,
    ) -> PyResult<Operation> {
        let parts = Parts { json, content, content_type, headers, timeout };
        let request = parts.request(py, method, url)?;
        started(py, self.inner.send_start(request))
    }

    /// Look for the key anew and report every source. Sends nothing.
    fn explain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let resolution = py.detach(|| self.inner.explain());
        explanation::object(py, &resolution)
    }

    /// Use another credential from now on. Calls under way keep theirs.
    #[pyo3(signature = (
        key=None, *, profile=None, app_token=None, credential=None, anonymous=false, keyring=None, config_path=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn set_credentials(
        &self,
        py: Python<'_>,
        key: Option<PyBackedStr>,
        profile: Option<PyBackedStr>,
        app_token: Option<Bound<'_, PyAny>>,
        credential: Option<Bound<'_, PyAny>>,
        anonymous: bool,
        keyring: Option<bool>,
        config_path: Option<PathBuf>,
    ) -> PyResult<()> {
        let wishes = Wishes { key, profile, app_token, credential, anonymous, keyring, config_path };
        self.inner.set_credentials(wishes.options(py)?);
        Ok(())
    }

    /// Ask fal whether it accepts the credential and what it may do. Runs nothing and costs nothing.
    fn check<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let answer = finish(py, || self.inner.check_start())?;
        MAKE.import(py, "libfal._credential", "check_from")?.call1((answer.content(py),))
    }

    /// The scope of the key in use, "API" or "ADMIN", if it is known.
    fn known_scope(&self) -> Option<&'static str> {
        self.inner.known_scope().map(fal::Scope::as_str)
    }

    /// Call an operation of the Platform API by its name and wait for the answer.
    #[pyo3(signature = (name, /, **params))]
    fn platform(&self, py: Python<'_>, name: &str, params: Option<&Bound<'_, PyDict>>) -> PyResult<Response> {
        let params = platform::params(py, params)?;
        finish(py, || self.inner.platform_start(name, params))
    }

    /// Start such a call and return at once.
    #[pyo3(signature = (name, /, **params))]
    fn platform_start(&self, py: Python<'_>, name: &str, params: Option<&Bound<'_, PyDict>>) -> PyResult<Operation> {
        let params = platform::params(py, params)?;
        started(py, self.inner.platform_start(name, params))
    }

    /// Read a list of the Platform API, element by element, through all its pages.
    #[pyo3(signature = (name, /, *, parse_float=None, **params))]
    fn platform_list(
        &self,
        py: Python<'_>,
        name: &str,
        parse_float: Option<Py<PyAny>>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Items> {
        let params = platform::params(py, params)?;
        let op = self.inner.platform_list_start(name, params);
        op.map(|op| Items::new(op, parse_float)).map_err(|error| raise(py, &error))
    }

    /// Make an API key. It needs a key of scope ADMIN.
    fn create_key(&self, py: Python<'_>, alias: &str) -> PyResult<NewKey> {
        NewKey::create(py, &self.inner, alias)
    }

    /// Revoke an API key by its id.
    #[pyo3(signature = (id, *, allow_own=false))]
    fn revoke_key(&self, py: Python<'_>, id: &str, allow_own: bool) -> PyResult<()> {
        finish(py, || self.inner.revoke_key_start(id, allow_own)).map(drop)
    }

    /// Make a token that opens these apps for so many seconds, and nothing else.
    #[pyo3(signature = (*apps, seconds=120))]
    fn mint_token<'py>(&self, py: Python<'py>, apps: Vec<PyBackedStr>, seconds: i64) -> PyResult<Bound<'py, PyAny>> {
        static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let apps: Vec<&str> = apps.iter().map(|app| &**app).collect();
        let start = || {
            let lifetime = Duration::from_secs(count("seconds", seconds)?);
            self.inner.mint_token_start(&apps, lifetime)
        };
        let answer = finish(py, start)?;
        MAKE.import(py, "libfal._credential", "token_from")?.call1((answer.content(py),))
    }

    fn __copy__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __deepcopy__(this: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        this
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a libfal.Client may hold a key and cannot be pickled; make one where it is needed"))
    }
}

/// Run an endpoint with the client that the environment describes, made at the first call.
#[pyfunction]
#[pyo3(signature = (endpoint, input=None, *, timeout=None))]
pub(crate) fn run(
    py: Python<'_>,
    endpoint: &str,
    input: Option<&Bound<'_, PyAny>>,
    timeout: Option<f64>,
) -> PyResult<Response> {
    static DEFAULT: PyOnceLock<fal::Client> = PyOnceLock::new();
    let request = endpoint_request(py, endpoint, input, timeout)?;
    let client = DEFAULT.get_or_try_init(py, || {
        let builder = fal::Client::builder().credentials(credential::usual(py)?);
        builder.build().map_err(|error| raise(py, &error))
    })?;
    finish(py, || client.run_start(request))
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

fn with_hosts(builder: ClientBuilder, hosts: &[(HostRole, Option<&str>)]) -> fal::Result<ClientBuilder> {
    let given = hosts.iter().filter_map(|(role, host)| Some((*role, (*host)?)));
    given.into_iter().try_fold(builder, |builder, (role, host)| builder.host(role, host))
}

fn endpoint_request(
    py: Python<'_>,
    endpoint: &str,
    input: Option<&Bound<'_, PyAny>>,
    timeout: Option<f64>,
) -> PyResult<Request> {
    let text = input.map(convert::input).transpose()?;
    let request = || {
        let mut request = Request::run(endpoint)?;
        if let Some(text) = text {
            request.set_bytes(text, "application/json")?;
        }
        set_timeout(&mut request, timeout)?;
        Ok(request)
    };
    request().map_err(|error| raise(py, &error))
}

/// What a request to an address may have besides the address.
struct Parts<'a, 'py> {
    json: Option<&'a Bound<'py, PyAny>>,
    content: Option<&'a Bound<'py, PyAny>>,
    content_type: Option<&'a str>,
    headers: Option<&'a Bound<'py, PyMapping>>,
    timeout: Option<f64>,
}

impl Parts<'_, '_> {
    fn request(&self, py: Python<'_>, method: &str, url: &str) -> PyResult<Request> {
        let (body, usual_type) = match (self.json, self.content) {
            (Some(_), Some(_)) => return Err(raise(py, &invalid("a request has json or content, not both"))),
            (Some(json), None) => (Some(convert::json(json)?), "application/json"),
            (None, Some(content)) => (Some(convert::content(content)?), "application/octet-stream"),
            (None, None) => (None, ""),
        };
        let request = || {
            let mut request = Request::new(method, url)?;
            match (body, self.content_type) {
                (Some(body), kind) => request.set_bytes(body, kind.unwrap_or(usual_type))?,
                (None, Some(_)) => return Err(invalid("a request without a body has no content_type")),
                (None, None) => {}
            }
            set_timeout(&mut request, self.timeout)?;
            Ok(request)
        };
        let mut request = request().map_err(|error| raise(py, &error))?;
        self.headers.map_or(Ok(()), |headers| convert::set_headers(&mut request, headers))?;
        Ok(request)
    }
}

fn set_timeout(request: &mut Request, timeout: Option<f64>) -> fal::Result<()> {
    if let Some(timeout) = timeout {
        request.set_timeout(seconds("timeout", timeout)?);
    }
    Ok(())
}

fn started(py: Python<'_>, op: fal::Result<Op>) -> PyResult<Operation> {
    op.map(Operation::new).map_err(|error| raise(py, &error))
}
