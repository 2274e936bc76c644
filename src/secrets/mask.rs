//! Finds one secret in a text, in each encoding in which a service may repeat it.
//!
//! A text is read in units: a byte, or the escape sequence of a byte. One Aho-Corasick automaton
//! matches the secret itself and its base64 at each of the three alignments to the bytes before it.
//! The search reads a text once, so its time is linear whatever the text contains. The automaton is
//! overwritten when it is dropped; the one of the crate aho-corasick is not.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use zeroize::{DefaultIsZeroes, Zeroize, Zeroizing};

/// The shortest secret, in bytes. It is also the shortest beginning of a secret that is masked at
/// the end of a text.
pub(super) const LEAST: usize = 4;
/// The shortest base64 form that is searched for. Shorter ones also occur by chance.
const LEAST_ENCODED: usize = 8;

/// A state of the automaton: a prefix of a form, or a whole form. The root is the empty prefix.
#[derive(Clone, Copy, Default)]
struct State {
    byte: u8,
    /// The secret itself ends here, not its base64.
    is_plain: bool,
    /// The first child, and the next child of the same parent. 0 if there is no such state.
    child: u32,
    sibling: u32,
    /// The state to continue from if no child matches: the longest suffix that is a prefix.
    fail: u32,
    depth: u32,
    /// How many of the last units are a whole form. 0 if no form ends here.
    found: u32,
}

impl DefaultIsZeroes for State {}

/// The kind of a byte that begins a form.
const FIRST: u8 = 1;
/// The kind of a byte that begins an escape sequence.
const ESCAPE: u8 = 2;

pub(crate) struct Mask {
    states: Vec<State>,
    kinds: [u8; 256],
    longest: usize,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mask").finish_non_exhaustive()
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        self.states.zeroize();
        self.kinds.zeroize();
    }
}

impl Mask {
    /// Builds the automaton of a secret. Returns `None` if the text is too short for a secret.
    pub(super) fn of(secret: &str) -> Option<Self> {
        if secret.len() < LEAST {
            return None;
        }
        let encoded = encoded(secret.as_bytes());
        let longest = encoded
            .iter()
            .map(|form| form.len())
            .fold(secret.len(), usize::max);
        let size = secret.len() + encoded.iter().map(|form| form.len()).sum::<usize>() + 1;
        // Allocated with the final size: growing would leave copies of the secret in memory.
        let mut states = Vec::with_capacity(size);
        states.push(State::default());
        let mut kinds = [0; 256];
        (kinds[usize::from(b'\\')], kinds[usize::from(b'%')]) = (ESCAPE, ESCAPE);
        let mut mask = Mask {
            states,
            kinds,
            longest,
        };
        let end = mask.add(secret.as_bytes());
        mask.states[end].is_plain = true;
        for form in &encoded {
            mask.add(form.as_bytes());
        }
        mask.connect();
        Some(mask)
    }

    /// Whether this is the mask of `secret`.
    pub(super) fn is_of(&self, secret: &str) -> bool {
        let end = secret.bytes().try_fold(0, |state, byte| {
            self.child(state, byte.to_ascii_lowercase())
        });
        end.is_some_and(|end| self.states[end].is_plain)
    }

    /// Begins a search of a text.
    pub(super) fn find<'a>(&'a self, text: &'a [u8], escaped: bool) -> Search<'a> {
        let recent = vec![0; self.longest.next_power_of_two()];
        Search {
            mask: self,
            text,
            escaped,
            at: 0,
            state: 0,
            read: 0,
            recent,
            found: Vec::new(),
        }
    }

    fn child(&self, state: usize, byte: u8) -> Option<usize> {
        let mut child = self.states[state].child as usize;
        while child != 0 && self.states[child].byte != byte {
            child = self.states[child].sibling as usize;
        }
        (child != 0).then_some(child)
    }

    fn add(&mut self, form: &[u8]) -> usize {
        for byte in [form[0].to_ascii_lowercase(), form[0].to_ascii_uppercase()] {
            self.kinds[usize::from(byte)] |= FIRST;
        }
        let mut state = 0;
        for byte in form.iter().map(u8::to_ascii_lowercase) {
            state = self.child(state, byte).unwrap_or_else(|| {
                let new = self.states.len();
                let State {
                    child: sibling,
                    depth,
                    ..
                } = self.states[state];
                self.states.push(State {
                    byte,
                    sibling,
                    depth: depth + 1,
                    ..State::default()
                });
                // The number fits: it is at most a few times the longest token, 16 KiB.
                self.states[state].child = new as u32;
                new
            });
        }
        self.states[state].found = form.len() as u32;
        state
    }

    /// Sets `fail` of each state, breadth first.
    fn connect(&mut self) {
        let mut due = vec![0];
        let mut next = 0;
        while let Some(&state) = due.get(next) {
            next += 1;
            let mut child = self.states[state].child as usize;
            while child != 0 {
                let State {
                    byte,
                    sibling,
                    found,
                    ..
                } = self.states[child];
                let fail = if state == 0 {
                    0
                } else {
                    self.step(self.states[state].fail as usize, byte)
                };
                self.states[child].fail = fail as u32;
                self.states[child].found = found.max(self.states[fail].found);
                due.push(child);
                child = sibling as usize;
            }
        }
    }

    /// Returns the next state. Each step along `fail` undoes an earlier step to a child, so the
    /// whole search takes linear time.
    fn step(&self, mut state: usize, byte: u8) -> usize {
        loop {
            match self.child(state, byte) {
                Some(child) => return child,
                None if state == 0 => return 0,
                None => state = self.states[state].fail as usize,
            }
        }
    }
}

