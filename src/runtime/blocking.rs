//! Blocking work on the runtime's helper threads.

use std::any::Any;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::failure::task_error;
use super::lifecycle::current_or_closing;
pub(crate) use super::shares::Kind;
use super::shares::permit;
use crate::error::{Code, Error, Result};

/// Runs `work` once a helper thread of its kind is free. If the future is dropped before that, the
/// work never runs.
pub(crate) async fn blocking<T: Send + 'static>(
    kind: Kind,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    blocking_within(None, kind, work).await
}

/// Like [`blocking`], and also holds a permit of `own` while the work runs.
pub(crate) async fn blocking_within<T: Send + 'static>(
    own: Option<&Arc<Semaphore>>,
    kind: Kind,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let work = Box::new(|| Box::new(work()) as Box<dyn Any + Send>);
    let done = erased(own, kind, work).await?;
    done.downcast().map(|done| *done).map_err(|_| {
        let lost = "blocking work returned a value of another type";
        Error::new(Code::Panic, lost)
    })
}

/// Compiled once: each type of a task adds some 10 KB to the library.
async fn erased(
    own: Option<&Arc<Semaphore>>,
    kind: Kind,
    work: Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>,
) -> Result<Box<dyn Any + Send>> {
    // The narrower share comes first, so that work which waits for it holds no permit of the kind.
    let own = match own {
        Some(own) => Some(permit(own).await?),
        None => None,
    };
    let share = current_or_closing()?.shares().of_kind(kind).clone();
    let permits = (own, permit(&share).await?);
    let done = tokio::task::spawn_blocking(move || {
        // The thread is busy until the work ends, even if nothing waits for the result any more.
        let _permits = permits;
        work()
    });
    done.await.map_err(|end| task_error("blocking work", &end))
}
