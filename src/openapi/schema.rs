//! The type and the bounds of a JSON value of the Platform API.
//!
//! Dates and ids are checked by their pattern. libfal needs only their form and not their value, so
//! it uses no crate for them.

use std::fmt;
use std::ops::RangeInclusive;

use serde_json::Value;
use url::Url;

/// The maximum number of values of a filter (docs/protocol.md §14.1).
pub(crate) const MANY: usize = 50;

/// The type and the bounds of a JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Schema {
    Any,
    Null,
    Bool,
    Int(Bounds),
    Number(Bounds),
    Text(Text),
    /// Exactly this string.
    Word(String),
    List {
        of: Box<Schema>,
        items: Length,
    },
    Object {
        members: Vec<Member>,
        /// The shape of members that are not in `members`. `None`: there must be no others.
        others: Option<Box<Schema>>,
    },
    Either(Vec<Schema>),
    /// A string, or an array of 1 to 50 strings.
    OneOrMany,
}

/// A member of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) shape: Schema,
    /// The value that the service uses if the member is absent.
    pub(crate) default: Option<Value>,
}

/// The least and the greatest number, both inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) least: Option<f64>,
    pub(crate) most: Option<f64>,
}

/// The least and the greatest number of characters or items, both inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Length {
    pub(crate) least: usize,
    pub(crate) most: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Text {
    pub(crate) length: Length,
    pub(crate) format: Option<Format>,
}

/// The format of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Uri,
    /// A URL without a query.
    PlainUri,
    Uuid,
    DateTime,
    DateOrDay,
    /// `YYYY-MM`.
    Month,
    /// Letters, digits, `_` and `-`.
    Name,
    /// Any string. Slashes separate folders.
    Path,
}

impl Schema {
    /// Checks that a value has this shape. The error names the first part that does not, by its
    /// path from `at`.
    pub(crate) fn check(&self, value: &Value, at: &str) -> Result<(), String> {
        let fits = match (self, value) {
            (Schema::Any, _) | (Schema::Null, Value::Null) | (Schema::Bool, Value::Bool(_)) => true,
            (Schema::Int(bounds), Value::Number(number)) => {
                (number.is_i64() || number.is_u64()) && bounds.hold(number.as_f64())
            }
            (Schema::Number(bounds), Value::Number(number)) => bounds.hold(number.as_f64()),
            (Schema::Text(text), Value::String(given)) => text.fits(given),
            (Schema::Word(word), Value::String(given)) => word == given,
            (Schema::OneOrMany, Value::String(given)) => {
                !given.is_empty() && given.split(',').count() <= MANY
            }
            (Schema::OneOrMany, Value::Array(values)) => {
                let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
                (1..=MANY).contains(&values.len()) && values.iter().all(is_text)
            }
            (Schema::List { of, items }, Value::Array(values)) if items.holds(values.len()) => {
                let mut values = values.iter().enumerate();
                return values
                    .try_for_each(|(index, value)| of.check(value, &format!("{at}[{index}]")));
            }
            (Schema::Object { members, others }, Value::Object(_)) => {
                return check_members(members, others.as_deref(), value, at);
            }
            (Schema::Either(shapes), _) => match either(shapes, value, at) {
                Some(outcome) => return outcome,
                None => false,
            },
            _ => false,
        };
        match fits {
            true => Ok(()),
            false => Err(format!("{at} must be {self}, not {}", Found(value))),
        }
    }

    /// Returns the members that an object of this shape may have, of all alternatives.
    pub(crate) fn members(&self) -> Vec<&Member> {
        match self {
            Schema::Object { members, .. } => members.iter().collect(),
            Schema::Either(shapes) => {
                let mut all: Vec<&Member> = Vec::new();
                for member in shapes.iter().flat_map(Schema::members) {
                    if !all.iter().any(|known| known.name == member.name) {
                        all.push(member);
                    }
                }
                all
            }
            _ => Vec::new(),
        }
    }

