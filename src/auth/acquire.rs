//! How a provider delivers: by running a program, by asking the host, by renewing a login.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio_util::sync::CancellationToken;

use crate::credentials::login::{self, AccessToken, Begun, LoginError, LoginFile, Refresh, Wait};
use crate::credentials::{
    COMMAND_TIMEOUT, Credential, Delivered, Environment, KeyCommand, Provider, Secret, Token,
    Undelivered,
};
use crate::error::{Error, Idempotency};
use crate::runtime;
use crate::runtime::blocking::{self, Kind};
use crate::secrets::Secrets;
use crate::transport::{Authorization, Call, Progress, SMALL, Transport, Watch};

/// A token of a login counts as expired this long before it is (docs/protocol.md §1.4).
const LOGIN_LEEWAY: Duration = Duration::from_secs(300);

/// Gets a credential out of a provider. `refused` is a credential that fal did not accept. The
/// error says what is wrong, and what helps, without a secret, or that the provider turned out to
/// hold nothing.
pub(crate) async fn deliver(
    provider: Provider,
    refused: Option<Credential>,
    environment: &Environment,
    transport: &Arc<Transport>,
) -> Result<Delivered, Undelivered> {
    let secrets = Arc::new(Secrets::of(&transport.masks));
    let outcome = match provider {
        Provider::Ready(credential) => Ok(Delivered {
            credential,
            expires_in: None,
            notes: Vec::new(),
            unsaved: None,
        }),
        Provider::Callback(callback) | Provider::Notebook(callback) => callback.ask().await,
        Provider::Command(command) => run(command).await.map_err(Undelivered::from),
        Provider::Keyring(account) => keyring(account, environment).await,
        Provider::Login(file) => user_login(file, refused, transport, &secrets)
            .await
            .map_err(Undelivered::from),
    };
    // Whoever waits for this has not carried what was carried here.
    outcome.map_err(|undelivered| undelivered.without(&secrets))
}

#[cfg(all(
    feature = "keyring",
    not(any(target_os = "ios", target_os = "android"))
))]
async fn keyring(account: String, environment: &Environment) -> Result<Delivered, Undelivered> {
    use crate::credentials::keyring::{DEFAULT_TIMEOUT, Limits, read};
    let closing = runtime::current()
        .map_err(|e| e.to_string())?
        .closing()
        .clone();
    let environment = environment.clone();
    let limits = DEFAULT_TIMEOUT;
    let found = slowly(move || {
        let cancelled = || closing.is_cancelled();
        read(
            &environment,
            &account,
            Limits {
                timeout: limits,
                cancelled: &cancelled,
            },
        )
    });
    let found = found.await?.map_err(|problem| problem.to_string())?;
    let Some((key, notes)) = found else {
        return Err(Undelivered::Absent("the keyring holds no key there".into()));
    };
    let notes = notes.iter().map(ToString::to_string).collect();
    Ok(Delivered {
        credential: Credential::Key(key),
        expires_in: None,
        notes,
        unsaved: None,
    })
}

/// The chain offers no keyring where it was not built.
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
    let closing = runtime::current()
        .map_err(|e| e.to_string())?
        .closing()
        .clone();
    let output = slowly(move || command.run(COMMAND_TIMEOUT, &|| closing.is_cancelled())).await?;
    let output = output.map_err(|problem| problem.to_string())?;
    let credential = match output.secret {
        Secret::Key(key) => Credential::Key(key),
        Secret::Bearer(token) => {
            Credential::Bearer(Token::parse(&token).map_err(|problem| problem.to_string())?)
        }
    };
    let expires_in = output
        .expires_at
        .map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
    let notes = output.notes.iter().map(ToString::to_string).collect();
    Ok(Delivered {
        credential,
        expires_in,
        notes,
        unsaved: None,
    })
}

/// The stored access token if it is good, else a renewed one. One renewal serves all processes of
/// the user.
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
    let begun = slowly(move || begin(&file, rejected.as_ref(), &flag))
        .await?
        .map_err(told)?;
    match begun {
        Begun::Fresh(token) => delivered(&token, Vec::new()),
        // A refresh token that was sent is used up, and its successor comes with the answer and
        // exists nowhere else.
        Begun::Refresh(refresh) => {
            let (transport, secrets) = (transport.clone(), secrets.clone());
            let renewed = runtime::run_to_completion(async move {
                renew(*refresh, &transport, &cancelled, &secrets).await
            });
            renewed.await.map_err(|e| e.message().to_owned())?
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
    // No lock is needed for a token that is good.
    if let Some(token) = fresh.filter(|token| rejected != Some(token.expose())) {
        return Ok(Begun::Fresh(token.clone()));
    }
    file.begin(
        SystemTime::now(),
        rejected,
        Wait {
            limit: Wait::OFFICIAL_LIMIT,
            cancelled,
        },
    )
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
    match answer {
        Ok(Ok(response)) => {
            let body = response.body().clone();
            let renewed = blocking(move || refresh.complete(&body, now))
                .await?
                .map_err(told)?;
            // Whoever changed the file meanwhile has stored what counts.
            let is_lost = matches!(renewed.not_stored, Some(LoginError::NotStored { .. }));
            let problem = renewed.not_stored.map(|problem| problem.to_string());
            let delivered = delivered(&renewed.access, problem.iter().cloned().collect())?;
            Ok(Delivered {
                unsaved: problem.filter(|_| is_lost),
                ..delivered
            })
        }
        Ok(Err(error)) => match error.http_status() {
            Some(status) => {
                let body = Bytes::copy_from_slice(error.body());
                let wait = move || {
                    let wait = Wait {
                        limit: Wait::OFFICIAL_LIMIT,
                        cancelled: &flag,
                    };
                    refresh.failed(status, &body, now, wait)
                };
                delivered(&blocking(wait).await?.map_err(told)?, Vec::new())
            }
            None => Err(unreachable(&error)),
        },
        Err(_) => Err(format!(
            "{} did not answer within {} s",
            login::AUTH_HOST,
            login::REFRESH_TIMEOUT.as_secs()
        )),
    }
}

fn delivered(token: &AccessToken, notes: Vec<String>) -> Result<Delivered, String> {
    let credential = Token::parse(token.expose()).map_err(|problem| problem.to_string())?;
    let left = token
        .expires()
        .and_then(|at| at.duration_since(SystemTime::now()).ok());
    let expires_in = left.map(|left| left.saturating_sub(LOGIN_LEEWAY));
    Ok(Delivered {
        credential: Credential::Bearer(credential),
        expires_in,
        notes,
        unsaved: None,
    })
}

fn told(error: LoginError) -> String {
    format!("{error}. {}", error.remedy())
}

/// The error of the transport may name what was sent, but not its body, which holds the refresh
/// token.
fn unreachable(error: &Error) -> String {
    format!("the login could not be renewed: {error}")
}

/// Tells work that the runtime stops.
struct Cancelled {
    closing: CancellationToken,
    flag: Arc<AtomicBool>,
    watch: tokio::task::JoinHandle<()>,
}

impl Cancelled {
    fn with_the_runtime() -> Result<Self, String> {
        let closing = runtime::current()
            .map_err(|e| e.to_string())?
            .closing()
            .clone();
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

    /// Ends when the runtime stops before the request can have been executed, and never afterwards.
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

/// Waits for a person or for another program, apart from what only reads and writes files.
async fn slowly<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    blocking::blocking(Kind::Providers, work)
        .await
        .map_err(|e| e.message().to_owned())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    blocking::blocking(Kind::Credentials, work)
        .await
        .map_err(|e| e.message().to_owned())
}
