//! Reads lists with pages, and delivers their elements one at a time (docs/protocol.md §14.1).

use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::arguments::{Arguments, wrong};
use super::cursor_cycle::CursorCycle;
use super::request;
use crate::client::{Client, Exchange, TIMEOUT};
use crate::codec::json::{self, Entries};
use crate::error::{Code, Error, Result};
use crate::openapi::{Answer, Operation, Pages, Paging};
use crate::operation::Op;
use crate::operation::event::{Event, EventKind};
use crate::response::Response;
use crate::service_error::with_content;

/// The time limit of a whole list, including the time in which the host does not read.
const LIST_TIME: Duration = Duration::from_secs(24 * 3600);
/// The default page size of a list that is paged by offset (docs/protocol.md §14.7).
const PAGE_SIZE: u64 = 50;
/// The number of elements that are taken out of a page at once.
const BATCH: usize = 1024;
/// The number of consecutive empty pages that ends a list with an error.
const MAX_EMPTY: u32 = 1000;

const MISTAKE: &str =
    "Try again later; this is a mistake of the service. The elements before it are valid.";

impl Client {
    /// Starts to read a list of the Platform API, such as `keys.list`. Each element is an event
    /// [`Item`](EventKind::Item), as fal sent it, in order.
    ///
    /// The next page is requested after the last element of a page was read, so a list may be
    /// larger than the memory. Cancel the operation to stop early. The time limit of the client
    /// applies to each page. The parameters are those of
    /// [`platform_start`](Client::platform_start); `limit` is the size of a page, not of the list.
    /// The response has the number of `pages` and `items`.
    ///
    /// The operation succeeds only if the list is complete. It fails with [`Code::Protocol`] if a
    /// page says that there are more elements but not where, if a total is not reached, if a cursor
    /// repeats, so that the list would never end, or after 1000 consecutive pages without an
    /// element. The smallest total of all pages counts, because a list may change while it is read.
    /// No total counts for a list that starts at a cursor of the caller, or for a search that did
    /// not cover everything (`scope_truncated`). The memory for these checks is bounded.
    ///
    /// The lines of `serverless.logs.stream` are also such elements, of a list that continues until
    /// it is cancelled.
    pub fn platform_list_start(&self, name: &str, params: Value) -> Result<Op> {
        let operation = request::find(name)?;
        if operation.answer == Answer::Events {
            return self.platform_start(name, params);
        }
        let pages = operation
            .pages
            .as_ref()
            .ok_or_else(|| wrong(operation, "the response is not a list"))?;
        let mut arguments = Arguments::check(operation, &params)?;
        if pages.paging == Paging::Offset && arguments.get("limit").is_none() {
            arguments.set("limit", PAGE_SIZE.into());
        }
        let time = self.timeout_or(TIMEOUT);
        self.start_exchange_within(LIST_TIME, move |exchange| async move {
            let walk = Walk {
                operation,
                pages,
                is_from_start: arguments.get("cursor").is_none(),
                arguments,
                exchange,
                time,
                items: 0,
                least: None,
                cycle: CursorCycle::default(),
                empty: 0,
            };
            walk.run().await
        })
    }
}

/// The reading of one list.
struct Walk {
    operation: &'static Operation,
    pages: &'static Pages,
    arguments: Arguments,
    exchange: Exchange,
    /// The time limit of each page.
    time: Duration,
    is_from_start: bool,
    items: u64,
    /// The smallest total that a page stated.
    least: Option<u64>,
    cycle: CursorCycle,
    /// The number of consecutive pages without an element.
    empty: u32,
}

/// The parts of a page.
struct Page {
    /// The elements, as raw JSON arrays.
    lists: Vec<Bytes>,
    /// The cursor of the next page.
    next: Option<String>,
    /// Whether there are more elements, if the page states it.
    more: Option<bool>,
    /// The length of the whole list, if the page states it.
    total: Option<u64>,
}

