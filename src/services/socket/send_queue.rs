//! The inputs that wait to be sent over a WebSocket: a bounded queue between the host and the
//! connection.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;

use crate::error::{Code, Error, Result};
use crate::system::process;

/// What happens to an input when the queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(i32)]
#[non_exhaustive]
pub enum WhenFull {
    /// The input is refused with [`Code::QueueFull`].
    #[default]
    Refuse = 0,
    /// The oldest input is dropped and reported.
    DropOldest = 1,
    /// Only the newest input waits. All others are dropped and reported.
    KeepNewest = 2,
}

pub(crate) struct Inputs {
    pid: u32,
    most: usize,
    most_bytes: usize,
    when_full: WhenFull,
    queue: Mutex<Queue>,
    changed: Notify,
    /// Notified when inputs are dropped.
    dropped: Notify,
}

/// Inputs may be private or contain credentials, so the output has only their number.
impl std::fmt::Debug for Inputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inputs")
            .field("unsent", &self.unsent())
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Message>,
    /// 1 while the first input is being prepared.
    pending: u64,
    /// The number of accepted inputs that will never be sent.
    lost: u64,
    /// The number of lost inputs that were reported to the host.
    reported: u64,
    closing: bool,
    ended: bool,
}

/// The next action of the connection.
pub(crate) enum Input {
    Send(Message),
    /// The queue is empty and closed.
    Close,
}

impl Queue {
    fn unsent(&self) -> u64 {
        self.lost + self.pending + self.waiting.len() as u64
    }

    fn unreported(&self) -> u64 {
        self.lost - self.reported
    }
}

impl Inputs {
    /// Creates a queue for at most `most` messages of at most `most_bytes` bytes each.
    pub(crate) fn new(most: usize, most_bytes: usize, when_full: WhenFull) -> Self {
        let most = if when_full == WhenFull::KeepNewest {
            1
        } else {
            most
        };
        Inputs {
            pid: process::id(),
            most,
            most_bytes,
            when_full,
            queue: Mutex::default(),
            changed: Notify::new(),
            dropped: Notify::new(),
        }
    }

