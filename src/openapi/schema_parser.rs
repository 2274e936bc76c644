//! The parser of the shapes in the table, such as `{key_id: string, alias?: string (len 1..255)} |
//! null`.

use serde_json::Value;

use super::schema::{Bounds, Format, Length, Member, Schema, Text};

/// The named shapes of the table so far.
pub(crate) type Named = Vec<(String, Schema)>;

/// Parses `text` as one shape.
pub(crate) fn shape(text: &str, named: &Named) -> Result<Schema, String> {
    whole(text, named).map(|(shape, _)| shape)
}

/// Parses parameters, which `;` separates.
pub(crate) fn members(text: &str, named: &Named) -> Result<Vec<Member>, String> {
    let member = |part: &str| {
        let (name, shape) = part
            .split_once(':')
            .ok_or_else(|| format!("{part:?} has no type"))?;
        let (name, required) = optional(name.trim());
        let (shape, default) = whole(shape, named)?;
        Ok(Member {
            name: name.to_owned(),
            required,
            shape,
            default,
        })
    };
    text.split(';').map(member).collect()
}

fn whole(text: &str, named: &Named) -> Result<(Schema, Option<Value>), String> {
    let mut reader = Reader {
        rest: text,
        named,
        default: None,
    };
    let shape = reader.shape()?;
    match reader.rest.trim() {
        "" => Ok((shape, reader.default)),
        rest => Err(format!("{rest:?} is left over")),
    }
}

fn optional(name: &str) -> (&str, bool) {
    match name.strip_suffix('?') {
        Some(name) => (name, false),
        None => (name, true),
    }
}

struct Reader<'t, 'n> {
    rest: &'t str,
    named: &'n Named,
    /// The last default that was parsed.
    default: Option<Value>,
}

impl<'t> Reader<'t, '_> {
    fn shape(&mut self) -> Result<Schema, String> {
        let mut shapes = vec![self.one()?];
        while self.takes("|") {
            shapes.push(self.one()?);
        }
        match shapes.len() {
            1 => Ok(shapes.remove(0)),
            _ => Ok(Schema::Either(shapes)),
        }
    }

    fn one(&mut self) -> Result<Schema, String> {
        let shape = if self.takes("[") {
            let of = Box::new(self.shape()?);
            self.expect("]")?;
            Schema::List {
                of,
                items: Length::default(),
            }
        } else if self.takes("{") {
            self.object()?
        } else if self.takes("\"") {
            let word = self.until('"')?;
            self.expect("\"")?;
            Schema::Word(word.to_owned())
        } else {
            self.name()?
        };
        match self.takes("(") {
            true => self.bounded(shape),
            false => Ok(shape),
        }
    }

    fn object(&mut self) -> Result<Schema, String> {
        let (mut members, mut others) = (Vec::new(), None);
        while !self.takes("}") {
            let (name, required) = optional(self.until(':')?.trim());
            self.expect(":")?;
            let shape = self.shape()?;
            let default = self.default.take();
            match name {
                "[key]" => others = Some(Box::new(shape)),
                _ => members.push(Member {
                    name: name.to_owned(),
                    required,
                    shape,
                    default,
                }),
            }
            self.takes(",");
        }
        Ok(Schema::Object { members, others })
    }

    fn name(&mut self) -> Result<Schema, String> {
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(match name {
            "any" => Schema::Any,
            "null" => Schema::Null,
            "bool" => Schema::Bool,
            "int" => Schema::Int(Bounds::default()),
            "number" => Schema::Number(Bounds::default()),
            "string" => Schema::Text(Text::default()),
            "OneOrMany" => Schema::OneOrMany,
            "DateOrDay" => Schema::Text(Text {
                format: Some(Format::DateOrDay),
                ..Text::default()
            }),
            name => {
                let known = self.named.iter().find(|(known, _)| known == name);
                known
                    .ok_or_else(|| format!("no type is called {name:?}"))?
                    .1
                    .clone()
            }
        })
    }

    /// Parses the bounds after a shape, up to the closing parenthesis.
    fn bounded(&mut self, mut shape: Schema) -> Result<Schema, String> {
        loop {
            self.rest = self.rest.trim_start();
            if let Some(text) = self.rest.strip_prefix("default ") {
                self.rest = text;
                self.default = Some(self.json()?);
            } else {
                let part = self.rest;
                let end = part.find([',', ')']).ok_or("a bracket is not closed")?;
                self.rest = &part[end..];
                shape = bound(shape, part[..end].trim())?;
            }
            if self.takes(")") {
                return Ok(shape);
            }
            self.expect(",")?;
        }
    }

    /// Parses one JSON value.
    fn json(&mut self) -> Result<Value, String> {
        let length = match self.rest.as_bytes().first() {
            Some(b'[') => self.rest.find(']').map(|end| end + 1),
            _ => self.rest.find([',', ')']),
        };
        let (text, rest) = self.rest.split_at(length.unwrap_or(self.rest.len()));
        self.rest = rest;
        serde_json::from_str(text).map_err(|e| format!("the default {text:?} is not JSON: {e}"))
    }

    fn until(&mut self, end: char) -> Result<&'t str, String> {
        let at = self
            .rest
            .find(end)
            .ok_or_else(|| format!("{end:?} is missing in {:?}", self.rest))?;
        let (text, rest) = self.rest.split_at(at);
        self.rest = rest;
        Ok(text)
    }

    fn takes(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        match self.takes(token) {
            true => Ok(()),
            false => Err(format!("{token:?} is missing before {:?}", self.rest)),
        }
    }
}

