//! Requests that HTTP/2 proves to be unprocessed are sent again, and no others (RFC 9113 §6.8,
//! §8.7). The server here reads and writes single frames.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::redirected::{OPERATIONS, failed as ended, with_keys};
use super::*;
use fal::{Code, HostRole, Upload};

const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
pub(super) const END_STREAM: u8 = 1;
const ACK: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

pub(super) const REFUSED_STREAM: u32 = 7;
pub(super) const INTERNAL_ERROR: u32 = 2;
const NO_ERROR: u32 = 0;
const CANCEL: u32 = 8;

pub(super) type Tls = StreamOwned<ServerConnection, std::net::TcpStream>;

/// One connection on the server's side.
pub(super) struct Peer(pub(super) Tls);

impl Peer {
    pub(super) fn write(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.0.write_all(&frame)?;
        self.0.flush()
    }

    fn read(&mut self) -> io::Result<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head)?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.0.read_exact(&mut payload)?;
        Ok((
            head[3],
            head[4],
            u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
            payload,
        ))
    }

    pub(super) fn greet(&mut self) -> io::Result<()> {
        self.0.read_exact(&mut [0; 24])?;
        self.write(SETTINGS, 0, 0, &[])
    }

    /// Reads the next request to its end and returns its stream.
    pub(super) fn request(&mut self) -> io::Result<u32> {
        self.asked().map(|(stream, _)| stream)
    }

    /// Like `request`, and returns whether the method is GET.
    fn asked(&mut self) -> io::Result<(u32, bool)> {
        let mut is_get = false;
        loop {
            let (kind, flags, stream, payload) = self.read()?;
            if kind == HEADERS {
                // ":method: GET" in the static table. Pseudo-headers come first (RFC 9113 §8.3).
                is_get = payload.first() == Some(&0x82);
            }
            if kind == SETTINGS && flags & ACK == 0 {
                self.write(SETTINGS, ACK, 0, &[])?;
            }
            if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                return Ok((stream, is_get));
            }
        }
    }

    /// Sends a response head with this status and these headers, and ends the stream if `end`.
    fn say(
        &mut self,
        stream: u32,
        status: &str,
        headers: &[(&str, &str)],
        is_end: bool,
    ) -> io::Result<()> {
        // The name ":status" of the static table, and literals.
        let text = |text: &str| [&[text.len() as u8][..], text.as_bytes()].concat();
        let fields = headers
            .iter()
            .flat_map(|(name, value)| [&[0][..], &text(name), &text(value)].concat());
        let block: Vec<_> = [&[8][..], &text(status)]
            .concat()
            .into_iter()
            .chain(fields)
            .collect();
        self.write(
            HEADERS,
            END_HEADERS | if is_end { END_STREAM } else { 0 },
            stream,
            &block,
        )
    }

    /// Sends 200 with the header that fal's gateway adds, and `{}`.
    pub(super) fn answer(&mut self, stream: u32) -> io::Result<()> {
        self.head(stream)?;
        self.write(DATA, END_STREAM, stream, b"{}")
    }

    pub(super) fn head(&mut self, stream: u32) -> io::Result<()> {
        // ":status: 200" of the static table, and a literal.
        let mut block = vec![0x88, 0, 16];
        block.extend_from_slice(b"x-fal-request-id");
        block.extend_from_slice(&[1, b'r']);
        self.write(HEADERS, END_HEADERS, stream, &block)
    }

    pub(super) fn reset(&mut self, stream: u32, reason: u32) -> io::Result<()> {
        self.write(RST_STREAM, 0, stream, &reason.to_be_bytes())
    }

    pub(super) fn go_away(&mut self, last: u32, reason: u32) -> io::Result<()> {
        let mut payload = last.to_be_bytes().to_vec();
        payload.extend_from_slice(&reason.to_be_bytes());
        self.write(GOAWAY, 0, 0, &payload)
    }
}

/// A server of HTTP/2 only, with a script for its connections.
struct Server {
    host: String,
    authority: String,
    /// The number of the connection, from 0, and the stream of every executed request.
    executed: Arc<Mutex<Vec<(usize, u32)>>>,
}

