//! WebSockets: the handshake, one session over any number of connections, and what waits to be
//! sent.

mod activity;
mod counters;
mod handle;
mod handshake;
mod language;
mod message;
mod options;
mod send_queue;
mod session;
mod token;

pub(crate) use activity::pause;
pub(crate) use handle::Handle;
pub(crate) use handshake::{Socket, broken, open};
pub(crate) use language::Language;
#[cfg(any(test, fuzzing))]
pub(crate) use message::fuzz;
pub use options::SocketOptions;
pub(crate) use send_queue::Inputs;
pub use send_queue::WhenFull;
pub(crate) use session::{Plan, Taken, run};
