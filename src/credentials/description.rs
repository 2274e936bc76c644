//! An error as a block of lines, with the report on the sources of its credential.

use std::fmt::Write;

use crate::error::{Code, Error};
use crate::limits::{MESSAGE, shortened};

/// The most rejected fields that are written.
const FIELDS: usize = 20;

impl Error {
    /// Returns the whole error as a block of lines to be printed: the message, the remedy, the
    /// rejected fields, the request's id and, if the credential may be the cause, the report on its
    /// sources, as far as the error has them.
    pub fn describe(&self) -> String {
        let mut block = format!("{}\n{}", self.message(), self.remedy());
        let (fields, left) = self.fields().split_at(self.fields().len().min(FIELDS));
        for field in fields {
            let field = field.to_string();
            let _ = write!(block, "\n  {}", shortened(&field, MESSAGE));
        }
        if !left.is_empty() {
            let _ = write!(block, "\n  … and {} more", left.len());
        }
        if let Some(id) = self.request_id() {
            let _ = write!(block, "\nRequest id: {id}");
        }
        if let Some(resolution) = self.resolution().filter(|_| self.concerns_credential()) {
            let _ = write!(block, "\n{resolution}");
        }
        block
    }

    fn concerns_credential(&self) -> bool {
        matches!(
            self.code(),
            Code::NoCredentials
                | Code::MalformedCredentials
                | Code::Unauthenticated
                | Code::Forbidden
        )
    }
}
