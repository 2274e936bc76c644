//! Calls of functions of the host, and values whose drop runs code of the host.

use tokio::sync::oneshot;

pub(crate) use super::host_threads::{HostThreads, Kind};
use super::{carries_calls, current_or_closing, permit, shut_down};
use crate::error::{Code, Error, Result};

/// Calls a function of the host on a thread of its kind, and returns its result. If the future is
/// dropped before the call begins, the function is never called.
pub(crate) async fn call<T: Send + 'static>(
    kind: Kind,
    function: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let instance = current_or_closing()?;
    let permit = permit(instance.host().share(kind)).await?;
    let (give, given) = oneshot::channel();
    let posted = instance.host().post(kind, move || {
        // The thread is busy until the function returns, even if nothing waits for the result.
        let _permit = permit;
        if !give.is_closed() {
            let _ = give.send(function());
        }
    });
    posted.map_err(|_| match instance.closing().is_cancelled() {
        true => shut_down(),
        false => Error::new(
            Code::Io,
            "cannot start a thread for a function of the program",
        ),
    })?;
    // The text of a panic may quote a secret, so the error leaves it out.
    given
        .await
        .map_err(|_| Error::new(Code::Panic, "a function of the program panicked"))
}

/// A value of the host, whose drop may run code of the host.
pub(crate) struct HostOwned<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> HostOwned<T> {
    pub(crate) fn new(value: T) -> Self {
        HostOwned(Some(value))
    }

    /// Returns the value, which is `None` only during the drop.
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    pub(crate) fn take(mut self) -> Option<T> {
        self.0.take()
    }
}

impl<T: Send + 'static> Drop for HostOwned<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take()
            && carries_calls()
            && let Ok(instance) = current_or_closing()
        {
            // If no thread can be started, the value is dropped on this one.
            drop(instance.host().post(Kind::Releases, move || drop(value)));
        }
    }
}

impl<T: AsRef<[u8]> + Send + 'static> AsRef<[u8]> for HostOwned<T> {
    fn as_ref(&self) -> &[u8] {
        self.get().map(T::as_ref).unwrap_or_default()
    }
}
