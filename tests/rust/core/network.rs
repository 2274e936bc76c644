//! The way to fal: proxies, certificates, HTTP/2 and the backup hosts, over TLS and under fal's
//! real host names.

use super::*;
use fal::Code;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;

const PASSWORD: &str = "fake-secret-of-the-proxy";

/// What a proxy does with connections to a host.
#[derive(Clone, Copy, PartialEq)]
enum Verdict {
    Forward,
    /// Responds as if the host could not be reached.
    Refuse,
}

/// A proxy of the test's own in front of the emulator's. It records the requested hosts.
struct Gate {
    address: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Gate {
    fn http(
        emulator: &Emulator,
        verdict: impl Fn(&str) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        Gate::open(emulator, move |client, target, seen| {
            let head = read_head(client)?;
            let host = head.split(' ').nth(1)?.to_owned();
            seen(&host);
            match verdict(host.split(':').next()?) {
                Verdict::Forward => {
                    let mut upstream = TcpStream::connect(target).ok()?;
                    upstream.write_all(head.as_bytes()).ok()?;
                    Some(upstream)
                }
                Verdict::Refuse => {
                    client
                        .write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
                        .ok()?;
                    None
                }
            }
        })
    }

    /// SOCKS5 with a user name and a password (RFC 1928, RFC 1929).
    fn socks(emulator: &Emulator) -> Self {
        Gate::open(emulator, |client, target, seen| {
            let mut methods = vec![0; usize::from(read(client, 2)?[1])];
            client.read_exact(&mut methods).ok()?;
            assert!(methods.contains(&2), "no password is offered");
            client.write_all(&[5, 2]).ok()?;
            let name = usize::from(read(client, 2)?[1]);
            assert_eq!(read(client, name)?, b"user");
            let password = usize::from(read(client, 1)?[0]);
            assert_eq!(read(client, password)?, PASSWORD.as_bytes());
            client.write_all(&[1, 0]).ok()?;
            assert_eq!(read(client, 4)?[3], 3, "socks5h leaves names to the proxy");
            let name = usize::from(read(client, 1)?[0]);
            let host = String::from_utf8(read(client, name)?).ok()?;
            let port = read(client, 2)?;
            let host = format!("{host}:{}", u16::from_be_bytes([port[0], port[1]]));
            seen(&host);
            let mut upstream = TcpStream::connect(target).ok()?;
            write!(upstream, "CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n").ok()?;
            read_head(&mut upstream)?;
            client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
            Some(upstream)
        })
    }

    /// `greet` reports the requested host before it responds, and returns the connection to that
    /// host.
    fn open(
        emulator: &Emulator,
        greet: impl Fn(&mut TcpStream, &str, &dyn Fn(&str)) -> Option<TcpStream> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (target, log, greet) = (emulator.host(), seen.clone(), Arc::new(greet));
        thread::spawn(move || {
            for client in listener.incoming() {
                let (mut client, target, log, greet) =
                    (client.unwrap(), target.clone(), log.clone(), greet.clone());
                thread::spawn(move || {
                    let seen = |host: &str| log.lock().unwrap().push(host.to_owned());
                    let mut upstream = greet(&mut client, &target, &seen)?;
                    let (mut back, mut forth) =
                        (client.try_clone().ok()?, upstream.try_clone().ok()?);
                    thread::spawn(move || std::io::copy(&mut forth, &mut back));
                    std::io::copy(&mut client, &mut upstream).ok()
                });
            }
        });
        Gate { address, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn read(stream: &mut TcpStream, count: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(read(stream, 1)?);
    }
    String::from_utf8(head).ok()
}

/// A client that knows only the emulator's certificate.
pub(crate) fn outside(emulator: &Emulator, variables: &[(&str, &str)]) -> ClientBuilder {
    let key = [("FAL_KEY", emulator.api_key())];
    let variables = variables
        .iter()
        .chain(&key)
        .map(|(name, value)| (*name, *value));
    crate::logged::builder()
        .environment(Environment::from_variables(variables))
        .add_root_certificates(emulator.ca_pem().as_bytes())
        .unwrap()
}

#[test]
fn an_http_proxy_leads_to_fal() {
    let emulator = Emulator::start().unwrap();
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let client = outside(&emulator, &[(variable, &emulator.host())])
            .build()
            .unwrap();
        assert_eq!(
            echo(&client).unwrap().get("/body/word").unwrap(),
            "hello",
            "{variable}"
        );
    }
    let client = outside(&emulator, &[("HTTPS_PROXY", "127.0.0.1:1")])
        .http_proxy(&emulator.host())
        .unwrap();
    echo(&client.build().unwrap()).unwrap();
    assert_eq!(emulator.connects().get("fal.run"), Some(&5));
}

#[test]
fn a_password_of_the_proxy_reaches_the_proxy_and_no_error() {
    let settings = fal_emulator::Settings {
        proxy_credentials: Some(fal_emulator::ProxyCredentials::new("user", PASSWORD)),
        ..Default::default()
    };
    let emulator = Emulator::builder().settings(settings).start().unwrap();
    let address = emulator.host();
    let open = format!("http://user:{PASSWORD}@{address}");
    echo(
        &outside(&emulator, &[("HTTPS_PROXY", &open)])
            .build()
            .unwrap(),
    )
    .unwrap();
    let wrong = format!("http://user:{PASSWORD}-wrong@{address}");
    for proxy in [wrong.as_str(), address.as_str()] {
        let client = outside(&emulator, &[("HTTPS_PROXY", proxy)])
            .max_attempts(1)
            .unwrap()
            .build()
            .unwrap();
        let error = echo(&client).unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Connect, false),
            "{error}"
        );
        assert!(error.message().contains("proxy"), "{error}");
        assert!(!format!("{error} {error:?} {}", error.remedy()).contains(PASSWORD));
    }
    assert!(
        !format!("{:?}", outside(&emulator, &[]).http_proxy(&open).unwrap()).contains(PASSWORD)
    );
}

