//! The requests that the emulator received, in order, without secrets.

mod arrival;
mod log;

pub use arrival::{Arrival, ArrivedBody, Authorization, KEPT_BODY, Outcome};
pub(crate) use arrival::{Head, plain_headers};
pub use log::KEPT_ARRIVALS;
pub(crate) use log::{Entry, Log};