impl Server {
    /// `talk` receives the connection's number, and a function that records that a stream's request
    /// is executed.
    fn start(
        talk: impl Fn(usize, &mut Peer, &dyn Fn(u32)) -> io::Result<()> + Send + Sync + 'static,
    ) -> Server {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    vec![certificate.der().clone()],
                    PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
                )
                .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let (config, talk) = (Arc::new(config), Arc::new(talk));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("localhost:{}", listener.local_addr().unwrap().port());
        let executed = Arc::new(Mutex::new(Vec::new()));
        let log = executed.clone();
        std::thread::spawn(move || {
            for (number, connection) in listener.incoming().enumerate() {
                let (config, talk, log) = (config.clone(), talk.clone(), log.clone());
                std::thread::spawn(move || {
                    let mut peer = Peer(StreamOwned::new(
                        ServerConnection::new(config).unwrap(),
                        connection.unwrap(),
                    ));
                    let note = |stream| log.lock().unwrap().push((number, stream));
                    // The client may close the connection before the end.
                    let _ = peer.greet().and_then(|()| talk(number, &mut peer, &note));
                });
            }
        });
        Server {
            host,
            authority: certificate.pem(),
            executed,
        }
    }

    fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    fn builder(&self) -> ClientBuilder {
        let environment =
            Environment::from_variables([("FAL_KEY", "fake-id:fake-secret-for-nobody")]);
        let builder = crate::logged::builder()
            .environment(environment)
            .timeout(PATIENCE);
        let builder = builder
            .add_root_certificates(self.authority.as_bytes())
            .unwrap();
        builder.host(HostRole::Run, &self.host).unwrap()
    }

    fn executed(&self) -> Vec<(usize, u32)> {
        self.executed.lock().unwrap().clone()
    }
}

fn serve(peer: &mut Peer, note: &dyn Fn(u32)) -> io::Result<()> {
    loop {
        let stream = peer.request()?;
        note(stream);
        peer.answer(stream)?;
    }
}

fn failed(client: &Client) -> Error {
    let error = echo(client).unwrap_err();
    assert!(
        !error
            .message()
            .contains("before processing any application logic")
            || !error.may_have_executed(),
        "{error}"
    );
    error
}

#[test]
fn streams_above_the_last_of_a_goaway_are_sent_again_on_a_new_connection() {
    const RUNS: usize = 20;
    for reason in [0, INTERNAL_ERROR] {
        let server = Server::start(move |number, peer, note| {
            if number > 0 {
                return serve(peer, note);
            }
            // The first request makes the connection.
            let first = peer.request()?;
            note(first);
            peer.answer(first)?;
            let mut streams = (0..RUNS)
                .map(|_| peer.request())
                .collect::<io::Result<Vec<_>>>()?;
            streams.sort_unstable();
            let taken = &streams[..RUNS / 2];
            peer.go_away(taken[RUNS / 2 - 1], reason)?;
            for stream in taken {
                note(*stream);
                peer.answer(*stream)?;
            }
            peer.request().map(drop)
        });
        let client = server.client();
        echo(&client).unwrap();
        let ops: Vec<_> = (0..RUNS)
            .map(|_| {
                client
                    .run_start(Request::run("emulator/echo").unwrap())
                    .unwrap()
            })
            .collect();
        for op in ops {
            assert!(op.wait(Some(PATIENCE)).unwrap());
            op.take()
                .unwrap()
                .unwrap_or_else(|error| panic!("{reason}: {error}"));
        }
        let executed = server.executed();
        assert_eq!(executed.len(), 1 + RUNS, "{reason}: {executed:?}");
        assert_eq!(
            executed.iter().filter(|(number, _)| *number == 0).count(),
            1 + RUNS / 2,
            "{reason}"
        );
    }
}

