//! WebSockets: the handshake, one session over any number of connections, and what waits to be
//! sent.

mod activity;
mod counters;
mod handle;
mod handshake;
mod message;
mod options;
mod send_queue;
mod session;
mod token;

pub(crate) use activity::pause;
pub(crate) use handle::Handle;
pub(crate) use handshake::{Socket, broken, open};
#[cfg(any(test, fuzzing))]
pub(crate) use message::fuzz;
pub use options::SocketOptions;
pub use send_queue::WhenFull;
pub(crate) use send_queue::{Input, Inputs};
pub(crate) use session::{Language, Plan, Taken, run};
pub(crate) use token::{Access, LIFETIME};
