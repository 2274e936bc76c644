//! Work on local files: on the runtime's helper threads.

use crate::error::Result;
use crate::helpers::{self, Kind};

pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    helpers::blocking(Kind::Files, work).await?
}
