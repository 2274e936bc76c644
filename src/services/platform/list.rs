//! A list of the Platform API with typed elements.

use serde_json::Value;

use super::fields::Fields;
use super::request;
use crate::client::Client;
use crate::error::Result;
use crate::openapi::Operation;
use crate::operation::event::{Event, EventKind};
use crate::operation::{NextEvent, Op};

type Read<T> = fn(&Fields<'_>) -> Result<T>;

/// A list whose elements are read one at a time: asynchronously with
/// [`next_item`](List::next_item), or as an iterator, which blocks.
///
/// The next page is requested after the last element of a page was read. Dropping the list cancels
/// it.
#[derive(Debug)]
pub struct List<T> {
    op: Op,
    operation: &'static Operation,
    read: Read<T>,
    ended: bool,
}

impl<T> List<T> {
    pub(super) fn start(
        client: &Client,
        name: &'static str,
        params: Value,
        read: Read<T>,
    ) -> Result<Self> {
        let (op, operation) = (
            client.platform_list_start(name, params)?,
            request::find(name)?,
        );
        Ok(List {
            op,
            operation,
            read,
            ended: false,
        })
    }

    /// Returns the next element, or the error that ended the list. `None` at the end.
    pub async fn next_item(&mut self) -> Option<Result<T>> {
        while !self.ended {
            let event = self.op.next_event().await;
            if let Some(outcome) = self.turn(event) {
                return Some(outcome);
            }
        }
        None
    }

    fn turn(&mut self, event: Option<Event>) -> Option<Result<T>> {
        let Some(event) = event else {
            self.ended = true;
            return self.op.take().and_then(|outcome| outcome.err()).map(Err);
        };
        let element = (event.kind() == EventKind::Item).then(|| event.into_content())?;
        Some(
            Fields::read(element.body(), self.operation.name)
                .and_then(|fields| (self.read)(&fields)),
        )
    }
}

impl<T> Iterator for List<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        while !self.ended {
            let event = match self.op.wait_event(None) {
                Ok(NextEvent::Event(event)) => Some(event),
                Ok(NextEvent::End) => None,
                Ok(NextEvent::Pending) => continue,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            };
            if let Some(outcome) = self.turn(event) {
                return Some(outcome);
            }
        }
        None
    }
}

impl<T> Drop for List<T> {
    fn drop(&mut self) {
        self.op.cancel();
    }
}
