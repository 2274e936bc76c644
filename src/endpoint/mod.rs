//! Endpoint ids, and the URLs of fal's services.

mod hosts;
mod id;

pub use hosts::{AUTH_HOST, Hosts};
pub(crate) use hosts::{Backup, JWKS, Origin, host, https_or_local, loopback, proxy};
pub use id::EndpointId;
pub(crate) use id::{abbreviate, check_segment};
