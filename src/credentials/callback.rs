//! A function of the host that delivers a credential.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::credential::{Credential, Token};
use crate::error::{Code, Error};
use crate::key::Key;
use crate::runtime::host_functions::{self, HostOwned};
use crate::secrets::Secrets;
use crate::system::process;

/// How long the host may take to answer. The host may have to ask the user.
const TIMEOUT: Duration = Duration::from_secs(120);

type Function = Box<dyn Fn(Answer) + Send + Sync>;

/// A function of the host that delivers a credential when a client needs one.
///
/// libfal calls it on a thread for functions of the host. It answers through the [`Answer`], before
/// it returns or later, and from any thread. The calls of the client wait for the answer. The
/// function may block, and may use other clients.
#[derive(Clone)]
pub struct Callback(Arc<HostOwned<Function>>);

impl Callback {
    /// Wraps a function.
    pub fn new(function: impl Fn(Answer) + Send + Sync + 'static) -> Self {
        Callback(Arc::new(HostOwned::new(Box::new(function))))
    }

    /// Calls the function and waits for the answer.
    pub(crate) async fn ask(&self) -> Result<Delivered, Undelivered> {
        let (sender, receiver) = oneshot::channel();
        let answer = Answer {
            pid: process::id(),
            sender: Some(sender),
        };
        let function = self.0.clone();
        let asked = host_functions::call(host_functions::Kind::Credentials, move || {
            if let Some(function) = function.get() {
                function(answer);
            }
        });
        // The function has to return before its answer is used, because it may borrow data of the
        // host.
        let answered = async move { asked.await.map(|()| receiver)?.await.map_err(|_| dropped()) };
        match tokio::time::timeout(TIMEOUT, answered).await {
            Ok(Ok(delivered)) => delivered,
            Ok(Err(error)) => Err(error.message().to_owned().into()),
            Err(_) => {
                Err(format!("the program did not answer within {} s", TIMEOUT.as_secs()).into())
            }
        }
    }
}

fn dropped() -> Error {
    Error::new(
        Code::CredentialsFailed,
        "the program dropped the request for a credential without an answer",
    )
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

/// A credential that a provider has delivered.
#[derive(Clone, Debug)]
pub(crate) struct Delivered {
    pub(crate) credential: Credential,
    /// How long the credential is valid. `None` if that is unknown.
    pub(crate) expires_in: Option<Duration>,
    /// Remarks for the report, one sentence each.
    pub(crate) notes: Vec<String>,
    /// Why a renewed login was not stored. The next process needs a new login then.
    pub(crate) unsaved: Option<String>,
}

/// Why a provider has not delivered a credential. Contains no secret.
#[derive(Clone, Debug)]
pub(crate) enum Undelivered {
    /// The provider has no credential. This is not an error.
    Absent(String),
    /// The provider failed.
    Failed(String),
}

impl Undelivered {
    /// Masks secrets in the reason.
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

/// Takes the answer of a [`Callback`]. If it is dropped without an answer, the calls that wait
/// fail.
pub struct Answer {
    pid: u32,
    sender: Option<oneshot::Sender<Result<Delivered, Undelivered>>>,
}

impl Answer {
    /// Answers with a key, `id:secret`. The client calls the function again after `expires_in`, and
    /// after fal has refused the key. `None` means that the key does not expire.
    ///
    /// # Errors
    ///
    /// The text is not a key. The calls that wait fail with the same reason.
    pub fn key(self, text: &str, expires_in: Option<Duration>) -> Result<(), String> {
        self.give(
            Key::parse(text).map(|(key, _)| Credential::Key(key)),
            expires_in,
        )
    }

    /// Answers with a short-lived token, which authorizes requests to some apps. A server of the
    /// host's vendor can create such tokens.
    ///
    /// # Errors
    ///
    /// The text is not a token. The calls that wait fail with the same reason.
    pub fn app_token(self, text: &str, expires_in: Option<Duration>) -> Result<(), String> {
        self.give(Token::parse(text).map(Credential::AppToken), expires_in)
    }

    /// Answers that the function failed. `reason` becomes part of an error, and must not contain a
    /// secret.
    pub fn fail(self, reason: &str) {
        self.send(Err(Undelivered::Failed(reason.to_owned())));
    }

    /// Answers that a notebook has no key, so that the next source is read. Same as
    /// [`fail`](Self::fail) for a function that is not of a notebook.
    pub fn absent(self, reason: &str) {
        self.send(Err(Undelivered::Absent(reason.to_owned())));
    }

    fn give<E: ToString>(
        self,
        parsed: Result<Credential, E>,
        expires_in: Option<Duration>,
    ) -> Result<(), String> {
        let parsed = parsed.map_err(|problem| problem.to_string());
        let returned = parsed.as_ref().map(|_| ()).map_err(String::clone);
        let delivered = parsed.map(|credential| Delivered {
            credential,
            expires_in,
            notes: Vec::new(),
            unsaved: None,
        });
        self.send(delivered.map_err(Undelivered::Failed));
        returned
    }

    fn send(mut self, answer: Result<Delivered, Undelivered>) {
        // The receiver is gone after a shutdown, which is not an error of the host.
        if let Some(sender) = self.sender.take_if(|_| self.pid == process::id()) {
            let _ = sender.send(answer);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // In a forked child, the receiver is a task of the parent. Dropping the sender would wake
        // it.
        if self.pid != process::id() {
            std::mem::forget(self.sender.take());
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}
