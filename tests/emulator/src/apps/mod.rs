//! The apps that the emulator runs, and which callers may use them.

mod answers;
mod app;
mod call;
mod catalogue;
mod endpoint;
mod file;
mod made_up;
mod openapi;
mod place;
mod program;
mod programs;
mod schema;

pub(crate) use app::App;
pub(crate) use call::Call;
pub(crate) use catalogue::Catalogue;
use endpoint::Does;
pub(crate) use endpoint::{Access, Endpoint};
pub use file::{BUILT_IN, Mistake};
pub(crate) use file::{built_in, read, read_json};
pub(crate) use made_up::app as made_up;
pub(crate) use openapi::read as read_openapi;
pub(crate) use program::Program;
pub(crate) use programs::job::cancelled;
