//! Calls Python functions of the program: for log lines, and for the credential. Python objects
//! hold the functions, so that the garbage collector sees them; the native half knows their
//! numbers. `libfal/_callbacks.py` is the other half.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use fal::credentials::{Answer, Callback};
use fal::{Level, Target};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyInt, PyString};

use crate::guard::{Attached, Object, attached};
use crate::values::{object, seconds};

struct Hooks {
    /// `find(number)` returns the log function of that number, or None.
    find: Py<PyAny>,
    /// `ask(number, question)` calls the credential function of that number.
    ask: Py<PyAny>,
    /// `release(number)` is called when the core no longer calls that function.
    release: Py<PyAny>,
}

/// Set when the package is imported.
static HOOKS: PyOnceLock<Hooks> = PyOnceLock::new();
/// Whether the program is ending.
static SILENT: AtomicBool = AtomicBool::new(false);
/// The process id and the number of running log functions. A forked child starts at 0.
static RUNNING: AtomicU64 = AtomicU64::new(0);

/// Set the functions that find log functions, ask for credentials, and release functions. Only the
/// first call has an effect.
#[pyfunction]
pub(crate) fn call_back(py: Python<'_>, find: Py<PyAny>, ask: Py<PyAny>, release: Py<PyAny>) {
    let _ = HOOKS.set(py, Hooks { find, ask, release });
}

/// Start no more log functions, and return how many still run.
#[pyfunction]
pub(crate) fn silence() -> u32 {
    SILENT.store(true, Ordering::SeqCst);
    running(RUNNING.load(Ordering::SeqCst))
}

fn running(state: u64) -> u32 {
    if (state >> 32) as u32 == std::process::id() {
        state as u32
    } else {
        0
    }
}

fn add(change: i32) {
    let process = u64::from(std::process::id()) << 32;
    let add = |state| Some(process | u64::from(running(state).saturating_add_signed(change)));
    let _ = RUNNING.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add);
}

/// A reference to a Python function. Dropping it calls `release`.
struct Function(u64);

impl Function {
    /// A closure that calls this method captures the whole `Function`, not only the number.
    fn number(&self) -> u64 {
        self.0
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        if !SILENT.load(Ordering::SeqCst) {
            attached(|thread| release(thread, self.0).unwrap_or_default());
        }
    }
}

fn release(thread: &Attached, number: u64) -> Option<()> {
    let py = thread.python();
    let release = thread.object(HOOKS.get(py)?.release.clone_ref(py));
    thread.call(&release, &int(thread, number), None).map(drop)
}

/// The names are those of the methods of `logging.Logger`.
const LEVELS: [(&str, Level); 4] = [
    ("error", Level::Error),
    ("warning", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
];

pub(crate) fn level(name: &str) -> fal::Result<Level> {
    let known = LEVELS.iter().find(|(known, _)| *known == name);
    known.map(|(_, level)| *level).ok_or_else(|| {
        crate::values::invalid(format!(
            "log_level must be error, warning, info or debug, not {name:?}"
        ))
    })
}

/// Returns a log function that calls the Python function of this number. Its exceptions go to
/// `sys.unraisablehook`.
pub(crate) fn sink(number: u64) -> impl Fn(Level, Target, &str) + Send + Sync + 'static {
    let function = Function(number);
    move |level: Level, _: Target, line: &str| {
        let name = LEVELS
            .iter()
            .find(|(_, known)| *known == level)
            .map_or("error", |(name, _)| name);
        add(1);
        if !SILENT.load(Ordering::SeqCst) {
            attached(|thread| write(thread, function.number(), name, line).unwrap_or_default());
        }
        add(-1);
    }
}

fn write(thread: &Attached, number: u64, level: &str, line: &str) -> Option<()> {
    let py = thread.python();
    let find = thread.object(HOOKS.get(py)?.find.clone_ref(py));
    let function = thread
        .call(&find, &int(thread, number), None)
        .filter(|found| !found.is_none())?;
    let text = |text| thread.object(PyString::new(py, text).into_any().unbind());
    thread
        .call(&function, &text(level), Some(&text(line)))
        .map(drop)
}

fn int(thread: &Attached, number: u64) -> Object<'_> {
    thread.object(PyInt::new(thread.python(), number).into_any().unbind())
}

/// Returns a callback that asks the Python function of this number for a credential. Each call has
/// a thread of its own, so neither another request nor a shutdown waits for the function.
pub(crate) fn asking(number: u64) -> Callback {
    let function = Function(number);
    Callback::new(move |answer| {
        let number = function.number();
        let ask = move || attached(|thread| ask(thread, number, answer).unwrap_or_default());
        // If there is no thread, dropping `answer` fails the request.
        let _ = std::thread::Builder::new()
            .name("fal-credential".into())
            .spawn(ask);
    })
}

fn ask(thread: &Attached, number: u64, answer: Answer) -> Option<()> {
    let py = thread.python();
    let ask = thread.object(HOOKS.get(py)?.ask.clone_ref(py));
    let answer = Mutex::new(Some(answer));
    let question = object(py, Question { answer }).ok()?;
    thread
        .call(
            &ask,
            &int(thread, number),
            Some(&thread.object(question.unbind())),
        )
        .map(drop)
}

/// A request of the core for a credential. Only the first response counts.
#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Question {
    answer: Mutex<Option<Answer>>,
}

impl Question {
    fn take(&self) -> Option<Answer> {
        self.answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn give(
        &self,
        expires_in: Option<f64>,
        give: impl FnOnce(Answer, Option<std::time::Duration>) -> Result<(), String>,
    ) {
        let Some(answer) = self.take() else { return };
        match expires_in
            .map(|time| seconds("expires_in", time))
            .transpose()
        {
            // The core reports a malformed text to the waiting calls.
            Ok(expires_in) => drop(give(answer, expires_in)),
            Err(error) => answer.fail(error.message()),
        }
    }
}

#[pymethods]
impl Question {
    /// Deliver a key that is valid for this number of seconds.
    #[pyo3(signature = (text, expires_in, /))]
    fn key(&self, text: &str, expires_in: Option<f64>) {
        self.give(expires_in, |answer, expires_in| {
            answer.key(text, expires_in)
        });
    }

    /// Deliver a short-lived token.
    #[pyo3(signature = (text, expires_in, /))]
    fn app_token(&self, text: &str, expires_in: Option<f64>) {
        self.give(expires_in, |answer, expires_in| {
            answer.app_token(text, expires_in)
        });
    }

    /// Report that a notebook has no key, and why. The next source is tried.
    #[pyo3(signature = (reason, /))]
    fn absent(&self, reason: &str) {
        if let Some(answer) = self.take() {
            answer.absent(reason);
        }
    }

    /// Report why there is no credential.
    #[pyo3(signature = (reason, /))]
    fn fail(&self, reason: &str) {
        if let Some(answer) = self.take() {
            answer.fail(reason);
        }
    }
}
