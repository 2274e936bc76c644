//! Gets a credential from a provider: runs a program, calls the host's function, reads the keyring,
//! or renews a login.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio_util::sync::CancellationToken;

use crate::credentials::login::{self, AccessToken, Begun, LoginError, LoginFile, Refresh, Wait};
use crate::credentials::{
    COMMAND_TIMEOUT, Credential, Delivered, Environment, KeyCommand, Provider, Token, Undelivered,
};
use crate::error::Idempotency;
use crate::runtime;
use crate::runtime::blocking::{self, Kind};
use crate::secrets::Secrets;
use crate::transport::{Authorization, Call, Progress, SMALL, Transport, Watch};

/// How long before its end a login's access token counts as expired (docs/protocol.md §1.4).
const LOGIN_LEEWAY: Duration = Duration::from_secs(300);

/// Gets a credential from a provider. `refused` is a credential that fal did not accept. The error
/// states the cause and the remedy without a secret, or that the provider has no credential.
pub(crate) async fn deliver(
    provider: Provider,
    refused: Option<Credential>,
    environment: &Environment,
    transport: &Arc<Transport>,
) -> Result<Delivered, Undelivered> {
    let secrets = Arc::new(Secrets::of(&transport.masks));
    let outcome = match provider {
        Provider::Ready(credential) => Ok(delivered(credential, None, Vec::new())),
        Provider::Callback(callback) | Provider::Notebook(callback) => callback.ask().await,
        Provider::Command(command) => run(command).await.map_err(Undelivered::from),
        Provider::Keyring(account) => keyring(account, environment).await,
        Provider::Login(file) => user_login(file, refused, transport, &secrets)
            .await
            .map_err(Undelivered::from),
    };
    // The secrets of this request are unknown to the operations that get the error.
    outcome.map_err(|undelivered| undelivered.without(&secrets))
}

fn delivered(
    credential: Credential,
    expires_in: Option<Duration>,
    notes: Vec<String>,
) -> Delivered {
    Delivered {
        credential,
        expires_in,
        notes,
        unsaved: None,
    }
}

fn texts(notes: &[impl ToString]) -> Vec<String> {
    notes.iter().map(ToString::to_string).collect()
}

#[cfg(all(
    feature = "keyring",
    not(any(target_os = "ios", target_os = "android"))
))]
async fn keyring(account: String, environment: &Environment) -> Result<Delivered, Undelivered> {
    use crate::credentials::keyring::{DEFAULT_TIMEOUT, Limits, read};
    let closing = closing()?;
    let environment = environment.clone();
    let found = blocking(Kind::Providers, move || {
        let limits = Limits {
            timeout: DEFAULT_TIMEOUT,
            cancelled: &|| closing.is_cancelled(),
        };
        read(&environment, &account, limits)
    });
    match found.await?.map_err(|problem| problem.to_string())? {
        Some((key, notes)) => Ok(delivered(Credential::Key(key), None, texts(&notes))),
        None => Err(Undelivered::Absent("the keyring holds no key there".into())),
    }
}

/// Unreachable: the chain offers no keyring in this build.
#[cfg(not(all(
    feature = "keyring",
    not(any(target_os = "ios", target_os = "android"))
)))]
async fn keyring(_: String, _: &Environment) -> Result<Delivered, Undelivered> {
    Err("this build of libfal cannot read the system keyring"
        .to_owned()
        .into())
}

async fn run(command: KeyCommand) -> Result<Delivered, String> {
    let closing = closing()?;
    let run = move || command.run(COMMAND_TIMEOUT, &|| closing.is_cancelled());
    let output = blocking(Kind::Providers, run).await?;
    let output = output.map_err(|problem| problem.to_string())?;
    let expires_in = output
        .expires_at
        .map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
    Ok(delivered(
        output.credential,
        expires_in,
        texts(&output.notes),
    ))
}

/// Returns the stored access token if it is valid, else a renewed one. One renewal serves all
/// processes of the user.
async fn user_login(
    file: LoginFile,
    refused: Option<Credential>,
    transport: &Arc<Transport>,
    secrets: &Arc<Secrets>,
) -> Result<Delivered, String> {
    let rejected = match refused {
        Some(Credential::Bearer(token)) => Some(token),
        _ => None,
    };
    let cancelled = Cancelled::with_the_runtime()?;
    let flag = cancelled.flag.clone();
    let begun = blocking(Kind::Providers, move || {
        begin(&file, rejected.as_ref(), &flag)
    });
    match begun.await?.map_err(with_remedy)? {
        Begun::Fresh(token) => of_login(&token, Vec::new()),
        // The server accepts a refresh token once. Only the response contains the next one, so the
        // renewal continues even if the operation ends.
        Begun::Refresh(refresh) => {
            let (transport, secrets) = (transport.clone(), secrets.clone());
            let renewed = async move { renew(*refresh, &transport, &cancelled, &secrets).await };
            runtime::run_to_completion(renewed)
                .await
                .map_err(|e| e.message().to_owned())?
        }
    }
}

