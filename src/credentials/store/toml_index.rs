//! The positions of the tables and values of a TOML text. Copies no value.

use std::ops::Range;

use toml_parser::Source;
use toml_parser::lexer::Token;
use toml_parser::parser::{Event, EventKind, RecursionGuard, parse_document};

/// The nesting limit of the parser that reads the file, so that both accept the same texts.
const MAX_DEPTH: u32 = 80;

/// The headers and assignments of a text, in the order of the text.
pub(super) struct TomlIndex<'t> {
    text: &'t str,
    events: Vec<Event>,
    pub(super) headers: Vec<Header>,
    pub(super) values: Vec<Value>,
}

/// `[path]` or `[[path]]`.
pub(super) struct Header {
    pub(super) path: Vec<String>,
    pub(super) is_array: bool,
    pub(super) span: Range<usize>,
}

/// `path = value`, not inside an array.
pub(super) struct Value {
    /// The full path, from the root.
    pub(super) path: Vec<String>,
    pub(super) place: Place,
    pub(super) is_table: bool,
    pub(super) key_start: usize,
    pub(super) span: Range<usize>,
    /// The events from the key to the value.
    events: Range<usize>,
}

/// The context of an assignment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The lines before the first header.
    Root,
    /// The lines under a header.
    Section,
    /// An inline table.
    Inline,
}

impl<'t> TomlIndex<'t> {
    /// Indexes a text. Returns `None` if it is not TOML.
    pub(super) fn of(text: &'t str) -> Option<Self> {
        let source = Source::new(text);
        let tokens: Vec<Token> = source.lex().into_vec();
        let (mut events, mut errors) = (Vec::new(), 0_usize);
        let mut receiver = |event: Event| events.push(event);
        let mut guarded = RecursionGuard::new(&mut receiver, MAX_DEPTH);
        parse_document(&tokens, &mut guarded, &mut |_| errors += 1);
        if errors > 0 {
            return None;
        }
        let reader = Reader {
            source,
            index: TomlIndex {
                text,
                events,
                headers: Vec::new(),
                values: Vec::new(),
            },
            next: 0,
            section: Vec::new(),
            place: Place::Root,
        };
        reader.read()
    }

    /// Returns the range of the whole lines from `start` to `end`, the last line end included.
    pub(super) fn lines(&self, start: usize, end: usize) -> Range<usize> {
        self.line_start(start)..self.line_end(end)
    }

    pub(super) fn line_start(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or(self.text);
        before.rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// Returns the start of the next line, or the end of the text.
    pub(super) fn line_end(&self, at: usize) -> usize {
        after(self.text, at)
            .find('\n')
            .map_or(self.text.len(), |newline| at + newline + 1)
    }

    /// Returns the parts to remove with a member of an inline table: the comma before the member if
    /// there is none after it, and the member with the comma after it.
    pub(super) fn inline_member(&self, value: &Value) -> (Option<Range<usize>>, Range<usize>) {
        let (start, end) = (value.key_start, value.span.end);
        let later = self.events.get(value.events.end..).unwrap_or_default();
        if let Some(comma) = first_comma(later.iter()) {
            let rest = after(self.text, comma.span().end());
            let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            return (None, start..comma.span().end() + blank);
        }
        let earlier = self.events.get(..value.events.start).unwrap_or_default();
        let comma = first_comma(earlier.iter().rev()).map(|comma| {
            let between = self.text.get(comma.span().end()..start).unwrap_or_default();
            let is_space = between.trim().is_empty();
            comma.span().start()..if is_space { start } else { comma.span().end() }
        });
        (comma, start..end)
    }

    /// Returns whether a comment starts in this part of the text.
    pub(super) fn has_comment(&self, part: &Range<usize>) -> bool {
        self.events
            .iter()
            .any(|event| event.kind() == EventKind::Comment && part.contains(&event.span().start()))
    }
}

/// Returns the first event that is neither white space nor a comment, if it is a comma.
fn first_comma<'e>(mut events: impl Iterator<Item = &'e Event>) -> Option<&'e Event> {
    use EventKind::{Comment, Newline, Whitespace};
    events
        .find(|event| !matches!(event.kind(), Whitespace | Newline | Comment))
        .filter(|event| event.kind() == EventKind::ValueSep)
}

