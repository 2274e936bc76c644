//! Without an emulator every connection uses TLS, and no data is sent before the server's identity
//! is verified.

use super::*;
use fal::{Code, HostRole};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::thread;

const KEY: &str = "fake-id:fake-secret-for-tls";

/// Tells the child process of a test its server. The child's trust store is the test's own.
const CHILD: &str = "FAL_TEST_TLS_HOST";

#[test]
fn a_server_that_cannot_prove_itself_sees_no_key() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let (send_seen, seen) = mpsc::channel();
    let server = thread::spawn(move || {
        for connection in listener.incoming().take(2) {
            let mut first = vec![0; 4096];
            let read = connection.unwrap().read(&mut first).unwrap();
            send_seen.send(first[..read].to_vec()).unwrap();
        }
    });
    let error = call(&host).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Connect, false),
        "{error}"
    );
    server.join().unwrap();
    for bytes in seen.iter().take(2) {
        assert_eq!(bytes[0], 22, "a TLS handshake record comes first");
        assert!(!bytes.windows(11).any(|window| window == b"fake-secret"));
    }
}

#[test]
fn a_server_that_the_system_trusts_is_asked_with_the_key() {
    if let Ok(host) = std::env::var(CHILD) {
        assert_eq!(call(&host).unwrap().get("/ok").unwrap(), true);
        return;
    }
    let (ran, request) = call_from_child(
        "localhost",
        "tls::a_server_that_the_system_trusts_is_asked_with_the_key",
    );
    assert!(ran, "the child failed");
    let request = request.unwrap();
    assert!(
        request.starts_with("POST /emulator/echo HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request
            .to_ascii_lowercase()
            .contains(&format!("authorization: key {KEY}")),
        "{request}"
    );
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    if let Ok(host) = std::env::var(CHILD) {
        let error = call(&host).unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Connect, false),
            "{error}"
        );
        assert!(error.message().contains("certificate"), "{error}");
        return;
    }
    let (ran, request) = call_from_child(
        "other.example",
        "tls::a_certificate_for_another_name_is_refused",
    );
    assert!(ran, "the child failed");
    assert_eq!(request, None);
}

fn call(host: &str) -> Result<Response, Error> {
    let environment = Environment::from_variables([("FAL_KEY", KEY)]);
    let client = crate::logged::builder()
        .environment(environment)
        .host(HostRole::Run, host)?
        .max_attempts(2)?;
    echo(&client.build()?)
}

/// Runs this test again in a child process that trusts one authority only, against a server with a
/// certificate of that authority for `name`. Returns whether the child succeeded, and the head of
/// the request that the server read.
fn call_from_child(name: &str, test: &str) -> (bool, Option<String>) {
    let (config, authority) = certificate_for(name);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, authority).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    let (send_seen, seen) = mpsc::channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let connection = StreamOwned::new(
                ServerConnection::new(config.clone()).unwrap(),
                connection.unwrap(),
            );
            if let Some(request) = answer(connection) {
                send_seen.send(request).unwrap();
            }
        }
    });
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args([test, "--exact"])
        .env(CHILD, host)
        .env("SSL_CERT_FILE", &file)
        .env_remove("SSL_CERT_DIR");
    for variable in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ] {
        child.env_remove(variable);
    }
    (
        child.output().unwrap().status.success(),
        seen.try_recv().ok(),
    )
}

/// Reads one request and responds to it, unless the handshake fails.
fn answer(mut connection: StreamOwned<ServerConnection, std::net::TcpStream>) -> Option<String> {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !request.ends_with(b"}") {
        match connection.read(&mut piece) {
            Ok(read @ 1..) => request.extend_from_slice(&piece[..read]),
            _ => return None,
        }
    }
    connection
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"ok\":true}")
        .ok()?;
    connection.flush().ok()?;
    Some(String::from_utf8_lossy(&request).into_owned())
}

/// A server configuration with a new certificate for `name`, and the authority that signed it, as
/// PEM.
pub(super) fn certificate_for(name: &str) -> (Arc<ServerConfig>, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
    (Arc::new(config), authority.pem())
}
