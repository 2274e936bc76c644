//! The server of the benchmarks: answers what the programs of `c/`, `python/` and `peer.rs` ask.
//!
//! `bench-server [--tls FOLDER PROTOCOL]` prints its port and serves until its standard input ends.
//! With `--tls` it speaks TLS with PROTOCOL only, `http/1.1` or `h2`, and writes its authority's
//! certificate to `FOLDER/ca.pem`.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program of its own, which ends at the first surprise"
)]

mod jobs;
mod plain;
mod request;
mod tls;

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const ID: &str = "00000000-0000-4000-8000-000000000000";
/// More connections than any part of the benchmark opens at once.
const BACKLOG: u32 = 8192;

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
        let listener = listener();
        let port = listener.local_addr().expect("an address").port();
        match arguments.as_slice() {
            [flag, folder, protocol] if flag == "--tls" => {
                let acceptor = tls::acceptor(Path::new(folder), protocol);
                println!("{port}");
                tls::serve(&listener, &acceptor).await;
            }
            _ => {
                println!("{port}");
                plain::serve(&listener).await;
            }
        }
    });
}

fn listener() -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    let address = "127.0.0.1:0".parse().expect("an address");
    socket.bind(address).expect("a port");
    socket.listen(BACKLOG).expect("a listener")
}

/// The next connection. A client may give one up before it is accepted, and open files may run out
/// until others end.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Fails only if the client has closed the connection.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
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