#[test]
fn a_refused_stream_is_sent_again() {
    let server = Server::start(|number, peer, note| {
        let stream = peer.request()?;
        match number {
            0 => peer.reset(stream, REFUSED_STREAM)?,
            _ => {
                note(stream);
                peer.answer(stream)?;
            }
        }
        serve(peer, note)
    });
    echo(&server.client()).unwrap();
    assert_eq!(server.executed().len(), 1);
}

#[test]
fn a_stream_that_is_always_refused_is_an_error_that_says_so() {
    let server = Server::start(|_, peer, _| {
        loop {
            let stream = peer.request()?;
            peer.reset(stream, REFUSED_STREAM)?;
        }
    });
    let error = failed(&server.client());
    assert_eq!(
        (
            error.code(),
            error.may_have_executed(),
            error.is_retryable()
        ),
        (Code::ConnectionLost, false, true)
    );
    assert!(error.message().contains("not processed"), "{error}");
    // A body that can be read only once is not sent again, and the error permits the caller to.
    let mut request = Request::run("emulator/echo").unwrap();
    let reader = std::io::Cursor::new(b"{}".to_vec());
    request
        .set_body_of(Upload::reader(reader, None), "application/json")
        .unwrap();
    let error = Op::finish(|| server.client().run_start(request)).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::ConnectionLost, false),
        "{error}"
    );
}

/// A request that was reset for another reason, or accepted by a GOAWAY, may have been executed.
#[test]
fn what_http_2_does_not_prove_is_an_unknown_outcome() {
    type Talk = fn(&mut Peer, u32) -> io::Result<()>;
    let cases: [(&str, Talk); 6] = [
        ("INTERNAL_ERROR", |peer, stream| {
            peer.reset(stream, INTERNAL_ERROR)
        }),
        ("GOAWAY that lets it in, and the end", |peer, stream| {
            peer.go_away(stream, 0)
        }),
        (
            "GOAWAY that lets it in, with an error, and the end",
            |peer, stream| peer.go_away(stream, INTERNAL_ERROR),
        ),
        ("the end", |_, _| Ok(())),
        ("an answer that began and was refused", |peer, stream| {
            peer.head(stream)?;
            peer.reset(stream, REFUSED_STREAM)
        }),
        (
            "an answer that began and a GOAWAY below it",
            |peer, stream| {
                peer.head(stream)?;
                peer.go_away(0, INTERNAL_ERROR)
            },
        ),
    ];
    for (what, talk) in cases {
        let server = Server::start(move |number, peer, note| {
            if number > 0 {
                return serve(peer, note);
            }
            let stream = peer.request()?;
            note(stream);
            talk(peer, stream)?;
            peer.0.conn.send_close_notify();
            peer.0.flush()
        });
        let error = failed(&server.client());
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::ConnectionLost, true),
            "{what}: {error}"
        );
        assert!(error.message().contains("executed"), "{what}: {error}");
        assert_eq!(server.executed().len(), 1, "{what}");
    }
}

/// Only END_STREAM ends a body. A reset with NO_ERROR asks the client to stop sending (RFC 9113
/// §8.1).
#[test]
fn a_body_that_a_reset_cuts_is_not_whole() {
    type Talk = fn(&mut Peer, u32) -> io::Result<()>;
    let cases: [(&str, Talk); 6] = [
        ("nothing and NO_ERROR", |peer, stream| {
            peer.reset(stream, NO_ERROR)
        }),
        ("a part and NO_ERROR", |peer, stream| {
            peer.write(DATA, 0, stream, b"{}")?;
            peer.reset(stream, NO_ERROR)
        }),
        ("a part and CANCEL", |peer, stream| {
            peer.write(DATA, 0, stream, b"{}")?;
            peer.reset(stream, CANCEL)
        }),
        ("a part, a GOAWAY and the end", |peer, stream| {
            peer.write(DATA, 0, stream, b"{}")?;
            peer.go_away(stream, NO_ERROR)
        }),
        ("a part, a GOAWAY below it and the end", |peer, stream| {
            peer.write(DATA, 0, stream, b"{}")?;
            peer.go_away(0, NO_ERROR)
        }),
        ("a part and the end", |peer, stream| {
            peer.write(DATA, 0, stream, b"{}")
        }),
    ];
    for (what, talk) in cases {
        let server = Server::start(move |_, peer, note| {
            let stream = peer.request()?;
            note(stream);
            peer.head(stream)?;
            talk(peer, stream)?;
            peer.0.conn.send_close_notify();
            peer.0.flush()
        });
        let error = echo(&server.client()).expect_err(what);
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::ConnectionLost, true),
            "{what}: {error}"
        );
        assert_eq!(server.executed().len(), 1, "{what}");
    }
    // A reset after the end of the response asks the client to stop sending, and changes nothing
    // else.
    for reason in [NO_ERROR, CANCEL] {
        let server = Server::start(move |_, peer, note| {
            let stream = peer.request()?;
            note(stream);
            peer.answer(stream)?;
            peer.reset(stream, reason)?;
            serve(peer, note)
        });
        assert_eq!(&echo(&server.client()).unwrap().body()[..], b"{}");
    }
}

