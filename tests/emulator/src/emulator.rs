//! The emulator as a value: it runs as long as it lives.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;

use crate::arrivals::Arrival;
use crate::faults::Fault;
use crate::keys::Scope;
use crate::logins::Login;
use crate::platform::{self, Seed};
use crate::queue;
use crate::server;
use crate::settings::Settings;
use crate::sockets::MessageCounts;
use crate::state::State;
use crate::storage::{self, StoredFile, UploadRecord};
use crate::webhooks::WebhookDelivery;

/// The account that owns the emulator's first keys and its private app.
pub const DEFAULT_ACCOUNT: &str = "acme";

/// Choices before the start.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    port: u16,
    settings: Settings,
}

impl Builder {
    /// Listens on this port of 127.0.0.1; 0, the default, takes a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts with these settings.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Listens and serves, on a thread of its own.
    ///
    /// # Errors
    /// The port is taken, or the system gives no socket or thread.
    pub fn start(self) -> io::Result<Emulator> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(self.settings, address)?);
        let admin_key =
            state
                .keys
                .create(Scope::Admin, DEFAULT_ACCOUNT, "default", state.clock.now());
        let (stop, stopped) = oneshot::channel();
        let (report, reported) = mpsc::channel();
        let served = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("fal-emulator".into())
            .spawn(move || run(listener, served, stopped, &report))?;
        let emulator = Emulator {
            address,
            api_key: state.api_key.full(),
            state,
            admin_key: admin_key.full(),
            stop: Some(stop),
            thread: Some(thread),
        };
        match reported.recv() {
            Ok(Ok(())) => Ok(emulator),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::Error::other("the emulator's thread ended early")),
        }
    }
}

/// The server's thread: serves until it is stopped, then drops every connection.
fn run(
    listener: TcpListener,
    state: Arc<State>,
    stopped: oneshot::Receiver<()>,
    report: &mpsc::Sender<io::Result<()>>,
) {
    let started = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| {
            let guard = runtime.enter();
            let listener = tokio::net::TcpListener::from_std(listener)?;
            drop(guard);
            Ok((runtime, listener))
        });
    let (runtime, listener) = match started {
        Ok(started) => started,
        Err(error) => {
            let _ = report.send(Err(error));
            return;
        }
    };
    let _ = report.send(Ok(()));
    runtime.block_on(async {
        tokio::spawn(queue::dispatch(Arc::clone(&state)));
        tokio::select! {
            _ = stopped => {}
            never = server::serve(listener, state) => match never {},
        }
    });
}

