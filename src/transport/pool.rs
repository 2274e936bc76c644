//! A pool of connections: direct ones of hyper-util's client, or those of reqwest, which goes
//! through proxies.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::Either;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::http::uri::InvalidUri;
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use url::Url;

use super::authorize::Route;
use super::connector::Connector;
use super::handshakes;
use super::outgoing::Watched;

pub(super) enum Pool {
    Direct(Box<Client<Connector, Watched>>),
    /// With the host and port of the proxy, if libfal knows it.
    Proxied(reqwest::Client, Option<Arc<str>>),
}

impl Pool {
    /// Sends a request and returns the head of its response.
    pub(super) fn send(
        &self,
        method: Method,
        to: &Route<'_>,
        headers: HeaderMap,
        body: Watched,
    ) -> impl Future<Output = Result<Response<Received>, HttpError>> + use<> {
        let is_secure = !to.is_plain();
        let receive = move |wire| Received { wire, is_secure };
        match self {
            Pool::Direct(client) => {
                let uri = to.uri();
                let sent = uri.map(|uri| client.request(request(method, uri, headers, body)));
                Either::Left(async move {
                    let response = sent?.await.map_err(HttpError::Direct)?;
                    Ok(response.map(Wire::Direct).map(receive))
                })
            }
            Pool::Proxied(client, proxy) => {
                debug_assert!(to.emulator.is_none(), "a proxy cannot reach the emulator");
                let host = to.url.authority().into();
                let mut request = reqwest::Request::new(method, Url::clone(&to.url));
                *request.headers_mut() = headers;
                if !body.is_end_stream() {
                    *request.body_mut() = Some(reqwest::Body::wrap(body));
                }
                let sent = handshakes::towards(host, client.execute(request));
                let proxy = proxy.clone();
                let failed = |error: reqwest::Error| HttpError::Proxied(error.without_url(), proxy);
                // Boxed, because it is several times as large as the other.
                Either::Right(Box::pin(async move {
                    let response = Response::from(sent.await.map_err(failed)?);
                    Ok(response.map(Wire::Proxied).map(receive))
                }))
            }
        }
    }
}

fn request(method: Method, uri: Uri, headers: HeaderMap, body: Watched) -> Request<Watched> {
    let mut request = Request::new(body);
    *request.uri_mut() = uri;
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    request
}

/// The body of a response before decoding.
pub(super) struct Received {
    wire: Wire,
    /// Whether it arrives through TLS.
    pub(super) is_secure: bool,
}

enum Wire {
    Direct(Incoming),
    Proxied(reqwest::Body),
}

impl Body for Received {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        match &mut self.wire {
            Wire::Direct(body) => Pin::new(body).poll_frame(context).map_err(HttpError::Wire),
            Wire::Proxied(body) => Pin::new(body).poll_frame(context).map_err(HttpError::from),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.wire {
            Wire::Direct(body) => body.is_end_stream(),
            Wire::Proxied(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.wire {
            Wire::Direct(body) => body.size_hint(),
            Wire::Proxied(body) => body.size_hint(),
        }
    }
}

/// Why an exchange failed.
#[derive(Debug)]
pub(super) enum HttpError {
    /// A URL that HTTP cannot send, because it is too long.
    Url(InvalidUri),
    Direct(hyper_util::client::legacy::Error),
    /// The response or the upgrade broke off.
    Wire(hyper::Error),
    /// With the host and port of the proxy, if the request may have gone through it.
    Proxied(reqwest::Error, Option<Arc<str>>),
}

impl HttpError {
    /// The error and its causes.
    pub(super) fn chain(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        std::iter::successors(Some(self.first()), |error| StdError::source(*error))
    }

    fn first(&self) -> &(dyn StdError + 'static) {
        match self {
            HttpError::Url(error) => error,
            HttpError::Direct(error) => error,
            HttpError::Wire(error) => error,
            HttpError::Proxied(error, _) => error,
        }
    }

    /// Whether no connection was made.
    pub(super) fn is_connect(&self) -> bool {
        match self {
            HttpError::Direct(error) => error.is_connect(),
            HttpError::Proxied(error, _) => error.is_connect(),
            HttpError::Url(_) | HttpError::Wire(_) => false,
        }
    }

    /// The proxy that could not be reached, or did not connect to the host.
    pub(super) fn failed_proxy(&self) -> Option<&str> {
        let HttpError::Proxied(_, Some(proxy)) = self else {
            return None;
        };
        // The types of these errors are private to hyper-util and reqwest.
        let is_of_proxy = |error: &(dyn StdError + 'static)| {
            let text = error.to_string();
            text.starts_with("tunnel error") || text == "error connecting to socks proxy"
        };
        self.chain().any(is_of_proxy).then_some(proxy)
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.first(), f)
    }
}

impl StdError for HttpError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.first().source()
    }
}

impl From<InvalidUri> for HttpError {
    fn from(error: InvalidUri) -> Self {
        HttpError::Url(error)
    }
}

impl From<reqwest::Error> for HttpError {
    /// Without the URL, which may contain a token.
    fn from(error: reqwest::Error) -> Self {
        HttpError::Proxied(error.without_url(), None)
    }
}
