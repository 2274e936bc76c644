//! The Platform API (docs/protocol.md §14). Calls, checks, paging, scopes, documentation and the
//! names in the Python stubs are derived from one table of its operations.

mod arguments;
mod billing;
mod call;
mod cursor_cycle;
mod fields;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/platform.rs"]
pub(crate) mod fuzz;
mod key_guards;
mod keys;
mod list;
mod models;
mod multipart;
mod pages;
mod request;

pub use billing::{Billing, Cost, Planned, Price, Usage, UsageRow};
pub use fields::Decimal;
pub use keys::{CreatingKey, KeyInfo};
pub use list::List;
pub use models::{Model, PastRequest};

pub use crate::openapi::{Operation, Parameter, Place, operations};
