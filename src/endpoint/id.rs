//! The ids of endpoints.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::limits::first_characters;

/// The name of a callable model or app, such as `fal-ai/flux/dev` (docs/protocol.md §3.1).
///
/// `[namespace/]owner/alias[/path]`, where a namespace is `workflows` or `comfy`. The old form
/// `123-abc` is parsed as `123/abc`. Surrounding slashes are removed; case is kept. A URL, such as
/// `https://fal.run/fal-ai/flux/dev`, is refused with an error that shows the id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointId {
    text: Arc<str>,
    app_len: usize,
}

const NAMESPACES: [&str; 2] = ["workflows", "comfy"];

impl EndpointId {
    /// Returns the whole id, including the path.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns `[namespace/]owner/alias`, without the path. URLs of the queue contain this part.
    pub fn app(&self) -> &str {
        &self.text[..self.app_len]
    }

    /// Returns the path after the app, without a leading slash. Empty if there is no path.
    pub fn path(&self) -> &str {
        self.text[self.app_len..].trim_start_matches('/')
    }

    /// Returns the name of the app, which is unique among the apps of its owner.
    pub fn alias(&self) -> &str {
        self.app().rsplit('/').next().unwrap_or_default()
    }

    /// Returns the account or team that owns the app.
    pub fn owner(&self) -> &str {
        let mut segments = self.app().rsplit('/');
        segments.next();
        segments.next().unwrap_or_default()
    }
}

impl FromStr for EndpointId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(named) = id_in(text) {
            return Err(url_for_id(text, named));
        }
        let trimmed = text.trim_matches('/');
        let text = match trimmed.contains('/') {
            true => Arc::from(trimmed),
            false => {
                legacy(trimmed).ok_or_else(|| malformed_id(text, "the form is owner/alias"))?
            }
        };
        let mut ends = text.split('/').scan(0, |end, segment| {
            *end += segment.len() + 1;
            Some((*end - 1, segment))
        });
        for (_, segment) in ends.clone() {
            check_segment(segment).map_err(|what| malformed_id(&text, what))?;
        }
        let namespaced = ends
            .clone()
            .next()
            .is_some_and(|(_, first)| NAMESPACES.contains(&first));
        let app_len = ends
            .nth(if namespaced { 2 } else { 1 })
            .map(|(end, _)| end)
            .ok_or_else(|| malformed_id(&text, "owner or alias is missing"))?;
        Ok(EndpointId { text, app_len })
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns the probable endpoint id in a URL of one of fal's hosts, with or without a scheme, or
/// `None` if the text is not such a URL. The id only goes into an error: the client may be
/// configured for another host than the URL names.
fn id_in(text: &str) -> Option<&str> {
    let text = text.trim().trim_start_matches('/');
    let bare = ["https://", "http://", "wss://"]
        .iter()
        .find_map(|scheme| {
            let (start, rest) = text.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        })
        .unwrap_or(text);
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    let path = path
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .trim_matches('/');
    let is_any = |hosts: &[&str]| hosts.iter().any(|known| host.eq_ignore_ascii_case(known));
    let (id, ends): (_, &[&str]) = if is_any(&["fal.run", "queue.fal.run", "ws.fal.run"]) {
        (path, &[])
    } else if is_any(&["fal.ai", "www.fal.ai"]) {
        (
            path.strip_prefix("models/").unwrap_or_default(),
            &["/api", "/playground", "/examples", "/llms.txt"],
        )
    } else {
        return None;
    };
    let id = id.split("/requests/").next().unwrap_or_default();
    Some(
        ends.iter()
            .find_map(|end| id.strip_suffix(end))
            .unwrap_or(id),
    )
}

fn url_for_id(text: &str, named: &str) -> Error {
    // A URL within a URL is not an id. It is not searched further, because URLs may be nested
    // thousands of times.
    let id = if id_in(named).is_none() {
        named.parse::<EndpointId>().ok()
    } else {
        None
    };
    match id {
        Some(id) => {
            malformed_id(text, "it is a URL").with_remedy(format!("Give the id alone: \"{id}\"."))
        }
        None => malformed_id(text, "it is a URL, but not of a model"),
    }
}

/// Converts the old form `123-my-app` to `123/my-app`.
fn legacy(text: &str) -> Option<Arc<str>> {
    let (number, name) = text.split_once('-')?;
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (digits && named).then(|| format!("{number}/{name}").into())
}

