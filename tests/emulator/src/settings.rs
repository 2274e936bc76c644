//! The behaviours of fal that the sources leave open, chosen by the test (docs/protocol.md §16).

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::arrivals::JournalSettings;
use crate::keys::Scope;
use crate::platform::{Balance, PlatformSettings};
use crate::proxy::ProxySettings;
use crate::queue::QueueSettings;
use crate::storage::{FileUrlForm, FileValidator, PartAnswer};
use crate::tls::ProxyCredentials;
use crate::tokens::{TokenAnswer, TokenStatus};
use crate::webhooks::WebhookSettings;

/// The gateway's text for an invalid key (§16.17).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadKeyText {
    /// `invalid key credentials`, observed in 2026.
    #[default]
    Current,
    /// `No user found for Key ID and Secret`, observed until mid-2026.
    Older,
}

/// The status of an ADMIN operation called with an API key (§16.42).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum AdminRefusal {
    /// 401, reported by third parties.
    Unauthorized,
    /// 403, as documented.
    #[default]
    Forbidden,
}

/// The status of a private app called with a key that may not call it (§2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum PrivateRefusal {
    /// 401.
    Unauthorized,
    /// 403.
    #[default]
    Forbidden,
    /// 404.
    NotFound,
}

/// The permissions of a login's access token at the Platform API, whose documentation mentions only
/// keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoginScope {
    /// No permissions: 401, as without a key.
    #[default]
    #[serde(rename = "none")]
    None,
    /// Those of a key of scope API.
    #[serde(rename = "API")]
    Api,
    /// Those of a key of scope ADMIN.
    #[serde(rename = "ADMIN")]
    Admin,
}

impl LoginScope {
    pub(crate) fn scope(self) -> Option<Scope> {
        match self {
            Self::None => None,
            Self::Api => Some(Scope::Api),
            Self::Admin => Some(Scope::Admin),
        }
    }
}

/// The refusal of a wrong or expired token at a WebSocket of an app (§7.2, §7.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RealtimeRefusal {
    /// 401 instead of the handshake.
    #[default]
    Http,
    /// The handshake, then `{"status":"error","error":"Unauthorized"}` and a close.
    Message,
}

/// How the emulator behaves where the sources about fal differ. The default is the most likely
/// behaviour of the service today.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether an endpoint that is not defined answers with a likely shape.
    pub any_endpoint: bool,
    /// Whether a request that the emulator has nothing for is a mistake: none is answered with
    /// something made up, and `fal-emulator exec` fails. The header `X-Fal-Emulator-Strict`, 1 or
    /// 0, says so for one request.
    pub strict: bool,
    /// How much the journal of arrivals holds.
    pub journal: JournalSettings,
    /// The text for an invalid key.
    pub bad_key_text: BadKeyText,
    /// The form of a token in the response of `POST /tokens/` (§16.22).
    pub token_answer: TokenAnswer,
    /// The status of the response with a token: 200 or 201.
    pub token_status: TokenStatus,
    /// The server proxy of a web app (§11).
    pub proxy: ProxySettings,
    /// The queue, and the limits of concurrent runs.
    pub queue: QueueSettings,
    /// The Platform API.
    pub platform: PlatformSettings,
    /// The webhooks of finished requests.
    pub webhooks: WebhookSettings,
    /// The credit balances by account. Other accounts have 100 USD.
    pub credit_balances: BTreeMap<String, Balance>,
    /// The status of an ADMIN operation called with an API key: 401 or 403.
    pub admin_refusal_status: AdminRefusal,
    /// The status of a private app called with a key that may not call it: 401, 403 or 404. Without
    /// a key it is always 401.
    pub private_refusal_status: PrivateRefusal,
    /// Whether API keys may call the private apps of their own account (§16.51).
    pub api_key_may_call_private_apps: bool,
    /// The locked accounts, each with the reason that follows `User is locked. Reason: ` (§2.5).
    pub locked_accounts: BTreeMap<String, String>,
    /// The permissions of a login at the Platform API. For models, a login has those of an ADMIN
    /// key of its account.
    pub platform_login_scope: LoginScope,
    /// The lifetime in seconds of access tokens from renewals; by default that of the login's first
    /// one.
    pub access_token_seconds: Option<u64>,
    /// The form of file URLs; by default v3b, and v3 for uploads with a CDN token (§16.31).
    pub file_url_form: Option<FileUrlForm>,
    /// The validator that identifies the version of a file.
    pub file_validator: FileValidator,
    /// The host in the response with a CDN token (§16.30).
    pub cdn_base_url: CdnBaseUrl,
    /// The lifetime in seconds of signed URLs for uploads.
    pub signed_url_seconds: SignedUrlSeconds,
    /// Where the response to a part has its etag (§16.28).
    pub part_answer: PartAnswer,
    /// The largest upload in one request, in bytes; a larger one is 413. `None` means no limit.
    pub single_upload_limit: Option<u64>,
    /// The status of an expired file: 404 or 410.
    pub expired_file_status: GoneStatus,
    /// The status of everything at `fal.media`: 404 or 410.
    pub old_cdn_status: GoneStatus,
    /// Whether the second use of a refresh token ends its login, including the tokens from the
    /// first use.
    pub reuse_ends_login: bool,
    /// The credentials that `CONNECT` requires; without them it is 407. `None`, the default,
    /// requires none.
    pub proxy_credentials: Option<ProxyCredentials>,
    /// Whether JSON is gzip-coded for clients that accept it (§16.45).
    pub gzip: bool,
    /// The refusal of a token at a WebSocket.
    pub realtime_refusal: RealtimeRefusal,
    /// The seconds without an input after which a realtime session ends; 60 by default.
    pub realtime_session_seconds: Option<u64>,
}