fn begin(
    file: &LoginFile,
    rejected: Option<&Token>,
    cancelled: &AtomicBool,
) -> Result<Begun, LoginError> {
    let rejected = rejected.map(Token::expose_secret);
    let stored = file.read()?;
    let fresh = stored
        .as_ref()
        .and_then(|stored| stored.access_token(SystemTime::now()));
    // A valid token needs no lock.
    if let Some(token) = fresh.filter(|token| rejected != Some(token.expose())) {
        return Ok(Begun::Fresh(token.clone()));
    }
    file.begin(SystemTime::now(), rejected, wait(cancelled))
}

fn wait(cancelled: &AtomicBool) -> Wait<'_> {
    Wait {
        limit: Wait::OFFICIAL_LIMIT,
        cancelled,
    }
}

async fn renew(
    refresh: Refresh,
    transport: &Arc<Transport>,
    cancelled: &Cancelled,
    secrets: &Arc<Secrets>,
) -> Result<Delivered, String> {
    let url = transport
        .hosts
        .login_url(login::TOKEN_PATH)
        .map_err(|e| e.to_string())?;
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    let call = Call {
        method: Method::POST,
        url,
        endpoint: None,
        headers: HeaderMap::from_iter([(CONTENT_TYPE, form)]),
        body: Bytes::from_owner(refresh.form()).into(),
        authorization: Authorization::Renewal(refresh.sent()),
        idempotency: Idempotency::NonIdempotent,
        deadline: Instant::now() + login::REFRESH_TIMEOUT,
        longest_pause: Duration::MAX,
        most: SMALL,
        watch: Watch::Nothing,
    };
    let progress = Arc::new(Progress::of(secrets));
    let sent = transport.send(&call, &Credential::Anonymous, &progress);
    let answer = tokio::select! {
        biased;
        () = cancelled.before(&progress) => return Err("libfal was shut down before the login was renewed".into()),
        answer = tokio::time::timeout(login::REFRESH_TIMEOUT, sent) => answer,
    };
    let now = SystemTime::now();
    let flag = cancelled.flag.clone();
    let error = match answer {
        Ok(Ok(response)) => {
            let body = response.into_body();
            let renewed = blocking(Kind::Credentials, move || refresh.complete(&body, now))
                .await?
                .map_err(with_remedy)?;
            // Another reason not to store the login is that another process has stored a newer one.
            let is_lost = matches!(renewed.not_stored, Some(LoginError::NotStored { .. }));
            let problem = renewed.not_stored.map(|problem| problem.to_string());
            let delivered = of_login(&renewed.access, problem.iter().cloned().collect())?;
            return Ok(Delivered {
                unsaved: problem.filter(|_| is_lost),
                ..delivered
            });
        }
        Ok(Err(error)) => error,
        Err(_) => {
            return Err(format!(
                "{} did not answer within {} s",
                login::AUTH_HOST,
                login::REFRESH_TIMEOUT.as_secs()
            ));
        }
    };
    let Some(status) = error.http_status() else {
        // The error of the transport does not contain the body, which has the refresh token.
        return Err(format!("cannot renew the login: {error}"));
    };
    let body = Bytes::copy_from_slice(error.body());
    let failed = move || refresh.failed(status, &body, now, wait(&flag));
    let token = blocking(Kind::Credentials, failed).await?;
    of_login(&token.map_err(with_remedy)?, Vec::new())
}

fn of_login(token: &AccessToken, notes: Vec<String>) -> Result<Delivered, String> {
    let credential = Token::parse(token.expose()).map_err(|problem| problem.to_string())?;
    let left = token
        .expires()
        .and_then(|at| at.duration_since(SystemTime::now()).ok());
    let expires_in = left.map(|left| left.saturating_sub(LOGIN_LEEWAY));
    Ok(delivered(Credential::Bearer(credential), expires_in, notes))
}

fn with_remedy(error: LoginError) -> String {
    format!("{error}. {}", error.remedy())
}

/// Signals blocking work that the runtime stops.
struct Cancelled {
    closing: CancellationToken,
    flag: Arc<AtomicBool>,
    watch: tokio::task::JoinHandle<()>,
}

impl Cancelled {
    fn with_the_runtime() -> Result<Self, String> {
        let closing = closing()?;
        let flag = Arc::new(AtomicBool::new(false));
        let (raised, closes) = (flag.clone(), closing.clone());
        let watch = tokio::spawn(async move {
            closes.cancelled().await;
            raised.store(true, Ordering::Release);
        });
        Ok(Cancelled {
            closing,
            flag,
            watch,
        })
    }

    /// Returns when the runtime stops, unless the request may have been executed by then.
    async fn before(&self, progress: &Progress) {
        self.closing.cancelled().await;
        if !progress.withdraw() && progress.may_have_executed() {
            std::future::pending().await
        }
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// Returns the token that is cancelled when the runtime stops.
fn closing() -> Result<CancellationToken, String> {
    let instance = runtime::current().map_err(|e| e.to_string())?;
    Ok(instance.closing().clone())
}

/// Runs blocking work. Work that waits for a person or a program must not delay work that only
/// reads and writes files, so each has its own kind.
async fn blocking<T: Send + 'static>(
    kind: Kind,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    blocking::blocking(kind, work)
        .await
        .map_err(|e| e.message().to_owned())
}
