//! The request that the proxy sends: a real one, back to the emulator, so that it is recorded,
//! counted and subject to faults like any other.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST,
    HeaderMap, HeaderValue, TRANSFER_ENCODING, USER_AGENT,
};
use hyper::{Method, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::{Position, Url};

use super::authority;
use crate::answer::Answer;
use crate::body::Payload;
use crate::server::Request;

/// The target sent no complete response.
#[derive(Debug)]
pub(super) struct Failed;

impl<E: std::error::Error> From<E> for Failed {
    fn from(_: E) -> Self {
        Self
    }
}

/// A request that passed the checks.
pub(super) struct Outgoing<'a> {
    pub(super) target: &'a Url,
    pub(super) authorization: HeaderValue,
    pub(super) client_proxy: HeaderValue,
    pub(super) request: &'a Request,
}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Outgoing({})",
            self.target.host_str().unwrap_or_default()
        )
    }
}

impl Outgoing<'_> {
    /// Sends the request to `address`, whatever its host, and waits for the complete response.
    ///
    /// Dropping the future drops the connection too, so that the target sees its client disconnect.
    pub(super) async fn send(self, address: SocketAddr) -> Result<Answer, Failed> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = self.into_request()?;
        let exchange = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(answer(Response::from_parts(head, body)))
        };
        let driven = async {
            // An error of the connection also ends the exchange, which reports it.
            let _ = connection.await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = exchange => answer,
            () = driven => Err(Failed),
        }
    }

    fn into_request(self) -> Result<hyper::Request<Full<Bytes>>, hyper::http::Error> {
        let method = self.request.method.clone();
        let body = if method == Method::GET {
            Bytes::new()
        } else {
            self.request.body.clone()
        };
        let mut outgoing = hyper::Request::builder()
            .method(method)
            .uri(&self.target[Position::BeforePath..Position::AfterQuery])
            .header(HOST, authority(self.target))
            .body(Full::new(body))?;
        let headers = outgoing.headers_mut();
        for (name, value) in self
            .request
            .headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("x-fal-"))
        {
            headers.append(name, value.clone());
        }
        if let Some(agent) = self.request.headers.get(USER_AGENT) {
            headers.insert(USER_AGENT, agent.clone());
        }
        let json = HeaderValue::from_static("application/json");
        headers.insert(ACCEPT, json.clone());
        headers.insert(CONTENT_TYPE, json);
        headers.insert(AUTHORIZATION, self.authorization);
        headers.insert("x-fal-client-proxy", self.client_proxy);
        Ok(outgoing)
    }
}

/// The status, headers and body of the target's response, without the headers of its connection.
fn answer(response: Response<Bytes>) -> Answer {
    let (head, body) = response.into_parts();
    let mut headers: HeaderMap = head.headers;
    for name in [
        CONTENT_LENGTH,
        CONTENT_ENCODING,
        TRANSFER_ENCODING,
        CONNECTION,
    ] {
        headers.remove(name);
    }
    let mut answer = Answer::empty(head.status);
    *answer.headers = headers;
    answer.payload = Payload::Bytes(body);
    answer
}
