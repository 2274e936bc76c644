//! What fal offers: one file or folder for each service.

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
