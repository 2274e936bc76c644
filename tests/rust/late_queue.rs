//! A queue that answers a submission when a test lets it.

#![allow(clippy::unwrap_used)]
#![allow(dead_code, reason = "each program takes what it needs")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(5);

pub(crate) struct LateQueue(Arc<State>);

struct State {
    host: String,
    /// What a POST gets.
    answer: String,
    /// Whether the connection ends with the answer.
    ends: bool,
    heads: Mutex<Vec<String>>,
    released: AtomicBool,
    /// When the client closed the connection of a POST.
    left: Mutex<Option<Instant>>,
}

/// A complete response of fal's.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nx-fal-request-id: r-1\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

/// The response to a submission that fal has accepted.
pub(crate) fn accepted() -> String {
    response("200 OK", "", r#"{"request_id": "r-1"}"#)
}

impl LateQueue {
    pub(crate) fn start(answer: impl Into<String>) -> Self {
        LateQueue::with(answer.into(), false)
    }

    /// Like `start`. The connection ends with the answer.
    pub(crate) fn ending(answer: impl Into<String>) -> Self {
        LateQueue::with(answer.into(), true)
    }

    fn with(answer: String, ends: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = Arc::new(State {
            host: listener.local_addr().unwrap().to_string(),
            answer,
            ends,
            heads: Mutex::default(),
            released: AtomicBool::new(false),
            left: Mutex::default(),
        });
        let shared = state.clone();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (connection, state) = (connection.unwrap(), shared.clone());
                thread::spawn(move || serve(connection, &state));
            }
        });
        LateQueue(state)
    }

    pub(crate) fn host(&self) -> String {
        self.0.host.clone()
    }

    /// Lets submissions be answered.
    pub(crate) fn release(&self) {
        self.0.released.store(true, SeqCst);
    }

    /// The heads of the requests with this method.
    pub(crate) fn heads(&self, method: &str) -> Vec<String> {
        let heads = self.0.heads.lock().unwrap();
        let with_method = heads.iter().filter(|head| head.starts_with(method));
        with_method.cloned().collect()
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, method: &str, patience: Duration) {
        let end = Instant::now() + patience;
        while self.heads(method).is_empty() {
            assert!(Instant::now() < end, "no {method} arrives");
            thread::sleep(PAUSE);
        }
    }

    /// Waits until the client has closed the connection of a POST, and returns when it did.
    #[track_caller]
    pub(crate) fn wait_until_left(&self, patience: Duration) -> Instant {
        let end = Instant::now() + patience;
        loop {
            if let Some(left) = *self.left() {
                return left;
            }
            assert!(Instant::now() < end, "the connection stays open");
            thread::sleep(PAUSE);
        }
    }

    pub(crate) fn is_left(&self) -> bool {
        self.left().is_some()
    }

    fn left(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.left.lock().unwrap()
    }
}

fn serve(mut connection: TcpStream, state: &State) {
    connection.set_read_timeout(Some(PAUSE)).unwrap();
    let mut has_submission = false;
    while let Some(head) = request(&mut connection) {
        let is_post = head.starts_with("POST");
        has_submission |= is_post;
        state.heads.lock().unwrap().push(head);
        if !is_post {
            let answer = response(
                "202 Accepted",
                "",
                r#"{"status": "CANCELLATION_REQUESTED"}"#,
            );
            let _ = connection.write_all(answer.as_bytes());
            continue;
        }
        while !state.released.load(SeqCst) && !is_closed(&connection) {
            thread::sleep(PAUSE);
        }
        // Some answers end before their end.
        let _ = connection.write_all(state.answer.as_bytes());
        if state.ends {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
    if has_submission {
        *state.left.lock().unwrap() = Some(Instant::now());
    }
}

fn is_closed(connection: &TcpStream) -> bool {
    match connection.peek(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => !is_early(&error),
    }
}

fn is_early(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

/// Reads a request, and returns its head. `None` at the end of the connection.
fn request(connection: &mut TcpStream) -> Option<String> {
    let mut seen = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match connection.read(&mut piece) {
            Ok(0) => return None,
            Ok(read) => seen.extend_from_slice(&piece[..read]),
            Err(error) if is_early(&error) => {}
            Err(_) => return None,
        }
        let text = String::from_utf8_lossy(&seen);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= length(head)
        {
            return Some(head.to_owned());
        }
    }
}

fn length(head: &str) -> usize {
    let mut lengths = head.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().unwrap())
    });
    lengths.next().unwrap_or(0)
}
