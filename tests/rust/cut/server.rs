//! A server that responds to the requests of one operation by a script, and stops at one stage of
//! one of them.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::sync::CancellationToken;

/// The stage of a request at which the operation is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The handshake of its connection is not answered.
    Connecting,
    /// Its connection is accepted and never read.
    Sending,
    /// The whole request is read, and no response is sent.
    Waiting,
    /// The head and half of the body are sent, and no more.
    Reading,
}

impl Stage {
    pub(crate) const ALL: [Stage; 4] = [
        Stage::Connecting,
        Stage::Sending,
        Stage::Waiting,
        Stage::Reading,
    ];
}

/// The response to a request, or to a message over a WebSocket.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Http {
        status: u16,
        headers: String,
        body: String,
    },
    /// Accepts a WebSocket.
    Upgrade,
    /// Messages in response to one message.
    Messages(Vec<Message>),
}

struct Shared {
    address: SocketAddr,
    script: Vec<Reply>,
    hold: usize,
    stage: Stage,
    /// The operation waits for a job, so the request that cancels the job is not part of the
    /// script.
    job: bool,
    arrived: AtomicUsize,
    /// The request is at its stage.
    held: AtomicBool,
    /// The client closed the connection of the held request.
    closed: AtomicBool,
    /// The client's port of that connection.
    peer: AtomicU16,
    open: AtomicUsize,
    cancels: AtomicUsize,
    /// Stop accepting connections …
    pause: CancellationToken,
    /// … and no further connection can be made.
    full: CancellationToken,
    released: CancellationToken,
    /// Lets the held request go on, and none after it.
    pass: Notify,
    stop: CancellationToken,
}

/// The servers' runtime: one thread for all of them, which exists before threads are counted.
static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    let builder = &mut tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(1)
        .thread_name("hostile")
        .enable_all()
        .build()
        .unwrap()
});

pub(crate) fn prepare() {
    LazyLock::force(&RUNTIME);
}

pub(crate) struct Server(Arc<Shared>);

impl Server {
    pub(crate) fn start(script: Vec<Reply>, hold: usize, stage: Stage, job: bool) -> Self {
        let listener = RUNTIME.block_on(async {
            let socket = TcpSocket::new_v4().unwrap();
            // Otherwise the system may buffer tens of megabytes for a server that reads nothing.
            socket.set_recv_buffer_size(64 << 10).unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            socket.listen(64).unwrap()
        });
        let shared = Arc::new(Shared {
            address: listener.local_addr().unwrap(),
            script,
            hold,
            stage,
            job,
            arrived: AtomicUsize::new(0),
            held: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            peer: AtomicU16::new(0),
            open: AtomicUsize::new(0),
            cancels: AtomicUsize::new(0),
            pause: CancellationToken::new(),
            full: CancellationToken::new(),
            released: CancellationToken::new(),
            pass: Notify::new(),
            stop: CancellationToken::new(),
        });
        if hold == 0 && stage == Stage::Connecting {
            shared.pause.cancel();
        }
        RUNTIME.spawn(serve(listener, shared.clone()));
        if hold == 0 && stage == Stage::Connecting {
            RUNTIME.block_on(shared.full.cancelled());
        }
        Server(shared)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Whether the request is at its stage. `connecting` are the ports to which connections are
    /// being made.
    pub(crate) fn is_reached(&self, connecting: &[u16]) -> bool {
        match self.0.stage {
            Stage::Connecting => {
                self.0.full.is_cancelled() && connecting.contains(&self.0.address.port())
            }
            _ => self.0.held.load(SeqCst),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.closed.load(SeqCst)
    }

    /// Whether the client closed that connection. The server cannot see that while it does not read
    /// the bytes that were sent before.
    pub(crate) fn is_left(&self) -> bool {
        const ESTABLISHED: &str = "01";
        let ports = (self.0.peer.load(SeqCst), self.0.address.port());
        !connections(ESTABLISHED).contains(&ports)
    }

    /// The number of complete requests, without cancellations of jobs.
    pub(crate) fn arrived(&self) -> usize {
        self.0.arrived.load(SeqCst)
    }

    /// The number of connections that the client has not closed.
    pub(crate) fn open(&self) -> usize {
        self.0.open.load(SeqCst)
    }

    /// The number of times that a job was cancelled after the cut.
    pub(crate) fn cancels(&self) -> usize {
        self.0.cancels.load(SeqCst)
    }

    /// Whether every request of the script has arrived.
    pub(crate) fn is_finished(&self) -> bool {
        self.arrived() >= self.0.script.len()
    }

    /// Restarts the script for another operation.
    pub(crate) fn again(&self) {
        self.0.arrived.store(0, SeqCst);
        self.0.held.store(false, SeqCst);
        self.0.closed.store(false, SeqCst);
        self.0.cancels.store(0, SeqCst);
    }

    /// Responds to the held request as if it had not been held.
    pub(crate) fn pass(&self) {
        self.0.pass.notify_waiters();
    }

    /// Stops holding the request, and responds as if it had not been held.
    pub(crate) fn release(&self) {
        self.0.released.cancel();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.stop.cancel();
    }
}

/// The ports on this machine to which connections are being made.
pub(crate) fn connecting() -> Vec<u16> {
    const SYN_SENT: &str = "02";
    connections(SYN_SENT)
        .into_iter()
        .map(|(_, to)| to)
        .collect()
}

/// The local and remote ports of this machine's sockets in a state.
fn connections(state: &str) -> Vec<(u16, u16)> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let lines = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let port =
        |address: &str| u16::from_str_radix(address.rsplit(':').next().unwrap(), 16).unwrap();
    lines
        .filter(|fields| fields[3] == state)
        .map(|fields| (port(fields[1]), port(fields[2])))
        .collect()
}

fn listen(listener: &TcpListener, backlog: i32) {
    // SAFETY: the descriptor belongs to the listener, and a second `listen` changes only the length
    // of the queue.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), backlog) }, 0);
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            () = shared.pause.cancelled(), if !shared.released.is_cancelled() => {
                // A queue of length 0 takes one connection, and no further handshake is answered.
                listen(&listener, 0);
                let filler = TcpStream::connect(shared.address).await.unwrap();
                shared.full.cancel();
                tokio::select! {
                    () = shared.released.cancelled() => {}
                    () = shared.stop.cancelled() => return,
                }
                drop(filler);
                listen(&listener, 64);
            }
            accepted = listener.accept() => {
                let (stream, _) = accepted.unwrap();
                let shared = shared.clone();
                tokio::spawn(async move {
                    shared.open.fetch_add(1, SeqCst);
                    tokio::select! {
                        _ = http(stream, &shared) => {}
                        () = shared.stop.cancelled() => {}
                    }
                    shared.open.fetch_sub(1, SeqCst);
                });
            }
        }
    }
}

