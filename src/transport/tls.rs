//! TLS settings that all connections share: rustls with ring.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use crate::error::{Code, Error, Result};

/// reqwest requires a TLS configuration even for plain HTTP. This one trusts no certificate.
pub(super) fn no_tls() -> Result<ClientConfig> {
    Ok(versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

pub(super) fn versions() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    let provider = Arc::new(ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(tls_error)
}

pub(super) fn tls_error(error: rustls::Error) -> Error {
    Error::new(Code::Io, format!("cannot set up TLS: {error}"))
}
