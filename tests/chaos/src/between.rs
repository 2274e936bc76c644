//! Faulty connections between the processes and the emulator: cut, delayed and corrupted at any
//! byte.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::dice::Dice;

/// Forwards connections to the emulator until it is dropped.
pub(crate) struct Between {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    connections: Arc<AtomicU64>,
}

/// The treatment of one direction of a connection.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Clean,
    /// Forwards pieces of this many bytes, with short pauses.
    Pieces(u64),
    /// Sends RST after this many bytes.
    Reset(u64),
    /// Sends FIN after this many bytes.
    End(u64),
    /// Sends random bytes after this many. Only in TLS, which detects it.
    Garbage(u64),
}

impl Between {
    pub(crate) fn start(to: SocketAddr, seed: u64, round: u64) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let connections = Arc::new(AtomicU64::new(0));
        let counter = connections.clone();
        let (ready, is_ready) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                ready.send(()).unwrap();
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, to, seed, round, counter) => {}
                }
            });
        });
        is_ready.recv().map_err(io::Error::other)?;
        Ok(Between {
            address,
            stop: Some(stop),
            thread: Some(thread),
            connections,
        })
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().map(JoinHandle::join);
    }
}

async fn accept(
    listener: TcpListener,
    to: SocketAddr,
    seed: u64,
    round: u64,
    counter: Arc<AtomicU64>,
) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // No descriptor is free; connections that end will free some.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let number = counter.fetch_add(1, Ordering::Relaxed);
        let mut dice = Dice::of(seed, &[round, 3, number]);
        let (up, down) = (fate(&mut dice), fate(&mut dice));
        let pause = if dice.percent(5) { dice.scaled(8) } else { 0 };
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            join(client, to, up, down).await;
        });
    }
}

fn fate(dice: &mut Dice) -> Fate {
    let bytes = dice.scaled(15);
    dice.weighed(&[
        (80, Fate::Clean),
        (6, Fate::Pieces(1 + bytes % 97)),
        (6, Fate::Reset(bytes)),
        (4, Fate::End(bytes)),
        (4, Fate::Garbage(bytes)),
    ])
}

async fn join(client: TcpStream, to: SocketAddr, up: Fate, down: Fate) {
    let Ok(server) = TcpStream::connect(to).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let mut first = [0; 8];
    let tls = client
        .peek(&mut first)
        .await
        .is_ok_and(|read| first[..read].starts_with(b"CONNECT"));
    let [up, down] = [up, down].map(|fate| match fate {
        Fate::Garbage(_) if !tls => Fate::Clean,
        Fate::Garbage(bytes) => Fate::Garbage(bytes + 1024),
        fate => fate,
    });
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let upwards = forward(from_client, to_server, up);
    let downwards = forward(from_server, to_client, down);
    tokio::pin!(upwards, downwards);
    // A reset closes both directions; a normal end only its own.
    let (reset, other) = tokio::select! {
        done = &mut upwards => (done, true),
        done = &mut downwards => (done, false),
    };
    if reset.is_ok() {
        let _ = if other {
            downwards.await
        } else {
            upwards.await
        };
    }
}

/// Forwards one direction to its end. Returns an error if the connection was reset.
async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, fate: Fate) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut left = match fate {
        Fate::Reset(bytes) | Fate::End(bytes) | Fate::Garbage(bytes) => bytes,
        Fate::Clean | Fate::Pieces(_) => u64::MAX,
    };
    loop {
        let room = match fate {
            Fate::Pieces(bytes) => bytes.min(buffer.len() as u64),
            _ => left.clamp(1, buffer.len() as u64),
        };
        let read = from
            .read(&mut buffer[..room as usize])
            .await
            .inspect_err(|_| reset(&to))?;
        if read == 0 {
            return to.shutdown().await;
        }
        if left == 0 {
            break;
        }
        to.write_all(&buffer[..read])
            .await
            .inspect_err(|_| reset_of(&from))?;
        left -= read as u64;
        if matches!(fate, Fate::Pieces(_)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if left == 0 && !matches!(fate, Fate::Garbage(_)) {
            break;
        }
    }
    match fate {
        Fate::End(_) => return to.shutdown().await,
        Fate::Garbage(_) => to.write_all(&[0xa5; 64]).await?,
        _ => {}
    }
    reset(&to);
    reset_of(&from);
    Err(io::ErrorKind::ConnectionReset.into())
}

fn reset(half: &OwnedWriteHalf) {
    let _ = half.as_ref().set_zero_linger();
}

fn reset_of(half: &OwnedReadHalf) {
    let _ = half.as_ref().set_zero_linger();
}
