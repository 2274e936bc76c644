//! The apps that the emulator runs, and which callers may use them.

mod app;
mod call;
mod catalogue;
mod endpoint;
mod file;
mod program;
mod programs;

pub(crate) use app::App;
pub(crate) use call::Call;
pub(crate) use catalogue::Catalogue;
pub(crate) use endpoint::{Access, Endpoint};
pub(crate) use file::built_in;
pub(crate) use program::Program;
pub(crate) use programs::job::cancelled;
