//! How long a file is kept and who may read it (docs/protocol.md §9.6).

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// Which of the two is read where is contradictory, so both are sent (docs/protocol.md §16.27).
const HEADERS: [&str; 2] = [
    "x-fal-object-lifecycle",
    "x-fal-object-lifecycle-preference",
];

/// The clients' names of times, in seconds.
const NAMES: [(&str, u64); 6] = [
    ("immediate", 60),
    ("1h", 3600),
    ("1d", 86_400),
    ("7d", 604_800),
    ("30d", 2_592_000),
    ("1y", 31_536_000),
];

/// Whether somebody may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// He may.
    Allow,
    /// He is refused (403).
    Forbid,
    /// For him the file does not exist (404).
    Hide,
}

impl Decision {
    fn name(self) -> &'static str {
        match self {
            Decision::Allow => "allow",
            Decision::Forbid => "forbid",
            Decision::Hide => "hide",
        }
    }
}

impl std::str::FromStr for Decision {
    type Err = Error;

    /// `allow`, `forbid` or `hide`.
    fn from_str(text: &str) -> Result<Self> {
        let all = [Decision::Allow, Decision::Forbid, Decision::Hide];
        let found = all.into_iter().find(|decision| decision.name() == text);
        found.ok_or_else(|| Error::invalid("a decision is allow, forbid or hide"))
    }
}

/// How long a file is kept and who may read it; what is not set is the account's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    seconds: Option<u64>,
    access: Option<Decision>,
    rules: Vec<(String, Decision)>,
}

impl Lifecycle {
    /// The account's defaults.
    pub fn new() -> Self {
        Lifecycle::default()
    }

    /// How long the file is kept: `never` (it does not expire by a wish of ours: the account's
    /// default), `immediate` (a minute), `1h`, `1d`, `7d`, `30d`, `1y`, or a number of seconds from
    /// 1.
    pub fn expires_in(mut self, text: &str) -> Result<Self> {
        let named = NAMES
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, seconds)| *seconds);
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let counted = text.parse().ok().filter(|seconds| digits && *seconds > 0);
        self.seconds = match text {
            "never" => None,
            _ => Some(named.or(counted).ok_or_else(|| {
                Error::invalid("a file is kept for never, immediate, 1h, 1d, 7d, 30d, 1y or a number of seconds from 1")
            })?),
        };
        Ok(self)
    }

    /// Who may read the file, unless a [rule](Self::rule) names him. Its owner always may.
    pub fn access(mut self, default: Decision) -> Self {
        self.access = Some(default);
        self
    }

    /// What holds for one user, by nickname (or id, §16.33). fal ignores users that it does not
    /// know.
    ///
    /// Fails if it was not said before what holds for all others.
    pub fn rule(mut self, user: &str, decision: Decision) -> Result<Self> {
        if self.access.is_none() {
            return Err(Error::invalid(
                "a rule needs to know what holds for everybody else",
            ));
        }
        if user.is_empty() || user.chars().any(char::is_control) {
            return Err(Error::invalid(
                "the user of a rule is empty or has a control character",
            ));
        }
        self.rules.push((user.to_owned(), decision));
        Ok(self)
    }

    /// Adds the headers, if anything is wished for.
    pub(crate) fn write(&self, headers: &mut HeaderMap) -> Result<()> {
        let mut wish = Map::new();
        if let Some(seconds) = self.seconds {
            wish.insert("expiration_duration_seconds".into(), seconds.into());
        }
        if let Some(access) = self.access {
            let rule = |(user, decision): &(String, Decision)| json!({"user": user, "decision": decision.name()});
            let rules: Vec<_> = self.rules.iter().map(rule).collect();
            wish.insert(
                "initial_acl".into(),
                json!({"default": access.name(), "rules": rules}),
            );
        }
        if wish.is_empty() {
            return Ok(());
        }
        let text = ascii(&Value::Object(wish).to_string());
        let value = HeaderValue::from_str(&text)
            .map_err(|_| Error::invalid("a rule cannot be put into a header"))?;
        for name in HEADERS {
            headers.insert(name, value.clone());
        }
        Ok(())
    }
}

/// JSON with every other character as an escape, as a header needs it.
fn ascii(json: &str) -> String {
    let mut units = [0; 2];
    json.chars()
        .fold(String::with_capacity(json.len()), |mut text, c| {
            match c.is_ascii() {
                true => text.push(c),
                false => c
                    .encode_utf16(&mut units)
                    .iter()
                    .for_each(|unit| text.push_str(&format!("\\u{unit:04x}"))),
            }
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(lifecycle: Lifecycle) -> Vec<Value> {
        let mut headers = HeaderMap::new();
        lifecycle.write(&mut headers).unwrap();
        let values = HEADERS.iter().filter_map(|name| headers.get(*name));
        values
            .map(|value| serde_json::from_str(value.to_str().unwrap()).unwrap())
            .collect()
    }

    #[test]
    fn both_headers_say_the_same() {
        let lifecycle = Lifecycle::new()
            .expires_in("1h")
            .unwrap()
            .access(Decision::Forbid);
        let lifecycle = lifecycle
            .rule("alice", Decision::Allow)
            .unwrap()
            .rule("jürgen😀", Decision::Hide)
            .unwrap();
        let wish = json!({"expiration_duration_seconds": 3600, "initial_acl": {"default": "forbid", "rules": [
            {"user": "alice", "decision": "allow"}, {"user": "jürgen😀", "decision": "hide"}]}});
        assert_eq!(written(lifecycle), [wish.clone(), wish]);
    }

    #[test]
    fn nothing_wished_for_is_not_sent() {
        assert!(written(Lifecycle::new()).is_empty());
        assert!(written(Lifecycle::new().expires_in("never").unwrap()).is_empty());
    }

    #[test]
    fn times_are_names_or_seconds() {
        let seconds = |text: &str| {
            Lifecycle::new()
                .expires_in(text)
                .map(|lifecycle| lifecycle.seconds)
        };
        for (text, expected) in [
            ("never", None),
            ("immediate", Some(60)),
            ("1y", Some(31_536_000)),
            ("17", Some(17)),
        ] {
            assert_eq!(seconds(text).unwrap(), expected, "{text}");
        }
        for bad in [
            "",
            "0",
            "-1",
            "+1",
            "1.5",
            "2h",
            "true",
            "99999999999999999999",
            " 1",
        ] {
            assert!(seconds(bad).is_err(), "{bad:?}");
        }
        assert!(Lifecycle::new().rule("alice", Decision::Allow).is_err());
        assert!("maybe".parse::<Decision>().is_err() && "hide".parse::<Decision>().is_ok());
    }
}
