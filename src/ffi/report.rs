//! The report on the sources of a key, which errors carry, too.

use super::texts::Texts;
use crate::credentials::Resolution;

/// The state of every source of a key. Unique; freed with fal_credentials_free(). It is immutable:
/// several threads may read it at once.
pub struct fal_credentials {
    pub(super) inner: Resolution,
    pub(super) texts: Texts,
}

impl fal_credentials {
    pub(super) fn new(inner: Resolution) -> Self {
        fal_credentials {
            inner,
            texts: Texts::default(),
        }
    }
}
