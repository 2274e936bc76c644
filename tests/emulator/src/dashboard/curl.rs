//! The curl line that repeats a request.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::arrivals::{Arrival, ArrivedBody, Outcome};

/// The headers that make a difference to the answer, besides those that begin with `x-fal-`.
const SENT: [&str; 2] = ["accept", "content-type"];

/// What stands for a secret in an arrival.
const MASK: &str = "****";

/// A line for a POSIX shell, with the key as `$FAL_KEY` and a token as `$FAL_TOKEN`; or why there is
/// none. `arrival` is what is shown of `whole`.
pub(super) fn line(
    whole: &Arrival,
    arrival: &Arrival,
    address: SocketAddr,
) -> Result<String, &'static str> {
    if arrival.outcome == Outcome::Status(101) {
        return Err("curl cannot repeat a WebSocket.");
    }
    if arrival.dropped {
        return Err("The body is no longer there.");
    }
    if arrival.body != whole.body {
        return Err("The body has a secret, which is not shown.");
    }
    let (before, data) = body(arrival)?;
    let mut line = format!("{before}curl -X {}", arrival.method);
    line += &format!(" -H {}", quoted(&format!("Host: {}", arrival.host)));
    if let Some(authorization) = &arrival.authorization {
        // Only these two are sent to fal with something that a variable can hold.
        line += match authorization.scheme.to_ascii_lowercase().as_str() {
            "key" => " -H \"Authorization: Key $FAL_KEY\"",
            "bearer" => " -H \"Authorization: Bearer $FAL_TOKEN\"",
            _ => return Err("The authorization is of an unknown scheme."),
        };
    }
    for (name, value) in &arrival.headers {
        if SENT.contains(&name.as_str()) || name.starts_with("x-fal-") {
            if whole.headers.get(name) != Some(value) {
                return Err("A header has a secret, which is not shown.");
            }
            line += &format!(" -H {}", quoted(&format!("{name}: {value}")));
        }
    }
    Ok(format!("{line}{data} {}", url(arrival, address)?))
}

/// What comes before curl, and the argument for the body.
fn body(arrival: &Arrival) -> Result<(String, String), &'static str> {
    let text = match &arrival.body {
        ArrivedBody::Empty if arrival.body_length == 0 => return Ok(Default::default()),
        ArrivedBody::Empty => return Err("The body was a file, which the journal does not keep."),
        ArrivedBody::Bytes(bytes) if (bytes.len() as u64) < arrival.body_length => {
            return Err("The journal keeps only the beginning of the body.");
        }
        ArrivedBody::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => text.to_owned(),
            _ => {
                let coded = STANDARD.encode(bytes);
                let before = format!("printf %s '{coded}' | base64 -d | ");
                return Ok((before, " --data-binary @-".into()));
            }
        },
        ArrivedBody::Json(value) => value.to_string(),
    };
    Ok((String::new(), format!(" --data-raw {}", quoted(&text))))
}

fn url(arrival: &Arrival, address: SocketAddr) -> Result<String, &'static str> {
    let mut url = format!("http://{address}{}", arrival.path);
    if let Some(query) = &arrival.query {
        url = format!("{url}?{query}");
    }
    let url = quoted(&url);
    let repeated = if arrival.token {
        url.replace(
            &format!("fal_jwt_token={MASK}"),
            "fal_jwt_token='\"$FAL_TOKEN\"'",
        )
    } else {
        url
    };
    if repeated.contains(MASK) {
        return Err("The URL has a secret, which is not shown.");
    }
    Ok(repeated)
}

/// The text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn nothing_escapes_the_quotes() {
        for (text, expected) in [
            ("plain", "'plain'"),
            ("it's", r"'it'\''s'"),
            ("$(reboot) `x` \\ \"", "'$(reboot) `x` \\ \"'"),
            ("a\nb", "'a\nb'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
