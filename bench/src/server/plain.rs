//! HTTP/1.1 with keep-alive, over TCP or TLS. It reads requests by hand on one thread, because the
//! server must cost less than every client that it measures.

use std::collections::HashMap;
use std::io::Result;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::jobs::Jobs;
use crate::request::{Asked, Head};
use crate::{ID, accept, body};

const PIECE: usize = 256 << 10;
static PIECES: [u8; PIECE] = [b'x'; PIECE];
const URLS: &str = r#"{"upload_url":"https://v3b.fal.media/stored/file","file_url":"https://v3b.fal.media/files/file"}"#;

/// What all connections share.
#[derive(Default)]
pub(crate) struct Shared {
    /// The answers to runs, by the size of their bodies.
    runs: Mutex<HashMap<usize, Bytes>>,
    jobs: Jobs,
}

pub(crate) async fn serve(listener: &TcpListener) {
    let shared: Arc<Shared> = Arc::default();
    loop {
        let stream = accept(listener).await;
        let shared = shared.clone();
        tokio::spawn(async move {
            // A client may close its connections at any time.
            let _ = connection(stream, &shared).await;
        });
    }
}

pub(crate) async fn connection(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    shared: &Shared,
) -> Result<()> {
    let (mut buffer, mut used) = (vec![0; PIECE], 0);
    loop {
        // The head, and as much of the body as came with it.
        let end = loop {
            if let Some(end) = buffer[..used].windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut buffer[used..]).await? {
                0 => return Ok(()),
                read => used += read,
            }
        };
        let head = Head::parse(&buffer[..end]);
        if head.waits {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let mut left = (end + head.length).saturating_sub(used);
        let surplus = used.saturating_sub(end + head.length);
        buffer.copy_within(used - surplus..used, 0);
        used = surplus;
        while left > 0 {
            let most = left.min(buffer.len());
            match stream.read(&mut buffer[..most]).await? {
                0 => return Ok(()),
                read => left -= read,
            }
        }
        match head.asked {
            Asked::Run(size) => {
                let answer = shared.run(size);
                stream.write_all(&answer).await?;
            }
            Asked::File(size) => file(&mut stream, size).await?,
            Asked::Announcement => stream.write_all(&json(URLS)).await?,
            Asked::Receipt => stream.write_all(&json("{}")).await?,
            Asked::Job {
                is_endless,
                path,
                host,
            } => {
                let jobs = &shared.jobs;
                jobs.answer(&mut stream, is_endless, &path, &host).await?;
            }
        }
        stream.flush().await?;
    }
}

impl Shared {
    fn run(&self, size: usize) -> Bytes {
        let mut runs = self.runs.lock().expect("a lock");
        let answer = runs
            .entry(size)
            .or_insert_with(|| json(std::str::from_utf8(&body(size)).expect("a text")));
        answer.clone()
    }
}

async fn file(stream: &mut (impl AsyncWrite + Unpin), size: usize) -> Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: {size}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut left = size;
    while left > 0 {
        let most = left.min(PIECE);
        stream.write_all(&PIECES[..most]).await?;
        left -= most;
    }
    Ok(())
}

/// A response with this body.
pub(crate) fn json(body: &str) -> Bytes {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nx-fal-request-id: {ID}\r\netag: \"x\"\r\n\r\n",
        body.len()
    );
    [head, body.to_owned()].concat().into()
}
