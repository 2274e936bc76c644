//! TLS under fal's real names, reached through HTTP `CONNECT` as through a proxy.

mod authority;
mod credentials;
mod tunnel;

pub(crate) use authority::Authority;
pub use credentials::ProxyCredentials;
pub(crate) use tunnel::{Connects, Target, admit, open};