    pub(crate) fn push(&self, message: Message) -> Result<()> {
        self.check_process()?;
        self.check_size(&message)?;
        let mut queue = self.lock();
        if queue.closing || queue.ended {
            return Err(Error::new(
                Code::Closed,
                "the connection is closed, or closing",
            ));
        }
        if queue.waiting.len() >= self.most && self.when_full == WhenFull::Refuse {
            return Err(Error::new(
                Code::QueueFull,
                format!("the queue is full: {} inputs wait to be sent", self.most),
            ));
        }
        while queue.waiting.len() >= self.most {
            queue.waiting.pop_front();
            queue.lost += 1;
            self.dropped.notify_one();
        }
        queue.waiting.push_back(message);
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    /// Announces the first input, which is still being prepared. [`unsent`](Self::unsent) counts
    /// it.
    pub(crate) fn owe_first(&self) {
        self.lock().pending = 1;
    }

    /// Puts the announced input before all others, even if the queue is full.
    pub(crate) fn push_first(&self, message: Message) -> Result<()> {
        self.check_size(&message)?;
        let mut queue = self.lock();
        queue.pending = 0;
        queue.waiting.push_front(message);
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    fn check_size(&self, message: &Message) -> Result<()> {
        match message.len() > self.most_bytes {
            true => Err(Error::invalid(format!(
                "the message must be at most {} bytes, not {}",
                self.most_bytes,
                message.len()
            ))),
            false => Ok(()),
        }
    }

    /// Closes the queue for further inputs.
    pub(crate) fn close(&self) {
        if self.check_process().is_ok() {
            self.lock().closing = true;
            self.changed.notify_one();
        }
    }

    /// Returns the number of accepted inputs that were not sent: those that wait, and those that
    /// never will be sent. 0 in a forked child.
    pub(crate) fn unsent(&self) -> u64 {
        match self.check_process() {
            Ok(()) => self.lock().unsent(),
            Err(_) => 0,
        }
    }

    /// Ends the session. Returns how many inputs were not sent.
    pub(crate) fn end(&self) -> u64 {
        let mut queue = self.lock();
        queue.ended = true;
        queue.lost = queue.unsent();
        (queue.waiting, queue.pending) = (VecDeque::new(), 0);
        queue.lost
    }

    /// Records that this many lost inputs were reported to the host.
    pub(crate) fn report(&self, lost: u64) {
        self.lock().reported += lost;
    }

    /// Returns how many lost inputs were not reported to the host.
    pub(crate) fn unreported(&self) -> u64 {
        self.lock().unreported()
    }

    /// Whether the queue is empty and closed.
    pub(crate) fn are_done(&self) -> bool {
        let queue = self.lock();
        queue.closing && queue.waiting.is_empty()
    }

    /// Waits for the next action. Only one task may wait at a time.
    pub(crate) async fn next(&self) -> Input {
        until(&self.changed, || self.pop()).await
    }

    /// Waits until lost inputs have to be [reported](Self::report). Only one task may wait at a
    /// time.
    pub(crate) async fn lost(&self) -> u64 {
        until(&self.dropped, || {
            Some(self.unreported()).filter(|lost| *lost > 0)
        })
        .await
    }

    /// Waits until the queue is empty and closed.
    pub(crate) async fn done(&self) {
        until(&self.changed, || self.are_done().then_some(())).await;
    }

    fn pop(&self) -> Option<Input> {
        let mut queue = self.lock();
        match queue.waiting.pop_front() {
            Some(message) => Some(Input::Send(message)),
            None => queue.closing.then_some(Input::Close),
        }
    }

    fn check_process(&self) -> Result<()> {
        match self.pid == process::id() {
            true => Ok(()),
            false => Err(Error::new(
                Code::Forked,
                "the connection belongs to the process that this one was forked from",
            )),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until `ready` returns a value. `changed` is notified after each change.
async fn until<T>(changed: &Notify, ready: impl Fn() -> Option<T>) -> T {
    loop {
        let mut notified = pin!(changed.notified());
        notified.as_mut().enable();
        if let Some(value) = ready() {
            return value;
        }
        notified.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(inputs: &Inputs) -> Vec<String> {
        let next = std::iter::from_fn(|| inputs.pop());
        next.map(|input| match input {
            Input::Send(message) => message.to_string(),
            Input::Close => panic!("not closed"),
        })
        .collect()
    }

    #[test]
    fn a_full_queue_refuses_or_drops_and_says_so() {
        for (when_full, expected) in [
            (WhenFull::Refuse, &["0", "1"][..]),
            (WhenFull::DropOldest, &["2", "3"][..]),
            (WhenFull::KeepNewest, &["3"][..]),
        ] {
            let inputs = Inputs::new(2, 9, when_full);
            let pushed: Vec<_> = (0..4)
                .map(|n| inputs.push(Message::text(n.to_string())))
                .collect();
            let refused = pushed.iter().filter(|pushed| pushed.is_err()).count();
            assert_eq!(refused, if when_full == WhenFull::Refuse { 2 } else { 0 });
            assert_eq!(
                inputs.unreported() as usize,
                4 - refused - expected.len(),
                "{when_full:?}"
            );
            assert_eq!(sent(&inputs), expected, "{when_full:?}");
        }
    }

    #[test]
    fn what_waits_is_sent_before_the_end_and_nothing_is_taken_after_it() {
        let inputs = Inputs::new(2, 9, WhenFull::Refuse);
        inputs.push(Message::text("a")).unwrap();
        inputs.close();
        assert_eq!(
            inputs.push(Message::text("b")).unwrap_err().code(),
            Code::Closed
        );
        assert!(!inputs.are_done());
        assert!(matches!(inputs.pop(), Some(Input::Send(_))));
        assert!(inputs.are_done() && matches!(inputs.pop(), Some(Input::Close)));
        let inputs = Inputs::new(2, 9, WhenFull::Refuse);
        inputs.push(Message::text("a")).unwrap();
        assert_eq!((inputs.unsent(), inputs.unreported()), (1, 0));
        assert_eq!(
            (
                inputs.end(),
                inputs.end(),
                inputs.unsent(),
                inputs.unreported()
            ),
            (1, 1, 1, 1)
        );
        inputs.report(1);
        assert_eq!((inputs.unsent(), inputs.unreported()), (1, 0));
        assert_eq!(
            inputs.push(Message::text("b")).unwrap_err().code(),
            Code::Closed
        );
    }

    #[test]
    fn the_first_input_counts_before_it_is_made() {
        let inputs = Inputs::new(1, 9, WhenFull::KeepNewest);
        inputs.owe_first();
        inputs.push(Message::text("b")).unwrap();
        assert_eq!(inputs.unsent(), 2);
        assert!(
            inputs
                .push_first(Message::text("more than allowed"))
                .is_err()
        );
        inputs.push_first(Message::text("a")).unwrap();
        assert_eq!(inputs.unsent(), 2);
        inputs.push(Message::text("c")).unwrap();
        assert_eq!(
            (inputs.unsent(), inputs.unreported(), sent(&inputs)),
            (3, 2, vec!["c".to_owned()])
        );
        inputs.owe_first();
        assert_eq!(inputs.end(), 3);
    }
}
