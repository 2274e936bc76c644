//! Fuzzes setting fields by name and by JSON Pointer, and reading by JSON Pointer: no input exceeds
//! the depth limit.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is what the fuzzer looks for"
)]

use serde_json::{Value, json};

use super::*;
use crate::fuzz::input::Input;
use crate::response::Response;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let Ok(mut request) = Request::run("a/b") else {
        return;
    };
    for _ in 0..8 {
        let (kind, name, text) = (input.byte(), input.text(), input.text());
        // Builds long pointers from a few bytes.
        let name = if kind & 1 == 1 {
            name.repeat(usize::from(kind))
        } else {
            name
        };
        let value = crate::codec::json::tree(text.as_bytes())
            .unwrap()
            .unwrap_or_else(|_| json!(text));
        let set = request.set_field(&name, value.clone()).is_ok();
        let body = match &request.body {
            Body::Json(body) => body,
            // No field was set yet.
            Body::Empty | Body::Text(_) if !set => continue,
            _ => panic!("it is JSON"),
        };
        assert!(depth(body) <= 128);
        if set && name.starts_with('/') {
            assert_eq!(body.pointer(&name), Some(&value), "{name}");
        } else if set {
            assert_eq!(body.get(&name), Some(&value), "{name}");
        }
    }
    let Body::Json(body) = &request.body else {
        return;
    };
    let response = Response::made(body);
    let pointer = input.text();
    if let (Ok(found), Ok(raw)) = (response.get(&pointer), response.get_raw(&pointer)) {
        assert_eq!(
            crate::codec::json::tree(raw.as_bytes())
                .unwrap()
                .ok()
                .as_ref(),
            Some(found)
        );
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(entries) => entries
            .iter()
            .map(|entry| 1 + depth(entry))
            .max()
            .unwrap_or_default(),
        Value::Object(members) => members
            .values()
            .map(|member| 1 + depth(member))
            .max()
            .unwrap_or_default(),
        _ => 0,
    }
}
