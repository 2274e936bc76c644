use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, ServerConfig, ServerConnection, SignatureScheme, StreamOwned};

use super::*;
use crate::client::{Client, ClientBuilder, HostRole};
use crate::credentials::Environment;
use crate::error::Code;
use crate::operation::Op;
use crate::request::Request;
use crate::runtime;

const PATIENCE: Duration = Duration::from_secs(30);
/// How long the check of a certificate blocks when the network does not respond …
const SLOW: Duration = Duration::from_secs(6);
/// … and the limit for everything else.
const MEANWHILE: Duration = Duration::from_secs(3);

/// Set in the process of a single test, which may shut the runtime down.
const ALONE: &str = "FAL_TEST_HANDSHAKES";

/// Trusts every server, but those with a name only after a delay.
#[derive(Debug, Default)]
struct Slow {
    asked: AtomicUsize,
}

impl ServerCertVerifier for Slow {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        if matches!(name, ServerName::DnsName(_)) {
            self.asked.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(SLOW);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Starts a TLS server that responds to every request with an empty object. Returns its port.
fn server() -> u16 {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let config = config.clone();
            std::thread::spawn(move || {
                let mut connection =
                    StreamOwned::new(ServerConnection::new(config).unwrap(), connection);
                while connection.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                    let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
                    let _ = connection.flush();
                }
            });
        }
    });
    port
}

fn builder(host: &str, port: u16, verifier: &Arc<Slow>) -> ClientBuilder {
    let environment =
        Environment::from_variables([("FAL_KEY", "fake-id:fake-secret-of-handshakes")]);
    let builder = Client::builder()
        .environment(environment)
        .host(HostRole::Run, &format!("{host}:{port}"))
        .unwrap();
    builder.verifier(verifier.clone())
}

/// Returns whether this process runs only this test. Otherwise runs the test in such a process.
fn alone(test: &str) -> bool {
    alone_with(test, &[])
}

