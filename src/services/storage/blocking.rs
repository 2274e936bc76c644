//! Runs work on local files on the runtime's helper threads.

use crate::error::Result;
use crate::runtime::blocking::{self, Kind};

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    blocking::blocking(Kind::Files, work).await?
}
