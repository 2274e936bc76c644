//! Fuzzes the file names of a server: each is one harmless path component on every system.

use std::path::{Component, Path};

use super::*;
use crate::fuzz::input::Input;
use reqwest::header::HeaderValue;

const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (told, kind, path) = (input.part(), input.part(), input.text());
    let mut headers = HeaderMap::new();
    for (name, value) in [(CONTENT_DISPOSITION, told), (CONTENT_TYPE, kind)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(name, value);
        }
    }
    harmless(&name_of(&headers, &path, &Secrets::default()));
    if let Some(name) = sanitized(&path) {
        harmless(&name);
    }
    assert!(
        crate::request::file_name::in_header(&path)
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    );
    assert!(unescaped(&path).len() <= path.len());
}

fn harmless(name: &str) {
    let mut components = Path::new(name).components();
    assert!(
        matches!((components.next(), components.next()), (Some(Component::Normal(whole)), None) if whole == name)
    );
    assert!(
        !name.contains(['/', '\\', ':', '\0', '"', '<', '>', '|', '?', '*']),
        "{name:?}"
    );
    assert!(
        !name.chars().any(char::is_control) && name.len() <= 255,
        "{name:?}"
    );
    assert!(
        !name.starts_with(['.', ' ']) && !name.ends_with(['.', ' ']),
        "{name:?}"
    );
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_uppercase();
    assert!(!DEVICES.contains(&stem.as_str()), "{name:?}");
}
