//! A credential that the host program delivers when it is asked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Credential, Token};
use crate::error::{Code, Error};
use crate::key::Key;
use crate::runtime::host_functions::{self, HostOwned};
use crate::secrets::Secrets;

/// How long the host may take to answer; a person may have to be asked.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

type Function = Box<dyn Fn(Answer) + Send + Sync>;

/// A function of the host that is asked for a credential when one is needed, on a thread that is
/// there for such functions. It gives its [`Answer`] at once, or keeps it and gives it later, from
/// any thread. It may take its time and use other clients than the one that asks, whose calls wait
/// for the answer.
#[derive(Clone)]
pub struct Callback(Arc<HostOwned<Function>>);

impl Callback {
    /// Wraps a function.
    pub fn new(function: impl Fn(Answer) + Send + Sync + 'static) -> Self {
        Callback(Arc::new(HostOwned::new(Box::new(function))))
    }

    /// Asks the host.
    pub(crate) async fn ask(&self) -> Result<Delivered, Undelivered> {
        let (sender, receiver) = oneshot::channel();
        let (answer, function) = (Answer::new(sender), self.0.clone());
        let asked = host_functions::call(host_functions::Kind::Credentials, move || {
            if let Some(function) = function.get() {
                function(answer);
            }
        });
        // The function first: what it is lent by the host is not used behind the end of the call.
        let answered = async move { asked.await.map(|()| receiver)?.await.map_err(|_| dropped()) };
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(delivered)) => delivered,
            Ok(Err(error)) => Err(error.message().to_owned().into()),
            Err(_) => {
                Err(format!("the program did not answer within {} s", PATIENCE.as_secs()).into())
            }
        }
    }
}

fn dropped() -> Error {
    Error::new(
        Code::CredentialsFailed,
        "the program dropped the question without an answer",
    )
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

/// A credential, and how long it is good for.
#[derive(Clone, Debug)]
pub(crate) struct Delivered {
    pub(crate) credential: Credential,
    pub(crate) expires_in: Option<Duration>,
    /// Remarks for the report, one sentence each.
    pub(crate) notes: Vec<String>,
    /// What was renewed and could not be stored, so that the next process needs another login.
    pub(crate) unsaved: Option<String>,
}

/// Why there is no credential, without a secret.
#[derive(Clone, Debug)]
pub(crate) enum Undelivered {
    /// There is none to be had, and nothing went wrong.
    Absent(String),
    /// Something went wrong.
    Failed(String),
}

impl Undelivered {
    /// The same without a secret in it.
    pub(crate) fn without(mut self, secrets: &Secrets) -> Self {
        let (Undelivered::Absent(reason) | Undelivered::Failed(reason)) = &mut self;
        secrets.hide(reason);
        self
    }
}

impl From<String> for Undelivered {
    fn from(reason: String) -> Self {
        Undelivered::Failed(reason)
    }
}

/// The place for the host's answer. Dropping it is an answer too: there is no credential.
pub struct Answer {
    pid: u32,
    sender: Option<oneshot::Sender<Result<Delivered, Undelivered>>>,
}

impl Answer {
    fn new(sender: oneshot::Sender<Result<Delivered, Undelivered>>) -> Self {
        Answer {
            pid: std::process::id(),
            sender: Some(sender),
        }
    }

    /// Gives a key, `id:secret`. After `expires_in` the host is asked again; `None`: never.
    ///
    /// # Errors
    ///
    /// What is given is not a key; the calls that wait for it fail with the same reason.
    pub fn key(self, text: &str, expires_in: Option<Duration>) -> Result<(), String> {
        let parsed = Key::parse(text)
            .map(|(key, _)| Credential::Key(key))
            .map_err(|problem| problem.to_string());
        self.give(parsed, expires_in)
    }

    /// Gives a short-lived token for some apps, as a server of the host's maker mints it.
    ///
    /// # Errors
    ///
    /// As for [`key`](Self::key).
    pub fn app_token(self, text: &str, expires_in: Option<Duration>) -> Result<(), String> {
        let parsed = Token::parse(text)
            .map(Credential::AppToken)
            .map_err(|problem| problem.to_string());
        self.give(parsed, expires_in)
    }

    /// Says why there is none. The reason becomes part of an error; it must hold no secret.
    pub fn fail(self, reason: &str) {
        self.send(Err(Undelivered::Failed(reason.to_owned())));
    }

    /// Says that a notebook has no key, and why, so that the next source is tried. For any other
    /// question it is a failure.
    pub fn absent(self, reason: &str) {
        self.send(Err(Undelivered::Absent(reason.to_owned())));
    }

    fn give(
        self,
        parsed: Result<Credential, String>,
        expires_in: Option<Duration>,
    ) -> Result<(), String> {
        let told = parsed.as_ref().map(|_| ()).map_err(String::clone);
        let delivered = parsed.map(|credential| Delivered {
            credential,
            expires_in,
            notes: Vec::new(),
            unsaved: None,
        });
        self.send(delivered.map_err(Undelivered::Failed));
        told
    }

    fn send(mut self, answer: Result<Delivered, Undelivered>) {
        // Nobody waits any more after a shutdown; the host need not know.
        if let Some(sender) = self.sender.take_if(|_| self.pid == std::process::id()) {
            let _ = sender.send(answer);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // In a forked child nobody waits: who asked is a task of the parent's, which must not be
        // woken there.
        if self.pid != std::process::id() {
            std::mem::forget(self.sender.take());
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}
