//! What the caller says about the credential, and the function of his that delivers one.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fal::credentials::{Answer, Callback, Options};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::sync::PyOnceLock;

use crate::convert::seconds;

/// The arguments of Python that choose the credential.
pub(crate) struct Wishes<'py> {
    pub(crate) key: Option<PyBackedStr>,
    pub(crate) profile: Option<PyBackedStr>,
    pub(crate) app_token: Option<Bound<'py, PyAny>>,
    pub(crate) credential: Option<Bound<'py, PyAny>>,
    pub(crate) anonymous: bool,
    pub(crate) keyring: Option<bool>,
    pub(crate) config_path: Option<PathBuf>,
}

impl Wishes<'_> {
    pub(crate) fn options(self, py: Python<'_>) -> PyResult<Options> {
        let mut options = usual(py)?.anonymous(self.anonymous);
        if let Some(key) = self.key {
            options = options.key(&*key);
        }
        if let Some(profile) = self.profile {
            options = options.profile(&*profile);
        }
        if let Some(token) = self.app_token {
            options = options.app_token(&*token_text(&token)?);
        }
        if let Some(function) = self.credential {
            options = options.callback(callback(&function)?);
        }
        if let Some(keyring) = self.keyring {
            options = options.keyring(keyring);
        }
        Ok(match self.config_path {
            Some(path) => options.config_path(path),
            None => options,
        })
    }
}

/// A `str` or a `libfal.AppToken`.
fn token_text(token: &Bound<'_, PyAny>) -> PyResult<PyBackedStr> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = CLASS.import(token.py(), "libfal._credential", "AppToken")?;
    let text = if token.is_instance(class.as_any())? { &token.getattr("text")? } else { token };
    text.extract().map_err(|_| wrong("app_token", "a str or a libfal.AppToken", text))
}

fn wrong(name: &str, wanted: &str, value: &Bound<'_, PyAny>) -> PyErr {
    match value.get_type().name() {
        Ok(kind) => PyTypeError::new_err(format!("{name} is {wanted}, not {kind}")),
        Err(failed) => failed,
    }
}

/// Each question has a thread of Python's own, because the function may take its time, and the runtime's may not.
fn callback(function: &Bound<'_, PyAny>) -> PyResult<Callback> {
    if !function.is_callable() {
        return Err(wrong("credential", "a callable", function));
    }
    let function = function.clone().unbind();
    Ok(asking(move |py, question| {
        static ASK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        ASK.import(py, "libfal._credential", "ask")?.call1((&function, question)).map(drop)
    }))
}

/// In a notebook of Google Colab, what asks for its secret.
fn notebook(py: Python<'_>) -> PyResult<Option<Callback>> {
    static IS_HERE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let is_here: bool = IS_HERE.import(py, "libfal._colab", "is_here")?.call0()?.extract()?;
    Ok(is_here.then(|| {
        asking(|py, question| {
            static ASK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            ASK.import(py, "libfal._colab", "ask")?.call1((question,)).map(drop)
        })
    }))
}

/// `ask` starts a thread that answers the question; what it raises instead is an answer too.
fn asking(ask: impl Fn(Python<'_>, &Py<Question>) -> PyResult<()> + Send + Sync + 'static) -> Callback {
    Callback::new(move |answer| {
        // None once the interpreter is on its way out: the question is dropped, which is an answer too.
        let _ = Python::try_attach(|py| {
            let question = Py::new(py, Question { answer: Mutex::new(Some(answer)) })?;
            ask(py, &question).inspect_err(|error| question.get().fail(&error.to_string()))
        });
    })
}

/// The environment's own wishes: none, but in a notebook.
pub(crate) fn usual(py: Python<'_>) -> PyResult<Options> {
    Ok(notebook(py)?.map_or_else(Options::new, |secrets| Options::new().notebook(secrets)))
}

/// A question of the core for a credential. The first answer counts.
#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Question {
    answer: Mutex<Option<Answer>>,
}

impl Question {
    fn take(&self) -> Option<Answer> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn give(&self, expires_in: Option<f64>, give: impl FnOnce(Answer, Option<Duration>) -> Result<(), String>) {
        let Some(answer) = self.take() else { return };
        match expires_in.map(|time| seconds("expires_in", time)).transpose() {
            // What is wrong with the text is told to the calls that wait.
            Ok(expires_in) => drop(give(answer, expires_in)),
            Err(error) => answer.fail(error.message()),
        }
    }
}

#[pymethods]
impl Question {
    /// Answer with a key that is good for so many seconds.
    #[pyo3(signature = (text, expires_in))]
    fn key(&self, text: PyBackedStr, expires_in: Option<f64>) {
        self.give(expires_in, |answer, expires_in| answer.key(&text, expires_in));
    }

    /// Answer with a short-lived token.
    #[pyo3(signature = (text, expires_in))]
    fn app_token(&self, text: PyBackedStr, expires_in: Option<f64>) {
        self.give(expires_in, |answer, expires_in| answer.app_token(&text, expires_in));
    }

    /// Say that a notebook has no key, and why.
    fn absent(&self, reason: &str) {
        if let Some(answer) = self.take() {
            answer.absent(reason);
        }
    }

    /// Say why there is no credential.
    fn fail(&self, reason: &str) {
        if let Some(answer) = self.take() {
            answer.fail(reason);
        }
    }
}
