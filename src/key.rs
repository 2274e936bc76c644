//! A key and its scope: parsing, validation, redaction.
//!
//! A key is `<key id>:<key secret>`. The id is public; fal shows the secret once
//! (docs/protocol.md §2.1). No `Debug`, `Display` or problem contains a secret. A text that cannot
//! be split into two halves is treated as a secret.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

/// The longest key, in bytes.
pub const MAX_LENGTH: usize = 4096;

/// The longest key id that is printed in full, in characters.
const MAX_PRINTED_ID: usize = 64;

/// A fal key. Dropping a key overwrites its secret in memory.
///
/// `Debug` and `Display` show the id and never the secret: `fake-id:****`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    id: String,
    secret: Zeroizing<String>,
}

impl Key {
    /// Parses `<key id>:<key secret>`, split at the first `:` as the official CLI does.
    ///
    /// Removes white space, invisible characters and one pair of quotes around the text, and
    /// returns a [`Note`] for each of these.
    ///
    /// # Errors
    ///
    /// Returns the first [`KeyProblem`] found. It contains no part of the text.
    pub fn parse(text: &str) -> Result<(Self, Vec<Note>), KeyProblem> {
        let (clean, notes) = clean(text)?;
        let (id, secret) = clean.split_once(':').ok_or(KeyProblem::NoColon)?;
        Ok((Self::join(id, secret)?, notes))
    }

    /// Joins the two halves of a key, each cleaned like a whole key in [`Key::parse`].
    ///
    /// # Errors
    ///
    /// Returns the first [`KeyProblem`] found and its half. It contains no part of the texts.
    pub fn from_halves(id: &str, secret: &str) -> Result<(Self, HalfNotes), (Half, KeyProblem)> {
        let (id, id_notes) = clean(id).map_err(|problem| (Half::Id, problem))?;
        let (secret, secret_notes) = clean(secret).map_err(|problem| (Half::Secret, problem))?;
        let key = Self::join(id, secret).map_err(|problem| (problem.half(), problem))?;
        let notes = id_notes.into_iter().map(|note| (Half::Id, note));
        let more = secret_notes.into_iter().map(|note| (Half::Secret, note));
        Ok((key, notes.chain(more).collect()))
    }

    fn join(id: &str, secret: &str) -> Result<Self, KeyProblem> {
        if id.is_empty() {
            return Err(KeyProblem::EmptyId);
        }
        if secret.is_empty() {
            return Err(KeyProblem::EmptySecret);
        }
        if is_placeholder(id) || is_placeholder(secret) {
            return Err(KeyProblem::Placeholder);
        }
        if id.contains(':') {
            return Err(KeyProblem::ColonInId);
        }
        if secret
            .strip_prefix(id)
            .is_some_and(|rest| rest.starts_with(':'))
        {
            return Err(KeyProblem::RepeatedId);
        }
        if !is_uuid(id) && is_uuid(secret) {
            return Err(KeyProblem::Swapped);
        }
        Ok(Self {
            id: id.to_owned(),
            secret: Zeroizing::new(secret.to_owned()),
        })
    }

    /// Returns the public half: printable ASCII without white space, at least one character.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the id for printing. An id of more than 64 characters is abbreviated.
    pub fn printable_id(&self) -> String {
        // The id is ASCII, so that bytes are characters.
        match self.id.get(..8) {
            Some(start) if self.id.len() > MAX_PRINTED_ID => {
                format!("{start}… ({} characters)", self.id.len())
            }
            _ => self.id.clone(),
        }
    }

    /// Returns the secret half. The caller must keep it out of logs and messages.
    pub fn expose_secret(&self) -> &str {
        &self.secret
    }

    /// Returns the value of the `Authorization` header: `Key <id>:<secret>` (docs/protocol.md
    /// §2.1).
    pub fn authorization(&self) -> Zeroizing<String> {
        // Allocated with the final size: growing would leave copies of the secret in memory.
        let size = "Key :".len() + self.id.len() + self.secret.len();
        let mut header = Zeroizing::new(String::with_capacity(size));
        for part in ["Key ", &self.id, ":", &self.secret] {
            header.push_str(part);
        }
        header
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:****", self.printable_id())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// The permissions of a key (docs/protocol.md §2.2). `Admin` includes `Api`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Call models, upload files, and the Platform API operations marked API.
    Api,
    /// Everything that `Api` permits, private models, and the Platform API operations marked ADMIN.
    Admin,
}

impl Scope {
    /// Returns fal's name of the scope: `API` or `ADMIN`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "API",
            Self::Admin => "ADMIN",
        }
    }

    /// Whether a key of this scope may call an operation that needs `needed`.
    pub fn allows(self, needed: Self) -> bool {
        self >= needed
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    /// Parses `API` or `ADMIN`, case-insensitive.
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        [Self::Api, Self::Admin]
            .into_iter()
            .find(|scope| text.eq_ignore_ascii_case(scope.as_str()))
            .ok_or(UnknownScope)
    }
}