#[test]
fn an_error_of_connecting_names_the_network_proxy_without_its_password() {
    let emulator = Emulator::start().unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for scheme in ["http", "https", "socks4a", "socks5h"] {
        let proxy = format!("{scheme}://user:{PASSWORD}@{nobody}");
        let through = |direct: &str| {
            outside(&emulator, &[("ALL_PROXY", &proxy), ("NO_PROXY", direct)])
                .host(fal::HostRole::Run, &nobody.to_string())
                .unwrap()
                .max_attempts(1)
                .unwrap()
                .build()
                .unwrap()
        };
        let error = echo(&through("")).unwrap_err();
        assert_eq!(error.code(), Code::Connect, "{error}");
        let named = format!("cannot connect to {nobody} through the proxy {nobody}: ");
        assert!(error.message().starts_with(&named), "{error}");
        assert!(!format!("{error} {error:?} {}", error.remedy()).contains(PASSWORD));
        let direct = echo(&through("127.0.0.1")).unwrap_err();
        assert!(!direct.message().contains("proxy"), "{direct}");
    }
}

#[test]
fn a_socks_proxy_leads_to_fal() {
    let emulator = Emulator::start().unwrap();
    let gate = Gate::socks(&emulator);
    let proxy = format!("socks5h://user:{PASSWORD}@{}", gate.address);
    echo(
        &outside(&emulator, &[("ALL_PROXY", &proxy)])
            .build()
            .unwrap(),
    )
    .unwrap();
    assert_eq!(gate.seen(), ["fal.run:443"]);
}

#[test]
fn no_proxy_is_heeded() {
    let emulator = Emulator::start().unwrap();
    let client = outside(
        &emulator,
        &[
            ("HTTPS_PROXY", &emulator.host()),
            ("NO_PROXY", "127.0.0.1,localhost"),
        ],
    );
    let here = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = here.local_addr().unwrap().to_string();
    let client = client
        .host(fal::HostRole::Rest, &host)
        .unwrap()
        .max_attempts(1)
        .unwrap()
        .build()
        .unwrap();
    let knocked = thread::spawn(move || read(&mut here.accept().unwrap().0, 1));
    let error = send(&client, "GET", &format!("https://{host}/x")).unwrap_err();
    assert_eq!(error.code(), Code::Connect, "{error}");
    assert_eq!(
        knocked.join().unwrap(),
        Some(vec![22]),
        "a TLS handshake, without a proxy"
    );
    echo(&client).unwrap();
    assert_eq!(emulator.connects().keys().collect::<Vec<_>>(), ["fal.run"]);
}

