//! The service's answer that an error is made from.

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::secrets::Secrets;

/// An answer that is no success. There is no way to make one but those here, so that nobody reads a
/// secret in it.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) error_type: Option<String>,
    /// From the body, where the header does not say it.
    pub(super) request_id: Option<String>,
}

impl Answer {
    /// An answer with these parts, without those of `secrets` that the service repeats in them.
    pub(crate) fn new(secrets: &Secrets, status: u16, headers: HeaderMap, body: Bytes) -> Self {
        let body = secrets.hidden(&body).map_or(body, Bytes::from);
        Answer {
            status,
            headers: veiled(secrets, headers),
            body,
            error_type: None,
            request_id: None,
        }
    }

    /// The same for a body that may be large.
    pub(crate) async fn of_large(
        secrets: &Secrets,
        status: u16,
        headers: HeaderMap,
        body: Bytes,
    ) -> Self {
        let body = secrets.hidden_slowly(&body).await.unwrap_or(body);
        Answer {
            status,
            headers: veiled(secrets, headers),
            body,
            error_type: None,
            request_id: None,
        }
    }

    /// An answer that is put together from what another one said, which has no secret any more.
    pub(crate) fn told(status: u16, headers: HeaderMap, body: Bytes) -> Self {
        Answer {
            status,
            headers,
            body,
            error_type: None,
            request_id: None,
        }
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }

    pub(crate) fn with_names(
        mut self,
        error_type: Option<String>,
        request_id: Option<String>,
    ) -> Self {
        (self.error_type, self.request_id) = (error_type, request_id);
        self
    }

    pub(crate) fn with_error_type(mut self, error_type: Option<&str>) -> Self {
        self.error_type = error_type.map(str::to_owned);
        self
    }
}

/// Headers without the secrets that the service repeats in them.
pub(crate) fn veiled(secrets: &Secrets, headers: HeaderMap) -> HeaderMap {
    let seen = |name: &HeaderName, value: &HeaderValue| {
        secrets.are_in(name.as_str()) || secrets.hidden(value.as_bytes()).is_some()
    };
    if !headers.iter().any(|(name, value)| seen(name, value)) {
        return headers;
    }
    // A header whose name says a secret is left out: another name would be another header.
    let named = headers
        .iter()
        .filter(|(name, _)| !secrets.are_in(name.as_str()));
    let hidden = named.map(|(name, value)| {
        let hidden = secrets
            .hidden(value.as_bytes())
            .map(|value| HeaderValue::from_maybe_shared(Bytes::from(value)));
        (
            name.clone(),
            hidden.map_or_else(
                || value.clone(),
                |value| value.unwrap_or(HeaderValue::from_static("****")),
            ),
        )
    });
    hidden.collect()
}