/// The error for a text that is not a [`Scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownScope;

impl fmt::Display for UnknownScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scope must be API or ADMIN")
    }
}

impl std::error::Error for UnknownScope {}

/// One of the two parts of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The part before the first `:`.
    Id,
    /// The part after the first `:`.
    Secret,
}

/// What was removed around the halves of a key.
pub type HalfNotes = Vec<(Half, Note)>;

/// What was removed around a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// White space or line ends before or after the key.
    WhiteSpace,
    /// Invisible characters, such as a byte order mark or a zero-width space.
    Invisible,
    /// One pair of quotes, straight or curly.
    Quotes,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WhiteSpace => "surrounding white space was dropped",
            Self::Invisible => "surrounding invisible characters were dropped",
            Self::Quotes => "surrounding quotes were dropped",
        })
    }
}

/// A character that is not allowed in a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Character {
    /// Space, tab, or another space of Unicode.
    WhiteSpace,
    /// An invisible character, such as a zero-width space or a soft hyphen.
    Invisible(char),
    /// Line feed or carriage return.
    LineBreak,
    /// ESC, which begins a control sequence of a terminal.
    Escape,
    /// Any other control character.
    Control,
    /// Any other character beyond ASCII.
    NonAscii,
    /// A quote, straight or curly, that is not one of a pair around the whole key.
    Quote,
}

impl fmt::Display for Character {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WhiteSpace => "white space",
            Self::Invisible(character) => {
                return write!(
                    f,
                    "an invisible character (U+{:04X})",
                    u32::from(*character)
                );
            }
            Self::LineBreak => "a line break",
            Self::Escape => "an escape byte",
            Self::Control => "a control character",
            Self::NonAscii => "a non-ASCII character",
            Self::Quote => "an unmatched quote",
        })
    }
}

/// Why a text is not a key. Contains no part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyProblem {
    /// An empty text, or only white space and quotes.
    Empty,
    /// More than [`MAX_LENGTH`] bytes.
    TooLong {
        /// The length of the text, in bytes.
        length: usize,
    },
    /// A prefix that was copied together with the key, such as `FAL_KEY=`.
    Prefixed {
        /// The prefix, from a fixed list.
        prefix: &'static str,
    },
    /// An example from documentation, an unexpanded variable, or a masked key.
    Placeholder,
    /// A character that is not allowed in a key.
    Character {
        /// The kind of the character.
        found: Character,
        /// The position in the trimmed text, in characters, from 1.
        position: usize,
    },
    /// Only one half of a key.
    NoColon,
    /// The part before the first `:` is empty.
    EmptyId,
    /// The part after the first `:` is empty.
    EmptySecret,
    /// The id contains a `:`, like a whole key.
    ColonInId,
    /// The secret begins with the id and a `:`, like a whole key.
    RepeatedId,
    /// The secret precedes the id.
    Swapped,
}

impl KeyProblem {
    fn half(self) -> Half {
        match self {
            Self::EmptySecret | Self::RepeatedId => Half::Secret,
            _ => Half::Id,
        }
    }
}

impl fmt::Display for KeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the key is empty"),
            Self::TooLong { length } => {
                write!(
                    f,
                    "too long for a key: {length} bytes, at most {MAX_LENGTH}"
                )
            }
            Self::Prefixed { prefix } => {
                write!(f, "starts with `{prefix}`: give the key alone")
            }
            Self::Placeholder => f.write_str("a placeholder, not a key"),
            Self::Character { found, position } => {
                write!(f, "{found} at character {position}")
            }
            Self::NoColon => {
                f.write_str("half a key: no `:` in it, a key is `<key id>:<key secret>`")
            }
            Self::EmptyId => f.write_str("half a key: nothing before the `:`"),
            Self::EmptySecret => f.write_str("half a key: nothing after the `:`"),
            Self::ColonInId => f.write_str("a `:` in the key id: is it a whole key?"),
            Self::RepeatedId => {
                f.write_str("the key secret starts with the key id: is it a whole key?")
            }
            Self::Swapped => {
                f.write_str("the halves are swapped: a key is `<key id>:<key secret>`")
            }
        }
    }
}

impl std::error::Error for KeyProblem {}

/// Trims a text and checks that it may be a key or a half of a key.
fn clean(text: &str) -> Result<(&str, Vec<Note>), KeyProblem> {
    let (clean, notes) = trim(text);
    if clean.is_empty() {
        return Err(KeyProblem::Empty);
    }
    if clean.len() > MAX_LENGTH {
        return Err(KeyProblem::TooLong {
            length: clean.len(),
        });
    }
    if let Some(prefix) = pasted_prefix(clean) {
        return Err(KeyProblem::Prefixed { prefix });
    }
    if is_placeholder(clean) {
        return Err(KeyProblem::Placeholder);
    }
    check_characters(clean)?;
    Ok((clean, notes))
}

