//! Lists that come in pages, one element at a time (docs/protocol.md §14.1).

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

/// For the whole of a list, the host's own pauses included.
const LIST_TIME: Duration = Duration::from_secs(24 * 3600);
/// Of a list that is paged by offset, unless the caller wishes otherwise (docs/protocol.md §14.7).
const PAGE: u64 = 50;
/// So many elements are taken out of a page at once.
const FEW: usize = 1024;
/// So many pages without an element, one after the other, are no list.
const EMPTY: u32 = 1000;

impl Client {
    /// Starts reading a list of the Platform API, such as `keys.list`: each element is an event
    /// [`Item`](EventKind::Item), as fal sent it, in order.
    ///
    /// The next page is asked for when the last element before it was read, so a list may be longer
    /// than the memory. Cancel the operation to stop early. The client's time holds for each page.
    /// The parameters are those of [`platform_start`](Client::platform_start); `limit` is the size
    /// of a page, not of the list. The response tells the number of `pages` and `items`.
    ///
    /// A list is whole or an error, [`Code::Protocol`]: a page that says there are more and not
    /// where, a total that is not reached, a cursor that comes again, since the list would never
    /// end, 1000 pages in a row without an element. Of the totals of several pages the least
    /// counts, since a list may change while it is read; none of a list that is read from a cursor
    /// of the caller's, or of a search that did not look at everything (`scope_truncated`). The
    /// memory that this takes is bounded, however long the list is.
    ///
    /// The lines of `serverless.logs.stream` are such elements too: of a list that goes on until it
    /// is cancelled.
    pub fn platform_list_start(&self, name: &str, params: Value) -> Result<Op> {
        let operation = request::find(name)?;
        if operation.answer == Answer::Events {
            return self.platform_start(name, params);
        }
        let pages = operation
            .pages
            .as_ref()
            .ok_or_else(|| wrong(operation, "its answer is no list"))?;
        let mut arguments = Arguments::check(operation, &params)?;
        if pages.paging == Paging::Offset && arguments.get("limit").is_none() {
            arguments.set("limit", PAGE.into());
        }
        let time = self.timeout_or(TIMEOUT);
        self.start_exchange_within(LIST_TIME, move |exchange| async move {
            let is_from_start = arguments.get("cursor").is_none();
            let circle = CursorCycle::default();
            let walk = Walk {
                operation,
                pages,
                arguments,
                exchange,
                time,
                is_from_start,
                items: 0,
                least: None,
                circle,
                empty: 0,
            };
            walk.run().await
        })
    }
}

struct Walk {
    operation: &'static Operation,
    pages: &'static Pages,
    arguments: Arguments,
    exchange: Exchange,
    /// For each page.
    time: Duration,
    is_from_start: bool,
    items: u64,
    /// The least length of the whole list that a page told.
    least: Option<u64>,
    circle: CursorCycle,
    /// Pages without an element since the last that had one.
    empty: u32,
}

/// A page, taken apart without loss.
struct Page {
    /// Its elements, as arrays.
    lists: Vec<Bytes>,
    /// The cursor of the next one.
    next: Option<String>,
    /// Whether there are more, if it says so.
    more: Option<bool>,
    /// The length of the whole list, if it says so.
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
            if self.empty == EMPTY {
                return Err(self.endless(&format!(
                    "{EMPTY} pages of {} in a row without an element",
                    self.operation.name
                )));
            }
            self.exchange.task.drained().await;
        }
        Err(self.endless("more pages than can be counted"))
    }

    /// Hands over the elements of a page, as they were sent; how many they are. A list of tiny ones
    /// would take many times their memory.
    async fn deliver(&mut self, lists: &[Bytes], last: Option<&[Bytes]>) -> Result<u64> {
        let begun = self.items;
        for list in lists {
            let entries = Entries::of(list.clone());
            let mut entries =
                entries.ok_or_else(|| broken(self.operation, "its list is no array"))?;
            loop {
                let (left, few) = json::look(entries.rest(), move |_| {
                    let few = entries.next(FEW);
                    (entries, few)
                })
                .await?;
                entries = left;
                if few.is_empty() {
                    break;
                }
                if self.items == begun && last == Some(lists) {
                    return Err(self.twice("page"));
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
            let what = format!("the {} ms for a page were over", self.time.as_millis());
            Err(self.exchange.task.progress.cut_short(Code::Deadline, &what))
        })?;
        with_content(
            page,
            "a page of a list",
            exchange.task.secrets(),
            idempotency,
        )
    }

    /// Turns to the next page; false if the list has been read to its end, for which the page has
    /// to speak.
    fn turn(&mut self, page: Page, count: u64) -> Result<bool> {
        match self.pages.paging {
            Paging::Whole if page.more == Some(true) || page.next.is_some() => {
                Err(self.cut("has_more or a next_cursor, where there are no pages"))
            }
            Paging::Whole => Ok(false),
            Paging::Cursor => self.turn_to_cursor(page),
            Paging::Offset => self.turn_to_offset(page, count),
        }
    }

    /// That a list has ended, its cursors say (§14.1). One that ends before as many as were always
    /// told is not whole all the same.
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
        let again = self.arguments.str("cursor") == Some(&next) || self.circle.closes(&next);
        match page.more {
            // A cursor all the same: what may be behind it is looked at, once.
            Some(false) if again => Ok(false),
            _ if again => Err(self.twice("cursor")),
            _ => {
                self.arguments.set("cursor", next.into());
                Ok(true)
            }
        }
    }

    /// A page may hold less than was asked for, so only an empty one is the last, unless fal says
    /// how much there is, and not that there is more.
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

    fn twice(&self, what: &str) -> Error {
        self.endless(&format!("the same {what} of {} twice", self.operation.name))
    }

    fn cut(&self, what: &str) -> Error {
        let told = format!(
            "a page of {} has {what}, so the list may not be whole",
            self.operation.name
        );
        Error::new(Code::Protocol, told).with_remedy(
            "What came before is good. Ask again later; this is a mistake of the service.",
        )
    }

    fn endless(&self, what: &str) -> Error {
        Error::new(
            Code::Protocol,
            format!("fal gave {what}, so the list would never end"),
        )
        .with_remedy("What came before is good. Ask again later; this is a mistake of the service.")
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
    let members =
        json::members(body, names).ok_or_else(|| broken(operation, "it is no JSON object"))?;
    let [next, more, total, total_count, truncated] = members;
    let named = |name: &&str| json::members(body, [*name]).and_then(|[found]| found);
    let lists: Vec<_> = pages.members.iter().filter_map(named).map(list).collect();
    if lists.is_empty() {
        let told = format!(
            "a page of {} has no {}",
            operation.name,
            pages.members.join(" and no ")
        );
        return Err(Error::new(Code::Protocol, told));
    }
    let next = next.filter(|cursor| !json::is_null(cursor));
    let next = next.map(|cursor| {
        json::text(cursor).ok_or_else(|| broken(operation, "its next_cursor is no text"))
    });
    let next = next.transpose()?.filter(|cursor| !cursor.is_empty());
    let more = more
        .filter(|more| !json::is_null(more))
        .map(|more| more.get() != "false");
    let total = [total, total_count]
        .into_iter()
        .flatten()
        .find_map(|total| total.get().parse().ok());
    // What else is counted than the elements of the one list, nobody says.
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
        format!(
            "a page of {} is not what it should be: {what}",
            operation.name
        ),
    )
}
