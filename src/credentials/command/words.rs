//! Splits a command line into words as a shell does, and refuses all other shell syntax. The crate
//! shlex does not refuse it, and leaves copies of the words in memory.

use zeroize::Zeroizing;

use crate::credentials::environment::Platform;

fn unclosed(quote: char) -> String {
    format!("the quote {quote} is never closed")
}

fn needs_shell(character: char) -> String {
    let shown = match character {
        '\n' | '\r' => "a line break".to_owned(),
        _ => format!("`{character}`"),
    };
    let list = if cfg!(windows) {
        "[\"cmd\", \"/C\", \"…\"]"
    } else {
        "[\"sh\", \"-c\", \"…\"]"
    };
    format!(
        "{shown} needs a shell; set `key_command_shell = true` in the profile \
         (FAL_KEY_COMMAND_SHELL=1 for the variable), write {list}, or quote the character"
    )
}

/// Splits `text`. Quotes group words, and a backslash quotes the next character. On Windows, a
/// backslash has no special meaning.
///
/// Refuses syntax that a shell would expand or execute, and names the character in the error. If
/// the program got a literal `$HOME`, it would fail with an unclear error.
pub(super) fn split(text: &str, platform: Platform) -> Result<Vec<Zeroizing<String>>, String> {
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
                return Err(needs_shell(character));
            }
            '#' if splitter.word.is_none() => return Err(needs_shell('#')),
            '*' | '?' | '[' | '$' | '`' if platform == Platform::Unix => {
                return Err(needs_shell(character));
            }
            '%' if platform == Platform::Windows => return Err(needs_shell('%')),
            // On Windows, a quote within a word is part of a name, such as O'Brien.
            '\'' if platform == Platform::Unix || splitter.word.is_none() => {
                splitter.single_quoted(&mut rest)?
            }
            '"' => splitter.double_quoted(&mut rest)?,
            '\\' if platform == Platform::Unix => match rest.next() {
                Some('\n') | None => return Err(needs_shell('\\')),
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

    fn single_quoted(&mut self, rest: &mut std::str::Chars<'_>) -> Result<(), String> {
        // Empty quotes are a word.
        self.word();
        loop {
            match rest.next() {
                None => return Err(unclosed('\'')),
                Some('\'') => return Ok(()),
                Some(character) => self.push(character),
            }
        }
    }

    /// Refuses `$` and backquotes, which a shell expands within double quotes.
    fn double_quoted(&mut self, rest: &mut std::str::Chars<'_>) -> Result<(), String> {
        self.word();
        loop {
            match rest.next() {
                None => return Err(unclosed('"')),
                Some('"') => return Ok(()),
                Some(character @ ('$' | '`')) if self.platform == Platform::Unix => {
                    return Err(needs_shell(character));
                }
                Some('%') if self.platform == Platform::Windows => {
                    return Err(needs_shell('%'));
                }
                Some('\\') if self.platform == Platform::Unix => match rest.next() {
                    None => return Err(unclosed('"')),
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
