//! Direct connections are of another HTTP client than those through a proxy (decision 26). Each
//! ending is told alike, and repeated alike.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustls::{ServerConnection, StreamOwned};

use super::hostile::head_of;
use super::hostile_sockets::accept;
use super::http2::{END_HEADERS, END_STREAM, HEADERS, INTERNAL_ERROR, Peer, REFUSED_STREAM, Tls};
use super::tls::certificate_for;
use super::*;
use fal::{Code, Download, HostRole, SocketOptions, WebSocket};

/// Short, and longer than a busy machine may delay a thread.
const STALL: Duration = Duration::from_millis(1500);

/// What a server does with a connection after the handshake of TLS. An error ends the connection
/// without close_notify.
enum Talk {
    /// HTTP/1.1, with the head of the request.
    One(fn(&str, &mut Tls) -> io::Result<()>),
    /// HTTP/2, with the stream of each request.
    Two(fn(&mut Peer, u32) -> io::Result<()>),
    Nothing,
}

struct Server {
    port: u16,
    authority: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    fn start(talk: &'static Talk) -> Server {
        let (config, authority) = certificate_for("localhost");
        let mut config = Arc::unwrap_or_clone(config);
        config.alpn_protocols = match talk {
            Talk::Two(_) => vec![b"h2".to_vec()],
            Talk::One(_) | Talk::Nothing => vec![b"http/1.1".to_vec()],
        };
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        if matches!(talk, Talk::Nothing) {
            drop(listener);
        } else {
            thread::spawn(move || {
                for connection in listener.incoming() {
                    let (config, count) = (config.clone(), count.clone());
                    thread::spawn(move || serve(talk, config, connection.unwrap(), &count));
                }
            });
        }
        Server {
            port,
            authority,
            requests,
        }
    }

    fn client(&self, proxy: Option<&str>) -> Client {
        let key = ("FAL_KEY", "fake-id:fake-secret-for-nobody");
        let variables = proxy.map(|proxy| ("HTTPS_PROXY", proxy));
        let environment = Environment::from_variables(variables.into_iter().chain([key]));
        crate::logged::builder()
            .environment(environment)
            .timeout(PATIENCE)
            .stall_timeout(STALL)
            .max_attempts(2)
            .unwrap()
            .add_root_certificates(self.authority.as_bytes())
            .unwrap()
            .host(HostRole::Run, &format!("localhost:{}", self.port))
            .unwrap()
            .build()
            .unwrap()
    }
}

fn serve(
    talk: &Talk,
    config: Arc<rustls::ServerConfig>,
    wire: TcpStream,
    count: &AtomicUsize,
) -> io::Result<()> {
    let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), wire);
    let outcome = match talk {
        Talk::One(talk) => {
            let head = head_of(&mut tls);
            count.fetch_add(1, Ordering::SeqCst);
            talk(&head, &mut tls)
        }
        Talk::Two(talk) => {
            let mut peer = Peer(tls);
            let outcome = peer.greet().and_then(|()| {
                loop {
                    let stream = peer.request()?;
                    count.fetch_add(1, Ordering::SeqCst);
                    talk(&mut peer, stream)?;
                }
            });
            tls = peer.0;
            outcome
        }
        Talk::Nothing => Ok(()),
    };
    if outcome.is_ok() {
        tls.conn.send_close_notify();
        tls.flush()?;
    }
    tls.sock.shutdown(Shutdown::Write)?;
    io::copy(&mut tls.sock, &mut io::sink()).map(drop)
}

/// Starts a proxy that connects to ports of this machine. Returns its address and the number of
/// connections that it made.
fn proxy() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    thread::spawn(move || {
        for client in listener.incoming() {
            counter.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || tunnel(client?));
        }
    });
    (address, count)
}

