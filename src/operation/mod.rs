//! Operations: each is started once, ends once, and may be used from any thread.

pub(crate) mod dispatcher;
pub(crate) mod event;
mod event_queue;
mod op;
#[cfg(test)]
mod order_tests;
mod ready;
mod request_id;
mod shared;
mod task;
#[cfg(test)]
mod tests;
mod wait_any;
pub(crate) mod watch;

pub(crate) use op::Limit;
#[cfg(feature = "capi")]
pub(crate) use op::panicked;
pub use op::{NextEvent, Op};
pub(crate) use task::Task;
