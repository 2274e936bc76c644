//! The emulator as a value that runs until it is dropped.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;

use crate::apps::{self, Endpoint, Mistake};
use crate::arrivals::Arrival;
use crate::cassettes::{Cassettes, Recorder, Recording, RecordingReport, Replay, Replaying};
use crate::current::Current;
use crate::faults::Fault;
use crate::keys::Scope;
use crate::logins::Login;
use crate::platform::{self, Seed};
use crate::server;
use crate::settings::Settings;
use crate::sockets::MessageCounts;
use crate::state::State;
use crate::storage::{self, StoredFile, UploadRecord};
use crate::unknown::UnknownRequest;
use crate::webhooks::WebhookDelivery;

/// The account that owns the emulator's first keys and its private app.
pub const DEFAULT_ACCOUNT: &str = "acme";

/// Configures an [`Emulator`] before it starts.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    port: u16,
    settings: Settings,
    recording: Option<Recording>,
    replaying: Option<Replaying>,
    /// The endpoints that the user has defined.
    defined: Vec<Arc<Endpoint>>,
}

impl Builder {
    /// Sets the port of 127.0.0.1 to listen on. The default, 0, chooses a free port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the initial settings.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Defines endpoints by a text in TOML, which the README describes. One with the id of an earlier
    /// or built-in endpoint replaces it.
    ///
    /// # Errors
    /// The first mistake in the text.
    pub fn define(mut self, toml: &str) -> Result<Self, Mistake> {
        self.defined
            .extend(apps::read(toml)?.into_iter().map(Arc::new));
        Ok(self)
    }

    /// Defines endpoints by a description in OpenAPI, in the form that fal serves.
    ///
    /// # Errors
    /// The first mistake in the text.
    pub fn define_openapi(mut self, json: &str) -> Result<Self, Mistake> {
        self.defined
            .extend(apps::read_openapi(json)?.into_iter().map(Arc::new));
        Ok(self)
    }

    /// Passes all requests on and records what is answered.
    pub fn record(mut self, recording: Recording) -> Self {
        self.recording = Some(recording);
        self
    }

    /// Answers from recordings. No other model answers, except those that the user defines.
    pub fn replay(mut self, replaying: Replaying) -> Self {
        self.replaying = Some(replaying);
        self
    }

    /// Starts the emulator on a thread of its own.
    ///
    /// # Errors
    /// The port is in use, the system cannot provide a socket or a thread, or the recordings cannot be
    /// read or written.
    pub fn start(self) -> io::Result<Emulator> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let cassettes = Cassettes {
            recorder: self
                .recording
                .as_ref()
                .map(Recorder::new)
                .transpose()?
                .map(Arc::new),
            replay: self
                .replaying
                .as_ref()
                .map(Replay::new)
                .transpose()?
                .map(Arc::new),
        };
        let state = State::new(self.settings, self.defined, cassettes, address)?;
        let first_keys = Arc::clone(&state.first_keys);
        let current = Arc::new(Current::new(state));
        let (stop, stopped) = oneshot::channel();
        let (report, reported) = mpsc::channel();
        let served = Arc::clone(&current);
        let thread = std::thread::Builder::new()
            .name("fal-emulator".into())
            .spawn(move || run(listener, served, stopped, &report))?;
        let emulator = Emulator {
            address,
            ca_pem: current.state().authority.pem().to_owned(),
            current,
            api_key: first_keys.api.full(),
            admin_key: first_keys.admin.full(),
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
    current: Arc<Current>,
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
        current.dispatch();
        tokio::select! {
            _ = stopped => {}
            never = server::serve(listener, current) => match never {},
        }
    });
}