/// An app that sends 303 has run. HTTP/2 proves that the GET which follows was not processed, and
/// says nothing about the run.
#[test]
fn a_post_that_was_redirected_is_not_sent_again_whatever_becomes_of_the_get() {
    type Talk = fn(&mut Peer, u32) -> io::Result<()>;
    const ID: (&str, &str) = ("x-fal-request-id", "r-1");
    const NEXT: [(&str, &str); 2] = [ID, ("location", "/emulator/next")];
    let cases: [(&str, Talk); 13] = [
        ("too many", |peer, stream| {
            peer.say(stream, "429", &[ID], true)
        }),
        ("too many, and again", |peer, stream| {
            peer.say(stream, "429", &[ID, ("x-fal-needs-retry", "1")], true)
        }),
        ("no runner", |peer, stream| {
            peer.say(
                stream,
                "503",
                &[ID, ("x-fal-error-type", "runner_scheduling_failure")],
                false,
            )?;
            peer.write(
                DATA,
                END_STREAM,
                stream,
                br#"{"detail": "x", "error_type": "runner_scheduling_failure"}"#,
            )
        }),
        ("the credential", |peer, stream| {
            peer.say(stream, "401", &[ID], true)
        }),
        ("nothing there", |peer, stream| {
            peer.say(stream, "404", &[ID], true)
        }),
        ("another redirect", |peer, stream| {
            peer.say(stream, "302", &NEXT, true)
        }),
        ("a redirect elsewhere", |peer, stream| {
            peer.say(
                stream,
                "302",
                &[ID, ("location", "https://app.example/")],
                true,
            )
        }),
        ("a stream that is refused", |peer, stream| {
            peer.reset(stream, REFUSED_STREAM)
        }),
        ("a reset", |peer, stream| peer.reset(stream, CANCEL)),
        ("a polite reset", |peer, stream| {
            peer.reset(stream, NO_ERROR)
        }),
        ("a GOAWAY below it", |peer, stream| {
            peer.go_away(stream - 2, NO_ERROR)
        }),
        ("a GOAWAY below it, and an error", |peer, stream| {
            peer.go_away(stream - 2, INTERNAL_ERROR)
        }),
        ("a part and a reset", |peer, stream| {
            peer.head(stream)?;
            peer.write(DATA, 0, stream, b"{")?;
            peer.reset(stream, CANCEL)
        }),
    ];
    for (operation, start) in OPERATIONS {
        for (what, talk) in cases {
            let server = Server::start(move |_, peer, note| {
                loop {
                    match peer.asked()? {
                        (stream, true) => talk(peer, stream)?,
                        (stream, false) => {
                            note(stream);
                            peer.say(stream, "303", &NEXT, true)?;
                        }
                    }
                }
            });
            let client = with_keys(server.builder().max_attempts(3).unwrap());
            let error = ended(start(&client, &server.host));
            let got = (
                server.executed().len(),
                error.may_have_executed(),
                error.is_retryable(),
            );
            assert_eq!(got, (1, true, false), "{operation}, {what}: {error}");
        }
    }
}