/// The host in the response of `POST /storage/auth/token`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CdnBaseUrl {
    /// `https://v3.fal.media`
    #[default]
    V3,
    /// `https://v3b.fal.media`
    V3b,
}

impl CdnBaseUrl {
    pub(crate) fn url(self) -> &'static str {
        match self {
            Self::V3 => "https://v3.fal.media",
            Self::V3b => "https://v3b.fal.media",
        }
    }
}

/// The lifetime of a signed URL in seconds; an hour by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignedUrlSeconds(pub u64);

impl Default for SignedUrlSeconds {
    fn default() -> Self {
        Self(3600)
    }
}

/// The status of a resource that no longer exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum GoneStatus {
    /// 404.
    NotFound,
    /// 410.
    #[default]
    Gone,
}

impl GoneStatus {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Gone => StatusCode::GONE,
        }
    }
}

impl TryFrom<u16> for GoneStatus {
    type Error = &'static str;

    fn try_from(status: u16) -> Result<Self, Self::Error> {
        match status {
            404 => Ok(Self::NotFound),
            410 => Ok(Self::Gone),
            _ => Err("expired_file_status and old_cdn_status must be 404 or 410"),
        }
    }
}

impl From<GoneStatus> for u16 {
    fn from(gone: GoneStatus) -> Self {
        gone.status().as_u16()
    }
}

impl AdminRefusal {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
        }
    }
}

impl TryFrom<u16> for AdminRefusal {
    type Error = &'static str;

    fn try_from(status: u16) -> Result<Self, Self::Error> {
        match status {
            401 => Ok(Self::Unauthorized),
            403 => Ok(Self::Forbidden),
            _ => Err("admin_refusal_status must be 401 or 403"),
        }
    }
}

impl From<AdminRefusal> for u16 {
    fn from(refusal: AdminRefusal) -> Self {
        refusal.status().as_u16()
    }
}

impl PrivateRefusal {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
        }
    }
}

impl TryFrom<u16> for PrivateRefusal {
    type Error = &'static str;

    fn try_from(status: u16) -> Result<Self, Self::Error> {
        match status {
            401 => Ok(Self::Unauthorized),
            403 => Ok(Self::Forbidden),
            404 => Ok(Self::NotFound),
            _ => Err("private_refusal_status must be 401, 403 or 404"),
        }
    }
}

impl From<PrivateRefusal> for u16 {
    fn from(refusal: PrivateRefusal) -> Self {
        refusal.status().as_u16()
    }
}
