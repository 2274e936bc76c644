//! Changes one member of a TOML text. Keeps every byte outside the change. The result is parsed
//! again; it is used only if its content is the old content with that change and no other.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::same;
use super::toml_index::{Header, Place, TomlIndex, Value};

/// A change of a top-level table.
pub(super) enum Edit<'a> {
    /// Sets a member to a string. Creates the table if it is missing.
    Set {
        table: &'a str,
        member: &'a str,
        value: &'a str,
    },
    /// Removes a member, if it exists.
    Unset { table: &'a str, member: &'a str },
    /// Removes a table that has a header of its own and is empty, without even a comment.
    DropEmpty { table: &'a str },
}

/// Why a change cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The name belongs to a value or to an array of tables.
    NotATable,
    /// The member is itself a table.
    MemberIsTable,
    /// The result would have differed from the requested change.
    Unclear,
}

impl<'a> Edit<'a> {
    pub(super) fn table(&self) -> &'a str {
        match self {
            Edit::Set { table, .. } | Edit::Unset { table, .. } | Edit::DropEmpty { table } => {
                table
            }
        }
    }

    /// Returns the changed text; `None` if the text already complies.
    pub(super) fn apply(&self, text: &str) -> Result<Option<Zeroizing<String>>, Refusal> {
        let index = TomlIndex::of(text).ok_or(Refusal::Unclear)?;
        let splices = match self {
            Edit::Set {
                table,
                member,
                value,
            } => set(text, &index, table, member, value)?,
            Edit::Unset { table, member } => unset(&index, table, member)?,
            Edit::DropEmpty { table } => drop_empty(text, &index, table),
        };
        if splices.is_empty() {
            return Ok(None);
        }
        let changed = spliced(text, &splices).ok_or(Refusal::Unclear)?;
        if same::differ_only_by(text, &changed, |root| make(root, self)) {
            Ok(Some(changed))
        } else {
            Err(Refusal::Unclear)
        }
    }
}

/// Makes the change in a parsed text.
fn make<'t>(root: &mut DeTable<'t>, change: &Edit<'t>) {
    match *change {
        Edit::Set {
            table,
            member,
            value,
        } => {
            let entry = root.entry(unplaced(Cow::Borrowed(table)));
            let table = entry.or_insert_with(|| unplaced(DeValue::Table(DeTable::new())));
            if let DeValue::Table(members) = table.get_mut() {
                members.insert(
                    unplaced(Cow::Borrowed(member)),
                    unplaced(DeValue::String(Cow::Borrowed(value))),
                );
            }
        }
        Edit::Unset { table, member } => {
            if let Some(DeValue::Table(members)) = root.get_mut(table).map(Spanned::get_mut) {
                members.remove(member);
            }
        }
        Edit::DropEmpty { table } => {
            let found = root.get(table).map(Spanned::get_ref);
            if matches!(found, Some(DeValue::Table(members)) if members.is_empty()) {
                root.remove(table);
            }
        }
    }
}

fn unplaced<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

/// A part of the text and its replacement.
type Splice = (Range<usize>, Zeroizing<String>);

fn insert(at: usize, pieces: &[&str]) -> Splice {
    (at..at, concat(pieces))
}

/// Joins the pieces in a buffer of the final size. A buffer that grew would leave copies of a
/// secret in memory.
pub(super) fn concat(pieces: &[&str]) -> Zeroizing<String> {
    let mut whole = Zeroizing::new(String::with_capacity(
        pieces.iter().map(|piece| piece.len()).sum(),
    ));
    pieces.iter().for_each(|piece| whole.push_str(piece));
    whole
}

fn spliced(text: &str, splices: &[Splice]) -> Option<Zeroizing<String>> {
    let (mut pieces, mut copied) = (Vec::new(), 0);
    for (part, new) in splices {
        pieces.extend([text.get(copied..part.start)?, new]);
        copied = part.end;
    }
    pieces.push(text.get(copied..)?);
    Some(concat(&pieces))
}

fn set(
    text: &str,
    index: &TomlIndex<'_>,
    table: &str,
    member: &str,
    value: &str,
) -> Result<Vec<Splice>, Refusal> {
    check_shape(index, table, member)?;
    let new = quoted(value);
    let splice = if let Some(old) = find(index, &[table, member]) {
        (old.span.clone(), new)
    } else if let Some(header) = header(index, table) {
        let end = index.line_end(header.span.end);
        let line_end = line_end(text);
        let start = if ends_line(text, end) { "" } else { line_end };
        let member = bare_or_quoted(member);
        insert(end, &[start, &member, " = ", &new, line_end])
    } else if let Some(inline) = find(index, &[table]) {
        into_inline(text, inline, member, &new)
    } else if let Some(sibling) = dotted_sibling(index, table) {
        let at = index.line_start(sibling.key_start);
        let (table, member) = (bare_or_quoted(table), bare_or_quoted(member));
        insert(at, &[&table, ".", &member, " = ", &new, line_end(text)])
    } else {
        new_table(text, table, member, &new)
    };
    Ok(vec![splice])
}

