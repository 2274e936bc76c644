//! JSON as text: it is laid out anew, and its strings are replaced, while the order of members and the
//! notation of numbers stay as a server wrote them.

/// How a JSON text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Compact,
    /// A space behind each comma and colon, as Python writes JSON.
    Spaced,
    /// A line for each member and item.
    Lines,
}

/// Lays `json` out, which must be valid. `replace` is called with each string and the name of the
/// member that it is in, and with each name; it returns what replaces it.
pub(super) fn written(
    json: &str,
    layout: Layout,
    replace: &mut dyn FnMut(Option<&str>, &str) -> Option<String>,
) -> String {
    let mut writer = Writer {
        out: String::with_capacity(json.len()),
        layout,
        open: Vec::new(),
    };
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '{' | '[' | '}' | ']' | ',' | ':' => 1,
            _ if first.is_ascii_whitespace() => 1,
            _ => rest
                .find(|c: char| c.is_ascii_whitespace() || ",:]}".contains(c))
                .unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        match first {
            '"' => writer.string(token, replace),
            '{' | '[' => {
                let is_empty = rest.trim_start().starts_with(['}', ']']);
                writer.begin(first, is_empty);
            }
            '}' | ']' => writer.end(first),
            ',' | ':' => writer.between(first),
            _ if first.is_ascii_whitespace() => {}
            _ => writer.out.push_str(token),
        }
    }
    writer.out
}

/// The same JSON in another layout.
pub(super) fn laid_out(json: &str, layout: Layout) -> String {
    written(json, layout, &mut |_, _| None)
}

/// The length of the string at the beginning of `text`, with its quotes.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// An object or an array that has not ended.
struct Open {
    is_object: bool,
    is_empty: bool,
    /// Whether the next string is the name of a member.
    at_name: bool,
    /// The name of the current member; for an array, of the member that it is in.
    name: Option<String>,
}

struct Writer {
    out: String,
    layout: Layout,
    open: Vec<Open>,
}

impl Writer {
    fn string(
        &mut self,
        token: &str,
        replace: &mut dyn FnMut(Option<&str>, &str) -> Option<String>,
    ) {
        let Ok(text) = serde_json::from_str::<String>(token) else {
            // Half of a surrogate pair, which no text has.
            return self.out.push_str(token);
        };
        let is_name = self.open.last().is_some_and(|open| open.at_name);
        let name = if is_name {
            None
        } else {
            self.open.last().and_then(|open| open.name.as_deref())
        };
        match replace(name, &text) {
            Some(other) => self.out.push_str(&quoted(&other)),
            None => self.out.push_str(token),
        }
        if is_name && let Some(open) = self.open.last_mut() {
            open.name = Some(text);
        }
    }

    fn begin(&mut self, bracket: char, is_empty: bool) {
        let is_object = bracket == '{';
        let name = self.open.last().and_then(|open| open.name.clone());
        self.open.push(Open {
            is_object,
            is_empty,
            at_name: is_object,
            name: name.filter(|_| !is_object),
        });
        self.out.push(bracket);
        if !is_empty {
            self.line();
        }
    }

    fn end(&mut self, bracket: char) {
        let was_empty = self.open.pop().is_none_or(|open| open.is_empty);
        if !was_empty {
            self.line();
        }
        self.out.push(bracket);
    }

    fn between(&mut self, mark: char) {
        if let Some(open) = self.open.last_mut() {
            open.at_name = mark == ',' && open.is_object;
        }
        self.out.push(mark);
        match (self.layout, mark) {
            (Layout::Compact, _) => {}
            (Layout::Lines, ',') => self.line(),
            (Layout::Spaced | Layout::Lines, _) => self.out.push(' '),
        }
    }

    fn line(&mut self) {
        if self.layout == Layout::Lines {
            self.out.push('\n');
            self.out.push_str(&"  ".repeat(self.open.len()));
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#" {"b":[1.0, 2e5 ,{}],"a" :{"c":"x\"y\\","d":[]} ,"e":null,"f":"\ud800"}"#;

    #[test]
    fn order_and_numbers_stay() {
        assert_eq!(
            laid_out(TEXT, Layout::Compact),
            r#"{"b":[1.0,2e5,{}],"a":{"c":"x\"y\\","d":[]},"e":null,"f":"\ud800"}"#
        );
        assert_eq!(
            laid_out(TEXT, Layout::Spaced),
            r#"{"b": [1.0, 2e5, {}], "a": {"c": "x\"y\\", "d": []}, "e": null, "f": "\ud800"}"#
        );
        assert_eq!(
            laid_out(r#"{"b":[1,{}],"a":{}}"#, Layout::Lines),
            "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": {}\n}"
        );
        for scalar in ["1", "\"a\"", "null", "[]"] {
            assert_eq!(laid_out(scalar, Layout::Lines), scalar);
        }
    }

    #[test]
    fn strings_come_with_the_name_of_their_member() {
        let mut seen = Vec::new();
        let json = r#"{"a":"1","b":["2",{"c":"3"},["4"]],"d":{"e":"5"}}"#;
        let replaced = written(json, Layout::Compact, &mut |name, text| {
            seen.push(format!("{} {text}", name.unwrap_or("-")));
            (text == "3").then(|| "a \"quote\"".to_owned())
        });
        let all = "- a,a 1,- b,b 2,- c,c 3,b 4,- d,- e,e 5";
        assert_eq!(seen.join(","), all);
        assert_eq!(replaced, json.replace(r#""3""#, r#""a \"quote\"""#));
    }
}
