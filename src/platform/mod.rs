//! The Platform API as data (fal-protocol.md §14): one table of its operations, from which calls, checks, paging, scopes,
//! documentation and the names in the Python stubs follow.

mod arguments;
mod notation;
mod shape;
mod table;
#[cfg(test)]
mod tests;

use crate::key::Scope;

pub use table::{Operation, Parameter, Place, operations};

/// The scope that an operation needs. `path` is the address's path and begins with `/v1`.
///
/// `None` where fal names no scope: an unknown operation, or one that needs no key.
pub(crate) fn needed_scope(method: &str, path: &str) -> Option<Scope> {
    Operation::at(method, path.strip_prefix("/v1")?)?.scope
}