fn tunnel(mut client: TcpStream) -> io::Result<()> {
    let head = head_of(&mut client);
    let target = head.split(' ').nth(1).unwrap();
    let Ok(mut server) = TcpStream::connect(target.replace("localhost", "127.0.0.1")) else {
        return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    };
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let (mut back, mut forth) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut forth, &mut back);
        back.shutdown(Shutdown::Write)
    });
    io::copy(&mut client, &mut server)?;
    server.shutdown(Shutdown::Write)
}

/// How an operation ended. A proxy does not tell why it made no connection.
fn told(op: &Op) -> String {
    op.discard_events();
    assert!(op.wait(Some(PATIENCE)).unwrap(), "it does not end");
    match op.take().unwrap() {
        Ok(response) => format!("{:?}", String::from_utf8_lossy(response.body())),
        Err(error) => {
            let whole = error.message();
            let message = match error.code() {
                Code::Connect => whole.split_once(": ").map_or(whole, |(what, _)| what),
                _ => whole,
            };
            format!(
                "{:?}, executed: {}, again: {}: {message}",
                error.code(),
                error.may_have_executed(),
                error.is_retryable()
            )
        }
    }
}

/// Returns an operation and what has to live as long as it.
type Start = fn(&Client, u16) -> (Op, Option<WebSocket>);

const OPERATIONS: [(&str, Start); 4] = [
    ("POST", |client, _| {
        let request = Request::run("emulator/echo").unwrap();
        (client.run_start(request).unwrap(), None)
    }),
    ("GET", |client, port| {
        let url = format!("https://localhost:{port}/emulator/echo");
        let request = Request::new("GET", &url).unwrap();
        (client.send_start(request).unwrap(), None)
    }),
    ("download", |client, port| {
        let url = format!("https://localhost:{port}/file");
        let download = Download::new(&url).unwrap();
        (client.download_start(download).unwrap(), None)
    }),
    ("WebSocket", |client, _| {
        let request = Request::run("emulator/ws").unwrap();
        let options = SocketOptions::new().use_header(true);
        let socket = client.websocket_start(request, options).unwrap();
        (socket.op().clone(), Some(socket))
    }),
];

