//! One queue for the events and the ends of many operations, which the host reads without a
//! callback.

use std::any::Any;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::dispatcher::Dispatcher;
use super::event::Event;
use super::event_queue::{Bell, Listener, Place};
use super::op::{NextEvent, Op};
use super::ready::{Shared, Watch};
use crate::error::Result;
use crate::runtime::host_functions::HostOwned;

/// What a watched operation reports.
pub struct Notice {
    op: Op,
    tag: Arc<dyn Any + Send + Sync>,
    event: Option<Event>,
}

impl Notice {
    /// The operation.
    pub fn op(&self) -> &Op {
        &self.op
    }

    /// The value that was passed to [`Dispatcher::watch`], if it has this type.
    pub fn tag<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.tag.downcast_ref::<HostOwned<T>>()?.get()
    }

    /// The event; `None` once the operation has ended and all of its events were read.
    pub fn event(&self) -> Option<&Event> {
        self.event.as_ref()
    }

    /// Converts the notice into its event.
    pub fn into_event(self) -> Option<Event> {
        self.event
    }
}

impl std::fmt::Debug for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notice")
            .field("op", &self.op)
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

/// Gives a watch its turn when the operation has news. Does not keep the dispatcher alive.
struct WatchListener {
    dispatcher: Weak<Shared>,
    id: u64,
}

impl WatchListener {
    fn give_turn(&self) -> Option<Arc<dyn Bell>> {
        let shared = self.dispatcher.upgrade()?;
        shared.lock().give_turn(self.id);
        Some(shared)
    }
}

impl Listener for WatchListener {
    fn publish(&self, _: &mut usize) -> Option<Arc<dyn Bell>> {
        self.give_turn()
    }

    fn publish_end(&self) -> Option<Arc<dyn Bell>> {
        self.give_turn()
    }

    fn is_alive(&self) -> bool {
        self.dispatcher.strong_count() > 0
    }

    fn place(&self) -> Place {
        Place {
            dispatcher: self.dispatcher.as_ptr().addr(),
            watch: Some(self.id),
        }
    }

    fn retire(&self) {}
}

impl Dispatcher {
    /// Makes [`next`](Self::next) return the events and the end of `op`, with `tag`. The dispatcher
    /// keeps the operation until it has returned the end, or until the dispatcher itself is dropped;
    /// an operation that has ended already only has its unread events and its end left.
    ///
    /// An event that is read by [`Op::wait_event`] does not come here, too. Fails if the operation
    /// is watched already, or has a callback for its events.
    pub fn watch<T: Send + Sync + 'static>(&self, op: &Op, tag: T) -> Result<()> {
        self.check_process()?;
        let watch = Watch {
            op: op.clone(),
            tag: Arc::new(HostOwned::new(tag)),
            is_queued: false,
        };
        let mut queue = self.shared.lock();
        queue.last_watch += 1;
        let id = queue.last_watch;
        queue.watches.insert(id, watch);
        drop(queue);
        self.shared.outstanding.fetch_add(1, Ordering::AcqRel);
        let watched = op.set_listener(Arc::new(WatchListener {
            dispatcher: Arc::downgrade(&self.shared),
            id,
        }));
        if watched.is_err() {
            self.forget(id);
        }
        watched
    }

    /// Returns the next event of any watched operation, or the end of one, which is no longer
    /// watched then. Blocks for at most `timeout` (`None`: no limit; zero: never) until there is
    /// one; returns `None` if there is none in time. The operations take turns.
    ///
    /// Several threads may read: each notice is returned to one of them.
    ///
    /// Fails with [`Code::WouldDeadlock`](crate::Code::WouldDeadlock) inside a callback, if it would
    /// have to wait.
    pub fn next(&self, timeout: Option<Duration>) -> Result<Option<Notice>> {
        self.check_process()?;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let Some((id, op, tag)) = self.shared.wait(left, |queue| queue.take_turn())? else {
                return Ok(None);
            };
            let again = || {
                let mut queue = self.shared.lock();
                queue.give_turn(id);
                self.shared.rouse(queue);
            };
            let event = match op.next_watched(self.place(id), again) {
                NextEvent::Event(event) => Some(event),
                NextEvent::End if self.forget(id) => None,
                // Another reader was faster.
                NextEvent::End | NextEvent::Pending => continue,
            };
            return Ok(Some(Notice { op, tag, event }));
        }
    }

    fn place(&self, id: u64) -> Place {
        Place {
            dispatcher: Arc::as_ptr(&self.shared).addr(),
            watch: Some(id),
        }
    }

    /// Removes a watch. Returns whether it existed.
    fn forget(&self, id: u64) -> bool {
        let watch = self.shared.lock().forget(id);
        if watch.is_some() {
            self.shared.outstanding.fetch_sub(1, Ordering::AcqRel);
        }
        watch.is_some()
    }
}
