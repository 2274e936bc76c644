//! The concurrent runs of an account (docs/protocol.md §15).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::apps::App;
use crate::keys::Caller;

#[derive(Default)]
pub(crate) struct Slots {
    /// The number of taken slots of each account.
    taken: Mutex<HashMap<String, u32>>,
    /// Notified when a slot is free again.
    pub(super) freed: Notify,
}

/// A slot for a run. Dropping it frees the slot.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    account: Option<String>,
}

impl Slots {
    /// A slot for a run of `app`; `None` if the account has taken `limit` slots. Runs of the
    /// account's own apps and runs without a key need no slot.
    pub(crate) fn take(
        self: &Arc<Self>,
        caller: Option<&Caller>,
        app: &App,
        limit: Option<u32>,
    ) -> Option<Slot> {
        let account = caller
            .map(|caller| &caller.account)
            .filter(|account| *account != &app.account)
            .cloned();
        if let Some(account) = &account {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let count = taken.entry(account.clone()).or_default();
            if limit.is_some_and(|limit| *count >= limit) {
                return None;
            }
            *count += 1;
        }
        Some(Slot {
            slots: Arc::clone(self),
            account,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(account) = &self.account {
            let mut taken = self
                .slots
                .taken
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = taken.get_mut(account) {
                *count = count.saturating_sub(1);
            }
        }
        self.slots.freed.notify_one();
    }
}
