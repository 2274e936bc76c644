//! Fuzzes MessagePack and JSON: the converted text is of bounded length, and converting it back
//! yields the same value.

#![allow(clippy::unwrap_used, reason = "a panic is what the fuzzer looks for")]

use super::*;
use crate::fuzz::input::Input;
use crate::fuzz::spent::bounded;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 2 {
        0 => frame(input.rest()),
        _ => json(input.rest()),
    }
}

fn frame(frame: &[u8]) {
    // A value of one byte takes 40 bytes, and four times that in a list of its own. The check of
    // memory allocates as much again.
    let json = bounded(frame.len(), 384, 4096, || to_json(frame));
    let Some(json) = json.unwrap() else { return };
    assert!(
        json.len() <= 12 * frame.len() + 16,
        "{} bytes from {}",
        json.len(),
        frame.len()
    );
    let value: Value = crate::codec::json::tree(&json).unwrap().unwrap();
    // A frame may contain a map that looks like bytes, but whose base64 is malformed.
    let Ok(again) = pack(&value) else { return };
    if let Some(again) = to_json(&again).unwrap() {
        assert_eq!(crate::codec::json::tree(&again).unwrap().unwrap(), value);
    }
    for pointer in ["", "/0", "/a", "/0/a"] {
        if let Some(bytes) = bytes_at(frame, pointer).unwrap() {
            assert!(
                frame
                    .windows(bytes.len().max(1))
                    .any(|window| window.starts_with(bytes))
            );
        }
    }
}

fn json(text: &[u8]) {
    let Ok(value) = crate::codec::json::tree(text).unwrap() else {
        return;
    };
    let Ok(frame) = pack(&value) else { return };
    assert!(
        frame.len() <= 5 * text.len() + 16,
        "{} bytes from {}",
        frame.len(),
        text.len()
    );
    // JSON may be a few levels deeper than MessagePack.
    if let Some(json) = to_json(&frame).unwrap() {
        assert_eq!(crate::codec::json::tree(&json).unwrap().unwrap(), value);
    }
}
