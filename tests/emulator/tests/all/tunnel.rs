//! A client that reaches fal's real names through `CONNECT` and trusts only the emulator's
//! certificate.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fal_emulator::Emulator;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Runs a test that must not hang.
pub(crate) fn block_on<T>(task: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(60), task)
            .await
            .unwrap()
    })
}

/// Sends `CONNECT target`. A refusal is returned as its status and head.
pub(crate) async fn connect(
    emulator: &Emulator,
    target: &str,
    more: &str,
) -> Result<TcpStream, (u16, String)> {
    let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
    let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{more}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap();
    let status = answer["HTTP/1.1 ".len()..][..3].parse().unwrap();
    if status == 200 {
        Ok(stream)
    } else {
        Err((status, answer))
    }
}

/// Starts TLS to the name `host`, offering `protocols`.
pub(crate) async fn tls(
    emulator: &Emulator,
    host: &str,
    protocols: &[&str],
) -> io::Result<TlsStream<TcpStream>> {
    let stream = connect(emulator, &format!("{host}:443"), "").await.unwrap();
    handshake(stream, emulator.ca_pem(), host, protocols).await
}

pub(crate) async fn handshake(
    stream: TcpStream,
    ca_pem: &str,
    host: &str,
    protocols: &[&str],
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) content_length: Option<u64>,
    /// The received part of the body, and whether the body was complete.
    pub(crate) body: Vec<u8>,
    pub(crate) whole: bool,
}

/// Sends one POST over HTTP/1.1 or HTTP/2.
pub(crate) async fn post(
    stream: TlsStream<TcpStream>,
    host: &str,
    path: &str,
    key: &str,
    body: &str,
) -> Result<Answered, hyper::Error> {
    let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let io = TokioIo::new(stream);
    let request = hyper::Request::post(if two {
        format!("https://{host}{path}")
    } else {
        path.to_owned()
    })
    .header("Authorization", format!("Key {key}"))
    .header("Content-Type", "application/json");
    let request = if two {
        request
    } else {
        request.header("Host", host)
    };
    let request = request
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .unwrap();
    let response = if two {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    } else {
        let (mut sender, connection) = http1::handshake(io).await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    };
    let status = response.status().as_u16();
    let content_length = response
        .headers()
        .get("content-length")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let mut incoming = response.into_body();
    let mut answered = Answered {
        status,
        content_length,
        body: Vec::new(),
        whole: true,
    };
    while let Some(frame) = incoming.frame().await {
        match frame {
            Ok(frame) => answered
                .body
                .extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(_) => answered.whole = false,
        }
        if !answered.whole {
            break;
        }
    }
    Ok(answered)
}
