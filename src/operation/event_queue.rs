//! The events of an operation between the task that makes them and the host that reads them: never
//! more than so many.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::{Event, EventKind};

/// The most events that wait for the host …
const MOST: usize = 1024;
/// … and the most bytes in them; one event may be larger.
const MOST_BYTES: usize = 16 << 20;

/// Tells somebody that events begin to wait.
#[derive(Clone)]
pub(crate) struct Notice(Arc<dyn Tell>);

/// Who is told.
pub(crate) trait Tell: Send + Sync {
    fn tell(&self);

    /// Whether there is still somebody to be told.
    fn is_there(&self) -> bool;
}

impl Notice {
    pub(crate) fn new(told: impl Tell + 'static) -> Self {
        Notice(Arc::new(told))
    }

    pub(super) fn give(&self) {
        self.0.tell();
    }
}

#[derive(Default)]
pub(super) struct EventQueue {
    waiting: VecDeque<Event>,
    bytes: usize,
    dropped: u64,
    discarding: bool,
    notice: Option<Notice>,
    /// The notice was given and the host has not looked since.
    noticed: bool,
}

impl EventQueue {
    pub(super) fn has_space(&self) -> bool {
        self.discarding
            || self.waiting.is_empty()
            || (self.waiting.len() < MOST && self.bytes < MOST_BYTES)
    }

    /// Whether the host has read everything, or wants nothing.
    pub(super) fn is_read(&self) -> bool {
        self.discarding || self.waiting.is_empty()
    }

    /// Adds an event and tells whom to notify.
    pub(super) fn push(&mut self, event: Event) -> Option<Notice> {
        if self.discarding {
            return None;
        }
        // Only the last figure matters.
        let newer = |last: &Event| {
            last.kind() == EventKind::Progress && event.kind() == EventKind::Progress
        };
        if self.waiting.back().is_some_and(newer) {
            self.bytes -= self.waiting.pop_back().map_or(0, |last| last.size());
        }
        self.bytes += event.size();
        self.waiting.push_back(event);
        self.notify()
    }

    /// The same where nobody may wait for room: the oldest event makes it.
    pub(super) fn push_over(&mut self, event: Event) -> Option<Notice> {
        while !self.has_space() {
            self.take();
            self.dropped += 1;
        }
        self.push(event)
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.noticed = false;
        self.take()
    }

    fn take(&mut self) -> Option<Event> {
        let event = self.waiting.pop_front()?;
        self.bytes -= event.size();
        Some(event)
    }

    /// Nobody will read: what waits goes, and nothing is kept from now on.
    pub(super) fn discard(&mut self) {
        self.discarding = true;
        self.waiting = VecDeque::new();
        self.bytes = 0;
    }

    pub(super) fn is_discarding(&self) -> bool {
        self.discarding
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whom to notify from now on, and whether there is a reason to at once.
    pub(super) fn set_notice(&mut self, notice: Notice) -> Option<Notice> {
        self.notice = Some(notice);
        self.noticed = false;
        if self.waiting.is_empty() {
            None
        } else {
            self.notify()
        }
    }

    /// Whether somebody is told of events, who then reads them.
    pub(super) fn has_notice(&self) -> bool {
        self.notice
            .as_ref()
            .is_some_and(|notice| notice.0.is_there())
    }

    /// The host has been told, and will look.
    pub(super) fn looked(&mut self) {
        self.noticed = false;
    }

    fn notify(&mut self) -> Option<Notice> {
        let due = !std::mem::replace(&mut self.noticed, true);
        self.notice.clone().filter(|_| due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Nobody;

    impl Tell for Nobody {
        fn tell(&self) {}

        fn is_there(&self) -> bool {
            false
        }
    }

    fn event(kind: EventKind, n: usize) -> Event {
        Event::json(kind, &json!(n))
    }

    #[test]
    fn the_oldest_makes_room_and_is_counted() {
        let mut events = EventQueue::default();
        (0..MOST + 3).for_each(|n| drop(events.push_over(event(EventKind::Log, n))));
        assert_eq!(events.dropped(), 3);
        assert_eq!(events.pop().unwrap().get("").unwrap(), 3);
        assert!(events.has_space());
    }

    #[test]
    fn bytes_count_too_but_one_event_may_be_large() {
        let mut events = EventQueue::default();
        assert!(events.has_space());
        events.push(Event::bytes(EventKind::Item, vec![0; MOST_BYTES].into()));
        assert!(!events.has_space());
        events.pop();
        assert!(events.has_space() && events.bytes == 0);
    }

    #[test]
    fn of_progress_only_the_last_is_kept() {
        let mut events = EventQueue::default();
        (0..5).for_each(|n| drop(events.push(event(EventKind::Progress, n))));
        events.push(event(EventKind::Log, 9));
        assert_eq!(events.pop().unwrap().get("").unwrap(), 4);
        assert_eq!(events.pop().unwrap().get("").unwrap(), 9);
        assert!(events.pop().is_none() && events.bytes == 0);
    }

    #[test]
    fn what_nobody_reads_is_not_kept() {
        let mut events = EventQueue::default();
        events.push(event(EventKind::Log, 1));
        events.discard();
        events.push(event(EventKind::Log, 2));
        assert!(events.pop().is_none() && events.has_space());
    }

    #[test]
    fn the_host_is_told_once_until_it_looks() {
        let mut events = EventQueue::default();
        events.push(event(EventKind::Log, 0));
        assert!(
            events.set_notice(Notice::new(Nobody)).is_some(),
            "one waits already"
        );
        assert!(events.push(event(EventKind::Log, 1)).is_none());
        events.looked();
        assert!(events.push(event(EventKind::Log, 2)).is_some());
        events.pop();
        assert!(events.push(event(EventKind::Log, 3)).is_some());
    }
}