/// The same, with these variables in the environment of the process.
fn alone_with(test: &str, variables: &[(&str, &std::path::Path)]) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let name = format!("transport::handshakes::tests::{test}");
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([&name, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    // A caught panic has been printed too.
    assert!(
        output.status.success() && !printed.contains("panicked"),
        "{printed}"
    );
    false
}

fn wait_for_checks(verifier: &Slow, count: usize) {
    let began = Instant::now();
    while verifier.asked.load(Ordering::SeqCst) < count {
        assert!(began.elapsed() < PATIENCE, "no certificate is checked");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn start(client: &Client) -> Op {
    client
        .run_start(Request::run("emulator/echo").unwrap())
        .unwrap()
}

#[test]
fn a_check_that_takes_long_holds_up_nothing_but_its_own_connection() {
    if !alone("a_check_that_takes_long_holds_up_nothing_but_its_own_connection") {
        return;
    }
    let (port, verifier) = (server(), Arc::<Slow>::default());
    let slow = builder("localhost", port, &verifier).build().unwrap();
    let limited = builder("localhost", port, &verifier)
        .timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let other = builder("127.0.0.1", port, &verifier).build().unwrap();
    // More than the runtime has worker threads.
    let ops: Vec<_> = (0..3).map(|_| start(&slow)).collect();
    wait_for_checks(&verifier, 3);
    let began = Instant::now();
    for _ in 0..3 {
        Op::finish(|| other.run_start(Request::run("emulator/echo").unwrap())).unwrap();
    }
    let late = start(&limited);
    assert!(late.wait(Some(PATIENCE)).unwrap());
    assert_eq!(late.take().unwrap().unwrap_err().code(), Code::Deadline);
    ops[0].cancel();
    assert!(ops[0].wait(Some(PATIENCE)).unwrap());
    assert_eq!(ops[0].take().unwrap().unwrap_err().code(), Code::Cancelled);
    let took = began.elapsed();
    assert!(took < MEANWHILE, "others take {took:?}");
    // A call without a timeout succeeds.
    ops[1].wait(Some(PATIENCE)).unwrap();
    ops[1].take().unwrap().unwrap();

    let again = builder("localhost", port, &verifier).build().unwrap();
    let asked = verifier.asked.load(Ordering::SeqCst);
    let op = start(&again);
    wait_for_checks(&verifier, asked + 1);
    let began = Instant::now();
    let error = runtime::shutdown(Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.code(), Code::Deadline, "{error}");
    let took = began.elapsed();
    assert!(took < MEANWHILE, "the shutdown takes {took:?}");
    assert_eq!(op.take().unwrap().unwrap_err().code(), Code::ShutDown);
    runtime::shutdown(PATIENCE).unwrap();
}

#[cfg(unix)]
#[test]
fn a_trust_store_that_cannot_be_read_holds_up_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing writes to it, so that it blocks who opens it.
    let store = folder.path().join("store");
    let made = std::process::Command::new("mkfifo").arg(&store).status();
    assert!(made.unwrap().success());
    let test = "a_trust_store_that_cannot_be_read_holds_up_nothing_else";
    if !alone_with(test, &[("SSL_CERT_FILE", &store)]) {
        return;
    }
    let limited = builder("127.0.0.1", server(), &Arc::default())
        .timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let (first, second) = (start(&limited), start(&limited));
    for op in [first, second] {
        assert!(op.wait(Some(MEANWHILE)).unwrap(), "the runtime is blocked");
        assert_eq!(op.take().unwrap().unwrap_err().code(), Code::Deadline);
    }
}

/// More connections to one host than there are helper threads for all hosts.
#[test]
fn checks_of_one_host_that_hang_keep_nobody_from_another() {
    if !alone("checks_of_one_host_that_hang_keep_nobody_from_another") {
        return;
    }
    let (port, verifier) = (server(), Arc::<Slow>::default());
    let slow = builder("localhost", port, &verifier).build().unwrap();
    let other = builder("127.0.0.1", port, &verifier).build().unwrap();
    let ops: Vec<_> = (0..20).map(|_| start(&slow)).collect();
    wait_for_checks(&verifier, 2);
    // Until then the host has used its whole share of the threads.
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    Op::finish(|| other.run_start(Request::run("emulator/echo").unwrap())).unwrap();
    let took = began.elapsed();
    assert!(took < MEANWHILE, "another takes {took:?}");
    ops.iter().for_each(Op::cancel);
    runtime::shutdown(PATIENCE).unwrap();
}

/// tokio's clock panics after the runtime has stopped, but a helper thread may still poll then.
#[test]
fn a_shutdown_waits_for_a_step_that_looks_at_the_clock() {
    if !alone("a_shutdown_waits_for_a_step_that_looks_at_the_clock") {
        return;
    }
    for limit in [PATIENCE, Duration::ZERO] {
        let (begun, begins) = std::sync::mpsc::channel();
        let op = Op::start(Arc::default(), None, |_| async move {
            let mut clock = Box::pin(tokio::time::sleep(PATIENCE));
            let work = std::future::poll_fn(move |context: &mut Context<'_>| {
                begun.send(()).unwrap();
                std::thread::sleep(Duration::from_millis(100));
                clock.as_mut().poll(context)
            });
            step_by_step(Box::pin(work), None).await?;
            Ok(crate::response::Response::made(&serde_json::json!(null)))
        });
        let op = op.unwrap();
        begins.recv().unwrap();
        if let Err(error) = runtime::shutdown(limit) {
            assert!(error.code() == Code::Deadline && limit.is_zero(), "{error}");
            runtime::shutdown(PATIENCE).unwrap();
        }
        assert_eq!(op.take().unwrap().unwrap_err().code(), Code::ShutDown);
    }
}

/// A future that is woken during its own step is polled again.
#[test]
fn what_happens_during_a_step_is_not_missed() {
    let op = Op::start(Arc::default(), None, |_| async {
        let mut left = 100;
        let work = std::future::poll_fn(move |context: &mut Context<'_>| {
            left -= 1;
            let waker = context.waker().clone();
            match left {
                0 => return Poll::Ready(()),
                left if left % 2 == 0 => waker.wake(),
                _ => drop(std::thread::spawn(move || waker.wake())),
            }
            Poll::Pending
        });
        step_by_step(Box::pin(work), None).await?;
        Ok(crate::response::Response::made(&serde_json::json!(null)))
    });
    let op = op.unwrap();
    assert!(op.wait(Some(PATIENCE)).unwrap());
    op.take().unwrap().unwrap();
}
