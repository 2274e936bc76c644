//! The threads, descriptors and memory of a process. After a shutdown they must be as before the
//! first call.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::heap;
use crate::ledger;

/// Bytes that a life may leave behind, such as the capacity of collections.
const SLACK: i64 = 96 << 10;
/// Enough time for all resources to be released.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Counts {
    threads: usize,
    descriptors: BTreeMap<String, usize>,
    /// Bytes in use after the first life, which makes everything that is made once.
    memory: Option<i64>,
}

pub(crate) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Returns the number of open descriptors of each kind.
fn descriptors() -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    let files = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect::<Vec<_>>();
    for link in files
        .into_iter()
        .filter_map(|file| std::fs::read_link(file).ok())
    {
        let link = link.to_string_lossy();
        let kind = link
            .split(':')
            .next()
            .filter(|_| !link.starts_with('/'))
            .unwrap_or(&link);
        // Without the descriptor that reads this folder.
        if !kind.starts_with("/proc/") {
            *kinds.entry(kind.to_owned()).or_insert(0) += 1;
        }
    }
    kinds
}

impl Counts {
    pub(crate) fn now() -> Self {
        Counts {
            threads: threads(),
            descriptors: descriptors(),
            memory: None,
        }
    }

    /// Checks that the life that has just ended left nothing behind.
    pub(crate) fn compare(&mut self, life: usize) {
        let name = format!("after life {life}");
        settles(
            || threads() == self.threads,
            || format!("{name}: {} threads, before {}", threads(), self.threads),
        );
        settles(
            || descriptors() == self.descriptors,
            || {
                format!(
                    "{name}: descriptors {:?}, before {:?}",
                    descriptors(),
                    self.descriptors
                )
            },
        );
        let most = *self.memory.get_or_insert_with(heap::in_use) + SLACK;
        settles(
            || heap::in_use() <= most,
            || {
                format!(
                    "{name}: {} bytes in use, and {most} expected",
                    heap::in_use()
                )
            },
        );
        ledger::counted(&format!("memory {life} {}", heap::in_use()));
    }
}

fn settles(is_so: impl Fn() -> bool, otherwise: impl Fn() -> String) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > end {
            return ledger::wrong(&otherwise());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
