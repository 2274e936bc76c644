//! How long fal keeps a file, and who may read it (docs/protocol.md §9.6).

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// The sources contradict each other about which header fal reads, so both are sent
/// (docs/protocol.md §16.27).
const HEADERS: [&str; 2] = [
    "x-fal-object-lifecycle",
    "x-fal-object-lifecycle-preference",
];

/// The official clients' names of times, in seconds.
const NAMES: [(&str, u64); 6] = [
    ("immediate", 60),
    ("1h", 3600),
    ("1d", 86_400),
    ("7d", 604_800),
    ("30d", 2_592_000),
    ("1y", 31_536_000),
];

/// Whether a user may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// The user may read the file.
    Allow,
    /// Access is denied (403).
    Forbid,
    /// The file appears not to exist (404).
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
        found.ok_or_else(|| Error::invalid("a decision must be allow, forbid or hide"))
    }
}

/// How long fal keeps a file, and who may read it. The account's defaults hold for what is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    seconds: Option<u64>,
    access: Option<Decision>,
    rules: Vec<(String, Decision)>,
}

impl Lifecycle {
    /// Returns the account's defaults.
    pub fn new() -> Self {
        Lifecycle::default()
    }

    /// Sets how long fal keeps the file: `immediate` (a minute), `1h`, `1d`, `7d`, `30d`, `1y`, a
    /// number of seconds from 1, or `never` (sends no time, so the account's default holds).
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
                Error::invalid("the expiry must be never, immediate, 1h, 1d, 7d, 30d, 1y or a number of seconds from 1")
            })?),
        };
        Ok(self)
    }

    /// Sets who may read the file: every user for whom there is no [rule](Self::rule). The owner
    /// always may.
    pub fn access(mut self, default: Decision) -> Self {
        self.access = Some(default);
        self
    }

    /// Adds a rule for one user, by nickname (or id, §16.33). fal ignores users that it does not
    /// know.
    ///
    /// Fails if [`access`](Self::access) is not set.
    pub fn rule(mut self, user: &str, decision: Decision) -> Result<Self> {
        if self.access.is_none() {
            return Err(Error::invalid(
                "a rule needs the access of all other users to be set first",
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

    /// Adds the headers, unless nothing is set.
    pub(crate) fn write(&self, headers: &mut HeaderMap) -> Result<()> {
        let mut members = Map::new();
        if let Some(seconds) = self.seconds {
            members.insert("expiration_duration_seconds".into(), seconds.into());
        }
        if let Some(access) = self.access {
            let rule = |(user, decision): &(String, Decision)| json!({"user": user, "decision": decision.name()});
            let rules: Vec<_> = self.rules.iter().map(rule).collect();
            members.insert(
                "initial_acl".into(),
                json!({"default": access.name(), "rules": rules}),
            );
        }
        if members.is_empty() {
            return Ok(());
        }
        let text = ascii(&Value::Object(members).to_string());
        let value = HeaderValue::from_str(&text)
            .map_err(|_| Error::invalid("a rule cannot be put into a header"))?;
        for name in HEADERS {
            headers.insert(name, value.clone());
        }
        Ok(())
    }
}

/// Escapes every character of JSON that is not ASCII, because a header holds ASCII only.
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
        let expected = json!({"expiration_duration_seconds": 3600, "initial_acl": {"default": "forbid", "rules": [
            {"user": "alice", "decision": "allow"}, {"user": "jürgen😀", "decision": "hide"}]}});
        assert_eq!(written(lifecycle), [expected.clone(), expected]);
    }

    #[test]
    fn defaults_send_no_header() {
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
