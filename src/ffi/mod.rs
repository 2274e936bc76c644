//! The C ABI, with one file per section of `fal.h`. It only translates: the core has the behaviour.
//!
//! `tests/rust/header` generates `include/fal/fal.h` from these files, with their documentation.

#![allow(non_camel_case_types, clippy::missing_safety_doc, unreachable_pub)]
// The documentation is for the header, which is plain text.
#![allow(
    rustdoc::bare_urls,
    rustdoc::broken_intra_doc_links,
    rustdoc::invalid_html_tags
)]

#[macro_use]
mod macros;

mod boundary;
mod lease;
mod outcome;
mod shared;
mod texts;
mod times;
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod unload;

pub mod channel;
pub mod client;
pub mod credential_request;
pub mod credentials;
pub mod dispatcher;
pub mod download;
pub mod error;
pub mod event;
pub mod op;
pub mod options;
pub mod platform;
pub mod queue;
pub mod queue_options;
pub mod realtime;
pub mod report;
pub mod request;
pub mod response;
pub mod runtime;
pub mod socket_options;
pub mod status;
pub mod store;
pub mod stream;
pub mod upload;
pub mod version;
pub mod watch;
pub mod webhook;
pub mod websocket;
