//! Downloads of the files that results name, into memory or to a file (docs/protocol.md §9.6). No
//! key is sent to a file host.

mod data;
mod errors;
mod fetch;
mod file_name;
mod partial;
mod percent;
mod range;
mod sink;

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue};
use url::Url;

#[cfg(any(test, fuzzing))]
pub(crate) use self::file_name::fuzz;

use self::fetch::Fetch;
use self::sink::Target;
use super::call::call_to;
use super::meter::Meter;
use crate::client::{Client, Exchange};
use crate::error::{Error, Idempotency, Result};
use crate::operation::Op;
use crate::request::Request;
use crate::response::Response;
use crate::services::storage::input_files::resolve_files;
use crate::services::storage::token::TokenCache;
use crate::transport::{Authorization, Call, Watch};

/// Default timeout. A large file on a slow connection takes hours.
const TIMEOUT: Duration = Duration::from_secs(6 * 3600);

/// A download: the source, the target and the limits.
#[derive(Clone, Debug)]
pub struct Download {
    from: From,
    path: Option<PathBuf>,
    overwrite: bool,
    most: Option<u64>,
    token: bool,
    timeout: Option<Duration>,
}

#[derive(Clone)]
enum From {
    /// A data URI.
    Data(String),
    Url(Url),
    Request(Box<Request>),
}

/// Shows neither the content of a data URI nor the query of a URL, which may be a signature.
impl std::fmt::Debug for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            From::Data(_) => f.write_str("a data URI"),
            From::Url(url) => write!(f, "{}{}", url.origin().ascii_serialization(), url.path()),
            From::Request(request) => write!(f, "{} request", request.method),
        }
    }
}

impl Download {
    /// Downloads an https URL or decodes a `data:` URI.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`](crate::Code::InvalidArgument) if the URL is malformed, or contains
    /// a user name or a password.
    pub fn new(url: &str) -> Result<Self> {
        if data::is_data(url) {
            return Ok(Download::of(From::Data(url.to_owned())));
        }
        let mut url = Url::parse(url)
            .map_err(|e| Error::invalid(format!("the URL of a file is malformed: {e}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::invalid(
                "the URL of a file must not contain a user or a password",
            ));
        }
        url.set_fragment(None);
        Ok(Download::of(From::Url(url)))
    }

    /// Saves the response to a request. The request is sent as by [`Client::send_start`], with the
    /// key if it goes to a service of fal's.
    pub fn of_request(request: Request) -> Self {
        Download::of(From::Request(Box::new(request)))
    }

    fn of(from: From) -> Self {
        Download {
            from,
            path: None,
            overwrite: false,
            most: None,
            token: false,
            timeout: None,
        }
    }

    /// Saves to a file at this path. If the path is a folder, the file gets the name that the
    /// server gives, made safe. Without a path the response contains the bytes.
    pub fn to(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Replaces an existing file and keeps its mode. Default false: the download fails before it
    /// sends anything if the file exists. In a folder, a name that the server gives and that exists
    /// is changed instead, as in `out-1.png`.
    ///
    /// If the file appears while a run is executing, the output is saved under another name, and
    /// the error names it.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Sets the largest size in bytes. The default is no limit for a file, and the client's
    /// [limit](crate::ClientBuilder::max_response_bytes) in memory.
    pub fn max_bytes(mut self, most: u64) -> Self {
        self.most = Some(most);
        self
    }

    /// Sends the token of fal's file hosts, which can read the restricted files of this account. It
    /// is sent to these hosts only (§9.6).
    pub fn with_file_token(mut self, token: bool) -> Self {
        self.token = token;
        self
    }

    /// Sets the timeout of the whole operation. The default is that of the client, else six hours.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl Client {
    /// Starts a download. In memory, the response has the server's headers and the bytes. To a
    /// file, it is JSON: `path`, `file_name`, `content_type`, `size` in bytes and `http_status`.
    /// [`Progress`](crate::EventKind::Progress) events report the bytes that have arrived.
    ///
    /// A URL must be https, and no key is sent to it. After a connection breaks or
    /// [stalls](crate::ClientBuilder::stall_timeout), a GET resumes if the server can tell that the
    /// file is still the same, and restarts otherwise. It gives up after as many attempts in a row
    /// as any request; the count starts again after each MiB.
    ///
    /// The file is written in the same folder under another name, and gets its name once it is
    /// complete and on the disk. A partial file never has the final name.
    ///
    /// If the output of a run cannot be written, it is the [body](Error::body) of the error, up to
    /// the client's limit for responses. If it is larger, the error names the file with its first
    /// bytes.
    pub fn download_start(&self, download: Download) -> Result<Op> {
        let own = match &download.from {
            From::Request(request) => download.timeout.or(request.timeout),
            From::Data(_) | From::Url(_) => download.timeout,
        };
        let timeout = own.unwrap_or_else(|| self.timeout_or(TIMEOUT));
        let limit = self.response_limit() as u64;
        self.start_exchange_within(timeout, move |exchange| async move {
            run(exchange, download, limit).await
        })
    }

    /// Downloads and returns the response of [`download_start`](Self::download_start). Works on any
    /// async runtime.
    pub async fn download(&self, download: Download) -> Result<Response> {
        self.download_start(download)?.outcome().await
    }
}

async fn run(exchange: Exchange, download: Download, limit: u64) -> Result<Response> {
    let most = match download.path {
        Some(_) => u64::MAX,
        None => limit,
    };
    let most = download.most.unwrap_or(most);
    // A target that cannot be written fails before anything is sent.
    let target = Target::of(download.path, download.overwrite).await?;
    let meter = Meter::new(&exchange.task, None);
    let mut call = match download.from {
        From::Data(text) => return data::save(&text, target, most, &meter).await,
        From::Url(url) => {
            let authorization = match download.token {
                true => {
                    let cache = exchange.slot::<TokenCache>();
                    cache.token(&exchange, None).await?.authorization()
                }
                false => Authorization::Nothing,
            };
            Call {
                headers: HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("*/*"))]),
                idempotency: Idempotency::Safe,
                most: usize::MAX,
                ..call_to(&exchange, Method::GET, url, authorization)
            }
        }
        From::Request(request) => {
            let mut call = exchange.call(resolve_files(&exchange, *request).await?)?;
            // An app may take any time to respond, so only other services get a limit for silence.
            if call.watch == Watch::Body {
                call.watch = Watch::Transfer;
            }
            call
        }
    };
    // A compressed body cannot be resumed: the position in the file is unknown.
    call.headers
        .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Fetch::new(&exchange, call, most, &meter).run(target).await
}
