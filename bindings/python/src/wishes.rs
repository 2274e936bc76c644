//! What the caller says about the credential.

use std::path::PathBuf;

use fal::credentials::{self, Environment, Options};
use pyo3::prelude::*;

use crate::callbacks::asking;
use crate::task::{Done, Task};
use crate::values::{explained, told};

/// Which credential is to be used. Functions are numbers.
#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Wishes {
    pub(crate) options: Options,
}

#[pymethods]
impl Wishes {
    #[new]
    #[pyo3(signature = (key, profile, app_token, credential, anonymous, keyring, config_path, notebook, /))]
    #[expect(
        clippy::too_many_arguments,
        reason = "one for each of Python's keywords"
    )]
    fn new(
        key: Option<&str>,
        profile: Option<&str>,
        app_token: Option<&str>,
        credential: Option<u64>,
        anonymous: bool,
        keyring: Option<bool>,
        config_path: Option<PathBuf>,
        notebook: Option<u64>,
    ) -> Self {
        let mut options = Options::new().anonymous(anonymous);
        if let Some(number) = notebook {
            options = options.notebook(asking(number));
        }
        if let Some(key) = key {
            options = options.key(key);
        }
        if let Some(profile) = profile {
            options = options.profile(profile);
        }
        if let Some(token) = app_token {
            options = options.app_token(token);
        }
        if let Some(number) = credential {
            options = options.callback(asking(number));
        }
        if let Some(keyring) = keyring {
            options = options.keyring(keyring);
        }
        if let Some(path) = config_path {
            options = options.config_path(path);
        }
        Wishes { options }
    }
}

/// Look for a key as a client with these wishes would.
#[pyfunction]
#[pyo3(signature = (wishes, /))]
pub(crate) fn explain<'py>(py: Python<'py>, wishes: &Wishes) -> PyResult<Bound<'py, PyAny>> {
    let (options, environment) = (wishes.options.clone(), Environment::process());
    let resolve = move || {
        Ok(Done::Text(
            explained(&credentials::resolve(&options, &environment)).to_string(),
        ))
    };
    told(py, || Task::start(resolve))
}