fn cut() -> io::Result<()> {
    Err(io::ErrorKind::ConnectionAborted.into())
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nx-fal-request-id: r\r\n";

/// What a server does, and the code with which a POST ends.
const CASES: &[(&str, Option<Code>, Talk)] = &[
    ("refused", Some(Code::Connect), Talk::Nothing),
    (
        "a whole response",
        None,
        Talk::One(|_, tls| write!(tls, "{HEAD}content-length: 2\r\n\r\n{{}}")),
    ),
    (
        "a body that TLS ends",
        None,
        Talk::One(|_, tls| write!(tls, "{HEAD}\r\n{{}}")),
    ),
    (
        "a body that only TCP ends",
        Some(Code::ConnectionLost),
        Talk::One(|_, tls| {
            write!(tls, "{HEAD}\r\n{{}}")
                .and_then(|()| tls.flush())
                .and_then(|()| cut())
        }),
    ),
    (
        "cut before the head",
        Some(Code::ConnectionLost),
        Talk::One(|_, _| Ok(())),
    ),
    (
        "cut in the head",
        Some(Code::ConnectionLost),
        Talk::One(|_, tls| write!(tls, "{HEAD}")),
    ),
    (
        "cut in the body",
        Some(Code::ConnectionLost),
        Talk::One(|_, tls| write!(tls, "{HEAD}content-length: 9\r\n\r\n{{}}")),
    ),
    (
        "not HTTP",
        Some(Code::Protocol),
        Talk::One(|_, tls| write!(tls, "SSH-2.0-server\r\n\r\n")),
    ),
    (
        "endless headers",
        Some(Code::Protocol),
        Talk::One(|_, tls| {
            write!(tls, "{HEAD}")?;
            loop {
                tls.write_all(b"x-more: and more\r\n")?;
            }
        }),
    ),
    (
        "a redirect",
        Some(Code::Redirect),
        Talk::One(|_, tls| {
            write!(
                tls,
                "HTTP/1.1 307 Go\r\nlocation: https://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
            )
        }),
    ),
    (
        "101 to all",
        Some(Code::Protocol),
        Talk::One(|head, tls| accept(head, tls, "")),
    ),
    (
        "a stall in a file",
        None,
        Talk::One(|head, tls| {
            write!(tls, "{HEAD}content-length: 2\r\n\r\n{{")?;
            tls.flush()?;
            if head.starts_with("GET /file") {
                thread::sleep(STALL * 2);
            }
            write!(tls, "}}")
        }),
    ),
    (
        "HTTP/2",
        None,
        Talk::Two(|peer, stream| peer.answer(stream)),
    ),
    (
        "a refused stream",
        Some(Code::ConnectionLost),
        Talk::Two(|peer, stream| peer.reset(stream, REFUSED_STREAM)),
    ),
    (
        "a reset stream",
        Some(Code::ConnectionLost),
        Talk::Two(|peer, stream| peer.reset(stream, INTERNAL_ERROR)),
    ),
    (
        "GOAWAY before the stream",
        Some(Code::ConnectionLost),
        Talk::Two(|peer, _| peer.go_away(0, 0).and_then(|()| cut())),
    ),
    (
        "GOAWAY after the stream",
        Some(Code::ConnectionLost),
        Talk::Two(|peer, stream| peer.go_away(stream, 0).and_then(|()| cut())),
    ),
    (
        "a reset in the body",
        Some(Code::ConnectionLost),
        Talk::Two(|peer, stream| {
            peer.head(stream)
                .and_then(|()| peer.reset(stream, INTERNAL_ERROR))
        }),
    ),
    (
        "a header list of 100 KB",
        Some(Code::ConnectionLost),
        Talk::Two(|peer, stream| {
            // ":status: 200" of the static table, a literal of 4,000 bytes that joins the dynamic
            // table, and references to it (RFC 7541 §6).
            let literal = [&[0x88, 0x40, 1, b'x', 0x7f, 0xa1, 0x1e][..], &[b'x'; 4000]].concat();
            let block = [literal, vec![0xbe; 25]].concat();
            peer.write(HEADERS, END_HEADERS | END_STREAM, stream, &block)
        }),
    ),
];

#[test]
fn an_exchange_ends_alike_directly_and_through_a_proxy() {
    let check = |(name, code, talk): &'static (&str, Option<Code>, Talk)| {
        let server = Server::start(talk);
        let (proxy, tunnels) = proxy();
        let mut wrong = Vec::new();
        for (operation, start) in OPERATIONS {
            let end = |proxy: Option<&str>| {
                let before = server.requests.load(Ordering::SeqCst);
                let (op, _socket) = start(&server.client(proxy), server.port);
                let mut end = told(&op);
                // Only an error that names the way to a host differs.
                if let Some(proxy) = proxy {
                    end = end.replace(&format!(" through the proxy {proxy}"), "");
                }
                let requests = server.requests.load(Ordering::SeqCst) - before;
                (end, requests, tunnels.swap(0, Ordering::SeqCst) > 0)
            };
            let (direct, proxied) = (end(None), end(Some(&proxy)));
            let expected = code.map_or("\"{}".to_owned(), |code| format!("{code:?},"));
            let same = (&direct.0, direct.1) == (&proxied.0, proxied.1);
            let is_expected = operation != "POST" || direct.0.starts_with(&expected);
            if !same || !is_expected || direct.2 || !proxied.2 {
                wrong.push(format!("{name}, {operation}:\n  {direct:?}\n  {proxied:?}"));
            }
        }
        wrong
    };
    let wrong: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = CASES
            .iter()
            .map(|case| scope.spawn(|| check(case)))
            .collect();
        running
            .into_iter()
            .flat_map(|one| one.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
