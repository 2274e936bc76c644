//! The only code that talks HTTP.

mod attempt;
mod authorize;
mod backoff;
mod call;
mod concurrency;
mod connector;
mod failover;
mod failure;
#[cfg(any(test, fuzzing))]
#[path = "../fuzz/addresses.rs"]
pub(crate) mod fuzz;
mod handshakes;
mod http;
mod incoming;
mod network;
mod outgoing;
mod payload;
mod pool;
mod progress;
mod reader;
mod redirect;
mod resolver;
mod send;
mod stall;
mod state;
mod stream;
#[cfg(any(windows, test))]
mod system_proxy;
mod tls;

pub(crate) use authorize::Authorization;
pub(crate) use backoff::Attempts;
pub(crate) use call::Call;
pub(crate) use network::Network;
pub(crate) use outgoing::late;
pub(crate) use payload::{Payload, Pieces, Source};
pub(crate) use progress::{JobState, Progress};
pub(crate) use reader::{Opened, Reader};
pub(crate) use stall::{STALL, Watch};
pub(crate) use state::Transport;

pub(crate) use crate::limits::{ERROR_BODY, SMALL};
