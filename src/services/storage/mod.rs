//! File transfers: uploads, uploads of the files in an input, and downloads (docs/protocol.md §9).

mod address;
mod blocking;
mod call;
mod content;
mod download;
mod file;
mod input_files;
mod meter;
mod token;
mod upload;

use std::path::PathBuf;

use self::content::Data;
use self::file::LocalFile;
use self::meter::Meter;
use crate::error::Result;
use crate::operation::Task;
use crate::transport::Payload;

pub use download::Download;
#[cfg(any(test, fuzzing))]
pub(crate) use download::fuzz;
pub(crate) use input_files::resolve_files;
pub(crate) use upload::confirmed;

/// A local file as a request body. It is read while it is sent.
pub(crate) struct FileBody(Data);

impl FileBody {
    pub(crate) async fn open(path: PathBuf) -> Result<Self> {
        Ok(FileBody(Data::File(LocalFile::open(path).await?)))
    }

    /// The body. `task` gets an event for each piece that was sent.
    pub(crate) fn payload(&self, task: &Task) -> Payload {
        let length = self.0.length();
        let share = Meter::new(task, Some(length)).share();
        Payload::Source(self.0.part(0, length, Some(share)))
    }

    /// Fails if the file has changed since it was opened. Call it after the response: the file may
    /// change after its last byte was read.
    pub(crate) async fn unchanged(&self) -> Result<()> {
        self.0.unchanged().await
    }
}