/// A running emulator. Dropping it closes its port and connections and joins its threads.
pub struct Emulator {
    address: SocketAddr,
    current: Arc<Current>,
    ca_pem: String,
    api_key: String,
    admin_key: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Starts the emulator on a free port with default settings.
    ///
    /// # Errors
    /// Those of [`Builder::start`].
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }

    /// Returns a builder, to set the port or the settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn state(&self) -> Arc<State> {
        self.current.state()
    }

    /// Returns the address that the emulator listens on.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns `127.0.0.1:PORT`, the value for `FAL_EMULATOR_HOST`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Returns a key, `id:secret`, of scope API and account [`DEFAULT_ACCOUNT`].
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Returns a key, `id:secret`, of scope ADMIN and account [`DEFAULT_ACCOUNT`].
    pub fn admin_key(&self) -> &str {
        &self.admin_key
    }

    /// Creates another key and returns it as `id:secret`.
    pub fn create_key(&self, scope: Scope, account: &str) -> String {
        self.state()
            .keys
            .create(scope, account, "test", self.state().clock.now())
            .full()
    }

    /// Creates many keys, billed requests and machines at once.
    pub fn seed(&self, seed: &Seed) {
        platform::sow(&self.state(), seed);
    }

    /// Defines endpoints until the next reset, as [`Builder::define`] does.
    ///
    /// # Errors
    /// The first mistake in the text. Then nothing is defined.
    pub fn define(&self, toml: &str) -> Result<(), Mistake> {
        self.state().apps.define(apps::read(toml)?);
        Ok(())
    }

    /// Defines endpoints until the next reset, as [`Builder::define_openapi`] does.
    ///
    /// # Errors
    /// The first mistake in the text. Then nothing is defined.
    pub fn define_openapi(&self, json: &str) -> Result<(), Mistake> {
        self.state().apps.define(apps::read_openapi(json)?);
        Ok(())
    }

    /// Revokes a key. Returns false if there is no key with this id.
    pub fn revoke_key(&self, id: &str) -> bool {
        self.state().keys.revoke(id)
    }

    /// Logs a user of `account` in and returns the tokens, as `fal auth login` receives them. The
    /// access token expires after `access_token_seconds`, as do those of renewals, unless the
    /// settings say otherwise.
    pub fn create_login(&self, account: &str, access_token_seconds: u64) -> Login {
        self.state()
            .logins
            .create(account, access_token_seconds, self.state().clock.now())
    }

    /// Adds a fault. If several faults match a request, the oldest applies.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.inject(fault);
    }

    /// Returns how often each kind of fault that is still present has applied, by the name of its
    /// action.
    pub fn struck(&self) -> BTreeMap<String, u64> {
        self.state().faults.struck()
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Returns the requests so far in order, at most the last
    /// [`KEPT_ARRIVALS`](crate::KEPT_ARRIVALS), without those of the control API.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.state().arrivals.all()
    }

    /// Removes all arrivals.
    pub fn clear_arrivals(&self) {
        self.state().arrivals.clear();
    }

    /// Blocks the thread until the heads of at least `count` requests have been read.
    ///
    /// # Errors
    /// `TimedOut` after `timeout`.
    pub fn wait_for_arrivals(&self, count: usize, timeout: Duration) -> io::Result<Vec<Arrival>> {
        self.wait_until(timeout, |arrivals| arrivals.len() >= count)
    }

    /// Blocks the thread until `enough` returns true for the arrivals. It is called after every
    /// change.
    ///
    /// # Errors
    /// `TimedOut` after `timeout`.
    pub fn wait_until(
        &self,
        timeout: Duration,
        enough: impl FnMut(&[Arrival]) -> bool,
    ) -> io::Result<Vec<Arrival>> {
        self.state().arrivals.wait_until(timeout, enough)
    }

    /// Returns the requests that the emulator has nothing for, of all sessions: endpoints, paths and
    /// hosts that it does not know. Resets keep them.
    pub fn unknown_requests(&self) -> Vec<UnknownRequest> {
        self.state().unknowns.all()
    }

    /// Returns the number of open connections, without those of the control API.
    pub fn open_connections(&self) -> usize {
        self.state().connections.count()
    }

    /// Returns the number of open WebSockets.
    pub fn open_websockets(&self) -> usize {
        self.state().sockets.count()
    }

    /// Ends all open WebSockets without a closing handshake, and returns their number.
    pub fn cut_websockets(&self) -> usize {
        self.state().sockets.cut()
    }

    /// Returns the number of messages on the WebSockets of each endpoint.
    pub fn websocket_messages(&self) -> BTreeMap<String, MessageCounts> {
        self.state().sockets.messages()
    }

    /// Returns the certificate, as PEM, that makes fal's names on this emulator trusted. Its
    /// authority belongs to this emulator and certifies only names of fal. Its private key stays in
    /// memory.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Returns how often `CONNECT` opened a tunnel to each of fal's names.
    pub fn connects(&self) -> BTreeMap<String, u64> {
        self.state().connects.accepted()
    }

    /// Returns how often `CONNECT` was refused: 407 for missing or wrong credentials, 403 for its
    /// target.
    pub fn refused_connects(&self) -> u64 {
        self.state().connects.refused()
    }

    /// Returns how often each endpoint ran.
    pub fn executions(&self) -> BTreeMap<String, u64> {
        self.state().executions.all()
    }

    /// Advances the emulator's clock, which otherwise follows real time. Everything that is due by
    /// the new time happens at once: jobs, deadlines, the expiry of tokens and results, retries of
    /// webhooks. The pauses of faults follow real time.
    pub fn advance(&self, by: Duration) {
        self.state().clock.advance(by);
    }

    /// Returns the emulator's time.
    pub fn now(&self) -> SystemTime {
        self.state().clock.now()
    }

    /// Returns the files that can be downloaded, oldest first.
    pub fn files(&self) -> Vec<StoredFile> {
        storage::file_records(&self.state())
    }

    /// Returns the uploads in the order in which they started, including finished ones. Direct
    /// uploads (one POST with a CDN token) are not listed.
    pub fn uploads(&self) -> Vec<UploadRecord> {
        storage::upload_records(&self.state())
    }

    /// Returns the webhooks of finished requests, in the order in which the requests finished.
    pub fn webhooks(&self) -> Vec<WebhookDelivery> {
        self.state().webhooks.all()
    }

    /// Signs later webhooks with a new key. `keep_old` keeps the old keys in the key set.
    pub fn rotate_webhook_key(&self, keep_old: bool) {
        self.state().webhooks.signer.rotate(keep_old);
    }

    /// Returns what was recorded so far; `None` if the emulator does not record.
    pub fn recording_report(&self) -> Option<RecordingReport> {
        let recorder = self.state().cassettes.recorder.clone();
        recorder.map(|recorder| recorder.report())
    }

    /// Returns the current settings.
    pub fn settings(&self) -> Settings {
        self.state().settings()
    }

    /// Replaces all settings, effective from the next request.
    pub fn set(&self, settings: Settings) {
        self.state().set(settings);
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread was reported there.
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
        let state = Arc::downgrade(&emulator.current.state());
        assert!(state.strong_count() > 1);
        drop(emulator);
        assert_eq!(state.strong_count(), 0);
    }
}
