//! Values that services keep for each client, by type. The client knows none of the types.

use std::any::Any;

use once_cell::race::OnceBox;

/// A list that only grows, with one entry for each type. It has no lock that a fork could leave
/// locked.
#[derive(Default)]
pub(super) struct Slots {
    first: OnceBox<Slot>,
}

struct Slot {
    value: Box<dyn Any + Send + Sync>,
    next: OnceBox<Slot>,
}

impl Slots {
    /// Returns the value of this type, made by the first call.
    pub(super) fn get<T: Any + Default + Send + Sync>(&self) -> &T {
        let mut place = &self.first;
        loop {
            let slot = place.get_or_init(|| {
                Box::new(Slot {
                    value: Box::new(T::default()),
                    next: OnceBox::new(),
                })
            });
            if let Some(value) = slot.value.downcast_ref() {
                return value;
            }
            place = &slot.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, Ordering};

    use super::*;

    #[test]
    fn each_type_has_one_value_whatever_thread_asks_first() {
        let slots = Slots::default();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| slots.get::<AtomicU8>().fetch_add(1, Ordering::Relaxed));
                threads.spawn(|| slots.get::<AtomicU16>().fetch_add(1, Ordering::Relaxed));
                threads.spawn(|| slots.get::<AtomicU32>().fetch_add(1, Ordering::Relaxed));
            }
        });
        assert_eq!(slots.get::<AtomicU8>().load(Ordering::Relaxed), 4);
        assert_eq!(slots.get::<AtomicU16>().load(Ordering::Relaxed), 4);
        assert_eq!(slots.get::<AtomicU32>().load(Ordering::Relaxed), 4);
    }
}
