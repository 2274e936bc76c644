//! Who pays: the credential of a client, found, asked for, kept, renewed and replaced.

pub(crate) mod acquire;
pub(crate) mod cache;
pub(crate) mod denied;
pub(crate) mod scopes;
