//! TLS settings that all connections share: rustls with ring.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, ConfigBuilder, WantsVerifier};

use crate::error::{Code, Error, Result};

pub(super) fn versions() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    let provider = Arc::new(ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(tls_error)
}

pub(super) fn tls_error(error: rustls::Error) -> Error {
    Error::new(Code::Io, format!("cannot set up TLS: {error}"))
}