    /// Whether `null` has this shape.
    pub(crate) fn takes_null(&self) -> bool {
        match self {
            Schema::Any | Schema::Null => true,
            Schema::Either(shapes) => shapes.iter().any(Schema::takes_null),
            _ => false,
        }
    }
}

/// The path of a member of the object at `at`.
fn within(at: &str, name: &str) -> String {
    match at {
        "" => name.to_owned(),
        _ => format!("{at}.{name}"),
    }
}

fn check_members(
    members: &[Member],
    others: Option<&Schema>,
    value: &Value,
    at: &str,
) -> Result<(), String> {
    for member in members {
        match value.get(&member.name) {
            Some(value) => member.shape.check(value, &within(at, &member.name))?,
            None if member.required => {
                return Err(format!("{} is missing", within(at, &member.name)));
            }
            None => {}
        }
    }
    let given = value.as_object().into_iter().flatten();
    for (name, value) in
        given.filter(|(name, _)| !members.iter().any(|member| member.name == **name))
    {
        match others {
            Some(shape) => shape.check(value, &within(at, name))?,
            None => return Err(format!("{} is unknown", within(at, name))),
        }
    }
    Ok(())
}

/// Checks a value against alternatives. If a member of the value selects one of them by a word, the
/// error is about that alternative. `None`: no alternative fits, and no better error is known.
fn either(shapes: &[Schema], value: &Value, at: &str) -> Option<Result<(), String>> {
    if shapes.iter().any(|shape| shape.check(value, at).is_ok()) {
        return Some(Ok(()));
    }
    let objects: Vec<&Schema> = shapes
        .iter()
        .filter(|shape| matches!(shape, Schema::Object { .. }))
        .collect();
    if !value.is_object() || objects.is_empty() {
        return None;
    }
    let [first, _, ..] = objects[..] else {
        return Some(objects[0].check(value, at));
    };
    // The member that distinguishes the alternatives.
    let word = first
        .members()
        .into_iter()
        .find(|member| matches!(member.shape, Schema::Word(_)))?;
    let words = |shape: &&Schema| {
        shape
            .members()
            .into_iter()
            .find(|member| member.name == word.name)
            .cloned()
    };
    let inner = within(at, &word.name);
    let Some(given) = value.get(&word.name) else {
        return Some(Err(format!("{inner} is missing")));
    };
    let fits =
        |shape: &&&Schema| words(shape).is_some_and(|member| member.shape.check(given, "").is_ok());
    match objects.iter().find(fits) {
        Some(chosen) => Some(chosen.check(value, at)),
        None => {
            let known = Schema::Either(
                objects
                    .iter()
                    .filter_map(words)
                    .map(|member| member.shape)
                    .collect(),
            );
            Some(known.check(given, &inner))
        }
    }
}

impl Bounds {
    fn hold(self, number: Option<f64>) -> bool {
        number.is_some_and(|n| {
            self.least.is_none_or(|least| n >= least) && self.most.is_none_or(|most| n <= most)
        })
    }
}

impl Length {
    pub(crate) fn holds(self, length: usize) -> bool {
        length >= self.least && self.most.is_none_or(|most| length <= most)
    }
}

impl Text {
    fn fits(self, text: &str) -> bool {
        self.length.holds(text.chars().count())
            && self.format.is_none_or(|format| format.fits(text))
    }
}

