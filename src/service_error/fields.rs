//! The fields of the input that a response reports as wrong (docs/protocol.md §12.1, §12.2).

use serde_json::Value;
use serde_json::value::RawValue;

use crate::codec::json;
use crate::error::FieldError;
use crate::limits::{FIELD_VALUES, FIELDS};

/// Reads the entries of `detail` in a body. Entries after [`FIELDS`] are left out, and so are the
/// values of entries after [`FIELD_VALUES`] values. The body has them.
pub(super) fn list(detail: Option<&RawValue>) -> Vec<FieldError> {
    let entries = detail
        .and_then(|detail| json::first_entries(detail.get(), FIELDS))
        .unwrap_or_default();
    let (mut places, mut values) = (FIELD_VALUES, FIELD_VALUES);
    entries
        .into_iter()
        .map(|entry| read(entry, &mut places, &mut values))
        .collect()
}

fn read(entry: &RawValue, places: &mut usize, values: &mut usize) -> FieldError {
    let names = ["loc", "msg", "type", "url", "ctx", "input"];
    let members = json::members(entry.get().as_bytes(), names).unwrap_or_default();
    let [location, message, kind, url, context, input] = members;
    let tree = |value: Option<&RawValue>, left: &mut usize| {
        json::tree_within(
            value
                .filter(|value| !json::is_null(value))?
                .get()
                .as_bytes(),
            left,
        )
        .ok()?
        .ok()
    };
    let location = match tree(location, places) {
        Some(Value::Array(location)) => location,
        _ => Vec::new(),
    };
    let segment = |part: &Value| {
        part.as_str()
            .map_or_else(|| part.to_string(), str::to_owned)
    };
    FieldError {
        path: location.iter().map(segment).collect::<Vec<_>>().join("."),
        location,
        message: message
            .and_then(json::text)
            .or_else(|| json::text(entry))
            .unwrap_or_else(|| "refused".to_owned()),
        kind: kind.and_then(json::text),
        url: url.and_then(json::text),
        context: tree(context, values),
        input: tree(input, values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_entry_is_read_as_far_as_it_goes() {
        let body = json!({"detail": [
            {"loc": ["body", "images", 0, "url"], "msg": "bad", "type": "t", "url": "u", "ctx": {"a": 1}, "input": [1]},
            {"loc": "body", "msg": 7, "ctx": null, "input": null},
            "only a text",
            7,
        ]});
        let list = |body: &Value| {
            let detail = body
                .get("detail")
                .map(|detail| serde_json::value::to_raw_value(detail).unwrap());
            list(detail.as_deref())
        };
        let fields = list(&body);
        assert_eq!(fields[0].path(), "body.images.0.url");
        assert_eq!(
            fields[0].location(),
            [json!("body"), json!("images"), json!(0), json!("url")]
        );
        assert_eq!(fields[0].to_string(), "body.images.0.url: bad");
        assert_eq!(
            (fields[0].error_type(), fields[0].url()),
            (Some("t"), Some("u"))
        );
        assert_eq!(
            (fields[0].context(), fields[0].input()),
            (Some(&json!({"a": 1})), Some(&json!([1])))
        );
        assert_eq!(
            (fields[1].path(), fields[1].message(), fields[1].input()),
            ("", "refused", None)
        );
        assert_eq!(
            (fields[2].message(), fields[3].message()),
            ("only a text", "refused")
        );
        let many = json!({"detail": vec![json!({}); FIELDS + 1]});
        assert_eq!(list(&many).len(), FIELDS);
        let large = json!({"detail": [{"loc": ["a"], "input": vec![0; FIELD_VALUES]}, {"loc": ["b"], "input": "x".repeat(1 << 20)}]});
        let large = list(&large);
        assert_eq!((large[0].input(), large[1].path()), (None, "b"));
        for none in [
            json!(null),
            json!({"detail": "text"}),
            json!({"detail": {"loc": []}}),
            json!([]),
        ] {
            assert_eq!(list(&none), []);
        }
        assert_eq!(super::list(None), []);
    }
}
