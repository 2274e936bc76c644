//! Which arrivals are shown, and which page of them.

use super::arrival::{Arrival, ArrivedBody, Outcome};
use crate::faults;

/// How a request ended, by its status or by a word.
#[derive(Debug)]
enum Ending {
    Status(u16),
    /// 4 for `4xx`.
    Class(u16),
    /// No success, redirect or handshake.
    Failed,
    Outcome(Outcome),
}

impl Ending {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "failed" => Self::Failed,
            "pending" => Self::Outcome(Outcome::Pending),
            "reset" => Self::Outcome(Outcome::Reset),
            "closed_by_fault" => Self::Outcome(Outcome::ClosedByFault),
            "client_closed" => Self::Outcome(Outcome::ClientClosed),
            _ => match (text.strip_suffix("xx"), text.parse()) {
                (Some(class @ ("1" | "2" | "3" | "4" | "5")), _) => {
                    Self::Class(class.parse().unwrap_or_default())
                }
                (_, Ok(status @ 100..=599)) => Self::Status(status),
                _ => {
                    let all =
                        "a number, 2xx, failed, pending, reset, closed_by_fault or client_closed";
                    return Err(format!("status must be {all}, not {text}"));
                }
            },
        })
    }

    fn is_of(&self, arrival: &Arrival) -> bool {
        match (self, arrival.outcome) {
            (Self::Failed, _) => arrival.failed(),
            (Self::Outcome(wanted), outcome) => *wanted == outcome,
            (Self::Status(wanted), Outcome::Status(status)) => *wanted == status,
            (Self::Class(wanted), Outcome::Status(status)) => *wanted == status / 100,
            _ => false,
        }
    }
}

/// Conditions that all must hold.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    method: Option<String>,
    host: Option<String>,
    path: Option<String>,
    endpoint: Option<String>,
    status: Option<Ending>,
    key: Option<String>,
    request_id: Option<String>,
    /// In lower case.
    text: Option<String>,
    unknown: Option<bool>,
}

impl Filter {
    /// Takes a parameter of a query. Returns false if it is no condition.
    pub(crate) fn take(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let field = match name {
            "method" => &mut self.method,
            "host" => &mut self.host,
            "path" => &mut self.path,
            "endpoint" => &mut self.endpoint,
            "key" => &mut self.key,
            "request_id" => &mut self.request_id,
            "text" => {
                self.text = Some(value.to_lowercase());
                return Ok(true);
            }
            "status" => {
                self.status = Some(Ending::parse(value)?);
                return Ok(true);
            }
            "unknown" => {
                self.unknown = Some(value.parse().map_err(|_| "unknown must be true or false")?);
                return Ok(true);
            }
            _ => return Ok(false),
        };
        *field = Some(value.to_owned());
        Ok(true)
    }

    pub(crate) fn shows(&self, arrival: &Arrival) -> bool {
        let same = |wanted: &Option<String>, value: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let like = |wanted: &Option<String>, value: Option<&str>| {
            wanted
                .as_ref()
                .is_none_or(|pattern| value.is_some_and(|value| faults::matches(pattern, value)))
        };
        same(&self.method, &arrival.method)
            && same(&self.host, &arrival.host)
            && like(&self.path, Some(&arrival.path))
            && like(&self.endpoint, arrival.endpoint())
            && like(&self.key, arrival.key_id())
            && like(&self.request_id, arrival.request_id.as_deref())
            && self
                .status
                .as_ref()
                .is_none_or(|ending| ending.is_of(arrival))
            && self
                .unknown
                .is_none_or(|unknown| unknown == arrival.unknown.is_some())
            && self.text.as_ref().is_none_or(|text| says(arrival, text))
    }
}

/// Whether the request or its response contains `text`, which is in lower case.
fn says(arrival: &Arrival, text: &str) -> bool {
    let within = |whole: &str| whole.to_lowercase().contains(text);
    let body = |body: &ArrivedBody| match body {
        ArrivedBody::Empty => false,
        ArrivedBody::Json(value) => within(&value.to_string()),
        ArrivedBody::Bytes(bytes) => within(&String::from_utf8_lossy(bytes)),
    };
    within(&arrival.path)
        || within(&arrival.host)
        || arrival.query.as_deref().is_some_and(within)
        || arrival.request_id.as_deref().is_some_and(within)
        || arrival.unknown.as_deref().is_some_and(within)
        || body(&arrival.body)
        || body(&arrival.response)
}

/// A page of arrivals, which stays the same while requests arrive.
#[derive(Debug, Default)]
pub(crate) struct Page {
    after: Option<u64>,
    before: Option<u64>,
    limit: Option<usize>,
    newest_first: bool,
}

impl Page {
    /// The newest arrivals first.
    pub(crate) fn newest(limit: usize) -> Self {
        Self {
            limit: Some(limit),
            newest_first: true,
            ..Self::default()
        }
    }

    /// Takes a parameter of a query. Returns false if it is none of a page.
    pub(crate) fn take(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let number = || {
            value
                .parse::<u64>()
                .map_err(|_| format!("{name} must be a number, not {value}"))
        };
        match name {
            "after" => self.after = Some(number()?),
            "before" => self.before = Some(number()?),
            "limit" => self.limit = Some(usize::try_from(number()?).unwrap_or(usize::MAX)),
            "order" => {
                self.newest_first = match value {
                    "oldest" => false,
                    "newest" => true,
                    _ => return Err(format!("order must be oldest or newest, not {value}")),
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The arrivals of the page, in its order, and the ordinal from which the next page goes on.
    pub(crate) fn of<'a>(
        &self,
        arrivals: &'a [Arrival],
        filter: &Filter,
    ) -> (Vec<&'a Arrival>, Option<u64>) {
        let within = |arrival: &&Arrival| {
            self.after.is_none_or(|after| arrival.ordinal > after)
                && self.before.is_none_or(|before| arrival.ordinal < before)
                && filter.shows(arrival)
        };
        // One more than the page, to know whether there is a next one.
        let most = self.limit.unwrap_or(usize::MAX);
        let taken = most.saturating_add(1);
        let mut page: Vec<&Arrival> = if self.newest_first {
            arrivals.iter().rev().filter(within).take(taken).collect()
        } else {
            arrivals.iter().filter(within).take(taken).collect()
        };
        let more = page.len() > most;
        page.truncate(most);
        let next = page.last().filter(|_| more).map(|last| last.ordinal);
        (page, next)
    }
}
