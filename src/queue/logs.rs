//! Which lines of a log are new. Each status holds a window of the log that may repeat lines and may lack the oldest (fal-protocol.md §5.3).

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use serde_json::Value;

/// So many different lines are remembered; of a longer log the oldest are forgotten.
const MOST: usize = 1 << 16;

/// The lines that were seen.
///
/// A line is known by its content. The same line twice in one window is two lines; twice in two windows it is one, since
/// a window that goes on cannot be told from one that repeats.
#[derive(Default)]
pub(super) struct Seen {
    hasher: RandomState,
    times: HashMap<u64, u32>,
    order: VecDeque<u64>,
}

impl Seen {
    /// The new lines of a window: an array, or nothing that is one (§16.9).
    pub(super) fn news<'a>(&mut self, window: Option<&'a Value>) -> Vec<&'a Value> {
        let lines = match window {
            Some(Value::Array(lines)) => lines.as_slice(),
            // The OpenAPI documents say an object: of one line, if it is one.
            Some(line @ Value::Object(members)) if members.contains_key("message") => std::slice::from_ref(line),
            _ => &[],
        };
        let mut here: HashMap<u64, u32> = HashMap::new();
        let mut news = Vec::new();
        for line in lines {
            let key = self.hasher.hash_one(line.to_string());
            let times = here.entry(key).or_default();
            *times += 1;
            if self.add(key, *times) {
                news.push(line);
            }
        }
        news
    }

    /// Notes that a line was seen so many times in one window; whether that is more than ever.
    fn add(&mut self, key: u64, times: u32) -> bool {
        let known = self.times.entry(key).or_default();
        if *known >= times {
            return false;
        }
        if std::mem::replace(known, times) == 0 {
            self.order.push_back(key);
        }
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.times.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn window(lines: &[u32]) -> Value {
        lines.iter().map(|n| json!({"message": format!("line {n}"), "timestamp": n})).collect()
    }

    /// All that is new in these windows, in order.
    fn news(windows: &[&[u32]]) -> Vec<u64> {
        let mut seen = Seen::default();
        let windows: Vec<Value> = windows.iter().map(|lines| window(lines)).collect();
        windows
            .iter()
            .flat_map(|window| seen.news(Some(window)))
            .map(|line| line["timestamp"].as_u64().unwrap())
            .collect()
    }

    #[test]
    fn every_kind_of_window_gives_each_line_once() {
        assert_eq!(news(&[&[1], &[1, 2], &[1, 2, 3], &[1, 2, 3]]), [1, 2, 3], "the whole log");
        assert_eq!(news(&[&[1], &[2, 3], &[], &[4]]), [1, 2, 3, 4], "new lines only");
        assert_eq!(news(&[&[1, 2, 3], &[2, 3, 4], &[4, 5, 6]]), [1, 2, 3, 4, 5, 6], "the last lines");
        assert_eq!(news(&[&[2, 3], &[1, 2, 3, 4]]), [2, 3, 1, 4], "a late line");
        assert_eq!(news(&[&[1, 1], &[1, 1, 1]]), [1, 1, 1], "equal lines");
    }

    #[test]
    fn what_is_no_list_has_no_lines() {
        let mut seen = Seen::default();
        for none in [None, Some(json!(null)), Some(json!({})), Some(json!("x")), Some(json!([]))] {
            assert!(seen.news(none.as_ref()).is_empty(), "{none:?}");
        }
        let line = json!({"message": "one"});
        assert_eq!(seen.news(Some(&line)), [&line]);
        assert_eq!(seen.news(Some(&json!([{"message": "one"}, "text", 3]))).len(), 2);
    }

    #[test]
    fn memory_is_bounded() {
        let mut seen = Seen::default();
        (0..MOST as u64 + 10).for_each(|key| assert!(seen.add(key, 1)));
        assert_eq!((seen.times.len(), seen.order.len()), (MOST, MOST));
        assert!(seen.add(0, 1) && !seen.add(MOST as u64, 1));
    }
}
