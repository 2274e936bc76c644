//! A local fal, to develop and test against without a network and without cost.
//!
//! ```
//! let emulator = fal_emulator::Emulator::start()?;
//! println!("FAL_EMULATOR_HOST={} FAL_KEY={}", emulator.host(), emulator.api_key());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The emulator serves HTTP on 127.0.0.1 and selects fal's service by the Host header. Through
//! `CONNECT` it serves TLS under fal's names. Its README describes the control API, through which
//! tests in other languages use it over HTTP.

mod answer;
mod apps;
mod arrivals;
mod auth;
mod body;
mod cassettes;
mod clock;
mod connections;
mod control;
mod current;
mod dashboard;
mod emulator;
mod exchange;
mod failures;
mod faults;
mod gateway;
mod gzip;
mod history;
mod input;
mod keys;
mod logins;
mod media;
mod platform;
mod prices;
mod proxy;
mod queue;
mod rest;
mod server;
mod settings;
mod sockets;
mod sse;
mod state;
mod storage;
mod stream;
mod tls;
mod tokens;
mod unknown;
mod webhooks;

pub use apps::{BUILT_IN as BUILT_IN_APPS, Mistake};
pub use arrivals::{
    Arrival, ArrivedBody, Authorization, JournalSettings, KEPT_ARRIVALS, KEPT_BODY, Outcome,
};
pub use cassettes::{Recording, RecordingReport, ReplayPace, Replaying};
pub use emulator::{Builder, DEFAULT_ACCOUNT, Emulator};
pub use faults::{Action, EchoPlace, Fault, OddPart, ResetPoint, RetryAfter, RetryAfterForm};
pub use keys::Scope;
pub use logins::Login;
pub use platform::{
    Balance, OddPages, Operation, Organization, PlatformSettings, Seed, UnknownParameters,
    operations,
};
pub use prices::Discount;
pub use proxy::{Adapter, ProxySettings};
pub use queue::{
    CancelAnswer, Heartbeat, LateResult, LogWindow, MissedStart, QueueSettings, UnaskedLogs,
};
pub use settings::{
    AdminRefusal, BadKeyText, CdnBaseUrl, GoneStatus, LoginScope, PrivateRefusal, RealtimeRefusal,
    Settings, SignedUrlSeconds,
};
pub use sockets::MessageCounts;
pub use storage::{
    Acl, Decision, FileUrlForm, FileValidator, PartAnswer, PartRecord, Rule, StoredFile,
    UploadKind, UploadRecord,
};
pub use tls::ProxyCredentials;
pub use tokens::{TokenAnswer, TokenStatus};
pub use unknown::UnknownRequest;
pub use webhooks::{DeliveryAttempt, DeliveryOutcome, WebhookDelivery, WebhookSettings};
