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
    /// A cursor that comes again is [`Code::Protocol`], since the list would never end, and so are 1000 pages in a row without an
    /// element. The memory that this takes is bounded, however long the list is.
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
            Walk { operation, pages, arguments, steps, time, items: 0, circle: Circle::default(), empty: 0 }.run().await
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
    items: u64,
    circle: Circle,
    /// Pages without an element since the last that had one.
    empty: u32,
}

/// A page, taken apart without loss: the elements as they were sent.
struct Page {
    elements: Vec<Bytes>,
    next: Option<String>,
}

impl Walk {
    async fn run(mut self) -> Result<Response> {
        let mut last = None;
        for number in 1_u64.. {
            let response = self.fetch().await?;
            let page = self.read(response.body())?;
            let count = page.elements.len() as u64;
            self.empty = if count == 0 { self.empty + 1 } else { 0 };
            let repeated = self.pages.paging == Paging::Offset && count > 0 && last.as_ref() == Some(&page.elements);
            if repeated {
                return Err(self.twice("page"));
            }
            last = (self.pages.paging == Paging::Offset).then(|| page.elements.clone());
            for element in page.elements {
                self.items += 1;
                self.steps.task.deliver(Event::typed(EventKind::Item, element, "application/json")).await;
            }
            if !self.turn(page.next, count)? {
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

    /// Turns to the next page; false if there is none.
    fn turn(&mut self, next: Option<String>, count: u64) -> Result<bool> {
        match self.pages.paging {
            Paging::Whole => Ok(false),
            Paging::Cursor => {
                let Some(next) = next else { return Ok(false) };
                let started_here = self.arguments.str("cursor") == Some(&next);
                if started_here || self.circle.closes(&next) {
                    return Err(self.twice("cursor"));
                }
                self.arguments.set("cursor", next.into());
                Ok(true)
            }
            Paging::Offset => {
                let number = |name: &str| self.arguments.get(name).and_then(Value::as_u64);
                let (limit, offset) = (number("limit").unwrap_or(PAGE), number("offset").unwrap_or(0));
                self.arguments.set("offset", (offset + count).into());
                Ok(count >= limit)
            }
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
            return Ok(Page { elements: elements(list)?, next: None });
        }
        let members: HashMap<String, &RawValue> = serde_json::from_slice(body).map_err(broken)?;
        let lists: Vec<_> = self.pages.members.iter().filter_map(|name| members.get(*name)).collect();
        if lists.is_empty() {
            let told = format!("a page of {} has no {}", self.operation.name, self.pages.members.join(" and no "));
            return Err(Error::new(Code::Protocol, told));
        }
        let mut page = Page { elements: Vec::new(), next: None };
        for list in lists {
            page.elements.extend(elements(list)?);
        }
        // has_more decides; a page that says there are more but not where they are is the last.
        let more = members.get("has_more").is_none_or(|more| more.get() != "false");
        let cursor = members.get("next_cursor").filter(|_| more);
        page.next = cursor.map_or(Ok(None), |cursor| serde_json::from_str(cursor.get())).map_err(broken)?;
        Ok(page)
    }

    fn twice(&self, what: &str) -> Error {
        self.endless(&format!("the same {what} of {} twice", self.operation.name))
    }

    fn endless(&self, what: &str) -> Error {
        Error::new(Code::Protocol, format!("fal gave {what}, so the list would never end"))
            .with_remedy("What came before is good. Ask again later; this is a mistake of the service.")
    }
}