/// The connection has ended.
struct Gone;

impl From<std::io::Error> for Gone {
    fn from(_: std::io::Error) -> Self {
        Gone
    }
}

impl Shared {
    /// Registers a request and returns its place in the script.
    fn arrive(&self) -> usize {
        self.arrived.fetch_add(1, SeqCst)
    }

    fn holds(&self, place: usize, stage: Stage) -> bool {
        (place, stage) == (self.hold, self.stage)
    }

    /// Blocks until the server is released or the client closes the connection.
    async fn hold(&self, stream: &TcpStream) -> Result<(), Gone> {
        self.peer.store(stream.peer_addr()?.port(), SeqCst);
        self.held.store(true, SeqCst);
        let gone = async {
            while !stream
                .ready(Interest::READABLE)
                .await
                .is_ok_and(|ready| ready.is_read_closed())
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            () = self.released.cancelled() => Ok(()),
            () = self.pass.notified() => Ok(()),
            () = gone => {
                self.closed.store(true, SeqCst);
                Err(Gone)
            }
        }
    }
}

async fn http(mut stream: TcpStream, shared: &Shared) -> Result<(), Gone> {
    loop {
        if stream.peek(&mut [0]).await? == 0 {
            return Err(Gone);
        }
        // Its place is known before it is read, because an operation sends its requests one after
        // the other.
        if shared.holds(shared.arrived.load(SeqCst), Stage::Sending) && !shared.held.load(SeqCst) {
            shared.hold(&stream).await?;
        }
        let read = request(&mut stream).await;
        if read.is_err() && shared.held.load(SeqCst) {
            shared.closed.store(true, SeqCst);
        }
        let head = read?;
        if shared.job && head.starts_with("PUT ") && head.contains("/cancel HTTP") {
            shared.cancels.fetch_add(1, SeqCst);
            answer(
                &mut stream,
                202,
                "",
                "{\"status\":\"CANCELLATION_REQUESTED\"}",
            )
            .await?;
            continue;
        }
        let place = shared.arrive();
        if shared.holds(place, Stage::Waiting) {
            shared.hold(&stream).await?;
        }
        let last = shared.stage == Stage::Connecting && place + 1 == shared.hold;
        if last {
            shared.pause.cancel();
            shared.full.cancelled().await;
        }
        let text = match shared.script.get(place) {
            Some(Reply::Http {
                status,
                headers,
                body,
            }) => {
                let close = if last { "connection: close\r\n" } else { "" };
                whole(*status, &format!("{headers}{close}"), body)
            }
            Some(Reply::Upgrade) => upgraded(&head),
            Some(Reply::Messages(_)) => panic!("a request where a message was expected"),
            None => whole(200, "content-type: application/json\r\n", "{}"),
        };
        if shared.holds(place, Stage::Reading) {
            // For a handshake, half of the head.
            let half = text.find("\r\n\r\n").filter(|head| head + 5 < text.len());
            let half = half.map_or(text.len() / 2, |head| {
                head + 4 + (text.len() - head - 4) / 2
            });
            stream.write_all(&text.as_bytes()[..half]).await?;
            shared.hold(&stream).await?;
            stream.write_all(&text.as_bytes()[half..]).await?;
        } else {
            stream.write_all(text.as_bytes()).await?;
        }
        if last {
            return Ok(());
        }
        if matches!(shared.script.get(place), Some(Reply::Upgrade)) {
            return messages(stream, shared).await;
        }
    }
}

