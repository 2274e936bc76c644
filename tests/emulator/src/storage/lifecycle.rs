//! The expiry and the permissions of a new file: from a header of its upload, else from the
//! account's defaults (docs/protocol.md §9.6).

use hyper::StatusCode;
use hyper::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::acl::Acl;
use crate::answer::Answer;

/// Both headers are read on every request that may have them (§16.27). The first takes precedence.
const HEADERS: [&str; 2] = [
    "x-fal-object-lifecycle",
    "x-fal-object-lifecycle-preference",
];

/// The properties that a request sets for the files it creates.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Lifecycle {
    /// The lifetime in seconds; the inner `None` means that the file never expires.
    pub(crate) expiration: Option<Option<u64>>,
    pub(crate) acl: Option<Acl>,
}

impl Lifecycle {
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Answer> {
        let Some((name, value)) = HEADERS
            .iter()
            .find_map(|name| Some((name, headers.get(*name)?)))
        else {
            return Ok(Self::default());
        };
        Self::parse(value.as_bytes()).map_err(|error| {
            Answer::detail(StatusCode::BAD_REQUEST, format!("Invalid {name}: {error}"))
        })
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let object: Map<String, Value> =
            serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let expiration = object
            .get("expiration_duration_seconds")
            .map(|value| match value {
                Value::Null => Ok(None),
                value => value
                    .as_u64()
                    .map(|seconds| Some(seconds).filter(|seconds| *seconds > 0))
                    .ok_or("expiration_duration_seconds must be an integer of at least 0"),
            });
        let acl = object.get("initial_acl").filter(|acl| !acl.is_null());
        let acl =
            acl.map(|acl| Acl::deserialize(acl).map_err(|error| format!("initial_acl: {error}")));
        Ok(Self {
            expiration: expiration.transpose()?,
            acl: acl.transpose()?,
        })
    }
}

/// An account's defaults for new files: the body of `/v1/storage/settings`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Defaults {
    pub(crate) expiration_duration_seconds: Option<u64>,
    pub(crate) initial_acl: Option<Acl>,
}

#[cfg(test)]
mod tests {
    use super::super::acl::Decision;
    use super::*;

    #[test]
    fn never_is_told_apart_from_nothing() {
        for (text, expiration) in [
            ("{}", None),
            (r#"{"expiration_duration_seconds":null}"#, Some(None)),
            (r#"{"expiration_duration_seconds":0}"#, Some(None)),
            (
                r#"{"expiration_duration_seconds":60,"allow_io_storage":true}"#,
                Some(Some(60)),
            ),
        ] {
            assert_eq!(
                Lifecycle::parse(text.as_bytes()),
                Ok(Lifecycle {
                    expiration,
                    acl: None
                }),
                "{text}"
            );
        }
        let acl = Lifecycle::parse(br#"{"initial_acl":{"default":"hide"}}"#)
            .unwrap()
            .acl
            .unwrap();
        assert_eq!((acl.default, acl.rules.len()), (Decision::Hide, 0));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "3600",
            "[]",
            r#"{"expiration_duration_seconds":-1}"#,
            r#"{"expiration_duration_seconds":true}"#,
            r#"{"initial_acl":{"default":"deny"}}"#,
            r#"{"initial_acl":{"default":"allow","rules":[{"user":"a"}]}}"#,
        ] {
            assert!(Lifecycle::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
