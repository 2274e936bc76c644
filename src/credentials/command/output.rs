//! The output of a command: one line with a key, or a JSON object with a key or a token and its
//! expiry.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

use crate::codec::rfc3339;
use crate::key::{Key, KeyProblem, Note};

/// The maximum length of a bearer token, in bytes. Servers limit the length of a header.
const MAX_TOKEN: usize = 16 * 1024;

/// Why an output is not a credential. Contains no part of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputProblem {
    Nothing,
    NotUtf8,
    /// There is more than one line. Holds the number of lines that are not blank.
    Lines(usize),
    Key(KeyProblem),
    /// It starts with `{`, but is not valid JSON.
    Json,
    /// It has neither a `key` nor a `token`, or both.
    NotOneSecret,
    /// The member of this name has the wrong type.
    Type(&'static str),
    /// The token is empty, too long, or not printable ASCII.
    Token,
    /// It has both `expires_at` and `expires_in`.
    TwoExpiries,
    NotRfc3339,
    NotSeconds,
    Expired,
}

impl fmt::Display for OutputProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing was printed"),
            Self::NotUtf8 => f.write_str("not UTF-8 text"),
            Self::Lines(count) => write!(f, "{count} lines instead of one; print only the key"),
            Self::Key(problem) => problem.fmt(f),
            Self::Json => f.write_str("the text starts with `{`, but is not valid JSON"),
            Self::NotOneSecret => f.write_str("the JSON object needs either `key` or `token`"),
            Self::Type(member) => write!(f, "`{member}` has the wrong type"),
            Self::Token => write!(
                f,
                "`token` is not 1 to {MAX_TOKEN} printable ASCII characters without spaces"
            ),
            Self::TwoExpiries => {
                f.write_str("the JSON object has both `expires_at` and `expires_in`")
            }
            Self::NotRfc3339 => {
                f.write_str("`expires_at` is not a time such as 2026-01-31T23:59:59Z (RFC 3339)")
            }
            Self::NotSeconds => f.write_str("`expires_in` is not a number of seconds"),
            Self::Expired => f.write_str("the credential has already expired"),
        }
    }
}

/// The parsed output of a command. `Debug` shows no secret.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) secret: Secret,
    pub(crate) expires_at: Option<SystemTime>,
    /// Remarks about text that was removed around the key.
    pub(crate) notes: Vec<Note>,
}

/// A key or a bearer token. Zeroized on drop. `Debug` shows no secret.
pub(crate) enum Secret {
    Key(Key),
    Bearer(Zeroizing<String>),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Bearer(_) => f.write_str("Bearer(****)"),
        }
    }
}

/// Parses the output of a command that was started at `started`.
pub(super) fn read(stdout: &[u8], started: SystemTime) -> Result<CommandOutput, OutputProblem> {
    let text = std::str::from_utf8(stdout).map_err(|_| OutputProblem::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
    if text.starts_with('{') {
        read_json(text, started)
    } else {
        read_line(text)
    }
}

fn read_line(text: &str) -> Result<CommandOutput, OutputProblem> {
    match text.lines().filter(|line| !line.trim().is_empty()).count() {
        0 => return Err(OutputProblem::Nothing),
        1 => {}
        count => return Err(OutputProblem::Lines(count)),
    }
    let (key, notes) = Key::parse(text).map_err(OutputProblem::Key)?;
    Ok(CommandOutput {
        secret: Secret::Key(key),
        expires_at: None,
        notes,
    })
}

fn read_json(text: &str, started: SystemTime) -> Result<CommandOutput, OutputProblem> {
    // The message of the parser is not used, because it may quote the text.
    let value = serde_json::from_str(text).map_err(|_| OutputProblem::Json)?;
    let mut wiped = Wiped(value);
    let Value::Object(members) = &mut wiped.0 else {
        return Err(OutputProblem::Json);
    };
    let expires_at = expiry(members, started)?;
    let (secret, notes) = match (string(members, "key")?, string(members, "token")?) {
        (Some(key), None) => {
            let (key, notes) = Key::parse(key).map_err(OutputProblem::Key)?;
            (Secret::Key(key), notes)
        }
        (None, Some(token)) => (Secret::Bearer(bearer(token)?), Vec::new()),
        _ => return Err(OutputProblem::NotOneSecret),
    };
    Ok(CommandOutput {
        secret,
        expires_at,
        notes,
    })
}

/// Returns a string member, or `None` if it is missing or null.
fn string<'m>(
    members: &'m Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'m str>, OutputProblem> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(OutputProblem::Type(name)),
    }
}

fn bearer(token: &str) -> Result<Zeroizing<String>, OutputProblem> {
    let token = token.trim();
    let is_token =
        (1..=MAX_TOKEN).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token {
        Ok(Zeroizing::new(token.to_owned()))
    } else {
        Err(OutputProblem::Token)
    }
}

fn expiry(
    members: &Map<String, Value>,
    started: SystemTime,
) -> Result<Option<SystemTime>, OutputProblem> {
    let at = string(members, "expires_at")?;
    let expires_at = match (
        at,
        members
            .get("expires_in")
            .filter(|seconds| !seconds.is_null()),
    ) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(OutputProblem::TwoExpiries),
        (Some(text), None) => rfc3339::parse(text.trim()).ok_or(OutputProblem::NotRfc3339)?,
        (None, Some(seconds)) => {
            let seconds = seconds.as_f64().ok_or(OutputProblem::Type("expires_in"))?;
            let duration =
                Duration::try_from_secs_f64(seconds).map_err(|_| OutputProblem::NotSeconds)?;
            started
                .checked_add(duration)
                .ok_or(OutputProblem::NotSeconds)?
        }
    };
    if expires_at <= SystemTime::now() {
        Err(OutputProblem::Expired)
    } else {
        Ok(Some(expires_at))
    }
}

/// A value whose strings are zeroized on drop.
struct Wiped(Value);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
