//! Finds the new lines of a log. Each status contains a window of the log, which may repeat lines
//! and may lack the oldest (docs/protocol.md §5.3).

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use serde_json::value::RawValue;

use crate::codec::json;
use crate::limits::LINES;

/// Returns the newest lines of a window: an array of lines, or one line, as the OpenAPI documents
/// say (§16.9).
pub(super) fn lines(window: &str) -> VecDeque<&str> {
    let line = || {
        let [message] = json::members(window.as_bytes(), ["message"])?;
        message.map(|_| VecDeque::from([window]))
    };
    let newest = json::last_entries(window, LINES)
        .map(|lines| lines.into_iter().map(RawValue::get).collect());
    newest.or_else(line).unwrap_or_default()
}

/// The lines of earlier windows: the newest [`LINES`] different ones.
///
/// Lines are identified by their content. Equal lines in one window are two lines. Equal lines in
/// two windows are one line, since a window that continues the log and one that repeats it look
/// alike.
#[derive(Default)]
pub(super) struct Seen {
    hasher: RandomState,
    times: HashMap<u64, u32>,
    order: VecDeque<u64>,
}

/// The lines of the current window so far.
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

    /// Records that one window contains a line `times` times. Returns whether no earlier window
    /// contains it as often.
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

    type Windows<'a> = &'a [&'a [u32]];

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

    /// The new lines of these windows, in order.
    fn news(windows: Windows<'_>) -> Vec<u64> {
        let mut seen = Seen::default();
        let number = |line: String| {
            let line: Value = serde_json::from_str(&line).unwrap();
            line["timestamp"].as_u64().unwrap()
        };
        windows
            .iter()
            .flat_map(|lines| new_lines(&mut seen, &window(lines)))
            .map(number)
            .collect()
    }

    #[test]
    fn every_kind_of_window_gives_each_line_once() {
        let cases: [(Windows<'_>, &[u64], &str); 5] = [
            (
                &[&[1], &[1, 2], &[1, 2, 3], &[1, 2, 3]],
                &[1, 2, 3],
                "the whole log",
            ),
            (&[&[1], &[2, 3], &[], &[4]], &[1, 2, 3, 4], "new lines only"),
            (
                &[&[1, 2, 3], &[2, 3, 4], &[4, 5, 6]],
                &[1, 2, 3, 4, 5, 6],
                "the last lines",
            ),
            (&[&[2, 3], &[1, 2, 3, 4]], &[2, 3, 1, 4], "a late line"),
            (&[&[1, 1], &[1, 1, 1]], &[1, 1, 1], "equal lines"),
        ];
        for (windows, expected, name) in cases {
            assert_eq!(news(windows), expected, "{name}");
        }
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
