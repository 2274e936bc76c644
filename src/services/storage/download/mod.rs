//! Downloads: the files that results name, into memory or onto a disk, never with a key
//! (docs/protocol.md §9.6).

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

/// Large files on slow lines take hours.
const TIMEOUT: Duration = Duration::from_secs(6 * 3600);

/// A download: what, and where to.
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

/// A data URI is content, and the query of an address may be a signature.
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
    /// What is at an https address, or in a `data:` URI.
    pub fn new(url: &str) -> Result<Self> {
        if data::is_data(url) {
            return Ok(Download::of(From::Data(url.to_owned())));
        }
        let mut url = Url::parse(url)
            .map_err(|e| Error::invalid(format!("the address is not a URL: {e}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::invalid("the address of a file has a user in it"));
        }
        url.set_fragment(None);
        Ok(Download::of(From::Url(url)))
    }

    /// The answer to a request as [`Client::send_start`] sends it, with the key where the service
    /// takes one.
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

    /// Writes to a file at this path; into a folder under the name that the server gives, made
    /// harmless. Without it the bytes are the answer, in memory.
    pub fn to(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Replaces a file that is there already, and keeps its mode; otherwise it stays, and the
    /// download fails. A name that the server gives and that is taken in the folder becomes
    /// another, as in `out-1.png`.
    ///
    /// A file that is made while a run is under way does not cost its answer: the error says where
    /// that is kept. What is wrong with a place is told before anything is sent.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// The most bytes. By default of a file any number, in memory the client's
    /// [limit](crate::ClientBuilder::max_response_bytes).
    pub fn max_bytes(mut self, most: u64) -> Self {
        self.most = Some(most);
        self
    }

    /// Reads a restricted file of this account: the token of fal's file hosts goes along, to those
    /// and to nobody else (§9.6).
    pub fn with_file_token(mut self, token: bool) -> Self {
        self.token = token;
        self
    }

    /// The time for all of it; by default the client's, else six hours.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl Client {
    /// Starts a download. Into memory, the answer has the server's headers and the bytes; to a
    /// file, it is JSON: `path`, `file_name`, `content_type`, `size` in bytes and the
    /// `http_status`. [`Progress`](crate::EventKind::Progress) events tell how much has come.
    ///
    /// No key goes along, whatever the address, and only https is taken. After a connection that
    /// breaks, or [stalls](crate::ClientBuilder::stall_timeout), a GET is continued where it ended
    /// if the server can tell that the file is still the same, else begun anew; as often in a row
    /// as a call is tried, counted anew after each MiB.
    ///
    /// A file is written beside its place under another name and put there once it is whole and on
    /// the disk, so that there is never half a file.
    ///
    /// The output of a run that the disk does not take is the [body](Error::body) of the error, up
    /// to the most that an answer may have in memory; of a larger one the error says where its
    /// first bytes are.
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

    /// Downloads, on any async runtime.
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
    // What is wrong with the place is said before anything is sent.
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
            // What an app answers comes when it comes.
            if call.watch == Watch::Body {
                call.watch = Watch::Transfer;
            }
            call
        }
    };
    // Only of what is not compressed one knows where it broke off.
    call.headers
        .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Fetch::new(&exchange, call, most, &meter).run(target).await
}
