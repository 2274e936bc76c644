//! What is wrong with which field of the input (fal-protocol.md §12.1, §12.2).

use serde_json::Value;

use crate::secrets::Secrets;

/// Entries beyond these are left out: nobody reads so many.
const MOST: usize = 1000;

/// One field that the service refused.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    location: Vec<Value>,
    path: String,
    message: String,
    kind: Option<String>,
    url: Option<String>,
    context: Option<Value>,
    input: Option<Value>,
}

impl FieldError {
    /// The entries of a body's `detail`.
    pub(super) fn list(body: Option<&Value>) -> Vec<FieldError> {
        let entries = body.and_then(|body| body.get("detail")?.as_array());
        entries.into_iter().flatten().take(MOST).map(FieldError::read).collect()
    }

    fn read(entry: &Value) -> FieldError {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        let given = |name: &str| entry.get(name).filter(|value| !value.is_null()).cloned();
        let location = entry.get("loc").and_then(Value::as_array).cloned().unwrap_or_default();
        let segment = |part: &Value| part.as_str().map_or_else(|| part.to_string(), str::to_owned);
        FieldError {
            path: location.iter().map(segment).collect::<Vec<_>>().join("."),
            location,
            message: text("msg").or_else(|| entry.as_str().map(str::to_owned)).unwrap_or_else(|| "refused".to_owned()),
            kind: text("type"),
            url: text("url"),
            context: given("ctx"),
            input: given("input"),
        }
    }

    pub(super) fn hide(&mut self, secrets: &Secrets) {
        [&mut self.path, &mut self.message].into_iter().for_each(|text| secrets.hide(text));
        [&mut self.kind, &mut self.url].into_iter().for_each(|text| secrets.hide_in(text));
        let values = self.location.iter_mut().chain(&mut self.context).chain(&mut self.input);
        values.for_each(|value| secrets.hide_json(value));
    }

    /// Where the field is, its segments joined by dots: `body.image_size.width`. Empty if the service does not say.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same as the service gave it: names are strings, places in a list are integers.
    pub fn location(&self) -> &[Value] {
        &self.location
    }

    /// What is wrong with it, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// fal's name of what is wrong, such as `image_too_large`, for programs.
    pub fn error_type(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// The page that documents it.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// What would be right, such as `{"max_height": 1024, "max_width": 1024}`.
    pub fn context(&self) -> Option<&Value> {
        self.context.as_ref()
    }

    /// The value that was refused, if the service repeats it. It may be private.
    pub fn input(&self) -> Option<&Value> {
        self.input.as_ref()
    }
}

/// `body.image_size: Input should be …`.
impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.is_empty() {
            true => f.write_str(&self.message),
            false => write!(f, "{}: {}", self.path, self.message),
        }
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
        let fields = FieldError::list(Some(&body));
        assert_eq!(fields[0].path(), "body.images.0.url");
        assert_eq!(fields[0].location(), [json!("body"), json!("images"), json!(0), json!("url")]);
        assert_eq!(fields[0].to_string(), "body.images.0.url: bad");
        assert_eq!((fields[0].error_type(), fields[0].url()), (Some("t"), Some("u")));
        assert_eq!((fields[0].context(), fields[0].input()), (Some(&json!({"a": 1})), Some(&json!([1]))));
        assert_eq!((fields[1].path(), fields[1].message(), fields[1].input()), ("", "refused", None));
        assert_eq!((fields[2].message(), fields[3].message()), ("only a text", "refused"));
        let many = json!({"detail": vec![json!({}); MOST + 1]});
        assert_eq!(FieldError::list(Some(&many)).len(), MOST);
        for none in [json!(null), json!({"detail": "text"}), json!({"detail": {"loc": []}}), json!([])] {
            assert_eq!(FieldError::list(Some(&none)), []);
        }
        assert_eq!(FieldError::list(None), []);
    }
}
