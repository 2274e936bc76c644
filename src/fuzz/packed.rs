//! MessagePack and JSON: no frame becomes much longer, and what was read once is read the same
//! again.

#![allow(clippy::unwrap_used, reason = "a panic is what the fuzzer looks for")]

use super::*;
use crate::fuzz::input::Input;
use crate::fuzz::spent::peak;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 2 {
        0 => frame(input.rest()),
        _ => json(input.rest()),
    }
}

fn frame(frame: &[u8]) {
    // A value of a byte has forty in memory, in a list of its own four times as many, and room is
    // asked for as many more.
    let (json, spent) = peak(|| to_json(frame));
    assert!(
        spent <= 384 * frame.len() + 4096,
        "{spent} bytes for {}",
        frame.len()
    );
    let Some(json) = json.unwrap() else { return };
    assert!(
        json.len() <= 12 * frame.len() + 16,
        "{} bytes from {}",
        json.len(),
        frame.len()
    );
    let value: Value = crate::codec::json::tree(&json).unwrap().unwrap();
    // Bytes that only look like base64 have no frame.
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
    // JSON may be a little deeper than MessagePack.
    if let Some(json) = to_json(&frame).unwrap() {
        assert_eq!(crate::codec::json::tree(&json).unwrap().unwrap(), value);
    }
}