/// Returns the part of the secret's base64 that does not depend on adjacent bytes, for three
/// alignments and two alphabets.
fn encoded(secret: &[u8]) -> Vec<Zeroizing<String>> {
    let mut forms: Vec<Zeroizing<String>> = Vec::with_capacity(6);
    for before in 0..3 {
        let mut bytes = Zeroizing::new(Vec::with_capacity(before + secret.len()));
        bytes.resize(before, 0);
        bytes.extend_from_slice(secret);
        let (first, last) = ([0, 2, 3][before], bytes.len() * 4 / 3);
        for alphabet in [&STANDARD, &URL_SAFE] {
            let whole = Zeroizing::new(alphabet.encode(&*bytes));
            let form = Zeroizing::new(whole[first..last].to_owned());
            if form.len() >= LEAST_ENCODED && !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms
}

/// A search that can be interrupted.
pub(super) struct Search<'a> {
    mask: &'a Mask,
    text: &'a [u8],
    /// Whether an escape sequence is read as the byte that it stands for, not as its characters.
    escaped: bool,
    at: usize,
    state: usize,
    /// How many units were read.
    read: usize,
    /// A ring buffer of the positions at which the last units begin.
    recent: Vec<usize>,
    found: Vec<Range<usize>>,
}

impl Search<'_> {
    /// Searches up to position `to`, or to the end of the unit at that position.
    pub(super) fn advance(&mut self, to: usize) {
        let kinds = if self.escaped { FIRST | ESCAPE } else { FIRST };
        let to = to.min(self.text.len());
        while self.at < to {
            if self.state == 0 {
                let begins = |byte: &u8| self.mask.kinds[usize::from(*byte)] & kinds != 0;
                let Some(next) = self.text[self.at..to].iter().position(begins) else {
                    return self.at = to;
                };
                self.at += next;
            }
            let unit = if self.escaped {
                unit(self.text, self.at)
            } else {
                Some((self.text[self.at], self.at + 1))
            };
            // The text ends within an escape sequence.
            let Some((byte, next)) = unit else {
                return self.at = self.text.len();
            };
            let place = self.read & (self.recent.len() - 1);
            self.recent[place] = self.at;
            self.read += 1;
            self.at = next;
            self.state = self.mask.step(self.state, byte.to_ascii_lowercase());
            match self.mask.states[self.state].found {
                0 => {}
                units => self.note(units as usize, self.at),
            }
        }
    }

    /// Records the last units as a match, and merges it with overlapping matches.
    fn note(&mut self, units: usize, end: usize) {
        let mut range = self.recent[(self.read - units) & (self.recent.len() - 1)]..end;
        while let Some(last) = self.found.pop_if(|last| last.end >= range.start) {
            range.start = range.start.min(last.start);
        }
        let has_room = self.found.try_reserve(1).is_ok();
        match self.found.last_mut() {
            // Without memory for another range, extend the last one over the text between them.
            Some(last) if !has_room => last.end = range.end,
            _ => self.found.push(range),
        }
    }

    /// Searches the rest and returns all matches, in order. The beginning of a form at the end of
    /// the text also matches, because the text may have been cut there.
    pub(super) fn end(mut self) -> Vec<Range<usize>> {
        self.advance(self.text.len());
        let depth = self.mask.states[self.state].depth as usize;
        if depth >= LEAST {
            self.note(depth, self.text.len());
        }
        self.found
    }
}

/// Whether a text contains a byte that may begin an escape sequence.
pub(super) fn has_escapes(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'\\' | b'%'))
}

/// Reads the unit at a position. Returns its byte and the position of the next unit, or `None` if
/// the text ends within the unit. Knows the escape sequences of JSON and of URLs, both also escaped
/// repeatedly, and of string literals in Rust and Python.
fn unit(text: &[u8], at: usize) -> Option<(u8, usize)> {
    match text[at] {
        b'%' => {
            let mut digits = at + 1;
            while text[digits..].starts_with(b"25") {
                digits += 2;
            }
            match number(text, digits, 2) {
                Number::Byte(byte) => Some((byte, digits + 2)),
                // The whole run of `%25` stands for one percent sign.
                Number::None => Some((b'%', digits)),
                Number::Cut => None,
            }
        }
        b'\\' => {
            let behind = at + text[at..].iter().position(|byte| *byte != b'\\')?;
            let (digits, count) = match text[behind] {
                b'u' => (behind + 1, 4),
                b'x' => (behind + 1, 2),
                b'/' => return Some((b'/', behind + 1)),
                _ => return Some((b'\\', behind)),
            };
            match number(text, digits, count) {
                Number::Byte(byte) => Some((byte, digits + count)),
                Number::None => Some((b'\\', behind)),
                Number::Cut => None,
            }
        }
        byte => Some((byte, at + 1)),
    }
}

enum Number {
    /// An ASCII character, or 0 for any other number.
    Byte(u8),
    /// No number follows.
    None,
    /// The text ends within the number.
    Cut,
}

/// Reads a number of `count` hexadecimal digits.
fn number(text: &[u8], at: usize, count: usize) -> Number {
    let digits = &text[at.min(text.len())..text.len().min(at + count)];
    let value = digits.iter().try_fold(0, |value: u32, digit| {
        Some(value << 4 | char::from(*digit).to_digit(16)?)
    });
    match value {
        None => Number::None,
        Some(_) if digits.len() < count => Number::Cut,
        Some(value) => Number::Byte(
            u8::try_from(value)
                .ok()
                .filter(u8::is_ascii)
                .unwrap_or_default(),
        ),
    }
}