impl Format {
    fn fits(self, text: &str) -> bool {
        match self {
            Format::Uri => Url::parse(text).is_ok(),
            Format::PlainUri => Url::parse(text).is_ok_and(|url| url.query().is_none()),
            Format::Uuid => matches_pattern(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"),
            Format::DateTime => is_date_time(text),
            Format::DateOrDay => is_day(text) || is_date_time(text),
            Format::Month => matches_pattern(text, "9999-99") && number(text, 5, 1..=12),
            Format::Name => {
                text.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
                    && !text.is_empty()
            }
            Format::Path => true,
        }
    }
}

/// Whether a text matches the pattern, in which `9` is a digit and `x` a hexadecimal digit.
fn matches_pattern(text: &str, pattern: &str) -> bool {
    let fits = |(byte, wanted): (u8, u8)| match wanted {
        b'9' => byte.is_ascii_digit(),
        b'x' => byte.is_ascii_hexdigit(),
        _ => byte.eq_ignore_ascii_case(&wanted),
    };
    text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(fits)
}

/// Whether the two digits at offset `at` are a number in the range.
fn number(text: &str, at: usize, range: RangeInclusive<u8>) -> bool {
    text.get(at..at + 2)
        .and_then(|digits| digits.parse().ok())
        .is_some_and(|number| range.contains(&number))
}

fn is_day(text: &str) -> bool {
    matches_pattern(text, "9999-99-99") && number(text, 5, 1..=12) && number(text, 8, 1..=31)
}

/// Whether a text is a date and time of RFC 3339: with an optional fraction, and `Z` or an offset.
fn is_date_time(text: &str) -> bool {
    let Some((start, rest)) = text.split_at_checked(19) else {
        return false;
    };
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    let offset = matches_pattern(zone, "+99:99") || matches_pattern(zone, "-99:99");
    let zoned = zone.eq_ignore_ascii_case("z")
        || offset && number(zone, 1, 0..=23) && number(zone, 4, 0..=59);
    let Some((day, time)) = start.split_at_checked(10) else {
        return false;
    };
    // A leap second is second 60.
    let timed = number(time, 1, 0..=23) && number(time, 4, 0..=59) && number(time, 7, 0..=60);
    is_day(day) && matches_pattern(time, "T99:99:99") && timed && zoned
}

/// A value in an error. A string may be private, so the error has its length and not its content.
struct Found<'a>(&'a Value);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("null"),
            Value::Bool(_) | Value::Number(_) => write!(f, "{}", self.0),
            Value::String(text) => write!(f, "a string of length {}", text.chars().count()),
            Value::Array(values) => write!(f, "an array of length {}", values.len()),
            Value::Object(_) => f.write_str("an object"),
        }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schema::Any => f.write_str("anything"),
            Schema::Null => f.write_str("null"),
            Schema::Bool => f.write_str("true or false"),
            Schema::Int(bounds) => write!(f, "an integer{bounds}"),
            Schema::Number(bounds) => write!(f, "a number{bounds}"),
            Schema::Text(Text { length, format }) => {
                f.write_str(format.map_or("a string", Format::as_str))?;
                length.write(f, "characters")
            }
            Schema::Word(word) => write!(f, "{word:?}"),
            Schema::List { of, items } => {
                write!(f, "an array")?;
                items.write(f, "items")?;
                write!(f, ", each {of}")
            }
            Schema::Object { .. } => f.write_str("an object"),
            Schema::OneOrMany => write!(f, "a string, or an array of 1 to {MANY} strings"),
            Schema::Either(shapes) => {
                shapes
                    .iter()
                    .enumerate()
                    .try_for_each(|(index, shape)| match index {
                        0 => write!(f, "{shape}"),
                        _ => write!(f, " or {shape}"),
                    })
            }
        }
    }
}

impl Format {
    fn as_str(self) -> &'static str {
        match self {
            Format::Uri => "an absolute URL",
            Format::PlainUri => "an absolute URL without a query",
            Format::Uuid => "a UUID",
            Format::DateTime => "a date and time as in RFC 3339",
            Format::DateOrDay => "a date (YYYY-MM-DD), or a date and time as in RFC 3339",
            Format::Month => "a month (YYYY-MM)",
            Format::Name => "a name of letters, digits, _ and -",
            Format::Path => "a path",
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (Some(least), Some(most)) => write!(f, " from {least} to {most}"),
            (Some(least), None) => write!(f, " of at least {least}"),
            (None, Some(most)) => write!(f, " of at most {most}"),
            (None, None) => Ok(()),
        }
    }
}

impl Length {
    fn write(self, f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
        match (self.least, self.most) {
            (0, None) => Ok(()),
            (least, Some(most)) if least == most => write!(f, " of {most} {what}"),
            (least, Some(most)) => write!(f, " of {least} to {most} {what}"),
            (least, None) => write!(f, " of at least {least} {what}"),
        }
    }
}
