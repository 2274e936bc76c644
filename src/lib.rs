//! fal.ai for programs that are not web programs.
//!
//! ```no_run
//! # async fn example() -> fal::Result<()> {
//! use serde_json::json;
//!
//! let client = fal::Client::builder().build()?;
//! println!("{}", client.explain());
//! let output = client.run("fal-ai/flux/schnell", json!({"prompt": "a lighthouse at dusk"})).await?;
//! println!("{}", output.get_str("/images/0/url")?);
//! # Ok(())
//! # }
//! ```
//!
//! Calls run on a runtime of libfal's own, so `.await` works on any executor; [`Op`] is the same call to poll or to wait for.

#![deny(unsafe_code)]

mod client;
pub mod credentials;
mod dispatcher;
mod endpoint;
mod error;
#[cfg(feature = "capi")]
#[allow(unsafe_code)]
pub mod ffi;
pub mod key;
mod log;
mod op;
mod platform;
mod refusal;
mod request;
mod response;
mod run;
pub mod runtime;
#[allow(unsafe_code)]
mod sigpipe;
mod transport;

pub use client::{Client, ClientBuilder, HostRole};
pub use dispatcher::Dispatcher;
pub use endpoint::{EndpointId, Hosts};
pub use error::{Code, Error, Result};
pub use key::{Key, Scope};
pub use log::Level;
pub use op::Op;
pub use request::Request;
pub use response::Response;

/// The version of the library.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
