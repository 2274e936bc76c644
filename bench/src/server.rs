//! The server of the benchmarks: answers each request with as many bytes of JSON as the last number
//! in its path says, over HTTP/1.1 with keep-alive.
//!
//! `bench-server [--tls FOLDER]` prints its port and serves until its standard input ends. With
//! `--tls` it speaks TLS with HTTP/1.1 and HTTP/2, and writes its authority's certificate to
//! `FOLDER/ca.pem`.
//!
//! The plain server reads requests by hand on one thread, because it must cost less than every
//! client that it measures.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program of its own, which ends at the first surprise"
)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const ID: &str = "00000000-0000-4000-8000-000000000000";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        match arguments.as_slice() {
            [flag, folder] if flag == "--tls" => {
                let acceptor = acceptor(Path::new(folder));
                println!("{port}");
                serve_tls(&listener, &acceptor).await;
            }
            _ => {
                println!("{port}");
                serve(&listener).await;
            }
        }
    });
}

/// JSON of `size` bytes: an object with one string.
fn body(size: usize) -> Bytes {
    let pad = "x".repeat(size.saturating_sub(r#"{"text":""}"#.len()));
    format!(r#"{{"text":"{pad}"}}"#).into()
}

/// The last number of a path, such as 200 of `/bench/200`.
fn size(path: &str) -> usize {
    path.rsplit('/')
        .find_map(|part| part.parse().ok())
        .unwrap_or(200)
}

async fn serve(listener: &TcpListener) {
    let answers: Arc<Mutex<HashMap<usize, Bytes>>> = Arc::default();
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        tokio::spawn(connection(stream, answers.clone()));
    }
}

async fn connection(mut stream: TcpStream, answers: Arc<Mutex<HashMap<usize, Bytes>>>) {
    stream.set_nodelay(true).expect("an option");
    let (mut buffer, mut used) = (vec![0; 64 << 10], 0);
    loop {
        // The head, and as much of the body as came with it.
        let end = loop {
            if let Some(end) = buffer[..used].windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut buffer[used..]).await {
                Ok(read) if read > 0 => used += read,
                _ => return,
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]);
        let path = head.split(' ').nth(1).unwrap_or_default();
        let size = size(path);
        let length = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.trim().parse().ok())
            .unwrap_or(0usize);
        let mut left = (end + length).saturating_sub(used);
        let surplus = used.saturating_sub(end + length);
        buffer.copy_within(used - surplus..used, 0);
        used = surplus;
        while left > 0 {
            let most = left.min(buffer.len());
            match stream.read(&mut buffer[..most]).await {
                Ok(read) if read > 0 => left -= read,
                _ => return,
            }
        }
        let answer = answers
            .lock()
            .expect("a lock")
            .entry(size)
            .or_insert_with(|| answer(size))
            .clone();
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

fn answer(size: usize) -> Bytes {
    let body = body(size);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nx-fal-request-id: {ID}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat().into()
}

fn acceptor(folder: &Path) -> TlsAcceptor {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&key).expect("a certificate");
    std::fs::write(folder.join("ca.pem"), certificate.pem()).expect("a file");
    let issuer = rcgen::Issuer::new(authority, key);
    let leaf_key = rcgen::KeyPair::generate().expect("a key");
    let leaf = rcgen::CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()])
        .expect("parameters")
        .signed_by(&leaf_key, &issuer)
        .expect("a certificate");
    let leaf_key = rustls::pki_types::PrivateKeyDer::try_from(leaf_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], leaf_key.expect("a key"))
        .expect("a certificate");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn serve_tls(listener: &TcpListener, acceptor: &TlsAcceptor) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            stream.set_nodelay(true).expect("an option");
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service_fn(respond))
                .await;
        });
    }
}

async fn respond(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let size = size(request.uri().path());
    let _ = request.into_body().collect().await;
    let response = Response::builder()
        .header("content-type", "application/json")
        .header("x-fal-request-id", ID)
        .body(Full::new(body(size)));
    Ok(response.expect("a response"))
}
