//! The host's own server, which receives webhooks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One delivery, as received.
pub(crate) struct Delivery {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Receives deliveries until the process ends.
pub(crate) struct Receiver {
    address: SocketAddr,
    deliveries: Arc<Mutex<Vec<Delivery>>>,
}

impl Delivery {
    pub(crate) fn signed_at(&self) -> Option<u64> {
        let named =
            |(name, _): &&(String, String)| name.eq_ignore_ascii_case("x-fal-webhook-timestamp");
        self.headers.iter().find(named)?.1.parse().ok()
    }
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let deliveries = Arc::new(Mutex::new(Vec::new()));
        let taken = deliveries.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if let Some(delivery) = read(connection) {
                    let mut taken = taken.lock().unwrap();
                    // Keeps only the newest, because memory is checked for leaks.
                    if taken.len() < 64 {
                        taken.push(delivery);
                    }
                }
            }
        });
        Receiver {
            address,
            deliveries,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn take(&self) -> Option<Delivery> {
        self.deliveries.lock().unwrap().pop()
    }

    pub(crate) fn forget(&self) {
        *self.deliveries.lock().unwrap() = Vec::new();
    }
}

fn read(connection: TcpStream) -> Option<Delivery> {
    connection
        .set_read_timeout(Some(Duration::from_secs(5)))
        .ok()?;
    let mut reader = BufReader::new(&connection);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.trim().split_once(": ") {
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?
        .1
        .parse()
        .ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    (&connection)
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .ok()?;
    Some(Delivery { headers, body })
}
