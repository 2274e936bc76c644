//! The client: what to send with, and how its operations start.

mod builder;
mod exchange;
mod handle;
mod inner;
mod slots;

pub use builder::{ClientBuilder, HostRole};
pub(crate) use exchange::Exchange;
pub use handle::Client;
pub(crate) use handle::TIMEOUT;
