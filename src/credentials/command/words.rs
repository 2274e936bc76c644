//! Splits a command line into words as a shell does, and refuses all other shell syntax. The crate
//! shlex does not refuse it, and leaves copies of the words in memory.

use std::fmt;

use zeroize::Zeroizing;

use crate::credentials::environment::Platform;

/// Why a text needs a shell, or cannot be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WordsProblem {
    /// A quote that is not closed.
    OpenQuote(char),
    /// A character with a meaning for a shell.
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
                    "{shown} needs a shell; set `key_command_shell = true` in the profile \
                     (FAL_KEY_COMMAND_SHELL=1 for the variable), write {}, or quote the character",
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

/// Splits `text`. Quotes group words, and a backslash quotes the next character. On Windows, a
/// backslash has no special meaning.
///
/// Refuses syntax that a shell would expand or execute. If the program got a literal `$HOME`, it
/// would fail with an unclear error.
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
            // On Windows, a quote within a word is part of a name, such as O'Brien.
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
    /// The word in progress.
    word: Option<Zeroizing<String>>,
    /// The capacity of each word: a string that grows leaves copies of a secret in memory.
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
        // Empty quotes are a word.
        self.word();
        loop {
            match rest.next() {
                None => return Err(WordsProblem::OpenQuote('\'')),
                Some('\'') => return Ok(()),
                Some(character) => self.push(character),
            }
        }
    }

    /// Refuses `$` and backquotes, which a shell expands within double quotes.
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
