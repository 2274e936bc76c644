//! The errors of responses that are not a success, from tables of fal's errors (docs/protocol.md
//! §2.5, §12, §14.2).

mod api;
mod body;
mod classify;
mod context;
mod facts;
mod fields;
mod html;
mod job;
mod messages;
mod model;
mod origin;
mod platform;
pub(crate) mod retry_after;
mod status;
mod success;
mod table;

pub(crate) use self::body::is_known;
pub(crate) use self::classify::{Classification, classify};
pub(crate) use self::context::{RequestContext, Responder};
pub(crate) use self::html::is_html;
pub(crate) use self::job::{delivered, told};
pub(crate) use self::messages::{NO_KEY, UNLINKED};
pub(crate) use self::platform::SEE_FIRST;
pub(crate) use self::status::PROXY;
pub(crate) use self::success::{
    confirming, page_for_json, redirected, with_content, without_output,
};

#[cfg(any(test, fuzzing))]
#[path = "../fuzz/errors.rs"]
pub(crate) mod fuzz;
