//! What waits to be sent over a WebSocket: a bounded queue between the host and the connection.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;

use crate::error::{Code, Error, Result};

/// What happens to an input where as many wait as may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(i32)]
#[non_exhaustive]
pub enum WhenFull {
    /// It is refused with [`Code::QueueFull`].
    #[default]
    Refuse = 0,
    /// The oldest goes, and is reported as dropped.
    DropOldest = 1,
    /// Only the newest waits: all others go, and are reported as dropped.
    KeepNewest = 2,
}

pub(crate) struct Inputs {
    pid: u32,
    most: usize,
    most_bytes: usize,
    when_full: WhenFull,
    queue: Mutex<Queue>,
    changed: Notify,
    /// Inputs went to make room.
    went: Notify,
}

/// What a host sends may be private, or be what opens its app: `Debug` tells how many wait.
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
    /// The first, which is not made yet.
    owed: u64,
    /// Were taken and will never be sent.
    lost: u64,
    /// Of these the host has been told.
    told: u64,
    closing: bool,
    ended: bool,
}

/// What is to be done next.
pub(crate) enum Input {
    Send(Message),
    /// Nothing is left to send and nothing will come.
    Close,
}

impl Queue {
    fn unsent(&self) -> u64 {
        self.lost + self.owed + self.waiting.len() as u64
    }

    fn untold(&self) -> u64 {
        self.lost - self.told
    }
}

impl Inputs {
    /// At most `most` messages of at most `most_bytes` each.
    pub(crate) fn new(most: usize, most_bytes: usize, when_full: WhenFull) -> Self {
        let most = if when_full == WhenFull::KeepNewest {
            1
        } else {
            most
        };
        Inputs {
            pid: std::process::id(),
            most,
            most_bytes,
            when_full,
            queue: Mutex::default(),
            changed: Notify::new(),
            went: Notify::new(),
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
                format!("{} inputs wait to be sent already", self.most),
            ));
        }
        while queue.waiting.len() >= self.most {
            queue.waiting.pop_front();
            queue.lost += 1;
            self.went.notify_one();
        }
        queue.waiting.push_back(message);
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    /// The first input is still to be made.
    pub(crate) fn owe_first(&self) {
        self.lock().owed = 1;
    }

    /// Puts that input before all that wait, however many they are.
    pub(crate) fn push_first(&self, message: Message) -> Result<()> {
        self.check_size(&message)?;
        let mut queue = self.lock();
        queue.owed = 0;
        queue.waiting.push_front(message);
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    fn check_size(&self, message: &Message) -> Result<()> {
        match message.len() > self.most_bytes {
            true => Err(Error::invalid(format!(
                "the message has more than the {} bytes allowed",
                self.most_bytes
            ))),
            false => Ok(()),
        }
    }

    /// Nothing more will come.
    pub(crate) fn close(&self) {
        if self.check_process().is_ok() {
            self.lock().closing = true;
            self.changed.notify_one();
        }
    }

    /// How many inputs were taken and not sent: those that wait, and those that never will be.
    pub(crate) fn unsent(&self) -> u64 {
        match self.check_process() {
            Ok(()) => self.lock().unsent(),
            Err(_) => 0,
        }
    }

    /// Nothing more will be sent: the session is over. Returns how many inputs went unsent.
    pub(crate) fn end(&self) -> u64 {
        let mut queue = self.lock();
        queue.ended = true;
        queue.lost = queue.unsent();
        (queue.waiting, queue.owed) = (VecDeque::new(), 0);
        queue.lost
    }

    /// The host has been told that so many inputs are lost.
    pub(crate) fn told(&self, lost: u64) {
        self.lock().told += lost;
    }

    /// How many inputs are lost of which the host has not been told.
    pub(crate) fn untold(&self) -> u64 {
        self.lock().untold()
    }

    /// Whether nothing is left to send and nothing will come.
    pub(crate) fn are_done(&self) -> bool {
        let queue = self.lock();
        queue.closing && queue.waiting.is_empty()
    }

    /// Waits until there is something to do. One task at a time.
    pub(crate) async fn next(&self) -> Input {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(input) = self.pop() {
                return input;
            }
            changed.await;
        }
    }

    /// Waits until inputs are lost of which the host is to be [told](Self::told). One task at a
    /// time.
    pub(crate) async fn gone(&self) -> u64 {
        loop {
            let mut went = pin!(self.went.notified());
            went.as_mut().enable();
            match self.untold() {
                0 => went.await,
                lost => return lost,
            }
        }
    }

    /// Waits until the host has asked for the end and nothing is left to send.
    pub(crate) async fn done(&self) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.are_done() {
                return;
            }
            changed.await;
        }
    }

    fn pop(&self) -> Option<Input> {
        let mut queue = self.lock();
        match queue.waiting.pop_front() {
            Some(message) => Some(Input::Send(message)),
            None => queue.closing.then_some(Input::Close),
        }
    }

    fn check_process(&self) -> Result<()> {
        match self.pid == std::process::id() {
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
                inputs.untold() as usize,
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
        assert_eq!((inputs.unsent(), inputs.untold()), (1, 0));
        assert_eq!(
            (inputs.end(), inputs.end(), inputs.unsent(), inputs.untold()),
            (1, 1, 1, 1)
        );
        inputs.told(1);
        assert_eq!((inputs.unsent(), inputs.untold()), (1, 0));
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
            (inputs.unsent(), inputs.untold(), sent(&inputs)),
            (3, 2, vec!["c".to_owned()])
        );
        inputs.owe_first();
        assert_eq!(inputs.end(), 3);
    }
}
