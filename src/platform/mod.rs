//! The Platform API as data (fal-protocol.md §14): one table of its operations, from which calls, checks, paging, scopes,
//! documentation and the names in the Python stubs follow.

mod arguments;
mod call;
mod circle;
mod costs;
mod fields;
mod form;
#[cfg(any(test, fuzzing))]
#[path = "../fuzz/platform.rs"]
pub(crate) mod fuzz;
mod keys;
mod list;
mod models;
mod notation;
mod pages;
mod scopes;
mod shape;
mod table;
#[cfg(test)]
mod tests;

use crate::key::Scope;

pub use costs::{Billing, Cost, Planned, Price, Usage, UsageRow};
pub use fields::Decimal;
pub use keys::{CreatingKey, KeyInfo};
pub use list::List;
pub use models::{Model, PastRequest};
pub(crate) use scopes::Scopes;
pub use table::{Operation, Parameter, Place, operations};

/// The scope that an operation needs. `path` is the address's path and begins with `/v1`.
///
/// `None` where fal names no scope: an unknown operation, or one that works without a key.
pub(crate) fn needed_scope(method: &str, path: &str) -> Option<Scope> {
    let operation = Operation::at(method, path.strip_prefix("/v1")?)?;
    operation.scope.filter(|_| !operation.key_optional)
}

/// What the account has to have besides a key of that scope, if fal says so.
pub(crate) fn needed_besides(method: &str, path: &str) -> Option<&'static str> {
    Operation::at(method, path.strip_prefix("/v1")?)?.needs
}
