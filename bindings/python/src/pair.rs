//! Two connected sockets that neither block nor outlive an `exec`.

use std::io::{self, Read, Write};

#[cfg(unix)]
use std::os::unix::net::UnixStream as Stream;

#[cfg(windows)]
use std::net::TcpStream as Stream;

pub(crate) struct Pair {
    read: Stream,
    write: Stream,
}

impl Pair {
    pub(crate) fn new() -> io::Result<Self> {
        let (read, write) = connected()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        Ok(Pair { read, write })
    }

    /// Returns the descriptor of the end that is read.
    pub(crate) fn fileno(&self) -> i64 {
        #[cfg(unix)]
        let number = std::os::fd::AsRawFd::as_raw_fd(&self.read).into();
        #[cfg(windows)]
        let number = std::os::windows::io::AsRawSocket::as_raw_socket(&self.read) as i64;
        number
    }

    /// Writes a byte, and returns whether the other end is readable. It is readable already if there
    /// is no space for the byte.
    pub(crate) fn write(&self) -> bool {
        match (&self.write).write_all(&[1]) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    pub(crate) fn drain(&self) {
        let mut bytes = [0; 64];
        while let Ok(64) = (&self.read).read(&mut bytes) {}
    }
}

#[cfg(unix)]
fn connected() -> io::Result<(Stream, Stream)> {
    Stream::pair()
}

/// Windows has no such pair. Another program may connect first, so the addresses are compared.
#[cfg(windows)]
fn connected() -> io::Result<(Stream, Stream)> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let write = Stream::connect(listener.local_addr()?)?;
    let (read, from) = listener.accept()?;
    if from != write.local_addr()? {
        return Err(io::Error::other("another program connected"));
    }
    write.set_nodelay(true)?;
    Ok((read, write))
}