/// Checks a segment of an id, which becomes part of a URL: refuses characters that have a meaning
/// in URLs.
pub(crate) fn check_segment(segment: &str) -> std::result::Result<(), &'static str> {
    if segment.is_empty() {
        return Err("it has an empty segment");
    }
    if segment == "." || segment == ".." {
        return Err("it has a dot segment");
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~@:+,=!$()*".contains(&b);
    match segment.bytes().all(plain) {
        true => Ok(()),
        false => Err("it has a character that is not allowed"),
    }
}

fn malformed_id(text: &str, what: &str) -> Error {
    Error::invalid(format!(
        "{:?} is not an endpoint id: {what}",
        abbreviate(text)
    ))
    .with_remedy("Give an id such as \"fal-ai/flux/dev\": [workflows/]owner/alias[/path].")
}

/// Shortens a text of the caller for a message.
pub(crate) fn abbreviate(text: &str) -> String {
    first_characters(text, 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_split_into_app_and_path() {
        for (text, app, path, owner) in [
            ("fal-ai/flux/dev", "fal-ai/flux", "dev", "fal-ai"),
            ("fal-ai/flux", "fal-ai/flux", "", "fal-ai"),
            ("/fal-ai/flux/", "fal-ai/flux", "", "fal-ai"),
            (
                "workflows/fal-ai/sticker",
                "workflows/fal-ai/sticker",
                "",
                "fal-ai",
            ),
            ("comfy/me/flow/run", "comfy/me/flow", "run", "me"),
            (
                "fal-ai/wan/v2.2-a14b/text-to-video",
                "fal-ai/wan",
                "v2.2-a14b/text-to-video",
                "fal-ai",
            ),
            ("123-my-app", "123/my-app", "", "123"),
            ("me/app--staging", "me/app--staging", "", "me"),
        ] {
            let id: EndpointId = text.parse().unwrap();
            assert_eq!(
                (id.app(), id.path(), id.owner()),
                (app, path, owner),
                "{text}"
            );
        }
    }

    #[test]
    fn an_address_is_told_from_its_id() {
        for text in [
            "https://fal.run/fal-ai/flux/dev",
            "http://fal.run/fal-ai/flux/dev/",
            "HTTPS://FAL.RUN/fal-ai/flux/dev",
            "fal.run/fal-ai/flux/dev",
            "//fal.run/fal-ai/flux/dev",
            " https://queue.fal.run/fal-ai/flux/dev?fal_webhook=x ",
            "https://queue.fal.run/fal-ai/flux/dev/requests/764cabcf-b745-4b3e-ae38-1200304cf45b/status",
            "wss://ws.fal.run/fal-ai/flux/dev",
            "https://fal.ai/models/fal-ai/flux/dev",
            "https://www.fal.ai/models/fal-ai/flux/dev/playground#x",
            "https://fal.ai/models/fal-ai/flux/dev/api",
            "fal.ai/models/fal-ai/flux/dev",
        ] {
            let error = text.parse::<EndpointId>().unwrap_err();
            assert!(error.message().contains("it is a URL"), "{error}");
            assert_eq!(
                error.remedy(),
                "Give the id alone: \"fal-ai/flux/dev\".",
                "{text}"
            );
        }
        for text in [
            "https://fal.run/",
            "https://fal.ai/pricing",
            "https://fal.ai/models",
            "fal.run",
            "https://fal.run/flux",
        ] {
            let error = text.parse::<EndpointId>().unwrap_err();
            assert!(
                error.message().contains("not of a model")
                    && error.remedy().contains("owner/alias"),
                "{error}"
            );
        }
        let nested = "fal.run/"
            .repeat(100_000)
            .parse::<EndpointId>()
            .unwrap_err();
        assert!(nested.message().contains("not of a model"), "{nested}");
        // The name of an owner may look like a host.
        assert!("fal.example/app".parse::<EndpointId>().is_ok());
    }

    #[test]
    fn ids_that_would_change_the_address_are_refused() {
        for text in [
            "",
            "/",
            "flux",
            "abc-1",
            "123-",
            "workflows/me",
            "a//b",
            "a/..",
            "a/./b",
            "a/b?x=1",
            "a/b#c",
            "a/b c",
            "a/b%2f",
            "https://fal.run/a/b",
            "a\\b/c",
            "a/b\n",
            "a/ü",
        ] {
            assert!(text.parse::<EndpointId>().is_err(), "{text:?}");
        }
    }
}