impl Walk {
    async fn run(mut self) -> Result<Response> {
        let mut last = None;
        for number in 1_u64.. {
            let body = self.fetch().await?.into_body();
            let (operation, pages) = (self.operation, self.pages);
            let mut page = json::look(body, move |body| read(operation, pages, &body)).await??;
            let lists = std::mem::take(&mut page.lists);
            let count = self.deliver(&lists, last.as_deref()).await?;
            self.empty = if count == 0 { self.empty + 1 } else { 0 };
            last = (self.pages.paging == Paging::Offset).then_some(lists);
            self.least = self.least.into_iter().chain(page.total).min();
            if !self.turn(page, count)? {
                self.check_total()?;
                return Ok(Response::made(
                    &json!({ "pages": number, "items": self.items }),
                ));
            }
            if self.empty == MAX_EMPTY {
                return Err(self.endless(&format!(
                    "{MAX_EMPTY} pages of {} in a row without an element",
                    self.operation.name
                )));
            }
            self.exchange.task.drained().await;
        }
        Err(self.endless("more pages than can be counted"))
    }

    /// Delivers the elements of a page as fal sent them, and returns their number. It parses a few
    /// at a time, because a list of all elements could take many times the memory of the page.
    async fn deliver(&mut self, lists: &[Bytes], last: Option<&[Bytes]>) -> Result<u64> {
        let begun = self.items;
        for list in lists {
            let entries = Entries::of(list.clone());
            let mut entries =
                entries.ok_or_else(|| broken(self.operation, "the list is not an array"))?;
            loop {
                let (left, few) = json::look(entries.rest(), move |_| {
                    let few = entries.next(BATCH);
                    (entries, few)
                })
                .await?;
                entries = left;
                if few.is_empty() {
                    break;
                }
                if self.items == begun && last == Some(lists) {
                    return Err(self.repeated("page"));
                }
                for element in few {
                    self.items += 1;
                    self.exchange
                        .task
                        .emit_when_room(Event::typed(EventKind::Item, element, "application/json"))
                        .await;
                }
            }
        }
        Ok(self.items - begun)
    }

    async fn fetch(&self) -> Result<Response> {
        let request = request::request(self.operation, &self.arguments, self.time)?;
        let exchange = self.exchange.anew(self.time)?;
        let idempotency = request.idempotency();
        let page = tokio::time::timeout(self.time, exchange.send(request)).await;
        let page = page.unwrap_or_else(|_| {
            let what = format!("a page took more than {} ms", self.time.as_millis());
            Err(self.exchange.task.progress.cut_short(Code::Deadline, &what))
        })?;
        with_content(
            page,
            "a page of a list",
            exchange.task.secrets(),
            idempotency,
        )
    }

    /// Moves to the next page. Returns `false` at the end of the list, which the page must confirm.
    fn turn(&mut self, page: Page, count: u64) -> Result<bool> {
        match self.pages.paging {
            Paging::Whole if page.more == Some(true) || page.next.is_some() => {
                Err(self.cut("has_more or a next_cursor, although the list has no pages"))
            }
            Paging::Whole => Ok(false),
            Paging::Cursor => self.turn_to_cursor(page),
            Paging::Offset => self.turn_to_offset(page, count),
        }
    }

    /// Checks the number of elements. The cursors say that a list has ended (§14.1), but a list
    /// with fewer elements than every stated total is incomplete.
    fn check_total(&self) -> Result<()> {
        match self.least {
            Some(total)
                if self.is_from_start
                    && self.pages.paging != Paging::Offset
                    && self.items < total =>
            {
                Err(self.cut(&format!("an end after {} of {total}", self.items)))
            }
            _ => Ok(()),
        }
    }

