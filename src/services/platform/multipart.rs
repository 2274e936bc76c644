//! Sends a file as multipart/form-data (docs/protocol.md §14.9).
//!
//! The forms of reqwest produce a body of reqwest. The transport sends only bodies that it reads
//! and watches itself, so this file builds the form.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;

use super::arguments::{Arguments, wrong};
use crate::client::Exchange;
use crate::error::{Error, Result};
use crate::openapi::{Operation, Place};
use crate::request::Request;
use crate::response::Response;
use crate::services::storage::{FileBody, confirmed};
use crate::system::random;
use crate::transport::{Call, Payload, Pieces, Source};

/// A form with one field, which is a file.
pub(super) struct Form {
    field: String,
    file_name: String,
    content: Content,
}

enum Content {
    File(PathBuf),
    Bytes(Bytes),
}

impl Form {
    /// Reads the parameter of the form: `{"path": "a/file"}` for a local file, or `{"base64": "…",
    /// "file_name": "a.bin"}`.
    pub(super) fn read(operation: &Operation, arguments: &Arguments) -> Result<Self> {
        let fields = operation
            .parameters()
            .iter()
            .filter(|parameter| parameter.place == Place::Body);
        let given = fields
            .filter_map(|field| Some((field.name(), arguments.get(field.name())?)))
            .next();
        let refused = |problem: &str| {
            wrong(operation, problem).with_remedy(
                "Give a file as {\"path\": \"a/local/file\"}, or as {\"base64\": \"…\", \"file_name\": \"a.bin\"}.",
            )
        };
        let Some((field, value)) = given else {
            return Err(refused("file_upload is missing"));
        };
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let known = value.as_object().is_some_and(|given| {
            given.iter().all(|(name, value)| {
                ["path", "base64", "file_name"].contains(&name.as_str()) && value.is_string()
            })
        });
        let content = match (text("path"), text("base64")) {
            (Some(path), None) if known => Content::File(path.into()),
            (None, Some(encoded)) if known => match BASE64_STANDARD.decode(encoded) {
                Ok(bytes) => Content::Bytes(bytes.into()),
                Err(_) => return Err(refused(&format!("{field}.base64 is not base64"))),
            },
            _ => return Err(refused(&format!("{field} is not a file"))),
        };
        let own = match &content {
            Content::File(path) => path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned()),
            Content::Bytes(_) => None,
        };
        let file_name = text("file_name")
            .map(str::to_owned)
            .or(own)
            .unwrap_or_else(|| "file".to_owned());
        Ok(Form {
            field: field.to_owned(),
            file_name,
            content,
        })
    }

    /// Sends the form. A local file is read while it is sent.
    pub(super) async fn send(self, exchange: &Exchange, request: Request) -> Result<Response> {
        let boundary = format!("libfal-{}", random::uuid()?);
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            self.field,
            quoted(&self.file_name)
        );
        let (file, local) = match self.content {
            Content::File(path) => {
                let local = FileBody::open(path).await?;
                (local.payload(&exchange.task), Some(local))
            }
            Content::Bytes(bytes) => (Payload::Bytes(bytes), None),
        };
        let framed = Framed {
            head: head.into(),
            file,
            tail: format!("\r\n--{boundary}--\r\n").into(),
        };
        let mut call = Call {
            body: Payload::Source(Arc::new(framed)),
            ..exchange.call(request)?
        };
        let kind = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"));
        call.headers.insert(
            CONTENT_TYPE,
            kind.map_err(|_| Error::invalid("the boundary is malformed"))?,
        );
        let answer =
            confirmed(exchange.send_call(&call).await?, exchange, call.idempotency).await?;
        if let Some(local) = local {
            local.unchanged().await.map_err(|error| {
                let remedy = "Look for the file at fal before you send it again: fal has the part that was sent.";
                error.with_remedy(remedy).with_outcome_unknown(true)
            })?;
        }
        Ok(answer)
    }
}

/// Escapes a name for a quoted string in a header, as the HTML standard requires.
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The body of a form: the file between a head and a tail.
struct Framed {
    head: Bytes,
    file: Payload,
    tail: Bytes,
}

impl Source for Framed {
    fn length(&self) -> Option<u64> {
        let file = match &self.file {
            Payload::Bytes(bytes) | Payload::Json(bytes) => Some(bytes.len() as u64),
            Payload::Source(source) => source.length(),
        };
        Some(file? + (self.head.len() + self.tail.len()) as u64)
    }

    fn open(&self) -> Result<Pieces> {
        let one = |bytes: &Bytes| stream::iter([Ok(bytes.clone())]);
        let file = match &self.file {
            Payload::Bytes(bytes) | Payload::Json(bytes) => one(bytes).boxed(),
            Payload::Source(source) => source.open()?,
        };
        Ok(one(&self.head).chain(file).chain(one(&self.tail)).boxed())
    }
}
