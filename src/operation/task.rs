//! The side of an operation that its work sees.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::Event;
use super::event_queue::EventQueue;
use super::shared::Shared;
use crate::secrets::Secrets;
use crate::transport::Progress;

/// A host that takes no event for so long does not read them at the moment.
const READING: Duration = Duration::from_millis(200);

/// What the work of an operation tells about itself.
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) progress: Arc<Progress>,
    pub(super) shared: Arc<Shared>,
}

impl Task {
    /// The same operation, for what goes on beside its work and does not count as its progress.
    pub(crate) fn detached(&self) -> Self {
        Task {
            progress: Arc::new(Progress::of(&self.shared.secrets)),
            shared: self.shared.clone(),
        }
    }

    /// What the requests of the operation carried that must not show.
    pub(crate) fn secrets(&self) -> &Arc<Secrets> {
        &self.shared.secrets
    }

    /// Tells the host without ever waiting for it: if it does not read, the oldest events go.
    pub(crate) fn emit(&self, event: Event) {
        let event = event.without(self.secrets());
        let notice = self.shared.lock().events.push_over(event);
        self.shared.stir(notice);
    }

    /// The same of an event that may be large.
    pub(crate) async fn emit_slowly(&self, event: Event) {
        let event = event.without_slowly(self.secrets()).await;
        let notice = self.shared.lock().events.push_over(event);
        self.shared.stir(notice);
    }

    /// For many events at once, of which none gets lost if the host reads as fast as it can. It is
    /// waited for no longer than `most`.
    pub(crate) fn burst(&self, most: Duration) -> Burst<'_> {
        Burst {
            task: self,
            began: Instant::now(),
            most,
            reads: true,
        }
    }

    /// Tells the host something that must not get lost: waits until there is room for it. Where
    /// there always is, because nobody reads, others still have their turn.
    pub(crate) async fn emit_when_room(&self, event: Event) {
        tokio::task::consume_budget().await;
        let event = event.without_slowly(self.secrets()).await;
        self.until(EventQueue::has_space).await;
        let notice = self.shared.lock().events.push(event);
        self.shared.stir(notice);
    }

    /// Tells the host the last thing that must not get lost, where nobody can wait for room any
    /// more.
    pub(crate) fn emit_last(&self, event: Event) {
        let event = event.without(self.secrets());
        let notice = self.shared.lock().events.push(event);
        self.shared.stir(notice);
    }

    /// Whether somebody may still read the events.
    pub(crate) fn has_reader(&self) -> bool {
        !self.shared.lock().events.is_discarding()
    }

    /// Waits until the host has read everything, or wants nothing: before more is asked for that it
    /// may not want.
    pub(crate) async fn drained(&self) {
        self.until(EventQueue::is_read).await;
    }

    async fn until(&self, is_so: impl Fn(&EventQueue) -> bool) {
        loop {
            let space_available = self.shared.space_available.notified();
            let mut space_available = pin!(space_available);
            space_available.as_mut().enable();
            if is_so(&self.shared.lock().events) {
                return;
            }
            space_available.await;
        }
    }
}

/// Many events at once.
pub(crate) struct Burst<'a> {
    task: &'a Task,
    began: Instant,
    most: Duration,
    reads: bool,
}

impl Burst<'_> {
    /// Waits for room as long as the host reads; else the oldest event goes.
    pub(crate) async fn emit(&mut self, event: Event) {
        let left = self.most.saturating_sub(self.began.elapsed()).min(READING);
        let space_available = async {
            tokio::time::timeout(left, self.task.until(EventQueue::has_space))
                .await
                .is_ok()
        };
        self.reads = self.reads && !left.is_zero() && space_available.await;
        self.task.emit_slowly(event).await;
    }
}
