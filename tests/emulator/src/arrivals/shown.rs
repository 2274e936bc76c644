//! Arrivals as the page and the control API show them: without the credentials of the requests,
//! wherever they are.

use std::fmt;
use std::sync::OnceLock;

use hyper::header::{AUTHORIZATION, COOKIE, HeaderMap, PROXY_AUTHORIZATION};
use serde_json::Value;

use super::arrival::{Arrival, ArrivedBody, Head};
use crate::cassettes::{MASKED, Mask, is_secret};

/// Names that end with `key`, whose values are public.
const PUBLIC: [&str; 2] = ["idempotency-key", "sec-websocket-key"];

/// Whether the value of a header or parameter of this name is a credential.
fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    is_secret(&name) || name.ends_with("key") && !PUBLIC.contains(&&*name)
}

/// The credentials of a request.
#[derive(Default)]
pub(crate) struct Credentials {
    secrets: Vec<String>,
    /// Made when it is needed first, since it costs more than a request.
    mask: OnceLock<Mask>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASKED)
    }
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        self.secrets == other.secrets
    }
}

impl Credentials {
    pub(super) fn of(head: &Head<'_>) -> Self {
        let mut secrets = of_headers(head.headers);
        let query = head.query.unwrap_or_default();
        let parameters = form_urlencoded::parse(query.as_bytes());
        secrets.extend(
            parameters
                .filter(|(name, _)| is_credential(name))
                .map(|(_, value)| value.into_owned()),
        );
        Self {
            secrets,
            mask: OnceLock::new(),
        }
    }

    fn mask(&self) -> &Mask {
        self.mask.get_or_init(|| {
            let mask = Mask::default();
            self.secrets.iter().for_each(|secret| mask.learn(secret));
            mask
        })
    }

    /// `text` without the credentials.
    pub(crate) fn text(&self, text: &str) -> String {
        self.mask().text(text)
    }

    /// A body without the credentials.
    pub(crate) fn body(&self, body: &mut ArrivedBody) {
        match body {
            ArrivedBody::Empty => {}
            ArrivedBody::Json(value) => self.value(None, value),
            ArrivedBody::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => *bytes = self.text(text).into_bytes(),
                Err(_) if self.mask().is_in(bytes) => *bytes = MASKED.into(),
                Err(_) => {}
            },
        }
    }

    fn value(&self, name: Option<&str>, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.mask().value(name, text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(name, item)),
            Value::Object(members) => {
                *members = std::mem::take(members)
                    .into_iter()
                    .map(|(name, mut value)| {
                        self.value(Some(&name), &mut value);
                        (self.text(&name), value)
                    })
                    .collect();
            }
            _ => {}
        }
    }

    fn query(&self, query: &str) -> String {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_credential(name) => format!("{name}={MASKED}"),
            _ => self.text(pair),
        });
        pairs.collect::<Vec<_>>().join("&")
    }
}

fn of_headers(headers: &HeaderMap) -> Vec<String> {
    let mut secrets = Vec::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        if [AUTHORIZATION, PROXY_AUTHORIZATION].contains(name) {
            let credential = value.trim().split_once(' ').map_or(&*value, |(_, it)| it);
            secrets.push(credential.to_owned());
        } else if name == COOKIE {
            let pairs = value.split(';').filter_map(|pair| pair.split_once('='));
            secrets.extend(pairs.map(|(_, secret)| secret.to_owned()));
        } else if is_credential(name.as_str()) {
            secrets.push(value.into_owned());
        }
    }
    secrets
}

impl Arrival {
    /// The arrival without the credentials of the request.
    pub(crate) fn shown(&self) -> Self {
        let mut shown = self.clone();
        let credentials = &self.credentials;
        shown.path = credentials.text(&self.path);
        shown.query = self.query.as_deref().map(|query| credentials.query(query));
        for (name, value) in &mut shown.headers {
            *value = if is_credential(name) {
                MASKED.into()
            } else {
                credentials.text(value)
            };
        }
        shown.unknown = self.unknown.as_deref().map(|why| credentials.text(why));
        credentials.body(&mut shown.body);
        credentials.body(&mut shown.response);
        shown
    }
}