#[test]
fn only_certificates_that_are_trusted_are_taken() {
    let emulator = Emulator::start().unwrap();
    let environment = Environment::from_variables([
        ("FAL_KEY", emulator.api_key()),
        ("HTTPS_PROXY", &emulator.host()),
    ]);
    let client = crate::logged::builder()
        .environment(environment)
        .max_attempts(1)
        .unwrap()
        .build()
        .unwrap();
    let error = echo(&client).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Connect, false),
        "{error}"
    );
    assert!(error.message().contains("certificate"), "{error}");
    assert!(emulator.arrivals().is_empty());
}

#[test]
fn calls_share_a_connection_where_the_server_speaks_http_2() {
    let emulator = Emulator::start().unwrap();
    let client = outside(&emulator, &[("HTTPS_PROXY", &emulator.host())])
        .build()
        .unwrap();
    echo(&client).unwrap();
    let started = |_| {
        let mut request = Request::run("emulator/slow").unwrap();
        request.set_field("ms", 200.into()).unwrap();
        client.run_start(request).unwrap()
    };
    let ops: Vec<_> = (0..20).map(started).collect();
    for op in ops {
        op.wait(None).unwrap();
        op.take().unwrap().unwrap();
    }
    let connections: std::collections::BTreeSet<_> =
        emulator.arrivals().iter().map(|a| a.connection).collect();
    assert_eq!(connections.len(), 1, "{connections:?}");
}

#[test]
fn the_backup_host_is_asked_when_fals_own_cannot_be_reached_and_remembered() {
    let emulator = Emulator::start().unwrap();
    let gate = Gate::http(&emulator, |host| {
        if host == "fal.run" {
            Verdict::Refuse
        } else {
            Verdict::Forward
        }
    });
    let client = outside(&emulator, &[("HTTPS_PROXY", &gate.address)])
        .build()
        .unwrap();
    for _ in 0..2 {
        assert_eq!(echo(&client).unwrap().get("/body/word").unwrap(), "hello");
    }
    // One attempt at fal.run. The second call goes to the host that the first one reached.
    assert_eq!(gate.seen(), ["fal.run:443", "falrun.com:443"]);
    let arrivals = emulator.arrivals();
    assert_eq!(
        arrivals
            .iter()
            .filter(|arrival| arrival.executed && arrival.had_key())
            .count(),
        2
    );
    assert!(
        arrivals.iter().all(|arrival| arrival.host == "falrun.com"),
        "{arrivals:?}"
    );
}

#[test]
fn nothing_but_a_failed_connection_leads_to_the_backup_host() {
    let emulator = Emulator::start().unwrap();
    let client = outside(&emulator, &[("HTTPS_PROXY", &emulator.host())])
        .max_attempts(1)
        .unwrap()
        .build()
        .unwrap();
    for fault in [
        fal_emulator::Fault::status(503),
        fal_emulator::Fault::reset_after_body(),
    ] {
        emulator.inject(fault);
        echo(&client).unwrap_err();
    }
    assert_eq!(emulator.arrivals().len(), 2);
    assert_eq!(emulator.connects().keys().collect::<Vec<_>>(), ["fal.run"]);
}

#[test]
fn where_neither_can_be_reached_the_first_error_is_told() {
    let emulator = Emulator::start().unwrap();
    let gate = Gate::http(&emulator, |_| Verdict::Refuse);
    let client = outside(&emulator, &[("HTTPS_PROXY", &gate.address)])
        .max_attempts(1)
        .unwrap()
        .build()
        .unwrap();
    let error = echo(&client).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Connect, false),
        "{error}"
    );
    assert!(
        error.message().contains("fal.run") && !error.message().contains("falrun.com"),
        "{error}"
    );
    assert_eq!(gate.seen(), ["fal.run:443", "falrun.com:443"]);
}

#[test]
fn hosts_without_a_backup_have_none() {
    let emulator = Emulator::start().unwrap();
    let gate = Gate::http(&emulator, |_| Verdict::Refuse);
    let client = outside(&emulator, &[("HTTPS_PROXY", &gate.address)])
        .max_attempts(1)
        .unwrap();
    let client = client
        .host(fal::HostRole::Run, "gateway.example")
        .unwrap()
        .build()
        .unwrap();
    echo(&client).unwrap_err();
    send(&client, "GET", "/v1/models").unwrap_err();
    assert_eq!(gate.seen(), ["gateway.example:443", "api.fal.ai:443"]);
}
