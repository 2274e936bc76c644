//! fal.ai for programs that are not web programs.
//!
//! A [`Client`] finds the key, explains where it came from ([`Client::explain`]), attaches it to
//! requests for fal's services only, and runs the requests on the library's own runtime, so that
//! `.await` works on any executor:
//!
//! ```
//! # let emulator = fal_emulator::Emulator::start().map_err(|e| e.to_string())?;
//! # let environment = fal::credentials::Environment::from_variables([
//! #     ("FAL_KEY", emulator.api_key().to_owned()), ("FAL_EMULATOR_HOST", emulator.host())]);
//! # let builder = fal::Client::builder().environment(environment);
//! # let builder2 = builder.clone();
//! # tokio::runtime::Builder::new_current_thread().build().map_err(|e| e.to_string())?.block_on(async move {
//! use serde_json::json;
//!
//! let client = fal::Client::builder().build()?;
//! # let client = builder2.build()?;
//! let output = client.run("fal-ai/flux/schnell", json!({"prompt": "a lighthouse at dusk"})).await?;
//! println!("{}", output.get_str("/images/0/url")?);
//! # assert!(output.get_str("/images/0/url")?.starts_with("https://v3b.fal.media/"));
//! # Ok::<(), fal::Error>(())
//! # }).map_err(|e| e.to_string())?;
//! # Ok::<(), String>(())
//! ```
//!
//! An operation ([`Op`]) is the same call without async, to poll once a frame or to block on:
//!
//! ```
//! # let emulator = fal_emulator::Emulator::start()?;
//! # let environment = fal::credentials::Environment::from_variables([
//! #     ("FAL_KEY", emulator.api_key().to_owned()), ("FAL_EMULATOR_HOST", emulator.host())]);
//! # let client = fal::Client::builder().environment(environment).build()?;
//! use std::time::Duration;
//!
//! let mut request = fal::Request::run("fal-ai/flux/schnell")?;
//! request.set_field("prompt", "a lighthouse at dusk".into())?;
//! let op = client.run_start(request)?;
//! while !op.wait(Some(Duration::from_millis(16)))? {
//!     // draw a frame
//! }
//! let output = op.take().ok_or("taken before")??;
//! println!("{}", output.get("/images/0/width")?);
//! # assert!(output.request_id().is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An [`Error`] says what happened, what to do, and whether the request may have been executed:
//!
//! ```
//! # let emulator = fal_emulator::Emulator::start()?;
//! # let environment = fal::credentials::Environment::from_variables([
//! #     ("FAL_KEY", emulator.api_key().to_owned()), ("FAL_EMULATOR_HOST", emulator.host())]);
//! # let client = fal::Client::builder().environment(environment).build()?;
//! use fal::{Code, Op, Request, Scope};
//!
//! // An API key may not list keys.
//! let request = Request::new("GET", "/v1/keys")?;
//! let error = Op::finish(|| client.send_start(request)).unwrap_err();
//! assert_eq!(error.code(), Code::Forbidden);
//! assert_eq!(error.needed_scope(), Some(Scope::Admin));
//! assert!(!error.may_have_executed());
//! println!("{error}\n{}", error.remedy());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to find what
//!
//! | To … | Start at |
//! |---|---|
//! | make a client: credential, hosts, timeouts, proxy, log | [`Client::builder`], [`ClientBuilder`] |
//! | learn which key is used and why | [`Client::explain`], [`credentials`] |
//! | store, list and remove keys | [`credentials::store`](mod@credentials::store), [`Key`] |
//! | learn the scope of a key | [`Client::check`], [`Scope`] |
//! | describe a request, with local files in its input | [`Request`], [`Upload`], [`Lifecycle`] |
//! | run a model and wait | [`Client::run`], [`Client::run_start`] |
//! | queue a job, follow it, come back to it, cancel it | [`Client::subscribe_start`], [`Client::submit_start`], [`Job`] |
//! | read a stream of events | [`Client::stream_start`], [`Event`], [`WorkflowEvent`] |
//! | hold a session open | [`Realtime`], [`WebSocket`], [`Channel`], [`SocketOptions`] |
//! | upload and download files | [`Client::upload_start`], [`Download`] |
//! | use the Platform API: models, prices, usage, keys | [`platform`] |
//! | verify a webhook | [`webhook`] |
//! | poll, wait for or await an operation, or many at once | [`Op`], [`Dispatcher`], [`Notice`] |
//! | handle an error | [`Error`], [`Code`], [`FieldError`] |
//! | configure, stop or flush the runtime | [`runtime`] |
//!
//! Files of the repository say more: `docs/guarantees.md` on what is sent twice and what is never
//! lost, `docs/credentials.md` on the search for a key, and `docs/known-limits.md`.

#![deny(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod auth;
mod client;
mod codec;
pub mod credentials;
mod endpoint;
mod error;
#[cfg(feature = "capi")]
#[allow(unsafe_code)]
pub mod ffi;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
pub mod key;
mod limits;
mod log;
mod openapi;
mod operation;
mod request;
mod response;
pub mod runtime;
mod secrets;
mod service_error;
mod services;
mod system;
mod transport;

pub use client::{Client, ClientBuilder, HostRole};
#[doc(hidden)]
pub use codec::json::{fits, parsed};
pub use codec::msgpack::bytes_value;
pub use endpoint::{EndpointId, Hosts};
pub use error::{Code, Error, FieldError, LockReason, Result};
pub use key::{Key, Scope};
pub use log::{Level, Target};
pub use operation::dispatcher::Dispatcher;
pub use operation::event::{Event, EventKind};
pub use operation::watch::Notice;
pub use operation::{NextEvent, Op};
pub use request::{Decision, Lifecycle, Priority, Request, Retries, Upload, UploadWay};
pub use response::Response;
pub use services::channel::Channel;
pub use services::key_check::Check;
pub use services::queue::Job;
pub use services::realtime::Realtime;
pub use services::socket::{SocketOptions, WhenFull};
pub use services::storage::Download;
pub use services::websocket::WebSocket;
pub use services::workflow::WorkflowEvent;
pub use services::{platform, webhook};

/// The version of the library.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
