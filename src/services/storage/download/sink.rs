//! Writes a download to memory or to a file.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderMap;
use serde_json::json;

use super::errors::{exists, failed, missing, see_history, too_large};
use super::file_name::{content_type, name_of};
use super::partial::{Partial, Unplaced};
use crate::client::Exchange;
use crate::error::{Answer, Error, Result};
use crate::response::Response;
use crate::secrets::Secrets;
use crate::services::storage::blocking::blocking;
use crate::system::memory;
use crate::system::replace::folder_of;

/// How many bytes are collected in memory before they are written to the file.
const BLOCK: usize = 1 << 20;

/// The target of a download, checked and ready for writing.
pub(super) enum Target {
    Memory,
    File(Partial),
}

impl Target {
    /// Opens the target. Fails if it cannot be written, before anything is sent.
    pub(super) async fn of(path: Option<PathBuf>, overwrite: bool) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Target::Memory);
        };
        blocking(move || {
            let named = match fs::metadata(&path) {
                Ok(there) if there.is_dir() => true,
                Ok(there) if !there.is_file() => {
                    let message =
                        format!("the path {path:?} is neither a regular file nor a folder");
                    return Err(Error::invalid(message));
                }
                Ok(_) if !overwrite => return Err(exists(&path)),
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(failed("access", &path, &e));
                }
                Err(_) if !overwrite && path.symlink_metadata().is_ok() => {
                    return Err(exists(&path));
                }
                _ if path.as_os_str().is_empty() => {
                    return Err(Error::invalid("the path of the file is empty"));
                }
                _ if is_folder_path(&path) => return Err(missing(&path)),
                _ if !folder_of(&path).is_dir() => return Err(missing(folder_of(&path))),
                _ => false,
            };
            Ok(Target::File(Partial::create(path, named, overwrite)?))
        })
        .await
    }

    /// Starts to save a response. `keep` is set for the output of a run, which cannot be requested
    /// again: if it cannot be written, it becomes the body of the error.
    pub(super) async fn open(
        self,
        status: u16,
        headers: HeaderMap,
        url_path: &str,
        secrets: &Secrets,
        keep: Option<Exchange>,
    ) -> Result<Sink> {
        let store = match self {
            Target::Memory => Store::EMPTY,
            Target::File(mut partial) => {
                let (name, keeps) = (name_of(&headers, url_path, secrets), keep.is_some());
                let partial =
                    blocking(move || partial.set_name(|| name, keeps).map(|()| partial)).await?;
                Store::File {
                    partial,
                    block: BytesMut::new(),
                    size: 0,
                }
            }
        };
        Ok(Sink {
            status,
            headers,
            keep,
            store,
        })
    }
}

/// Whether a path can only be that of a folder, whether or not it exists.
fn is_folder_path(path: &Path) -> bool {
    path.file_name().is_none()
        || path
            .as_os_str()
            .to_string_lossy()
            .ends_with(std::path::is_separator)
}

/// Receives the bytes of a download.
pub(super) struct Sink {
    status: u16,
    headers: HeaderMap,
    keep: Option<Exchange>,
    store: Store,
}

enum Store {
    Memory {
        bytes: Vec<u8>,
        /// Why a file could not be written, if the bytes were meant for one.
        failed: Option<Error>,
    },
    File {
        partial: Partial,
        block: BytesMut,
        size: u64,
    },
}

impl Store {
    const EMPTY: Store = Store::Memory {
        bytes: Vec::new(),
        failed: None,
    };
}

impl Sink {
    pub(super) async fn write(&mut self, piece: Bytes) -> Result<()> {
        let (bytes, failed) = match &mut self.store {
            Store::Memory { bytes, failed } => (bytes, failed),
            Store::File { block, size, .. } => {
                block.extend_from_slice(&piece);
                *size += piece.len() as u64;
                return match block.len() >= BLOCK {
                    true => self.flush().await,
                    false => Ok(()),
                };
            }
        };
        let most = self
            .keep
            .as_ref()
            .filter(|_| failed.is_some())
            .map_or(usize::MAX, Exchange::response_limit);
        let full = match bytes.len() + piece.len() > most {
            true => Err(too_large(most as u64)),
            false => memory::append(bytes, &piece),
        };
        let (Err(full), Some(exchange)) = (&full, &self.keep) else {
            return full;
        };
        let error = failed.take().unwrap_or_else(|| full.clone());
        let (what, bytes) = ("the first bytes of the output are", std::mem::take(bytes));
        Err(with_output(error, what, self.status, bytes, exchange).await)
    }

