//! Sends one POST of a webhook, or one GET. The emulator itself sends requests only to this
//! machine.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::{Host, Position, Url};

/// Whether a target is plain HTTP on this machine. The emulator sends nothing elsewhere; fal itself
/// never sends to such a target (§10.2).
pub(crate) fn is_reachable(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

/// The status of the response, or the cause of a failure.
pub(super) async fn post(url: &Url, headers: HeaderMap, body: Bytes) -> Result<u16, String> {
    let mut request = hyper::Request::post(target(url))
        .body(Full::new(body))
        .map_err(|error| error.to_string())?;
    *request.headers_mut() = headers;
    request
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let exchanged = exchange(url, request, async |answer| Ok(answer.status().as_u16()));
    exchanged.await.map_err(|error| error.to_string())
}

/// Downloads a file.
pub(crate) async fn get(url: &Url) -> Result<Bytes, String> {
    let request = hyper::Request::get(target(url))
        .body(Full::default())
        .map_err(|error| error.to_string())?;
    let exchanged = exchange(url, request, async |answer| {
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST)
            .collect()
            .await?
            .to_bytes();
        if status.is_success() {
            Ok(body)
        } else {
            Err(format!("the server responded with {status}").into())
        }
    });
    exchanged.await.map_err(|error| error.to_string())
}

/// The largest downloaded file in bytes: 64 MiB.
const LARGEST: usize = 64 << 20;

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn target(url: &Url) -> &str {
    &url[Position::BeforePath..Position::AfterQuery]
}

async fn exchange<T>(
    url: &Url,
    mut request: hyper::Request<Full<Bytes>>,
    read: impl AsyncFnOnce(Response<Incoming>) -> Result<T, Failed>,
) -> Result<T, Failed> {
    let addresses = url.socket_addrs(|| None)?;
    let stream = TcpStream::connect(addresses.as_slice()).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let authority = &url[Position::BeforeHost..Position::AfterPort];
    request
        .headers_mut()
        .insert(HOST, HeaderValue::from_str(authority)?);
    let exchanged = async { read(sender.send_request(request).await?).await };
    let mut exchanged = std::pin::pin!(exchanged);
    tokio::select! {
        answer = &mut exchanged => answer,
        // The connection may end together with the response.
        ended = connection => match ended {
            Ok(()) => exchanged.await,
            Err(error) => Err(error.into()),
        },
    }
}
