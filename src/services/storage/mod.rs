//! Files: uploaded so that a model can read them, uploaded for the fields of an input, downloaded
//! (docs/protocol.md §9).

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

/// A local file as a body that is read while it is sent; how far it has come is told to `task`.
pub(crate) struct FileBody(Data);

impl FileBody {
    pub(crate) async fn open(path: PathBuf) -> Result<Self> {
        Ok(FileBody(Data::File(LocalFile::open(path).await?)))
    }

    pub(crate) fn payload(&self, task: &Task) -> Payload {
        let length = self.0.length();
        let share = Meter::new(task, Some(length)).share();
        self.0.part(0, length, Some(share))
    }

    /// Fails if the file is not what it was: its end may have been sent before it changed.
    pub(crate) async fn unchanged(&self) -> Result<()> {
        self.0.unchanged().await
    }
}
