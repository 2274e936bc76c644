//! The requests that the emulator received, in order.

mod arrival;
mod filter;
mod log;
mod shown;

pub use arrival::{Arrival, ArrivedBody, Authorization, KEPT_BODY, Outcome};
pub(crate) use arrival::{Head, millis, plain_headers};
pub(crate) use filter::{Filter, Page};
pub(crate) use log::{Entry, Log, Tally};
pub use log::{JournalSettings, KEPT_ARRIVALS};
