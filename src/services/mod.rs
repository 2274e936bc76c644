//! fal's services, one file or folder each.

pub(crate) mod app_token;
pub(crate) mod channel;
pub(crate) mod key_check;
pub mod platform;
pub(crate) mod queue;
pub(crate) mod realtime;
mod run;
pub(crate) mod socket;
pub(crate) mod storage;
pub(crate) mod stream;
pub mod webhook;
pub(crate) mod websocket;
pub(crate) mod workflow;
