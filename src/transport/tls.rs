//! The TLS that every connection uses: rustls with ring.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use crate::error::{Code, Error, Result};

/// reqwest wants a TLS set-up even where none is used; this one trusts nobody.
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
    Error::new(Code::Io, format!("TLS could not be set up: {error}"))
}
