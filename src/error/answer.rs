//! The response of the service that an error is made from.

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::secrets::Secrets;

/// A response that is not a success. Its constructors remove secrets, so every `Answer` is free of
/// them.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) error_type: Option<String>,
    /// The id in the body, for a response without the header.
    pub(super) request_id: Option<String>,
}

impl Answer {
    /// A response with these parts, from which the `secrets` are removed.
    pub(crate) fn new(secrets: &Secrets, status: u16, headers: HeaderMap, body: Bytes) -> Self {
        let body = secrets.hidden(&body).map_or(body, Bytes::from);
        Answer::clean(status, veiled(secrets, headers), body)
    }

    /// Like [`new`](Self::new), for a body that may be large: the search for secrets yields to
    /// other tasks.
    pub(crate) async fn of_large(
        secrets: &Secrets,
        status: u16,
        headers: HeaderMap,
        body: Bytes,
    ) -> Self {
        let body = secrets.hidden_slowly(&body).await.unwrap_or(body);
        Answer::clean(status, veiled(secrets, headers), body)
    }

    /// A response whose parts contain no secrets, such as parts of another `Answer`.
    pub(crate) fn clean(status: u16, headers: HeaderMap, body: Bytes) -> Self {
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

/// Removes the secrets from headers.
pub(crate) fn veiled(secrets: &Secrets, headers: HeaderMap) -> HeaderMap {
    let seen = |name: &HeaderName, value: &HeaderValue| {
        secrets.are_in(name.as_str()) || secrets.hidden(value.as_bytes()).is_some()
    };
    if !headers.iter().any(|(name, value)| seen(name, value)) {
        return headers;
    }
    // A header with a secret in its name is left out: renaming it would make another header.
    let named = headers
        .iter()
        .filter(|(name, _)| !secrets.are_in(name.as_str()));
    let hidden = named.map(|(name, value)| {
        let value = match secrets.hidden(value.as_bytes()) {
            Some(hidden) => HeaderValue::from_maybe_shared(Bytes::from(hidden))
                .unwrap_or(HeaderValue::from_static("****")),
            None => value.clone(),
        };
        (name.clone(), value)
    });
    hidden.collect()
}
