//! `CONNECT host:443`: its credentials, its target, and the connection inside.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderValue, PROXY_AUTHENTICATE};
use hyper::upgrade::OnUpgrade;
use hyper::{StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::answer::Answer;
use crate::connections::Connection;
use crate::current::Current;
use crate::server;
use crate::state::State;
use crate::stream::Wire;
use crate::unknown::UNKNOWN;

/// Hosts of fal (docs/protocol.md §1.1) that the emulator does not serve: 421, through a tunnel
/// too.
const OTHERS: [&str; 4] = ["fal.ai", "kv.fal.media", "mcp.fal.ai", "wma.fal.run"];

/// The timeout of the TLS handshake.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Counts {
    accepted: BTreeMap<String, u64>,
    refused: u64,
}

/// The number of connections to each name.
#[derive(Default)]
pub(crate) struct Connects(Mutex<Counts>);

impl Connects {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn accepted(&self) -> BTreeMap<String, u64> {
        self.counts().accepted.clone()
    }

    pub(crate) fn refused(&self) -> u64 {
        self.counts().refused
    }

    pub(crate) fn to_json(&self) -> Value {
        let counts = self.counts();
        json!({ "accepted": counts.accepted, "refused": counts.refused })
    }
}

/// Where a `CONNECT` leads.
pub(crate) enum Target {
    /// To one of fal's names, which the emulator serves.
    Fal(&'static str),
    /// To another host, which a recorded program reaches.
    Other,
}

/// Where a `CONNECT` leads, or the response that refuses it. Counts both.
pub(crate) fn admit(state: &State, target: &Uri, headers: &HeaderMap) -> Result<Target, Answer> {
    let allowed = allowed(state, target, headers);
    let mut counts = state.connects.counts();
    match &allowed {
        Ok(Target::Fal(name)) => *counts.accepted.entry((*name).to_owned()).or_default() += 1,
        Ok(Target::Other) => {
            let host = target.host().unwrap_or_default();
            *counts.accepted.entry(host.to_owned()).or_default() += 1;
        }
        Err(answer) => {
            counts.refused += 1;
            if answer.headers.contains_key(UNKNOWN) {
                state.unknown(
                    "CONNECT",
                    target.host().unwrap_or_default(),
                    "",
                    answer,
                    headers,
                );
            }
        }
    }
    allowed
}

fn allowed(state: &State, target: &Uri, headers: &HeaderMap) -> Result<Target, Answer> {
    if state
        .settings()
        .proxy_credentials
        .is_some_and(|credentials| !credentials.come_with(headers))
    {
        let answer = Answer::detail(
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            "fal-emulator: proxy credentials required",
        );
        let challenge = HeaderValue::from_static("Basic realm=\"fal-emulator\"");
        return Err(answer.header(PROXY_AUTHENTICATE.as_str(), challenge));
    }
    let host = target.host().unwrap_or_default();
    let mut names = server::HOSTS.iter().map(|(name, _)| *name).chain(OTHERS);
    let name = names.find(|name| name.eq_ignore_ascii_case(host));
    match name {
        Some(name) if target.port_u16() == Some(443) => Ok(Target::Fal(name)),
        None if state.cassettes.recorder.is_some() => Ok(Target::Other),
        _ => {
            let detail = "fal-emulator connects only to port 443 of fal's hosts";
            Err(Answer::detail(StatusCode::FORBIDDEN, detail).unknown("no such host"))
        }
    }
}

/// Serves TLS as `name` on a connection after the 200 to its `CONNECT`.
pub(crate) async fn open(
    upgrade: OnUpgrade,
    name: &'static str,
    socket: Arc<TcpStream>,
    current: Arc<Current>,
    connection: Arc<Connection>,
) -> io::Result<()> {
    let upgraded = upgrade.await.map_err(io::Error::other)?;
    let acceptor = TlsAcceptor::from(current.state().authority.server(name)?);
    // The handshake fails if the client does not trust the certificate or has disconnected. There
    // is nothing to report.
    let stream = tokio::time::timeout(PATIENCE, acceptor.accept(TokioIo::new(upgraded))).await??;
    server::serve_wire(Wire::tls(socket, stream), Some(name), current, connection).await;
    Ok(())
}
