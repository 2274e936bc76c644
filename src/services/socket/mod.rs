//! WebSockets: the handshake, one session over any number of connections, and what waits to be sent.

mod handle;
mod handshake;
mod inputs;
mod message;
mod options;
mod session;
mod tally;
mod token;
mod wire;

pub(crate) use handle::Handle;
pub(crate) use handshake::{Socket, broken, open};
pub use inputs::WhenFull;
pub(crate) use inputs::{Input, Inputs};
#[cfg(any(test, fuzzing))]
pub(crate) use message::fuzz;
pub use options::SocketOptions;
pub(crate) use session::{Language, Plan, Taken, run};
pub(crate) use token::{Access, LIFETIME};
pub(crate) use wire::pause;