fn into_inline(text: &str, table: &Value, member: &str, new: &str) -> Splice {
    let at = table.span.start + 1;
    let rest = text.get(at..).unwrap_or_default();
    let after = match rest {
        _ if rest.starts_with('}') => " ",
        _ if rest.trim_start().starts_with('}') => "",
        _ => ",",
    };
    insert(at, &[" ", &bare_or_quoted(member), " = ", new, after])
}

fn new_table(text: &str, table: &str, member: &str, new: &str) -> Splice {
    let end = line_end(text);
    let last_line = if ends_line(text, text.len()) { "" } else { end };
    let gap = if text.is_empty() { "" } else { end };
    let (table, member) = (bare_or_quoted(table), bare_or_quoted(member));
    insert(
        text.len(),
        &[
            last_line, gap, "[", &table, "]", end, &member, " = ", new, end,
        ],
    )
}

fn unset(index: &TomlIndex<'_>, table: &str, member: &str) -> Result<Vec<Splice>, Refusal> {
    check_shape(index, table, member)?;
    let Some(old) = find(index, &[table, member]) else {
        return Ok(Vec::new());
    };
    let (comma, rest) = match old.place {
        Place::Inline => index.inline_member(old),
        Place::Root | Place::Section => (None, index.lines(old.key_start, old.span.end)),
    };
    let parts = comma.into_iter().chain([rest]);
    Ok(parts.map(|part| (part, Zeroizing::default())).collect())
}

fn drop_empty(text: &str, index: &TomlIndex<'_>, table: &str) -> Vec<Splice> {
    let Some(header) = header(index, table) else {
        return Vec::new();
    };
    let inside = |path: &[String]| path.first().is_some_and(|first| first == table);
    let next = index
        .headers
        .iter()
        .map(|header| header.span.start)
        .find(|start| *start > header.span.start);
    let section = header.span.start..next.unwrap_or(text.len());
    let mut headers = index.headers.iter();
    let holds_something = index.values.iter().any(|value| inside(&value.path))
        || headers.any(|header| header.path.len() > 1 && inside(&header.path))
        || index.has_comment(&section);
    if holds_something {
        return Vec::new();
    }
    let mut lines = index.lines(header.span.start, header.span.end);
    // Also removes the empty line that was added with the table: the line above, or at the top of
    // the file the line below.
    let (above, below) = text.split_at_checked(lines.end).unwrap_or_default();
    let above = above.get(..lines.start).unwrap_or_default();
    let blank_above = ["\r\n", "\n"]
        .into_iter()
        .find(|end| above.strip_suffix(end).is_some_and(|a| a.ends_with('\n')));
    let blank_below = ["\r\n", "\n"]
        .into_iter()
        .find(|end| above.is_empty() && below.starts_with(end));
    lines.start -= blank_above.map_or(0, str::len);
    lines.end += blank_below.map_or(0, str::len);
    vec![(lines, Zeroizing::default())]
}

/// Checks that the table, if it exists, is a table, and that the member is not.
fn check_shape(index: &TomlIndex<'_>, table: &str, member: &str) -> Result<(), Refusal> {
    let mut headers = index.headers.iter();
    let is_array = headers.any(|header| header.is_array && header.path == [table]);
    let is_value = find(index, &[table]).is_some_and(|value| !value.is_table);
    if is_array || is_value {
        return Err(Refusal::NotATable);
    }
    let within =
        |path: &[String]| matches!(path, [first, second, ..] if first == table && second == member);
    let is_table = find(index, &[table, member]).is_none()
        && (index.headers.iter().any(|header| within(&header.path))
            || index.values.iter().any(|value| within(&value.path)));
    if is_table {
        Err(Refusal::MemberIsTable)
    } else {
        Ok(())
    }
}

fn find<'o>(index: &'o TomlIndex<'_>, path: &[&str]) -> Option<&'o Value> {
    index.values.iter().find(|value| value.path == path)
}

fn header<'o>(index: &'o TomlIndex<'_>, table: &str) -> Option<&'o Header> {
    index
        .headers
        .iter()
        .find(|header| header.path == [table] && !header.is_array)
}

/// Returns a line `table.other = …` before the first header.
fn dotted_sibling<'o>(index: &'o TomlIndex<'_>, table: &str) -> Option<&'o Value> {
    index.values.iter().find(|value| {
        value.place == Place::Root
            && value.path.len() > 1
            && value.path.first().is_some_and(|first| first == table)
    })
}

fn ends_line(text: &str, at: usize) -> bool {
    text.get(..at)
        .is_none_or(|before| before.is_empty() || before.ends_with('\n'))
}

/// Returns the line end that the text uses.
fn line_end(text: &str) -> &'static str {
    match text.split_once('\n') {
        Some((first, _)) if first.ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Returns the text as a basic string of TOML 1.0. The text must have no control characters.
fn quoted(text: &str) -> Zeroizing<String> {
    let mut quoted = Zeroizing::new(String::with_capacity(2 * text.len() + 2));
    quoted.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

fn bare_or_quoted(name: &str) -> Zeroizing<String> {
    let is_bare = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if is_bare {
        concat(&[name])
    } else {
        quoted(name)
    }
}