fn after(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

/// Reads the events once, in order.
struct Reader<'t> {
    source: Source<'t>,
    index: TomlIndex<'t>,
    next: usize,
    section: Vec<String>,
    /// The context of the next assignment.
    place: Place,
}

impl<'t> Reader<'t> {
    fn read(mut self) -> Option<TomlIndex<'t>> {
        while let Some(event) = self.peek() {
            match event.kind() {
                EventKind::StdTableOpen | EventKind::ArrayTableOpen => self.header(&event)?,
                EventKind::SimpleKey => {
                    let section = self.section.clone();
                    self.assignment(&section, self.place, true)?;
                }
                _ => self.next += 1,
            }
        }
        Some(self.index)
    }

    fn peek(&self) -> Option<Event> {
        self.index.events.get(self.next).copied()
    }

    fn take(&mut self) -> Option<Event> {
        let event = self.peek()?;
        self.next += 1;
        Some(event)
    }

    fn header(&mut self, open: &Event) -> Option<()> {
        let (mut path, mut close) = (Vec::new(), self.take()?);
        while !matches!(
            close.kind(),
            EventKind::StdTableClose | EventKind::ArrayTableClose
        ) {
            if close.kind() == EventKind::SimpleKey {
                path.push(self.decode(&close)?);
            }
            close = self.take()?;
        }
        let is_array = open.kind() == EventKind::ArrayTableOpen;
        let span = open.span().start()..close.span().end();
        self.place = Place::Section;
        self.section.clone_from(&path);
        self.index.headers.push(Header {
            path,
            is_array,
            span,
        });
        Some(())
    }

    /// Reads `path = value`. Adds it to the index if `addressable`, that is, not inside an array.
    fn assignment(&mut self, table: &[String], place: Place, addressable: bool) -> Option<()> {
        let (first, mut path) = (self.next, table.to_vec());
        let key_start = self.peek()?.span().start();
        loop {
            let event = self.take()?;
            match event.kind() {
                EventKind::SimpleKey => path.push(self.decode(&event)?),
                EventKind::KeyValSep => break,
                _ => {}
            }
        }
        while self.peek()?.kind() == EventKind::Whitespace {
            self.next += 1;
        }
        let start = self.peek()?.span().start();
        let is_table = self.value(&path, addressable)?;
        let end = self.index.events.get(self.next - 1)?.span().end();
        if addressable {
            let events = first..self.next;
            self.index.values.push(Value {
                path,
                place,
                is_table,
                key_start,
                span: start..end,
                events,
            });
        }
        Some(())
    }

    /// Reads a value from its first event to its last. Returns whether it is an inline table.
    fn value(&mut self, path: &[String], addressable: bool) -> Option<bool> {
        match self.take()?.kind() {
            EventKind::InlineTableOpen => self.inline_table(path, addressable).map(|()| true),
            EventKind::ArrayOpen => self.array(path).map(|()| false),
            EventKind::Scalar => Some(false),
            _ => None,
        }
    }

    fn inline_table(&mut self, path: &[String], addressable: bool) -> Option<()> {
        loop {
            match self.peek()?.kind() {
                EventKind::SimpleKey => self.assignment(path, Place::Inline, addressable)?,
                EventKind::InlineTableClose => return self.take().map(drop),
                _ => self.next += 1,
            }
        }
    }

    fn array(&mut self, path: &[String]) -> Option<()> {
        loop {
            match self.peek()?.kind() {
                EventKind::ArrayClose => return self.take().map(drop),
                EventKind::Scalar | EventKind::ArrayOpen | EventKind::InlineTableOpen => {
                    self.value(path, false)?;
                }
                _ => self.next += 1,
            }
        }
    }

    fn decode(&self, key: &Event) -> Option<String> {
        let (mut name, mut errors) = (String::new(), 0_usize);
        self.source
            .get(key)?
            .decode_key(&mut name, &mut |_| errors += 1);
        (errors == 0).then_some(name)
    }
}
