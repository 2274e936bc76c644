//! The report on where a key comes from, which an error may carry too.

use super::texts::Texts;
use crate::credentials::Resolution;

/// What became of every source of a key. Immutable: several threads may read it at once.
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
