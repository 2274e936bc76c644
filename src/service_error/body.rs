//! The body of an error (docs/protocol.md §12.1).

use std::fmt::Write;

use serde_json::value::RawValue;

use super::api::API;
use super::model::MODEL;
use super::platform::PLATFORM;
use super::table::{self, Named};
use crate::codec::json;
use crate::error::{FieldError, clause};
use crate::limits::QUOTED;

/// The members of the body that the shapes of §12.1 use, as raw JSON.
#[derive(Clone, Copy, Default)]
pub(super) struct Members<'a> {
    pub(super) detail: Option<&'a RawValue>,
    pub(super) error: Option<&'a RawValue>,
    pub(super) message: Option<&'a RawValue>,
    pub(super) status: Option<&'a RawValue>,
    pub(super) error_type: Option<&'a RawValue>,
    /// The members of the object in `error`.
    pub(super) error_message: Option<&'a RawValue>,
    pub(super) error_kind: Option<&'a RawValue>,
    pub(super) error_id: Option<&'a RawValue>,
}

impl<'a> Members<'a> {
    pub(super) fn of(body: &'a [u8]) -> Option<Self> {
        let names = ["detail", "error", "message", "status", "error_type"];
        let [detail, error, message, status, error_type] = json::members(body, names)?;
        let names = ["message", "type", "request_id"];
        let within = error
            .and_then(|error| json::members(error.get().as_bytes(), names))
            .unwrap_or_default();
        let [error_message, error_kind, error_id] = within;
        Some(Members {
            detail,
            error,
            message,
            status,
            error_type,
            error_message,
            error_kind,
            error_id,
        })
    }

    /// Returns the text for people.
    pub(super) fn text(&self, fields: &[FieldError]) -> Option<String> {
        let mut text = String::new();
        for field in fields {
            let separator = if text.is_empty() { "" } else { "; " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{separator}{}", clause(&field.to_string()));
            if text.len() > 4 * QUOTED {
                break;
            }
        }
        if fields.is_empty() {
            let places = [
                self.detail,
                self.error_message,
                self.error,
                self.message,
                self.status,
            ];
            text = places.into_iter().flatten().find_map(json::text)?;
        }
        Some(text.chars().take(QUOTED).collect()).filter(|text: &String| !text.is_empty())
    }
}

/// Returns the name of the error, and the row of that name. The name is `error_type`, the type of
/// the first entry of `detail`, or the Platform API's `error.type` (§12.1). Each of the three has a
/// table.
pub(super) fn name(
    body: &Members<'_>,
    fields: &[FieldError],
    header: Option<&str>,
) -> (Option<String>, Option<&'static Named>) {
    let of_field = || {
        fields
            .first()
            .and_then(FieldError::error_type)
            .map(str::to_owned)
    };
    let in_body = None
        .or_else(|| Some((json::text(body.error_type?)?, PLATFORM)))
        .or_else(|| Some((of_field()?, MODEL)))
        .or_else(|| Some((json::text(body.error_kind?)?, API)));
    match in_body.or_else(|| Some((header?.to_owned(), PLATFORM))) {
        Some((name, table)) => {
            let named = table::find(table, &name);
            (Some(name), named)
        }
        None => (None, None),
    }
}

/// Whether fal documents an error of this name.
pub(crate) fn is_known(name: &str) -> bool {
    [PLATFORM, MODEL, API]
        .iter()
        .any(|table| table::find(table, name).is_some())
}

pub(super) fn plain_text(body: &[u8]) -> Option<String> {
    const MOST: usize = 200;
    const BEGINNING: usize = 64 << 10;
    let text = String::from_utf8_lossy(&body[..body.len().min(BEGINNING)]);
    let line: String = text
        .trim()
        .chars()
        .take(MOST)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    Some(line).filter(|line| !line.is_empty())
}
