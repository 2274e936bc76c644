//! The real services, or another server in their place.

use std::error::Error;
use std::fmt::Write;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Method, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::ring;
use url::{Host, Url};

use crate::server::Request;
use crate::storage::Stored;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Headers that concern one connection only.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
];

pub(super) struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Sent>,
    /// The server in fal's place.
    instead: Option<Url>,
}

impl Upstream {
    /// fal itself, or the server at the URL `instead`, which gets the Host headers of fal.
    pub(super) fn new(instead: Option<&str>) -> io::Result<Self> {
        let instead = instead.map(checked).transpose()?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(BuilderVerifierExt::with_platform_verifier)
            .map_err(io::Error::other)?
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(PATIENCE));
        let builder = HttpsConnectorBuilder::new().with_tls_config(config);
        // `checked` allows plain HTTP on this machine only.
        let builder = match instead {
            Some(_) => builder.https_or_http(),
            None => builder.https_only(),
        };
        let connector = builder.enable_http1().wrap_connector(tcp);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            instead,
        })
    }

    /// Sends a request to `host` and waits for the head of its response. Dropping the future ends the
    /// request.
    pub(super) async fn send(
        &self,
        host: &str,
        request: &Request,
    ) -> Result<hyper::Response<Incoming>, String> {
        let failed =
            |why: &dyn std::fmt::Display| format!("fal-emulator: cannot reach {host}: {why}");
        let outgoing = self
            .outgoing(host, request)
            .map_err(|error| failed(&error))?;
        self.client
            .request(outgoing)
            .await
            .map_err(|error| failed(&causes(&error)))
    }

    fn outgoing(
        &self,
        host: &str,
        request: &Request,
    ) -> Result<hyper::Request<Sent>, hyper::http::Error> {
        let (scheme, authority) = match &self.instead {
            Some(url) => (url.scheme(), url.authority()),
            None => ("https", host),
        };
        let query = request.query.as_ref().map(|query| format!("?{query}"));
        let uri: Uri = format!(
            "{scheme}://{authority}{}{}",
            request.path,
            query.unwrap_or_default()
        )
        .parse()?;
        let body = match &request.upload {
            Some(blob) => Sent::File {
                stored: Arc::clone(blob).into(),
                at: 0,
            },
            None => Sent::Bytes(request.body.clone()),
        };
        let mut outgoing = hyper::Request::new(body);
        *outgoing.method_mut() = request.method.clone();
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = end_to_end(request.headers.clone());
        let headers = outgoing.headers_mut();
        // What is recorded has to be readable.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(HOST, host.parse()?);
        Ok(outgoing)
    }
}

/// The headers that concern both ends.
pub(super) fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    let proxies: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("proxy-"))
        .cloned()
        .collect();
    for name in proxies {
        headers.remove(name);
    }
    headers
}

/// Keys are sent there, so it is this machine or it has a certificate.
fn checked(text: &str) -> io::Result<Url> {
    let wrong =
        |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("--upstream {what}"));
    let url = Url::parse(text).map_err(|error| wrong(&format!("is not a URL: {error}")))?;
    let is_loopback = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        _ if !matches!(url.path(), "" | "/") || url.query().is_some() => {
            Err(wrong("must be a URL without a path"))
        }
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err(wrong("must be a URL without a password"))
        }
        "https" => Ok(url),
        "http" if is_loopback => Ok(url),
        "http" => Err(wrong(
            "must be https, or http at 127.0.0.1: keys are sent there",
        )),
        _ => Err(wrong("must be a URL of https or http")),
    }
}

/// An error with its causes, whose last one says what happened.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a String does not fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// The body of a request on its way.
pub(super) enum Sent {
    Bytes(Bytes),
    /// An upload from disk, of which `at` bytes are sent.
    File {
        stored: Stored,
        at: u64,
    },
}

/// The number of bytes read from disk at once.
const PIECE: u64 = 256 * 1024;

impl Sent {
    fn left(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { stored, at } => stored.size - at,
        }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left() == 0 {
            return Poll::Ready(None);
        }
        let piece = match &mut *self {
            Self::Bytes(bytes) => Ok(std::mem::take(bytes)),
            Self::File { stored, at } => {
                let to = stored.size.min(*at + PIECE);
                let read = stored.read(*at, to);
                *at = to;
                read
            }
        };
        Poll::Ready(Some(piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

/// Whether a request has no body in its response.
pub(super) fn is_bodiless(method: &Method, status: hyper::StatusCode) -> bool {
    method == Method::HEAD || matches!(status.as_u16(), 204 | 304)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leaves_the_machine_only_encrypted() {
        for url in [
            "http://127.0.0.1:80",
            "http://localhost:1/",
            "http://[::1]:1",
            "https://a.b",
        ] {
            assert!(checked(url).is_ok(), "{url}");
        }
        for url in [
            "http://a.b",
            "http://127.0.0.1.a.b",
            "ftp://127.0.0.1",
            "127.0.0.1:80",
            "https://a.b/c",
            "https://a.b/?c",
            "https://u:p@a.b",
            "http://0.0.0.0:1",
        ] {
            assert!(checked(url).is_err(), "{url}");
        }
    }
}
