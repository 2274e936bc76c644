//! Splits the bytes of the fuzzer into the values that a target needs.

/// Reads values from the front of the bytes. Past the end, values are zero or empty.
pub(crate) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Input { rest: data }
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let (first, rest) = self.rest.split_first().unwrap_or((&0, &[]));
        self.rest = rest;
        *first
    }

    /// Returns the bytes up to the next NUL or the end.
    pub(crate) fn part(&mut self) -> &'a [u8] {
        let end = self
            .rest
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(self.rest.len());
        let (part, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        part
    }

    /// Returns the bytes up to the next NUL or the end, as text.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.part()).into_owned()
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// A secret that no other text contains by chance.
pub(crate) const PLANTED: &str = "fake5ecret7Qx9Zk2Lw8Vb3Nm";

/// Replaces each `\x01` in a text by the planted secret.
pub(crate) fn planted(text: &str) -> String {
    text.replace('\u{1}', PLANTED)
}
