//! A client's connection, shared by hyper and a fault that takes it over.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::server::TlsStream;

type Tls = TlsStream<TokioIo<Upgraded>>;

/// A socket, with or without TLS.
pub(crate) struct Wire {
    socket: Arc<TcpStream>,
    tls: Option<Mutex<Tls>>,
    ended: Notify,
}

impl Wire {
    pub(crate) fn plain(socket: TcpStream) -> Self {
        Self::new(Arc::new(socket), None)
    }

    /// A wire on which `tls` runs over `socket`.
    pub(crate) fn tls(socket: Arc<TcpStream>, tls: Tls) -> Self {
        Self::new(socket, Some(Mutex::new(tls)))
    }

    fn new(socket: Arc<TcpStream>, tls: Option<Mutex<Tls>>) -> Self {
        Self {
            socket,
            tls,
            ended: Notify::new(),
        }
    }

    pub(crate) fn socket(&self) -> Arc<TcpStream> {
        Arc::clone(&self.socket)
    }

    fn locked(&self) -> Option<MutexGuard<'_, Tls>> {
        self.tls
            .as_ref()
            .map(|tls| tls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the connection end with a reset when it is dropped. TLS sends no closing message,
    /// because the stream is not shut down.
    pub(crate) fn reset(&self) {
        // Without it the socket would end with FIN. It cannot fail on an open socket.
        let _ = self.socket.set_zero_linger();
        self.ended.notify_one();
    }

    /// Ends the connection. TLS sends its closing message.
    pub(crate) async fn close(&self) {
        // If the client has disconnected, the error has no effect.
        let _ = poll_fn(|cx| self.poll_shutdown(cx)).await;
        self.ended.notify_one();
    }

    /// Resolves when a fault has ended the connection.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }

    /// Writes `bytes` unchanged, bypassing hyper.
    pub(crate) async fn write_raw(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            bytes = &bytes[written..];
        }
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(mut tls) = self.locked() {
            return Pin::new(&mut *tls).poll_read(cx, buffer);
        }
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            match self.socket.try_read(buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(mut tls) = self.locked() {
            return Pin::new(&mut *tls).poll_write(cx, bytes);
        }
        loop {
            ready!(self.socket.poll_write_ready(cx))?;
            match self.socket.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.locked() {
            Some(mut tls) => Pin::new(&mut *tls).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Shuts down only TLS. The socket is closed when its last owner drops it, so that no FIN
    /// precedes a reset.
    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.locked() {
            Some(mut tls) => Pin::new(&mut *tls).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

/// The half that hyper drives. A fault writes to the same wire directly.
pub(crate) struct SharedStream(pub(crate) Arc<Wire>);

impl AsyncRead for SharedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read(cx, buffer)
    }
}

impl AsyncWrite for SharedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}
