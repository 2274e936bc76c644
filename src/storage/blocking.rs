//! Work that blocks: on the runtime's helper threads.

use crate::error::{Code, Error, Result};

pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(Error::new(Code::Panic, format!("work on a file could not be carried out: {e}"))))
}
