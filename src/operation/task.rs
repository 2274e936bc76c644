//! What the task of an operation uses to report progress and events.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::Event;
use super::event_queue::EventQueue;
use super::shared::Shared;
use crate::secrets::Secrets;
use crate::transport::Progress;

/// How long a burst waits for space. A host that frees none in this time is not reading.
const READING: Duration = Duration::from_millis(200);

/// The task's handle to its operation.
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) progress: Arc<Progress>,
    pub(super) shared: Arc<Shared>,
}

impl Task {
    /// Returns a handle with a progress of its own, for work that runs concurrently with the task
    /// and does not count as its progress.
    pub(crate) fn detached(&self) -> Self {
        Task {
            progress: Arc::new(Progress::of(&self.shared.secrets)),
            shared: self.shared.clone(),
        }
    }

    /// The secrets of the operation's requests, which no message may contain.
    pub(crate) fn secrets(&self) -> &Arc<Secrets> {
        &self.shared.secrets
    }

    /// Tells the host fal's id of the request. The first one counts.
    pub(crate) fn identify(&self, id: &str) {
        self.shared.lock().identify(id);
    }

    /// Queues an event. Never waits: if the queue is full, the oldest events are dropped.
    pub(crate) fn emit(&self, event: Event) {
        let event = event.without(self.secrets());
        self.shared.queue(|events| events.push_over(event));
    }

    /// Like [`emit`](Self::emit), for an event that may be large.
    pub(crate) async fn emit_slowly(&self, event: Event) {
        let event = event.without_slowly(self.secrets()).await;
        self.shared.queue(|events| events.push_over(event));
    }

    /// Returns a sender for many events at once. None is dropped while the host keeps reading. The
    /// sender waits for the host at most `most` in total.
    pub(crate) fn burst(&self, most: Duration) -> Burst<'_> {
        Burst {
            task: self,
            began: Instant::now(),
            most,
            reads: true,
        }
    }

    /// Queues an event that must not be dropped: waits until the queue has space. Yields to other
    /// tasks even if the queue always has space.
    pub(crate) async fn emit_when_room(&self, event: Event) {
        tokio::task::consume_budget().await;
        let event = event.without_slowly(self.secrets()).await;
        self.until(EventQueue::has_space).await;
        self.shared.queue(|events| events.push(event));
    }

    /// Queues the last event, which must not be dropped, even if the queue is full.
    pub(crate) fn emit_last(&self, event: Event) {
        let event = event.without(self.secrets());
        self.shared.queue(|events| events.push(event));
    }

    /// Whether the host may still read the events.
    pub(crate) fn has_reader(&self) -> bool {
        !self.shared.lock().events.is_discarding()
    }

    /// Waits until the host has read or discarded every event.
    pub(crate) async fn drained(&self) {
        self.until(EventQueue::is_read).await;
    }

    async fn until(&self, is_so: impl Fn(&EventQueue) -> bool) {
        loop {
            let mut space_available = pin!(self.shared.space_available.notified());
            space_available.as_mut().enable();
            if is_so(&self.shared.lock().events) {
                return;
            }
            space_available.await;
        }
    }
}

/// Sends many events at once.
pub(crate) struct Burst<'a> {
    task: &'a Task,
    began: Instant,
    most: Duration,
    reads: bool,
}

impl Burst<'_> {
    /// Queues an event. Waits for space while the host reads; otherwise drops the oldest event.
    pub(crate) async fn emit(&mut self, event: Event) {
        let left = self.most.saturating_sub(self.began.elapsed()).min(READING);
        let space_available = self.task.until(EventQueue::has_space);
        self.reads = self.reads
            && !left.is_zero()
            && tokio::time::timeout(left, space_available).await.is_ok();
        self.task.emit_slowly(event).await;
    }
}
