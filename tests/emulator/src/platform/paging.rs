//! Cursor paging: `limit` and `cursor` in, `next_cursor` and `has_more` out (fal-protocol.md §14.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{invalid, one};
use crate::answer::Answer;
use crate::server::Request;

const DEFAULT_LIMIT: usize = 50;
const LARGEST_LIMIT: usize = 100;

/// One page of `items`, which come in the order of their ordinals.
///
/// The cursor names the last ordinal of the page before, so that a deletion between two pages loses nothing.
pub(super) fn page(
    request: &Request,
    name: &str,
    items: impl IntoIterator<Item = (u64, Value)>,
) -> Result<Value, Answer> {
    let limit = limit(request)?;
    let after = cursor(request)?;
    let mut rest = items.into_iter().filter(|(ordinal, _)| *ordinal > after);
    let shown: Vec<(u64, Value)> = rest.by_ref().take(limit).collect();
    let has_more = rest.next().is_some();
    let next = shown.last().filter(|_| has_more).map(|(ordinal, _)| STANDARD.encode(ordinal.to_string()));
    let shown: Vec<Value> = shown.into_iter().map(|(_, item)| item).collect();
    Ok(json!({ name: shown, "next_cursor": next, "has_more": has_more }))
}

fn limit(request: &Request) -> Result<usize, Answer> {
    let Some(text) = one(request, "limit") else {
        return Ok(DEFAULT_LIMIT);
    };
    match text.parse::<usize>() {
        Ok(limit) if limit >= 1 => Ok(limit.min(LARGEST_LIMIT)),
        _ => Err(invalid("limit: a positive integer is expected")),
    }
}

fn cursor(request: &Request) -> Result<u64, Answer> {
    let Some(text) = one(request, "cursor") else {
        return Ok(0);
    };
    let decoded = STANDARD.decode(text).ok();
    decoded
        .and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok())
        .ok_or_else(|| invalid("cursor: not one of ours"))
}
