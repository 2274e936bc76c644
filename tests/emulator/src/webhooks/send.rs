//! One POST of a webhook.

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::{Host, Position, Url};

/// Whether a target is this machine, in plain HTTP. The emulator sends nothing elsewhere; fal itself sends nothing
/// *here* (§10.2).
pub(super) fn is_reachable(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

/// The status of the answer, or what went wrong.
pub(super) async fn post(url: &Url, headers: HeaderMap, body: Bytes) -> Result<u16, String> {
    attempt(url, headers, body).await.map_err(|error| error.to_string())
}

async fn attempt(url: &Url, headers: HeaderMap, body: Bytes) -> Result<u16, Box<dyn std::error::Error + Send + Sync>> {
    let addresses = url.socket_addrs(|| None)?;
    let stream = TcpStream::connect(addresses.as_slice()).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut request = hyper::Request::post(&url[Position::BeforePath..Position::AfterQuery]).body(Full::new(body))?;
    *request.headers_mut() = headers;
    let authority = &url[Position::BeforeHost..Position::AfterPort];
    request.headers_mut().insert(HOST, HeaderValue::from_str(authority)?);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut answer = std::pin::pin!(sender.send_request(request));
    let answer = tokio::select! {
        answer = &mut answer => answer,
        // The connection may end with the answer.
        ended = connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(error),
        },
    };
    Ok(answer?.status().as_u16())
}
