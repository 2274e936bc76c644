//! The events between the task of an operation, which produces them, and the host, which reads
//! them. The queue is limited.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::{Event, EventKind};

/// The maximum number of queued events …
const MOST: usize = 1024;
/// … and their maximum size in bytes. A single event may be larger.
const MOST_BYTES: usize = 16 << 20;

/// Tells a dispatcher about an operation. Everything is published under the operation's lock, so
/// that the order of what is published is the order of what happened.
pub(super) trait Listener: Send + Sync {
    /// Publishes that events are queued. `handles` counts the handles to the operation. Returns
    /// `None` if the dispatcher is gone.
    fn publish(&self, handles: &mut usize) -> Option<Arc<dyn Bell>>;

    /// Publishes that the operation ends.
    fn publish_end(&self) -> Option<Arc<dyn Bell>>;

    /// Whether the dispatcher still exists.
    fn is_alive(&self) -> bool;

    fn place(&self) -> Place;

    /// Withdraws what is published and not delivered yet.
    fn retire(&self);
}

/// Wakes those who wait for what was published. Is rung without any lock, because it may call a
/// function of the host.
pub(super) trait Bell: Send + Sync {
    fn ring(self: Arc<Self>);
}

/// Where a listener publishes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The address of the dispatcher.
    pub(super) dispatcher: usize,
    /// The number of the watch; `None` for a callback.
    pub(super) watch: Option<u64>,
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

    /// Adds an event. The caller must publish it through the returned listener.
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

    /// Sets the listener. The caller must publish through it if events are queued already.
    pub(super) fn set_listener(&mut self, listener: Arc<dyn Listener>) {
        self.listener = Some(listener);
        self.notified = !self.waiting.is_empty();
    }

    /// Removes and retires the listener. The caller must drop it without the lock.
    pub(super) fn take_listener(&mut self) -> Option<Arc<dyn Listener>> {
        let listener = self.listener.take()?;
        listener.retire();
        Some(listener)
    }

    /// Removes a callback of which no call can follow once the operation has ended. The caller must
    /// drop it without the lock.
    pub(super) fn take_callback(&mut self) -> Option<Arc<dyn Listener>> {
        let listener = self.listener.as_ref()?;
        let is_over = self.is_read() || !listener.is_alive();
        match is_over && listener.place().watch.is_none() {
            true => self.take_listener(),
            false => None,
        }
    }

    /// The listener, unless its dispatcher is gone.
    pub(super) fn listener(&self) -> Option<&Arc<dyn Listener>> {
        self.listener
            .as_ref()
            .filter(|listener| listener.is_alive())
    }

    /// Where the listener publishes.
    pub(super) fn place(&self) -> Option<Place> {
        self.listener().map(|listener| listener.place())
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
        fn publish(&self, _: &mut usize) -> Option<Arc<dyn Bell>> {
            None
        }

        fn publish_end(&self) -> Option<Arc<dyn Bell>> {
            None
        }

        fn is_alive(&self) -> bool {
            false
        }

        fn place(&self) -> Place {
            Place {
                dispatcher: 0,
                watch: None,
            }
        }

        fn retire(&self) {}
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
        events.set_listener(Arc::new(Ended));
        assert!(events.push(event(EventKind::Log, 1)).is_none());
        events.rearm();
        assert!(events.push(event(EventKind::Log, 2)).is_some());
        events.pop();
        assert!(events.push(event(EventKind::Log, 3)).is_some());
    }
}
