//! A key and its scope: parsing, validation, redaction.
//!
//! A key is `<key id>:<key secret>`; the id is public, the secret is shown once (docs/protocol.md
//! §2.1). Nothing here puts a secret into a `Debug`, a `Display` or a problem; a text that cannot
//! be split into its halves is treated as a secret as a whole.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

/// The longest text that is considered as a key, in bytes.
pub const MAX_LENGTH: usize = 4096;

/// The longest key id that is printed whole, in characters.
const MAX_PRINTED_ID: usize = 64;

/// A fal key. Its secret is overwritten when it is dropped, in each copy.
///
/// `Debug` and `Display` show the id and never the secret: `fake-id:****`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    id: String,
    secret: Zeroizing<String>,
}

impl Key {
    /// Reads `<key id>:<key secret>`, split at the first `:` as the official CLI does.
    ///
    /// White space, invisible characters and one pair of quotes around the text are dropped, and
    /// noted.
    ///
    /// # Errors
    ///
    /// The first [`KeyProblem`] found; it holds no part of the text.
    pub fn parse(text: &str) -> Result<(Self, Vec<Note>), KeyProblem> {
        let (clean, notes) = clean(text)?;
        let (id, secret) = clean.split_once(':').ok_or(KeyProblem::NoColon)?;
        Ok((Self::join(id, secret)?, notes))
    }

    /// Joins the two halves of a key, each cleaned like a whole key in [`Key::parse`].
    ///
    /// # Errors
    ///
    /// The first [`KeyProblem`] found and the half that has it; it holds no part of the texts.
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

    /// The public half, as it was given: printable ASCII without white space, at least one
    /// character.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The id as it may be printed: whole up to 64 characters, abbreviated beyond.
    pub fn printable_id(&self) -> String {
        // The id is ASCII, so that bytes are characters.
        match self.id.get(..8) {
            Some(start) if self.id.len() > MAX_PRINTED_ID => {
                format!("{start}… ({} characters)", self.id.len())
            }
            _ => self.id.clone(),
        }
    }

    /// The secret half. The caller keeps it out of logs and messages.
    pub fn expose_secret(&self) -> &str {
        &self.secret
    }

    /// The value of the `Authorization` header: `Key <id>:<secret>` (docs/protocol.md §2.1).
    pub fn authorization(&self) -> Zeroizing<String> {
        // Written into a buffer of the final size: growing would leave copies of the secret behind.
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

/// What a key may do (docs/protocol.md §2.2). `Admin` is more than `Api`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Call models, upload files, and the Platform API operations marked API.
    Api,
    /// All of that, private models, and the Platform API operations marked ADMIN.
    Admin,
}

impl Scope {
    /// The name that fal uses: `API` or `ADMIN`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "API",
            Self::Admin => "ADMIN",
        }
    }

    /// Whether a key of this scope may do what needs `needed`.
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

    /// Reads `API` or `ADMIN`, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        [Self::Api, Self::Admin]
            .into_iter()
            .find(|scope| text.eq_ignore_ascii_case(&scope.to_string()))
            .ok_or(UnknownScope)
    }
}

/// A text that is no [`Scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownScope;

impl fmt::Display for UnknownScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scope is API or ADMIN")
    }
}

impl std::error::Error for UnknownScope {}

/// One of the two parts of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// What is before the first `:`.
    Id,
    /// What is after it.
    Secret,
}

/// What was dropped from around the halves of a key.
pub type HalfNotes = Vec<(Half, Note)>;

/// What was dropped from around a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// White space, or line ends, before or after it.
    WhiteSpace,
    /// Characters that nobody sees, such as a byte order mark or a zero-width space.
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

/// A character that has no place in a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Character {
    /// Space, tab, or one of the other spaces of Unicode.
    WhiteSpace,
    /// A character that nobody sees, such as a zero-width space or a soft hyphen.
    Invisible(char),
    /// Line feed or carriage return.
    LineBreak,
    /// ESC, which starts a terminal's control sequences.
    Escape,
    /// Any other control character.
    Control,
    /// Anything else beyond ASCII.
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

/// Why a text is no key. Holds no part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyProblem {
    /// Nothing, or nothing but white space and quotes.
    Empty,
    /// More than [`MAX_LENGTH`] bytes.
    TooLong {
        /// The length of the text, in bytes.
        length: usize,
    },
    /// Something copied along with the key stands in front of it.
    Prefixed {
        /// What that is, from a fixed list.
        prefix: &'static str,
    },
    /// An example out of a documentation, an unexpanded variable, or a masked key.
    Placeholder,
    /// A character that has no place in a key.
    Character {
        /// Its kind.
        found: Character,
        /// Its place in the trimmed text, in characters, from 1.
        position: usize,
    },
    /// Only one half of a key.
    NoColon,
    /// Nothing before the first `:`.
    EmptyId,
    /// Nothing after it.
    EmptySecret,
    /// The half that should be an id holds a `:`, like a whole key.
    ColonInId,
    /// The half that should be a secret starts with the id, like a whole key.
    RepeatedId,
    /// The secret comes first.
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

/// The text without what surrounds it, if it could be a key or a half of one.
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

/// Quotes that stand for a pair if one of each is at both ends: word processors make curly ones, by
/// the rules of many languages.
const PAIRS: [&[char]; 4] = [
    &['"'],
    &['\''],
    &['“', '”', '„', '‟', '«', '»'],
    &['‘', '’', '‚', '‛', '‹', '›'],
];

/// What was found at the ends of a text.
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

/// Whether a character is there and nobody sees it: those that come along when text is copied.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    )
}

/// What people copy along with a key: a header, or an assignment.
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

/// Whether a key or a half of one is what documentations, templates and masks show in its place.
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

/// In small letters, joined by `-`, and without the brackets and marks of a template.
fn plain_words(text: &str) -> Zeroizing<String> {
    // Written into a buffer of the final size: growing would leave copies of a secret behind.
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

/// fal's key ids are UUIDs and its secrets are not [I]; other ids pass, but a UUID in the place of
/// the secret only gives swapped halves away: printing such an "id" would print the secret.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
