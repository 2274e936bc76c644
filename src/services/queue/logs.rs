//! Which lines of a log are new. Each status holds a window of the log that may repeat lines and
//! may lack the oldest (docs/protocol.md §5.3).

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use serde_json::value::RawValue;

use crate::codec::json;
use crate::limits::LINES;

/// The newest lines of a window: of an array, or of an object that is one (the OpenAPI documents
/// say so; §16.9).
pub(super) fn lines(window: &str) -> VecDeque<&str> {
    let line = || {
        let [message] = json::members(window.as_bytes(), ["message"])?;
        message.map(|_| VecDeque::from([window]))
    };
    let newest = json::last_entries(window, LINES)
        .map(|lines| lines.into_iter().map(RawValue::get).collect());
    newest.or_else(line).unwrap_or_default()
}

/// The lines that were seen. So many different ones are remembered; of a longer log the oldest are
/// forgotten.
///
/// A line is known by its content. The same line twice in one window is two lines; twice in two
/// windows it is one, since a window that goes on cannot be told from one that repeats.
#[derive(Default)]
pub(super) struct Seen {
    hasher: RandomState,
    times: HashMap<u64, u32>,
    order: VecDeque<u64>,
}

/// A window, of which each line is new or not.
pub(super) struct Window<'a> {
    seen: &'a mut Seen,
    here: HashMap<u64, u32>,
}

impl Window<'_> {
    pub(super) fn is_new(&mut self, line: &str) -> bool {
        let key = self.seen.hasher.hash_one(line);
        let times = self.here.entry(key).or_default();
        *times += 1;
        self.seen.add(key, *times)
    }
}

impl Seen {
    pub(super) fn window(&mut self) -> Window<'_> {
        Window {
            seen: self,
            here: HashMap::new(),
        }
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
        if self.order.len() > LINES
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
    use serde_json::{Value, json};

    fn window(lines: &[u32]) -> Value {
        lines
            .iter()
            .map(|n| json!({"message": format!("line {n}"), "timestamp": n}))
            .collect()
    }

    fn new_lines(seen: &mut Seen, logs: &Value) -> Vec<String> {
        let (logs, mut window) = (logs.to_string(), seen.window());
        lines(&logs)
            .into_iter()
            .filter(|line| window.is_new(line))
            .map(str::to_owned)
            .collect()
    }

    /// All that is new in these windows, in order.
    fn news(windows: &[&[u32]]) -> Vec<u64> {
        let mut seen = Seen::default();
        let windows: Vec<Value> = windows.iter().map(|lines| window(lines)).collect();
        let lines: Vec<_> = windows
            .iter()
            .flat_map(|window| new_lines(&mut seen, window))
            .collect();
        lines
            .iter()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["timestamp"]
                    .as_u64()
                    .unwrap()
            })
            .collect()
    }

    #[test]
    fn every_kind_of_window_gives_each_line_once() {
        assert_eq!(
            news(&[&[1], &[1, 2], &[1, 2, 3], &[1, 2, 3]]),
            [1, 2, 3],
            "the whole log"
        );
        assert_eq!(
            news(&[&[1], &[2, 3], &[], &[4]]),
            [1, 2, 3, 4],
            "new lines only"
        );
        assert_eq!(
            news(&[&[1, 2, 3], &[2, 3, 4], &[4, 5, 6]]),
            [1, 2, 3, 4, 5, 6],
            "the last lines"
        );
        assert_eq!(news(&[&[2, 3], &[1, 2, 3, 4]]), [2, 3, 1, 4], "a late line");
        assert_eq!(news(&[&[1, 1], &[1, 1, 1]]), [1, 1, 1], "equal lines");
    }

    #[test]
    fn what_is_no_list_has_no_lines() {
        let mut seen = Seen::default();
        for none in [json!(null), json!({}), json!("x"), json!([])] {
            assert!(new_lines(&mut seen, &none).is_empty(), "{none:?}");
        }
        let line = json!({"message": "one"});
        assert_eq!(new_lines(&mut seen, &line), [line.to_string()]);
        assert_eq!(
            new_lines(&mut seen, &json!([{"message": "one"}, "text", 3])).len(),
            2
        );
    }

    #[test]
    fn of_a_long_window_the_newest_lines_count_and_none_twice() {
        let mut seen = Seen::default();
        let long: Value = (0..LINES + 10).map(|n| json!(n)).collect();
        let news = new_lines(&mut seen, &long);
        assert_eq!((news.len(), news[0].as_str()), (LINES, "10"));
        assert!(new_lines(&mut seen, &long).is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let mut seen = Seen::default();
        (0..LINES as u64 + 10).for_each(|key| assert!(seen.add(key, 1)));
        assert_eq!((seen.times.len(), seen.order.len()), (LINES, LINES));
        assert!(seen.add(0, 1) && !seen.add(LINES as u64, 1));
    }
}