    /// Writes the collected bytes to the file.
    async fn flush(&mut self) -> Result<()> {
        let Store::File { partial, block, .. } = &mut self.store else {
            return Ok(());
        };
        let block = block.split().freeze();
        let Err(error) = partial.append(block.clone()).await else {
            return Ok(());
        };
        if self.keep.is_none() {
            return Err(error);
        }
        let store = std::mem::replace(&mut self.store, Store::EMPTY);
        let Store::File { partial, size, .. } = store else {
            return Err(error);
        };
        let length = size - block.len() as u64;
        let bytes = self.read_back(partial, length, block, &error).await?;
        let failed = Some(error);
        self.store = Store::Memory { bytes, failed };
        Ok(())
    }

    /// Reads the output back into memory: `length` bytes of the file, and `block`. If that fails,
    /// the file stays and the error names it.
    async fn read_back(
        &self,
        partial: Partial,
        length: u64,
        block: Bytes,
        error: &Error,
    ) -> Result<Vec<u8>> {
        let most = self.keep.as_ref().map_or(0, Exchange::response_limit) as u64;
        let error = error.clone();
        blocking(move || {
            let content = match length + block.len() as u64 <= most {
                true => partial.content(length, &block),
                false => Err(too_large(most)),
            };
            content.map_err(|_| see_history(partial.leave(length, &error)))
        })
        .await
    }

    /// Discards all bytes.
    pub(super) async fn restart(&mut self) -> Result<()> {
        match &mut self.store {
            Store::Memory { bytes, .. } => bytes.clear(),
            Store::File {
                partial,
                block,
                size,
            } => {
                block.clear();
                *size = 0;
                partial.empty().await?;
            }
        }
        Ok(())
    }

    /// Puts the complete file into its place. With `keep`, an output that cannot get there stays
    /// under another name or becomes the body of the error.
    pub(super) async fn finish(mut self) -> Result<Response> {
        self.flush().await?;
        let (bytes, failed) = match std::mem::replace(&mut self.store, Store::EMPTY) {
            Store::Memory { bytes, failed } => (bytes, failed),
            Store::File { partial, size, .. } => {
                let keep = self.keep.is_some();
                let Unplaced { error, partial } =
                    match blocking(move || Ok(partial.put_in_place(keep))).await? {
                        Ok(path) => return Ok(self.saved(&path, size)),
                        Err(unplaced) => unplaced,
                    };
                let Some(partial) = partial.filter(|_| keep) else {
                    return Err(error);
                };
                let bytes = self.read_back(partial, size, Bytes::new(), &error).await?;
                (bytes, Some(error))
            }
        };
        match (failed, &self.keep) {
            (Some(error), Some(exchange)) => {
                Err(with_output(error, "the output is", self.status, bytes, exchange).await)
            }
            _ => Ok(Response::new(self.status, self.headers, bytes.into())),
        }
    }

    fn saved(&self, path: &Path, size: u64) -> Response {
        Response::made(&json!({
            "path": path.to_string_lossy(),
            "file_name": path.file_name().map(|name| name.to_string_lossy()),
            "content_type": content_type(&self.headers),
            "size": size,
            "http_status": self.status,
        }))
    }
}

/// Adds the output to the error about the file that could not be written.
async fn with_output(
    error: Error,
    what: &str,
    status: u16,
    bytes: Vec<u8>,
    exchange: &Exchange,
) -> Error {
    let message = format!("{}; {what} the body of this error", error.message());
    let secrets = exchange.task.secrets();
    let answer = Answer::of_large(secrets, status, HeaderMap::new(), bytes.into());
    see_history(error.with_message(message)).with_answer(answer.await)
}
