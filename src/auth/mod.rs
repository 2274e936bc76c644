//! The credential of a client: found, cached, renewed and replaced.

pub(crate) mod acquire;
pub(crate) mod cache;
pub(crate) mod denied;
pub(crate) mod scopes;