/// Returns a shape with one more bound.
fn bound(shape: Schema, bound: &str) -> Result<Schema, String> {
    let number = |text: &str| text.parse::<f64>().map_err(|e| format!("{bound:?}: {e}"));
    Ok(match (shape, bound) {
        (Schema::Int(bounds), _) => Schema::Int(limit(bounds, bound, number)?),
        (Schema::Number(bounds), _) => Schema::Number(limit(bounds, bound, number)?),
        (Schema::Text(text), _) => Schema::Text(match bound.strip_prefix("len ") {
            Some(length) => Text {
                length: span(length)?,
                ..text
            },
            None => Text {
                format: Some(format(bound)?),
                ..text
            },
        }),
        (Schema::List { of, .. }, _) => {
            let items = bound
                .strip_prefix("items ")
                .ok_or_else(|| format!("{bound:?} is no bound of an array"))?;
            Schema::List {
                of,
                items: span(items)?,
            }
        }
        (shape, _) => return Err(format!("{bound:?} is no bound of {shape}")),
    })
}

fn limit(
    bounds: Bounds,
    bound: &str,
    number: impl Fn(&str) -> Result<f64, String>,
) -> Result<Bounds, String> {
    match (bound.strip_prefix('≥'), bound.strip_prefix('≤')) {
        (Some(least), _) => Ok(Bounds {
            least: Some(number(least)?),
            ..bounds
        }),
        (_, Some(most)) => Ok(Bounds {
            most: Some(number(most)?),
            ..bounds
        }),
        _ => Err(format!("{bound:?} is no bound of a number")),
    }
}

/// Parses `1..255`. Either end may be missing.
fn span(text: &str) -> Result<Length, String> {
    let (least, most) = text
        .split_once("..")
        .ok_or_else(|| format!("{text:?} is no range"))?;
    let number = |text: &str| text.parse::<usize>().map_err(|e| format!("{text:?}: {e}"));
    Ok(Length {
        least: if least.is_empty() { 0 } else { number(least)? },
        most: if most.is_empty() {
            None
        } else {
            Some(number(most)?)
        },
    })
}

fn format(name: &str) -> Result<Format, String> {
    Ok(match name {
        "uri" => Format::Uri,
        "plain uri" => Format::PlainUri,
        "uuid" => Format::Uuid,
        "date-time" => Format::DateTime,
        "slashes" => Format::Path,
        r"/^\d{4}-\d{2}$/" => Format::Month,
        "/^[a-zA-Z0-9_-]+$/" => Format::Name,
        _ => return Err(format!("no text has the format {name:?}")),
    })
}