async fn answer(
    stream: &mut TcpStream,
    status: u16,
    headers: &str,
    body: &str,
) -> Result<(), Gone> {
    stream
        .write_all(whole(status, headers, body).as_bytes())
        .await?;
    Ok(())
}

fn whole(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn upgraded(head: &str) -> String {
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("sec-websocket-key: "))
        .unwrap()
        .trim();
    let accept = derive_accept_key(key.as_bytes());
    let headers =
        format!("connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}");
    format!("HTTP/1.1 101 x\r\n{headers}\r\n\r\n")
}

/// Reads a request with its body, and returns its head.
async fn request(stream: &mut TcpStream) -> Result<String, Gone> {
    let mut bytes = Vec::new();
    let (head, mut rest) = loop {
        more(stream, &mut bytes).await?;
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            break (String::from_utf8(bytes).unwrap(), rest);
        }
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map(|n| n.parse().unwrap());
    match length {
        Some(length) => {
            let mut got: usize = rest.len();
            while got < length {
                rest.clear();
                more(stream, &mut rest).await?;
                got += rest.len();
            }
        }
        None if head.contains("transfer-encoding: chunked") => {
            while !rest.ends_with(b"0\r\n\r\n") {
                let keep = rest.len().saturating_sub(8);
                rest.drain(..keep);
                more(stream, &mut rest).await?;
            }
        }
        None => {}
    }
    Ok(head)
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<(), Gone> {
    bytes.reserve(256 << 10);
    if stream.read_buf(bytes).await? == 0 {
        Err(Gone)
    } else {
        Ok(())
    }
}

fn socket_of(stream: TcpStream) -> impl Future<Output = WebSocketStream<TcpStream>> {
    let config = WebSocketConfig::default()
        .max_message_size(None)
        .max_frame_size(None);
    WebSocketStream::from_raw_socket(stream, Role::Server, Some(config))
}

async fn messages(stream: TcpStream, shared: &Shared) -> Result<(), Gone> {
    let mut socket = socket_of(stream).await;
    loop {
        let place = shared.arrived.load(SeqCst);
        let Some(Reply::Messages(replies)) = shared.script.get(place) else {
            // The client closes the connection.
            while let Some(Ok(_)) = socket.next().await {}
            return Ok(());
        };
        if shared.holds(place, Stage::Sending) {
            socket.get_ref().readable().await?;
            shared.hold(socket.get_ref()).await?;
        }
        match socket.next().await {
            Some(Ok(Message::Text(_) | Message::Binary(_))) => {}
            Some(Ok(_)) => continue,
            Some(Err(_)) | None => {
                shared.closed.store(true, SeqCst);
                return Err(Gone);
            }
        }
        if shared.holds(place, Stage::Waiting) {
            shared.hold(socket.get_ref()).await?;
        }
        if shared.holds(place, Stage::Reading) {
            let bytes: Vec<u8> = replies.iter().flat_map(frame).collect();
            let half = bytes.len() - 3;
            let mut stream = socket.into_inner();
            stream.write_all(&bytes[..half]).await?;
            shared.hold(&stream).await?;
            stream.write_all(&bytes[half..]).await?;
            socket = socket_of(stream).await;
        } else {
            for reply in replies {
                socket.send(reply.clone()).await.map_err(|_| Gone)?;
            }
        }
        shared.arrive();
    }
}

/// A short message as a frame.
fn frame(message: &Message) -> Vec<u8> {
    let kind = if message.is_text() { 0x81 } else { 0x82 };
    let data = message.clone().into_data();
    assert!((4..126).contains(&data.len()));
    [&[kind, u8::try_from(data.len()).unwrap()], &data[..]].concat()
}
