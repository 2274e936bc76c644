//! A command line split into words as a shell would split it, and nothing else that a shell does.

use std::fmt;

use zeroize::Zeroizing;

use super::super::Platform;

/// Why a text is no command line without a shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WordsProblem {
    /// A quote without its partner.
    OpenQuote(char),
    /// A character that only a shell gives its meaning.
    ShellSyntax(char),
}

impl fmt::Display for WordsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenQuote(quote) => write!(f, "the quote {quote} is never closed"),
            Self::ShellSyntax(character) => {
                let shown = if *character == '\n' {
                    "a line break".to_owned()
                } else {
                    format!("`{character}`")
                };
                write!(
                    f,
                    "{shown} needs a shell, and none is used unless asked: set `key_command_shell = true` in the \
                     profile (FAL_KEY_COMMAND_SHELL=1 for the variable), write {}, or quote it if it is meant literally",
                    if cfg!(windows) {
                        "[\"cmd\", \"/C\", \"…\"]"
                    } else {
                        "[\"sh\", \"-c\", \"…\"]"
                    }
                )
            }
        }
    }
}

/// The words of `text`. Quotes group, a backslash quotes the next character (on Windows it
/// separates a path).
///
/// What a shell would replace or act upon is refused rather than handed to the program: a `$HOME`
/// that stays as it is only fails later, and less clearly.
pub(super) fn split(
    text: &str,
    platform: Platform,
) -> Result<Vec<Zeroizing<String>>, WordsProblem> {
    let mut splitter = Splitter {
        words: Vec::new(),
        word: None,
        size: text.len(),
        platform,
    };
    let mut rest = text.trim().chars();
    while let Some(character) = rest.next() {
        match character {
            '\n' | '\r' | '|' | '&' | ';' | '<' | '>' | '(' | ')' => {
                return Err(WordsProblem::ShellSyntax(if character == '\r' {
                    '\n'
                } else {
                    character
                }));
            }
            '#' if splitter.word.is_none() => return Err(WordsProblem::ShellSyntax('#')),
            '*' | '?' | '[' if platform == Platform::Unix => {
                return Err(WordsProblem::ShellSyntax(character));
            }
            '$' | '`' if platform == Platform::Unix => {
                return Err(WordsProblem::ShellSyntax(character));
            }
            '%' if platform == Platform::Windows => return Err(WordsProblem::ShellSyntax('%')),
            // Within a word it is a letter of a name there, as in a folder of O'Brien.
            '\'' if platform == Platform::Unix || splitter.word.is_none() => {
                splitter.single_quoted(&mut rest)?
            }
            '"' => splitter.double_quoted(&mut rest)?,
            '\\' if platform == Platform::Unix => match rest.next() {
                Some('\n') | None => return Err(WordsProblem::ShellSyntax('\\')),
                Some(quoted) => splitter.push(quoted),
            },
            _ if character.is_whitespace() => splitter.end_word(),
            _ => splitter.push(character),
        }
    }
    splitter.end_word();
    Ok(splitter.words)
}

struct Splitter {
    words: Vec<Zeroizing<String>>,
    /// The word that has begun.
    word: Option<Zeroizing<String>>,
    /// Enough for any word: growing would leave copies of it behind.
    size: usize,
    platform: Platform,
}

impl Splitter {
    fn word(&mut self) -> &mut String {
        let size = self.size;
        self.word
            .get_or_insert_with(|| Zeroizing::new(String::with_capacity(size)))
    }

    fn push(&mut self, character: char) {
        self.word().push(character);
    }

    fn end_word(&mut self) {
        self.words.extend(self.word.take());
    }

    fn single_quoted(&mut self, rest: &mut std::str::Chars<'_>) -> Result<(), WordsProblem> {
        // Quotes around nothing are a word.
        self.word();
        loop {
            match rest.next() {
                None => return Err(WordsProblem::OpenQuote('\'')),
                Some('\'') => return Ok(()),
                Some(character) => self.push(character),
            }
        }
    }

    /// A shell still acts on `$` and a backquote here.
    fn double_quoted(&mut self, rest: &mut std::str::Chars<'_>) -> Result<(), WordsProblem> {
        self.word();
        loop {
            match rest.next() {
                None => return Err(WordsProblem::OpenQuote('"')),
                Some('"') => return Ok(()),
                Some(character @ ('$' | '`')) if self.platform == Platform::Unix => {
                    return Err(WordsProblem::ShellSyntax(character));
                }
                Some('%') if self.platform == Platform::Windows => {
                    return Err(WordsProblem::ShellSyntax('%'));
                }
                Some('\\') if self.platform == Platform::Unix => match rest.next() {
                    None => return Err(WordsProblem::OpenQuote('"')),
                    Some('\n') => {}
                    Some(quoted @ ('$' | '`' | '"' | '\\')) => self.push(quoted),
                    Some(other) => {
                        self.push('\\');
                        self.push(other);
                    }
                },
                Some(character) => self.push(character),
            }
        }
    }
}
