//! JSON as text: it is laid out anew, and its values are replaced, while the order of members and the
//! notation of numbers stay as a server wrote them.

use super::masking;

/// How a JSON text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Compact,
    /// A space behind each comma and colon, as Python writes JSON.
    Spaced,
    /// A line for each member and item.
    Lines,
    /// As it is.
    Same,
}

/// What may be replaced.
pub(super) enum Part<'a> {
    /// The name of a member.
    Name(&'a str),
    /// A string, and whether the name of a member that it is in says that it is secret.
    Text(&'a str, bool),
    /// A number that is secret by such a name. It is replaced as it stands.
    Number,
}

type Replace<'a> = &'a mut dyn FnMut(Part<'_>) -> Option<String>;

/// Lays `json` out. `replace` returns what replaces a part. With [`Layout::Same`], any text may be given:
/// what is no JSON stays.
pub(super) fn written(json: &str, layout: Layout, replace: Replace<'_>) -> String {
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
            _ if first.is_ascii_whitespace() && layout != Layout::Same => {}
            _ => writer.other(token, replace),
        }
    }
    writer.out
}

/// The same JSON in another layout.
pub(super) fn laid_out(json: &str, layout: Layout) -> String {
    written(json, layout, &mut |_| None)
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
    /// Whether the name of a member that it is in says that it is secret.
    is_secret: bool,
    /// The same of what stands in it now.
    at_secret: bool,
}

struct Writer {
    out: String,
    layout: Layout,
    open: Vec<Open>,
}

impl Writer {
    fn string(&mut self, token: &str, replace: Replace<'_>) {
        let parsed = serde_json::from_str::<String>(token);
        let text = match &parsed {
            Ok(text) => text.as_str(),
            // Half of a surrogate pair, which no text has.
            Err(_) => token.trim_matches('"'),
        };
        let is_name = self.open.last().is_some_and(|open| open.at_name);
        let part = if is_name {
            Part::Name(text)
        } else {
            Part::Text(text, self.at_secret())
        };
        match replace(part) {
            Some(other) if parsed.is_ok() => self.out.push_str(&quoted(&other)),
            Some(other) => self.out.push_str(&format!("\"{other}\"")),
            None => self.out.push_str(token),
        }
        if is_name && let Some(open) = self.open.last_mut() {
            open.at_secret = open.is_secret || masking::is_secret(text);
        }
    }

    /// A number, a word, or white space.
    fn other(&mut self, token: &str, replace: Replace<'_>) {
        let is_number = token.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        let other = if is_number && self.at_secret() {
            replace(Part::Number)
        } else {
            None
        };
        self.out.push_str(other.as_deref().unwrap_or(token));
    }

    fn at_secret(&self) -> bool {
        self.open.last().is_some_and(|open| open.at_secret)
    }

    fn begin(&mut self, bracket: char, is_empty: bool) {
        let is_object = bracket == '{';
        let is_secret = self.at_secret();
        self.open.push(Open {
            is_object,
            is_empty,
            at_name: is_object,
            is_secret,
            at_secret: is_secret,
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
            (Layout::Compact | Layout::Same, _) => {}
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
        for odd in [
            TEXT,
            "{a: 'b', }]] \u{a0}é\t\"x\ny",
            "[link](a \"b\") {",
            "\"\\",
            "",
        ] {
            assert_eq!(laid_out(odd, Layout::Same), odd);
        }
        for scalar in ["1", "\"a\"", "null", "[]"] {
            assert_eq!(laid_out(scalar, Layout::Lines), scalar);
        }
    }

    #[test]
    fn what_is_below_a_secret_name_is_known() {
        let mut seen = Vec::new();
        let json = r#"{ "a":"1", "password": ["2",{"c":"3","d":-4},["\ud800"]] ,"e":{"f_key":5,"g":"6","h":7}}"#;
        let replaced = written(json, Layout::Same, &mut |part| {
            let (seen_as, other) = match part {
                Part::Name(name) => (format!("{name}:"), None),
                Part::Text(text, is_secret) => (text.into(), is_secret.then(|| "a \"b\"".into())),
                Part::Number => ("number".into(), Some("0".into())),
            };
            seen.push(seen_as);
            other.filter(|_| seen.last().is_none_or(|text| text != "2"))
        });
        let all = r"a:,1,password:,2,c:,3,d:,number,\ud800,e:,f_key:,number,g:,6,h:";
        assert_eq!(seen.join(","), all);
        assert_eq!(
            replaced,
            json.replace(r#""3""#, r#""a \"b\"""#)
                .replace(r"\ud800", r#"a "b""#)
                .replace("-4", "0")
                .replace('5', "0")
        );
    }
}
