//! Paging by cursor or by offset (docs/protocol.md §14.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::invalid;
use super::settings::OddPages;
use super::visit::Visit;
use crate::answer::Answer;

const DEFAULT_LIMIT: usize = 50;

/// The size limit of a page, and the treatment of a larger `limit`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// A larger `limit` is reduced to this: the operation documents no maximum.
    Capped(usize),
    /// A larger `limit` is 400.
    Checked(usize),
}

/// The limit of operations that document no other.
pub(super) const USUAL: Limit = Limit::Capped(100);

impl Limit {
    pub(super) fn read(self, visit: &Visit<'_>) -> Result<usize, Answer> {
        let (most, cap) = match self {
            Self::Capped(cap) => (u64::MAX, cap),
            Self::Checked(cap) => (cap as u64, cap),
        };
        let limit = visit.integer("limit", 1, most)?;
        let limit = limit
            .map_or(DEFAULT_LIMIT, |limit| {
                usize::try_from(limit).unwrap_or(usize::MAX)
            })
            .min(cap);
        Ok(match visit.settings.platform.odd_pages {
            Some(OddPages::Short) => limit.div_ceil(2),
            _ => limit,
        })
    }
}

/// One page of `items`, which must be in the order of their ordinals.
///
/// The cursor is the last ordinal of the previous page, so that a deletion between two pages skips
/// nothing.
pub(super) fn page<T>(
    visit: &Visit<'_>,
    name: &str,
    limit: Limit,
    items: impl IntoIterator<Item = (u64, T)>,
    show: impl Fn(T) -> Value,
) -> Result<Value, Answer> {
    let limit = limit.read(visit)?;
    let after = cursor(visit)?.unwrap_or_default();
    let mut rest = items.into_iter().filter(|(ordinal, _)| *ordinal > after);
    let taken: Vec<(u64, T)> = rest.by_ref().take(limit).collect();
    let has_more = rest.next().is_some();
    let next = taken
        .last()
        .filter(|_| has_more)
        .map(|(ordinal, _)| STANDARD.encode(ordinal.to_string()));
    let shown: Vec<Value> = taken.into_iter().map(|(_, item)| show(item)).collect();
    Ok(ended(visit, name, shown, next))
}

/// One page of rows without ordinals. The cursor is the number of the page, counted from 1.
pub(super) fn numbered<T>(
    visit: &Visit<'_>,
    name: &str,
    limit: Limit,
    rows: Vec<T>,
    show: impl Fn(T) -> Value,
) -> Result<Value, Answer> {
    let limit = limit.read(visit)?;
    let number = cursor(visit)?.unwrap_or(1);
    let skipped = usize::try_from(number.saturating_sub(1))
        .unwrap_or(usize::MAX)
        .saturating_mul(limit);
    let mut rest = rows.into_iter().skip(skipped);
    let shown: Vec<Value> = rest.by_ref().take(limit).map(show).collect();
    let next = rest
        .next()
        .map(|_| STANDARD.encode((number + 1).to_string()));
    Ok(ended(visit, name, shown, next))
}

/// The body of a page, with the cursor of the next one.
fn ended(visit: &Visit<'_>, name: &str, shown: Vec<Value>, next: Option<String>) -> Value {
    let more = next.is_some();
    let (next, has_more) = match visit.settings.platform.odd_pages {
        Some(OddPages::MoreWithoutCursor) if more => (None, true),
        Some(OddPages::CursorWithoutMore) => (next, false),
        _ => (next, more),
    };
    json!({ name: shown, "next_cursor": next, "has_more": has_more })
}

/// Pages by `limit` and `offset` (§14.7: collections and characters).
pub(super) fn offset<T>(
    visit: &Visit<'_>,
    rows: Vec<T>,
) -> Result<impl Iterator<Item = T> + use<T>, Answer> {
    let limit = Limit::Checked(100).read(visit)?;
    let offset = match visit.one("offset").as_deref() {
        None | Some("") => 0,
        Some(_) => visit.integer("offset", 0, u64::MAX)?.unwrap_or_default(),
    };
    Ok(rows
        .into_iter()
        .skip(usize::try_from(offset).unwrap_or(usize::MAX))
        .take(limit))
}

fn cursor(visit: &Visit<'_>) -> Result<Option<u64>, Answer> {
    let Some(text) = visit.one("cursor") else {
        return Ok(None);
    };
    let number = STANDARD
        .decode(text)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
    number
        .map(Some)
        .ok_or_else(|| invalid("cursor: not a cursor of this operation"))
}
