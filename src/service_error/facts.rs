//! The facts of a response that is not a success, read once.

use std::sync::Arc;

use super::body::{Members, name, plain_text};
use super::context::{RequestContext, Responder};
use super::html::Page;
use super::platform::PLATFORM;
use super::retry_after::retry_hint;
use super::table::{self, Named};
use super::{fields, messages};
use crate::codec::json;
use crate::error::{Answer, FieldError, LockReason};

const ERROR_TYPE: &str = "x-fal-error-type";

/// The headers that only responses of apps have, and responses of the gateway do not (§5.8).
const MARKS: [&str; 2] = ["x-fal-served-from", "x-fal-billable-units"];

/// What one response says.
pub(super) struct Facts<'a> {
    pub(super) asked: RequestContext<'a>,
    pub(super) status: u16,
    pub(super) text: Option<String>,
    pub(super) error_type: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) fields: Arc<[FieldError]>,
    /// The row of the error's name.
    pub(super) named: Option<&'static Named>,
    /// The row of the text, for an error without a name.
    pub(super) said: Option<&'static messages::Row>,
    pub(super) lock: Option<LockReason>,
    pub(super) page: Option<Page>,
    /// Whether the service asks for (`true`) or forbids (`false`) a retry (§16.13).
    pub(super) hint: Option<bool>,
    /// Whether the work did not start within the caller's limit (§5.7).
    pub(super) start_deadline: bool,
    /// Whether the response has fal's request id. Without it, the ingress sent the response, not
    /// the gateway (§13.1).
    pub(super) from_gateway: bool,
    /// Whether the response has a mark of an app: its runner or its costs.
    pub(super) marked: bool,
    /// The row of the name in the header. The gateway sets the header; an app may set the body.
    pub(super) named_by_header: Option<&'static Named>,
    /// Whether the header has one name, which is also the name in the body if that has one.
    pub(super) names_agree: bool,
    pub(super) is_json: bool,
}

impl<'a> Facts<'a> {
    pub(super) fn of(answer: &Answer, asked: RequestContext<'a>) -> Self {
        let is_json = json::is_json(answer.body());
        let body = Members::of(answer.body())
            .filter(|_| is_json)
            .unwrap_or_default();
        let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok());
        let page = if is_json {
            None
        } else {
            Page::of(answer.headers(), answer.body())
        };
        let fields: Arc<[FieldError]> = fields::list(body.detail).into();
        let text = match &page {
            Some(page) => Some(format!("an HTML page instead of JSON ({})", page.title)),
            None if is_json => body.text(&fields),
            None => plain_text(answer.body()),
        };
        let (error_type, named) = name(&body, &fields, header(ERROR_TYPE));
        let marked = MARKS
            .iter()
            .any(|name| answer.headers().contains_key(*name));
        let by_app = asked.whose != Responder::Service && marked;
        let said = text
            .as_deref()
            .filter(|_| fields.is_empty())
            .and_then(|text| messages::find(answer.status(), text));
        let mut kinds = answer
            .headers()
            .get_all(ERROR_TYPE)
            .iter()
            .map(|value| value.to_str().ok());
        let lock = match answer.status() {
            _ if by_app => None,
            402 => Some(
                text.as_deref()
                    .and_then(LockReason::of)
                    .unwrap_or(LockReason::Balance),
            ),
            403 => text.as_deref().and_then(LockReason::of),
            _ => None,
        };
        Facts {
            asked,
            status: answer.status(),
            lock,
            named_by_header: header(ERROR_TYPE).and_then(|kind| table::find(PLATFORM, kind)),
            names_agree: answer.headers().contains_key(ERROR_TYPE)
                && kinds.all(|kind| kind == error_type.as_deref()),
            marked,
            is_json,
            text,
            error_type,
            request_id: body.error_id.and_then(json::text),
            fields,
            named,
            said: said.filter(|row| !by_app || !row.about.is_of_credential()),
            page,
            hint: retry_hint(answer.headers()),
            start_deadline: answer.status() == 504
                && header("x-fal-request-timeout-type") == Some("user"),
            from_gateway: header("x-fal-request-id").is_some(),
        }
    }
}
