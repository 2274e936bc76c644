//! The files in the input of a request (docs/protocol.md §3.4).

use std::ops::Range;

use bytes::Bytes;
use serde_json::Value;

use super::field::path_of;
use super::upload::Upload;
use super::{Body, Request};
use crate::codec::json;
use crate::error::{Error, Result};

/// What is in the place of a file until its URL is known.
const EMPTY: &str = "\"\"";

/// The files of a request, each with the path of its field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    pub(crate) files: Vec<(Vec<String>, Upload)>,
    /// Files of up to this many bytes become data URIs.
    pub(crate) inline: u64,
}

impl Inputs {
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub(crate) fn set(&mut self, path: Vec<String>, upload: Upload) {
        self.files.push((path, upload));
    }

    /// Removes the files at this path and below it.
    pub(crate) fn forget(&mut self, path: &[String]) {
        self.files.retain(|(place, _)| !place.starts_with(path));
    }

    pub(crate) fn set_inline(&mut self, most: u64) {
        self.inline = most;
    }
}

impl Request {
    /// Sets the whole input to a JSON text that a binding has just encoded, without checking it
    /// again. It is not copied. In the place of these pointers it has empty strings, and uploads are
    /// set there.
    ///
    /// Fails if an object has two members of the same name, and one of them holds an upload.
    #[doc(hidden)]
    pub fn set_json_bytes(&mut self, text: Bytes, files: Vec<(String, Upload)>) -> Result<()> {
        let mut placed = Vec::with_capacity(files.len());
        for (pointer, upload) in files {
            upload.check()?;
            placed.push((path_of(&pointer, &Value::Null)?, upload));
        }
        if !placed.is_empty() {
            let input = std::str::from_utf8(&text).unwrap_or_default();
            let paths: Vec<_> = placed.iter().map(|(path, _)| path.as_slice()).collect();
            let places = json::places(input, &paths);
            let is_empty = |place: &Option<Range<usize>>| {
                place.clone().is_some_and(|place| &input[place] == EMPTY)
            };
            if places.is_ambiguous || !places.ranges.iter().all(is_empty) {
                let message = "two members of an object in the input have the same name, and one of them holds a file";
                return Err(Error::invalid(message));
            }
        }
        self.set_body(Body::Text(text));
        self.inputs.files = placed;
        Ok(())
    }

    /// Whether the body is a text with an empty string in this place. Such a text stays one, so that
    /// its numbers keep every digit.
    pub(super) fn is_written(&self, path: &[String]) -> bool {
        let Body::Text(text) = &self.body else {
            return false;
        };
        let text = std::str::from_utf8(text).unwrap_or_default();
        let mut places = json::places(text, &[path]).ranges;
        let place = places.pop().flatten();
        place.is_some_and(|place| &text[place] == EMPTY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_binding_is_in_the_only_member_of_its_name() {
        let file = || Upload::bytes(&b"x"[..]);
        let set = |text: &'static str, places: &[&str]| {
            let files = places.iter().map(|place| (place.to_string(), file()));
            let mut request = Request::run("a/b").unwrap();
            request.set_json_bytes(text.into(), files.collect())?;
            let Body::Text(kept) = &request.body else {
                panic!("not a text")
            };
            assert_eq!(
                (kept, request.inputs.files.len()),
                (&Bytes::from(text), places.len())
            );
            Ok::<_, Error>(())
        };
        set(
            r#"{"a": "", "b": [1, {"c": ""}], "d": 1, "d": 2}"#,
            &["/a", "/b/1/c"],
        )
        .unwrap();
        set(r#"{"a": 1, "a": 2}"#, &[]).unwrap();
        for text in [
            r#"{"a": "", "a": "x"}"#,
            r#"{"a": "", "a": ""}"#,
            r#"{"a": "x", "a": ""}"#,
            r#"{"a": "x"}"#,
            "{}",
        ] {
            let error = set(text, &["/a"]).unwrap_err();
            assert_eq!(error.code(), crate::Code::InvalidArgument, "{text}");
        }
        assert!(set(r#"{"a": {"b": ""}, "a": {}}"#, &["/a/b"]).is_err());
    }

    /// A text that the program gave has its own files set one by one.
    #[test]
    fn a_file_takes_the_place_of_the_last_member_of_its_name() {
        let mut request = Request::run("a/b").unwrap();
        request.set_json_text(r#"{"a": "", "a": ""}"#).unwrap();
        request.set_upload("a", Upload::bytes(&b"x"[..])).unwrap();
        assert!(matches!(&request.body, Body::Text(_)));
        let mut request = Request::run("a/b").unwrap();
        request.set_json_text(r#"{"a": "", "a": 5}"#).unwrap();
        request.set_upload("a", Upload::bytes(&b"x"[..])).unwrap();
        assert!(
            matches!(&request.body, Body::Json(tree) if **tree == serde_json::json!({"a": ""}))
        );
    }
}