    fn turn_to_cursor(&mut self, page: Page) -> Result<bool> {
        let Some(next) = page.next else {
            return match page.more {
                Some(true) => Err(self.cut("has_more without a next_cursor")),
                _ => Ok(false),
            };
        };
        let again = self.arguments.str("cursor") == Some(&next) || self.cycle.closes(&next);
        match page.more {
            // The page has a cursor although it is the last one, so the cursor is followed once.
            Some(false) if again => Ok(false),
            _ if again => Err(self.repeated("cursor")),
            _ => {
                self.arguments.set("cursor", next.into());
                Ok(true)
            }
        }
    }

    /// A page may have fewer elements than requested, so only an empty page is the last one, unless
    /// fal states a total and does not state that there are more.
    fn turn_to_offset(&mut self, page: Page, count: u64) -> Result<bool> {
        let offset = self
            .arguments
            .get("offset")
            .and_then(Value::as_u64)
            .unwrap_or(0)
            .saturating_add(count);
        self.arguments.set("offset", offset.into());
        let more = page.more == Some(true) || page.next.is_some();
        match page.total {
            _ if more && count == 0 => {
                Err(self.cut("has_more or a next_cursor, without an element"))
            }
            Some(total) if offset >= total => Ok(more),
            Some(total) if count == 0 => {
                Err(self.cut(&format!("an empty page after {offset} of {total}")))
            }
            _ => Ok(count > 0),
        }
    }

    fn repeated(&self, what: &str) -> Error {
        self.endless(&format!("the same {what} of {} twice", self.operation.name))
    }

    fn cut(&self, what: &str) -> Error {
        let message = format!(
            "a page of {} has {what}, so the list may not be whole",
            self.operation.name
        );
        Error::new(Code::Protocol, message).with_remedy(MISTAKE)
    }

    fn endless(&self, what: &str) -> Error {
        let message = format!("fal sent {what}, so the list would never end");
        Error::new(Code::Protocol, message).with_remedy(MISTAKE)
    }
}

fn read(operation: &Operation, pages: &Pages, body: &Bytes) -> Result<Page> {
    let list = |list: &RawValue| body.slice_ref(list.get().as_bytes());
    if pages.members.is_empty() {
        let whole: &RawValue =
            serde_json::from_slice(body).map_err(|e| broken(operation, &e.to_string()))?;
        return Ok(Page {
            lists: vec![list(whole)],
            next: None,
            more: None,
            total: None,
        });
    }
    let names = [
        "next_cursor",
        "has_more",
        "total",
        "total_count",
        "scope_truncated",
    ];
    let members = json::members(body, names)
        .ok_or_else(|| broken(operation, "the body is not a JSON object"))?;
    let [next, more, total, total_count, truncated] = members;
    let named = |name: &&str| json::members(body, [*name]).and_then(|[found]| found);
    let lists: Vec<_> = pages.members.iter().filter_map(named).map(list).collect();
    if lists.is_empty() {
        let message = format!(
            "a page of {} has no {}",
            operation.name,
            pages.members.join(" and no ")
        );
        return Err(Error::new(Code::Protocol, message));
    }
    let next = next.filter(|cursor| !json::is_null(cursor));
    let next = next.map(|cursor| {
        json::text(cursor).ok_or_else(|| broken(operation, "next_cursor is not a string"))
    });
    let next = next.transpose()?.filter(|cursor| !cursor.is_empty());
    let more = more
        .filter(|more| !json::is_null(more))
        .map(|more| more.get() != "false");
    let total = [total, total_count]
        .into_iter()
        .flatten()
        .find_map(|total| total.get().parse().ok());
    // With several lists, or a search that was cut off, the total may count other elements.
    let counts = pages.members.len() == 1 && truncated.is_none_or(|cut| cut.get() != "true");
    Ok(Page {
        lists,
        next,
        more,
        total: total.filter(|_| counts),
    })
}

fn broken(operation: &Operation, what: &str) -> Error {
    Error::new(
        Code::Protocol,
        format!("a page of {} is not as documented: {what}", operation.name),
    )
}
