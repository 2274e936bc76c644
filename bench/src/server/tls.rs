//! TLS, with HTTP/1.1 or HTTP/2. The latter is hyper's.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::plain::{Shared, connection};
use crate::{ID, accept, body, size};

pub(crate) fn acceptor(folder: &Path, protocol: &str) -> TlsAcceptor {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    // OpenSSL takes a certificate whose issuer has its own name for one that signed itself.
    let name = "The benchmark's authority";
    authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
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
    // The clients offer both versions of HTTP, and the server chooses.
    config.alpn_protocols = vec![protocol.into()];
    TlsAcceptor::from(Arc::new(config))
}

pub(crate) async fn serve(listener: &TcpListener, acceptor: &TlsAcceptor) {
    let shared: Arc<Shared> = Arc::default();
    loop {
        let stream = accept(listener).await;
        let (acceptor, shared) = (acceptor.clone(), shared.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            // A client may close its connections at any time.
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                let _ = http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service_fn(respond))
                    .await;
            } else {
                let _ = connection(stream, &shared).await;
            }
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