fn trim(text: &str) -> (&str, Vec<Note>) {
    let mut dropped = Dropped::default();
    let outer = dropped.trim(text);
    let unquoted = PAIRS
        .iter()
        .find_map(|pair| outer.strip_prefix(*pair)?.strip_suffix(*pair));
    let inner = unquoted.map_or(outer, |unquoted| dropped.trim(unquoted));
    let notes = [
        (dropped.white_space, Note::WhiteSpace),
        (dropped.invisible, Note::Invisible),
        (unquoted.is_some(), Note::Quotes),
    ];
    (
        inner,
        notes
            .into_iter()
            .filter_map(|(there, note)| there.then_some(note))
            .collect(),
    )
}

/// Quotes that form a pair if both ends have one of the same group. Word processors write curly
/// quotes, which differ between languages.
const PAIRS: [&[char]; 4] = [
    &['"'],
    &['\''],
    &['“', '”', '„', '‟', '«', '»'],
    &['‘', '’', '‚', '‛', '‹', '›'],
];

/// What was removed at the ends of a text.
#[derive(Default)]
struct Dropped {
    white_space: bool,
    invisible: bool,
}

impl Dropped {
    fn trim<'t>(&mut self, text: &'t str) -> &'t str {
        text.trim_matches(|character: char| {
            let (white_space, invisible) = (character.is_whitespace(), is_invisible(character));
            self.white_space |= white_space;
            self.invisible |= invisible;
            white_space || invisible
        })
    }
}

/// Whether a character is invisible. Copied text often contains such characters.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    )
}

/// Returns the prefix that was copied together with a key: the name of a header, or an assignment.
fn pasted_prefix(text: &str) -> Option<&'static str> {
    const PREFIXES: [&str; 10] = [
        "Authorization:",
        "Key ",
        "Bearer ",
        "export ",
        "set ",
        "$env:",
        "FAL_KEY=",
        "FAL_KEY_ID=",
        "FAL_KEY_SECRET=",
        "FAL_KEY:",
    ];
    PREFIXES.into_iter().find(|prefix| {
        text.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    })
}

fn check_characters(text: &str) -> Result<(), KeyProblem> {
    for (index, character) in text.chars().enumerate() {
        let position = index + 1;
        let found = match character {
            '\n' | '\r' => Character::LineBreak,
            '\x1b' => Character::Escape,
            _ if PAIRS.iter().any(|pair| pair.contains(&character)) => Character::Quote,
            _ if character.is_ascii_graphic() => continue,
            ' ' | '\t' => Character::WhiteSpace,
            _ if character.is_ascii() => Character::Control,
            _ if character.is_whitespace() => Character::WhiteSpace,
            _ if is_invisible(character) => Character::Invisible(character),
            _ => Character::NonAscii,
        };
        return Err(KeyProblem::Character { found, position });
    }
    Ok(())
}

/// Whether a key or a half of a key is a placeholder of documentation, a template, or a mask.
fn is_placeholder(text: &str) -> bool {
    const WORDS: [&str; 26] = [
        "api-key",
        "changeme",
        "change-me",
        "fal-key",
        "fal-api-key",
        "fal-key-here",
        "fal-key-id",
        "fal-key-secret",
        "id",
        "insert-key-here",
        "key",
        "key-here",
        "key-id",
        "keyid",
        "key-secret",
        "keysecret",
        "my-api-key",
        "my-key",
        "none",
        "null",
        "placeholder",
        "redacted",
        "replace-me",
        "secret",
        "todo",
        "undefined",
    ];
    let is_word = |word: &str| {
        let word = word.trim_matches('-');
        word.starts_with("your-") || WORDS.contains(&word)
    };
    let word = plain_words(text);
    let masked = !text.is_empty() && text.chars().all(|c| "xX*.-_…•#0?".contains(c));
    masked
        || text.contains("...")
        || text.contains('…')
        || is_word(&word)
        || word
            .split_once(':')
            .is_some_and(|(id, secret)| is_word(id) && is_word(secret))
}

/// Converts a text to lower case, replaces `_` and spaces by `-`, and removes template marks.
fn plain_words(text: &str) -> Zeroizing<String> {
    // Allocated with the final size: growing would leave copies of a secret in memory.
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    plain.extend(
        text.chars()
            .filter(|c| !"<>[]{}()$%".contains(*c))
            .map(|c| match c {
                '_' | ' ' => '-',
                _ => c.to_ascii_lowercase(),
            }),
    );
    plain
}

/// Whether a text has the form of a UUID. fal's key ids are UUIDs and its secrets are not [I]. Ids
/// of other forms are accepted, but if only the secret is a UUID, the halves are swapped, and
/// printing the "id" would print the secret.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