/// A running emulator. Dropping it closes its port and connections and joins its threads.
pub struct Emulator {
    address: SocketAddr,
    state: Arc<State>,
    api_key: String,
    admin_key: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Starts on a free port with default settings.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }

    /// Choices before the start.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// `127.0.0.1:PORT`, the value of `FAL_EMULATOR_HOST`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// `id:secret` of scope API, of the account [`DEFAULT_ACCOUNT`].
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// `id:secret` of scope ADMIN, of the account [`DEFAULT_ACCOUNT`].
    pub fn admin_key(&self) -> &str {
        &self.admin_key
    }

    /// Makes another key and returns `id:secret`.
    pub fn create_key(&self, scope: Scope, account: &str) -> String {
        self.state
            .keys
            .create(scope, account, "test", self.state.clock.now())
            .full()
    }

    /// Makes much at once: keys, billed requests, machines.
    pub fn seed(&self, seed: &Seed) {
        platform::sow(&self.state, seed);
    }

    /// Revokes a key at once; false if there is none with this id.
    pub fn revoke_key(&self, id: &str) -> bool {
        self.state.keys.revoke(id)
    }

    /// A user of this account logs in: tokens as `fal auth login` gets them. The access token
    /// expires after so many seconds, as do those of renewals, unless the settings say otherwise.
    pub fn create_login(&self, account: &str, access_token_seconds: u64) -> Login {
        self.state
            .logins
            .create(account, access_token_seconds, self.state.clock.now())
    }

    /// Switches a fault on. Of several that match, the one injected first strikes.
    pub fn inject(&self, fault: Fault) {
        self.state.faults.inject(fault);
    }

    /// How often each kind of fault that is switched on has struck, by the name of its action.
    pub fn struck(&self) -> BTreeMap<String, u64> {
        self.state.faults.struck()
    }

    /// Switches all faults off.
    pub fn clear_faults(&self) {
        self.state.faults.clear();
    }

    /// Every request so far (the last [`KEPT_ARRIVALS`](crate::KEPT_ARRIVALS)), but for the control
    /// API's, in order.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.state.arrivals.all()
    }

    /// Forgets all arrivals.
    pub fn clear_arrivals(&self) {
        self.state.arrivals.clear();
    }

    /// Blocks the thread until at least `count` requests arrived (their heads, that is).
    ///
    /// # Errors
    /// `TimedOut`.
    pub fn wait_for_arrivals(&self, count: usize, timeout: Duration) -> io::Result<Vec<Arrival>> {
        self.wait_until(timeout, |arrivals| arrivals.len() >= count)
    }

    /// Blocks the thread until `enough` holds for the arrivals; it is asked after every change.
    ///
    /// # Errors
    /// `TimedOut`.
    pub fn wait_until(
        &self,
        timeout: Duration,
        enough: impl FnMut(&[Arrival]) -> bool,
    ) -> io::Result<Vec<Arrival>> {
        self.state.arrivals.wait_until(timeout, enough)
    }

    /// Connections that are open, apart from those of the control API.
    pub fn open_connections(&self) -> usize {
        self.state.connections.count()
    }

    /// WebSockets that are open.
    pub fn open_websockets(&self) -> usize {
        self.state.sockets.count()
    }

    /// Ends all WebSockets that are open, without a closing handshake; how many there were.
    pub fn cut_websockets(&self) -> usize {
        self.state.sockets.cut()
    }

    /// What went over the WebSockets of each endpoint.
    pub fn websocket_messages(&self) -> BTreeMap<String, MessageCounts> {
        self.state.sockets.messages()
    }

    /// The certificate, as PEM, that makes fal's names on this emulator trustworthy. Its authority
    /// is of this emulator, signs names of fal only, and its key never leaves memory.
    pub fn ca_pem(&self) -> &str {
        self.state.authority.pem()
    }

    /// How often `CONNECT` opened a tunnel to each of fal's names.
    pub fn connects(&self) -> BTreeMap<String, u64> {
        self.state.connects.accepted()
    }

    /// How often `CONNECT` was refused: 407 for its credentials, 403 for its target.
    pub fn refused_connects(&self) -> u64 {
        self.state.connects.refused()
    }

    /// How often each endpoint ran.
    pub fn executions(&self) -> BTreeMap<String, u64> {
        self.state.executions.all()
    }

    /// Lets time pass at once for everything that the emulator keeps time of: jobs, deadlines,
    /// tokens, stored results, pauses between webhooks. Not for the pauses of faults. Otherwise its
    /// time is real time.
    pub fn advance(&self, by: Duration) {
        self.state.clock.advance(by);
    }

    /// The emulator's time.
    pub fn now(&self) -> SystemTime {
        self.state.clock.now()
    }

    /// The files that can be fetched, oldest first.
    pub fn files(&self) -> Vec<StoredFile> {
        storage::file_records(&self.state)
    }

    /// Uploads in the order in which they began, finished ones too; direct ones (one POST with a
    /// CDN token) are no part.
    pub fn uploads(&self) -> Vec<UploadRecord> {
        storage::upload_records(&self.state)
    }

    /// The webhooks of finished requests, in the order in which these finished.
    pub fn webhooks(&self) -> Vec<WebhookDelivery> {
        self.state.webhooks.all()
    }

    /// Webhooks are signed with a new key from now on. The old ones stay in the key set, or not.
    pub fn rotate_webhook_key(&self, keep_old: bool) {
        self.state.webhooks.signer.rotate(keep_old);
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.state.settings()
    }

    /// Replaces all settings, from the next request on.
    pub fn set(&self, settings: Settings) {
        self.state.set(settings);
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there was reported there.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Emulator({})", self.address)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn nothing_outlives_a_dropped_emulator() {
        let emulator = Emulator::start().unwrap();
        let mut stream = TcpStream::connect(emulator.addr()).unwrap();
        let body = r#"{"ms":60000}"#;
        write!(
            stream,
            "POST /emulator/slow HTTP/1.1\r\nHost: fal.run\r\nAuthorization: Key {}\r\nContent-Length: {}\r\n\r\n{body}",
            emulator.api_key(),
            body.len(),
        )
        .unwrap();
        emulator
            .wait_until(Duration::from_secs(5), |arrivals| {
                arrivals.iter().any(|arrival| arrival.executed)
            })
            .unwrap();
        let state = Arc::downgrade(&emulator.state);
        assert!(state.strong_count() > 1);
        drop(emulator);
        assert_eq!(state.strong_count(), 0);
    }
}
