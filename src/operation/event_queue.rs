//! The events between the task of an operation, which produces them, and the host, which reads
//! them. The queue is limited.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::{Event, EventKind};

/// The maximum number of queued events …
const MOST: usize = 1024;
/// … and their maximum size in bytes. A single event may be larger.
const MOST_BYTES: usize = 16 << 20;

/// Is notified when the queue stops being empty.
pub(crate) trait Listener: Send + Sync {
    fn notify(&self);

    /// Whether the listener still reads events.
    fn is_alive(&self) -> bool;
}

#[derive(Default)]
pub(super) struct EventQueue {
    waiting: VecDeque<Event>,
    bytes: usize,
    dropped: u64,
    discarding: bool,
    listener: Option<Arc<dyn Listener>>,
    /// Whether the listener was notified and the host has not read since.
    notified: bool,
}

impl EventQueue {
    pub(super) fn has_space(&self) -> bool {
        self.waiting.is_empty() || (self.waiting.len() < MOST && self.bytes < MOST_BYTES)
    }

    /// Whether the host has read or discarded every event.
    pub(super) fn is_read(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds an event. The caller must notify the returned listener, without the lock of the queue.
    pub(super) fn push(&mut self, event: Event) -> Option<Arc<dyn Listener>> {
        if self.discarding {
            return None;
        }
        // A progress event replaces the one before it.
        let newer = |last: &Event| {
            last.kind() == EventKind::Progress && event.kind() == EventKind::Progress
        };
        if self.waiting.back().is_some_and(newer) {
            self.bytes -= self.waiting.pop_back().map_or(0, |last| last.size());
        }
        self.bytes += event.size();
        self.waiting.push_back(event);
        self.due()
    }

    /// Like [`push`](Self::push), but drops the oldest events if there is no space.
    pub(super) fn push_over(&mut self, event: Event) -> Option<Arc<dyn Listener>> {
        while !self.has_space() {
            self.take();
            self.dropped += 1;
        }
        self.push(event)
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.notified = false;
        self.take()
    }

    fn take(&mut self) -> Option<Event> {
        let event = self.waiting.pop_front()?;
        self.bytes -= event.size();
        Some(event)
    }

    /// Drops all queued and future events.
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

    /// Replaces the listener. The caller must notify the returned one, because events are queued.
    pub(super) fn set_listener(
        &mut self,
        listener: Arc<dyn Listener>,
    ) -> Option<Arc<dyn Listener>> {
        self.listener = Some(listener);
        self.notified = false;
        match self.waiting.is_empty() {
            true => None,
            false => self.due(),
        }
    }

    /// Whether a listener reads the events.
    pub(super) fn has_listener(&self) -> bool {
        self.listener
            .as_ref()
            .is_some_and(|listener| listener.is_alive())
    }

    /// Makes the next event notify the listener again, because the host is about to read.
    pub(super) fn rearm(&mut self) {
        self.notified = false;
    }

    fn due(&mut self) -> Option<Arc<dyn Listener>> {
        let due = !std::mem::replace(&mut self.notified, true);
        self.listener.clone().filter(|_| due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Ended;

    impl Listener for Ended {
        fn notify(&self) {}

        fn is_alive(&self) -> bool {
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
            events.set_listener(Arc::new(Ended)).is_some(),
            "an event is queued already"
        );
        assert!(events.push(event(EventKind::Log, 1)).is_none());
        events.rearm();
        assert!(events.push(event(EventKind::Log, 2)).is_some());
        events.pop();
        assert!(events.push(event(EventKind::Log, 3)).is_some());
    }
}
