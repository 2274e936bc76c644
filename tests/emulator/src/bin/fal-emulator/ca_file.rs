//! The certificate to trust as a file, for programs that read it from one.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// A file in the directory for temporary files. Dropping it removes the file.
pub(crate) struct CaFile(PathBuf);

impl CaFile {
    pub(crate) fn create(pem: &str) -> io::Result<Self> {
        let path =
            std::env::temp_dir().join(format!("fal-emulator-{}.pem", Uuid::new_v4().simple()));
        // `create_new` never follows a file or link that another process put there.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        let file_guard = Self(path);
        file.write_all(pem.as_bytes())?;
        Ok(file_guard)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        // The file may have been removed already.
        let _ = std::fs::remove_file(&self.0);
    }
}
