//! Texts without secrets, laid out as before.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::input;
use super::notation::Layout;
use super::recorder::Recorder;
use super::urls;

/// What begins the lines with the data of an event.
const DATA: &str = "data:";

/// A text without secrets: members of JSON by their names, whether the text is JSON, or a line of it,
/// or the data of an event; and everything that has the form of a secret. The URLs of uploaded files are
/// replaced by what a replay replaces again, if `named`.
pub(super) fn kept(recorder: &Recorder, text: &str, named: bool) -> String {
    let json = |text: &str| json(recorder, text, named);
    let masked = json(text).unwrap_or_else(|| by_lines(text, &json));
    let masked = match named {
        true => urls::replaced(&masked, &mut |url| {
            let hash = recorder.uploads.hash(url)?;
            Some(format!("{}{hash}", input::UPLOADED))
        }),
        false => masked,
    };
    recorder.mask.text(&masked)
}

/// Whether a text is JSON, whatever its layout.
pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text.trim_start_matches('\u{feff}')).is_ok()
}

fn json(recorder: &Recorder, text: &str, named: bool) -> Option<String> {
    let plain = text.trim_start_matches('\u{feff}');
    let mark = &text[..text.len() - plain.len()];
    let mut uploaded = |url: &str| recorder.uploads.hash(url).filter(|_| named);
    input::begins_as_json(plain).then(|| {
        let mask = &recorder.mask;
        let kept = input::kept(plain, Layout::Same, mask, &mut uploaded, &mut |_| None);
        format!("{mark}{kept}")
    })
}

fn by_lines(text: &str, json: &dyn Fn(&str) -> Option<String>) -> String {
    let all = lines(text);
    let mut out = String::with_capacity(text.len());
    // The lines of one event, or a line between events.
    for group in all.chunk_by(|one, next| one.0.starts_with(DATA) && next.0.starts_with(DATA)) {
        match data(group, json) {
            Some(event) => out.push_str(&event),
            None => group.iter().for_each(|(line, end)| {
                let (head, value) = data_of(line).unwrap_or(("", line));
                let value = json(value).map_or(Cow::Borrowed(value), Cow::Owned);
                out.extend([head, &value, end]);
            }),
        }
    }
    out
}

/// The lines of an event whose data are one JSON text.
fn data(lines: &[(&str, &str)], json: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let parts: Vec<(&str, &str)> = lines.iter().filter_map(|(line, _)| data_of(line)).collect();
    let values: Vec<&str> = parts.iter().map(|(_, value)| *value).collect();
    let masked = json(&values.join("\n"))?;
    // A string that is none may have had an end of a line in it.
    if masked.split('\n').count() != lines.len() {
        return None;
    }
    let all = masked.split('\n').zip(parts).zip(lines);
    Some(
        all.map(|((value, (head, _)), (_, end))| format!("{head}{value}{end}"))
            .collect(),
    )
}

/// A line of data as its beginning and its value.
fn data_of(line: &str) -> Option<(&str, &str)> {
    let value = line.strip_prefix(DATA)?;
    let value = value.strip_prefix(' ').unwrap_or(value);
    Some(line.split_at(line.len() - value.len()))
}

/// Each line and its end.
fn lines(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let (line, after) = rest.split_at(length);
        let end = if after.starts_with("\r\n") {
            2
        } else {
            after.len().min(1)
        };
        found.push((line, &after[..end]));
        rest = &after[end..];
    }
    found
}
