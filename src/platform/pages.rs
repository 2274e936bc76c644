//! Lists that come in pages, one element at a time (fal-protocol.md §14.1).

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::arguments::{Arguments, wrong};
use super::call;
use super::circle::Circle;
use super::table::{Answer, Operation, Pages, Paging};
use crate::client::{Client, Steps, TIMEOUT};
use crate::error::{Code, Error, Result};
use crate::event::{Event, EventKind};
use crate::op::Op;
use crate::response::Response;

/// For the whole of a list, the host's own pauses included.
const LIST_TIME: Duration = Duration::from_secs(24 * 3600);
/// Of a list that is paged by offset, unless the caller wishes otherwise (fal-protocol.md §14.7).
const PAGE: u64 = 50;
/// So many pages without an element, one after the other, are no list.
const EMPTY: u32 = 1000;

impl Client {
    /// Starts reading a list of the Platform API, such as `keys.list`: each element is an event [`Item`](EventKind::Item), as fal
    /// sent it, in order.
    ///
    /// The next page is asked for when the last element before it was read, so a list may be longer than the memory. Cancel the
    /// operation to stop early. The client's time holds for each page. The parameters are those of
    /// [`platform_start`](Client::platform_start); `limit` is the size of a page, not of the list. The response tells the
    /// number of `pages` and `items`.
    ///
    /// A list is whole or an error, [`Code::Protocol`]: a page that says there are more and not where, a total that is not reached,
    /// a cursor that comes again, since the list would never end, 1000 pages in a row without an element. Of the totals of several pages
    /// the least counts, since a list may change while it is read; none of a list that is read from a cursor of the caller's, or of a
    /// search that did not look at everything (`scope_truncated`). The memory that this takes is bounded, however long the list is.
    ///
    /// The lines of `serverless.logs.stream` are such elements too: of a list that goes on until it is cancelled.
    pub fn platform_list_start(&self, name: &str, params: Value) -> Result<Op> {
        let operation = call::find(name)?;
        if operation.answer == Answer::Events {
            return self.platform_start(name, params);
        }
        let pages = operation.pages.as_ref().ok_or_else(|| wrong(operation, "its answer is no list"))?;
        let mut arguments = Arguments::check(operation, &params)?;
        if pages.paging == Paging::Offset && arguments.get("limit").is_none() {
            arguments.set("limit", PAGE.into());
        }
        let time = self.timeout_or(TIMEOUT);
        self.start_steps_within(LIST_TIME, move |steps| async move {
            let is_from_start = arguments.get("cursor").is_none();
            let circle = Circle::default();
            let walk = Walk {
                operation,
                pages,
                arguments,
                steps,
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
    steps: Steps,
    /// For each page.
    time: Duration,
    is_from_start: bool,
    items: u64,
    /// The least length of the whole list that a page told.
    least: Option<u64>,
    circle: Circle,
    /// Pages without an element since the last that had one.
    empty: u32,
}

/// A page, taken apart without loss: the elements as they were sent.
struct Page {
    elements: Vec<Bytes>,
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
            let response = self.fetch().await?;
            let mut page = self.read(response.body())?;
            let elements = std::mem::take(&mut page.elements);
            let count = elements.len() as u64;
            self.empty = if count == 0 { self.empty + 1 } else { 0 };
            let repeated = self.pages.paging == Paging::Offset && count > 0 && last.as_ref() == Some(&elements);
            if repeated {
                return Err(self.twice("page"));
            }
            last = (self.pages.paging == Paging::Offset).then(|| elements.clone());
            for element in elements {
                self.items += 1;
                self.steps.task.deliver(Event::typed(EventKind::Item, element, "application/json")).await;
            }
            self.least = self.least.into_iter().chain(page.total).min();
            if !self.turn(page, count)? {
                self.check_total()?;
                return Ok(Response::made(&json!({ "pages": number, "items": self.items })));
            }
            if self.empty == EMPTY {
                return Err(
                    self.endless(&format!("{EMPTY} pages of {} in a row without an element", self.operation.name))
                );
            }
            self.steps.task.drained().await;
        }
        Err(self.endless("more pages than can be counted"))
    }

    async fn fetch(&self) -> Result<Response> {
        let request = call::request(self.operation, &self.arguments, self.time)?;
        let steps = self.steps.anew(self.time)?;
        let page = tokio::time::timeout(self.time, steps.send(request)).await;
        page.unwrap_or_else(|_| {
            let what = format!("the {} ms for a page were over", self.time.as_millis());
            Err(self.steps.task.progress.cut_short(Code::Deadline, &what))
        })
    }

    /// Turns to the next page; false if the list has been read to its end, for which the page has to speak.
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

    /// That a list has ended, its cursors say (§14.1). One that ends before as many as were always told is not whole all the same.
    fn check_total(&self) -> Result<()> {
        match self.least {
            Some(total) if self.is_from_start && self.pages.paging != Paging::Offset && self.items < total => {
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

    /// A page may hold less than was asked for, so only an empty one is the last, unless fal says how much there is, and not that there
    /// is more.
    fn turn_to_offset(&mut self, page: Page, count: u64) -> Result<bool> {
        let offset = self.arguments.get("offset").and_then(Value::as_u64).unwrap_or(0).saturating_add(count);
        self.arguments.set("offset", offset.into());
        let more = page.more == Some(true) || page.next.is_some();
        match page.total {
            _ if more && count == 0 => Err(self.cut("has_more or a next_cursor, without an element")),
            Some(total) if offset >= total => Ok(more),
            Some(total) if count == 0 => Err(self.cut(&format!("an empty page after {offset} of {total}"))),
            _ => Ok(count > 0),
        }
    }

    fn read(&self, body: &Bytes) -> Result<Page> {
        let broken = |e: serde_json::Error| {
            Error::new(Code::Protocol, format!("a page of {} is not what it should be: {e}", self.operation.name))
        };
        let elements = |list: &RawValue| -> Result<Vec<Bytes>> {
            let list: Vec<&RawValue> = serde_json::from_str(list.get()).map_err(broken)?;
            Ok(list.iter().map(|element| body.slice_ref(element.get().as_bytes())).collect())
        };
        if self.pages.members.is_empty() {
            let list: &RawValue = serde_json::from_slice(body).map_err(broken)?;
            return Ok(Page { elements: elements(list)?, next: None, more: None, total: None });
        }
        let members: HashMap<String, &RawValue> = serde_json::from_slice(body).map_err(broken)?;
        let lists: Vec<_> = self.pages.members.iter().filter_map(|name| members.get(*name)).collect();
        if lists.is_empty() {
            let told = format!("a page of {} has no {}", self.operation.name, self.pages.members.join(" and no "));
            return Err(Error::new(Code::Protocol, told));
        }
        let next = members.get("next_cursor").map(|cursor| serde_json::from_str::<Option<String>>(cursor.get()));
        let next = next.transpose().map_err(broken)?.flatten().filter(|cursor| !cursor.is_empty());
        let more = members.get("has_more").map(|more| more.get()).filter(|more| *more != "null");
        let more = more.map(|more| more != "false");
        let total = ["total", "total_count"].iter().find_map(|name| members.get(*name)?.get().parse().ok());
        // What else is counted than the elements of the one list, nobody says.
        let counts =
            self.pages.members.len() == 1 && members.get("scope_truncated").is_none_or(|cut| cut.get() != "true");
        let total = total.filter(|_| counts);
        let mut page = Page { elements: Vec::new(), next, more, total };
        for list in lists {
            page.elements.extend(elements(list)?);
        }
        Ok(page)
    }

    fn twice(&self, what: &str) -> Error {
        self.endless(&format!("the same {what} of {} twice", self.operation.name))
    }

    fn cut(&self, what: &str) -> Error {
        let told = format!("a page of {} has {what}, so the list may not be whole", self.operation.name);
        Error::new(Code::Protocol, told)
            .with_remedy("What came before is good. Ask again later; this is a mistake of the service.")
    }

    fn endless(&self, what: &str) -> Error {
        Error::new(Code::Protocol, format!("fal gave {what}, so the list would never end"))
            .with_remedy("What came before is good. Ask again later; this is a mistake of the service.")
    }
}
