//! WebSockets: the handshake, a session over one or more connections, and the queue of inputs.

mod activity;
mod counters;
mod handle;
mod handshake;
mod message;
mod options;
mod protocol;
mod send_queue;
mod session;
mod token;

pub(crate) use activity::pause;
pub(crate) use handle::Handle;
pub(crate) use handshake::{Socket, broken, open};
#[cfg(any(test, fuzzing))]
pub(crate) use message::fuzz;
pub use options::SocketOptions;
pub(crate) use protocol::Protocol;
pub(crate) use send_queue::Inputs;
pub use send_queue::WhenFull;
pub(crate) use session::{Plan, Taken, run};
