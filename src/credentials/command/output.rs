//! The output of a command: one line with a key, or a JSON object with a key or a token and its
//! expiry. The errors contain no part of the output.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::codec::rfc3339;
use crate::credentials::credential::{Credential, Token};
use crate::credentials::secret_json::SecretJson;
use crate::key::{Key, Note};

/// The parsed output of a command. `Debug` shows no secret.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) credential: Credential,
    pub(crate) expires_at: Option<SystemTime>,
    /// Remarks about text that was removed around the key.
    pub(crate) notes: Vec<Note>,
}

/// Parses the output of a command that was started at `started`.
pub(super) fn read(stdout: &[u8], started: SystemTime) -> Result<CommandOutput, String> {
    let text = std::str::from_utf8(stdout).map_err(|_| "not UTF-8 text")?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
    if text.starts_with('{') {
        return read_json(text, started);
    }
    match text.lines().filter(|line| !line.trim().is_empty()).count() {
        0 => Err("nothing was printed".to_owned()),
        1 => read_key(text, None),
        count => Err(format!("{count} lines instead of one; print only the key")),
    }
}

fn read_json(text: &str, started: SystemTime) -> Result<CommandOutput, String> {
    let json = SecretJson::parse(text.as_bytes())
        .ok_or("the text starts with `{`, but is not valid JSON")?;
    let expires_at = expiry(&json, started)?;
    match (string(&json, "key")?, string(&json, "token")?) {
        (Some(key), None) => read_key(key, expires_at),
        (None, Some(token)) => Ok(CommandOutput {
            credential: Credential::Bearer(Token::parse(token).map_err(|e| e.to_string())?),
            expires_at,
            notes: Vec::new(),
        }),
        _ => Err("the JSON object needs either `key` or `token`".to_owned()),
    }
}

fn read_key(text: &str, expires_at: Option<SystemTime>) -> Result<CommandOutput, String> {
    let (key, notes) = Key::parse(text).map_err(|problem| problem.to_string())?;
    Ok(CommandOutput {
        credential: Credential::Key(key),
        expires_at,
        notes,
    })
}

fn string<'j>(json: &'j SecretJson, name: &str) -> Result<Option<&'j str>, String> {
    match json.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{name}` is not a string")),
    }
}

fn expiry(json: &SecretJson, started: SystemTime) -> Result<Option<SystemTime>, String> {
    let expires_at = match (string(json, "expires_at")?, json.get("expires_in")) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err("the JSON object has both `expires_at` and `expires_in`".to_owned());
        }
        (Some(text), None) => rfc3339::parse(text.trim())
            .ok_or("`expires_at` is not a time such as 2026-01-31T23:59:59Z (RFC 3339)")?,
        (None, Some(seconds)) => seconds
            .as_f64()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .and_then(|duration| started.checked_add(duration))
            .ok_or("`expires_in` is not a number of seconds")?,
    };
    if expires_at <= SystemTime::now() {
        return Err("the credential has already expired".to_owned());
    }
    Ok(Some(expires_at))
}
