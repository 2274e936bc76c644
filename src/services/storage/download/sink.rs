//! Where a download goes: memory, or a file.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap};
use serde_json::json;

use super::data::unescaped;
use super::fetch::too_large;
use super::partial::{Partial, Place, Unplaced, exists, failed, folder_of};
use crate::client::Exchange;
use crate::error::{Answer, Code, Error, Result};
use crate::request::{made_up, sanitized};
use crate::response::Response;
use crate::secrets::Secrets;
use crate::services::storage::blocking::blocking;
use crate::system::memory;

/// Bytes that are collected before the disk is troubled.
const BLOCK: usize = 1 << 20;

/// Where it is to go: ready to be written to.
pub(super) enum Target {
    Memory,
    File(Partial),
}

impl Target {
    /// Whatever is wrong with the place is found out here, before anything is sent.
    pub(super) async fn of(path: Option<PathBuf>, overwrite: bool) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Target::Memory);
        };
        blocking(move || {
            let place = match fs::metadata(&path) {
                Ok(there) if there.is_dir() => Place::Folder(path),
                Ok(there) if !there.is_file() => {
                    return Err(Error::invalid(format!(
                        "{} is neither a regular file nor a folder",
                        path.display()
                    )));
                }
                Ok(_) if !overwrite => return Err(exists(&path)),
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(failed("look at", &path, &e));
                }
                Err(_) if !overwrite && path.symlink_metadata().is_ok() => {
                    return Err(exists(&path));
                }
                _ if path.as_os_str().is_empty() => {
                    return Err(Error::invalid("the path of the file is empty"));
                }
                _ if names_folder(&path) => return Err(missing(&path)),
                _ if !folder_of(&path).is_dir() => return Err(missing(folder_of(&path))),
                _ => Place::Path(path),
            };
            Ok(Target::File(Partial::create(place, overwrite)?))
        })
        .await
    }

    /// Begins, with the head of the answer. What cannot be had again is handed over with an error
    /// rather than lost: by these (`keep`).
    pub(super) async fn open(
        self,
        status: u16,
        headers: HeaderMap,
        url_path: &str,
        secrets: &Secrets,
        keep: Option<Exchange>,
    ) -> Result<Sink> {
        let store = match self {
            Target::Memory => Store::Memory {
                bytes: Vec::new(),
                failed: None,
            },
            Target::File(mut partial) => {
                let (name, keeps) = (name_of(&headers, url_path, secrets), keep.is_some());
                let partial =
                    blocking(move || partial.called(|| name, keeps).map(|()| partial)).await?;
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

/// Whether a path is that of a folder whatever is there.
fn names_folder(path: &Path) -> bool {
    path.file_name().is_none()
        || path
            .as_os_str()
            .to_string_lossy()
            .ends_with(std::path::is_separator)
}

fn missing(folder: &Path) -> Error {
    Error::new(
        Code::Io,
        format!("the folder {} does not exist", folder.display()),
    )
}

/// The name that the server gives, else the address's last segment, made harmless.
fn name_of(headers: &HeaderMap, url_path: &str, secrets: &Secrets) -> String {
    let value = headers.get(CONTENT_DISPOSITION);
    let told = value.and_then(|value| disposition(&String::from_utf8_lossy(value.as_bytes())));
    let segment = url_path.rsplit('/').next().unwrap_or_default();
    // Before it is cut: half a secret would not be known for one.
    let harmless = |mut name: String| {
        secrets.hide(&mut name);
        sanitized(&name)
    };
    let of_url = || harmless(String::from_utf8_lossy(&unescaped(segment)).into_owned());
    let named = told.and_then(harmless).or_else(of_url);
    named.unwrap_or_else(|| made_up("download", content_type(headers)))
}

/// The file name in a `Content-Disposition`.
fn disposition(value: &str) -> Option<String> {
    let parts = unquoted_parts(value);
    let parameter = |wanted: &str| {
        parts.iter().skip(1).find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case(wanted)
                .then(|| value.trim().to_owned())
        })
    };
    let extended = parameter("filename*").and_then(|value| {
        let encoded = value.splitn(3, '\'').nth(2)?;
        Some(String::from_utf8_lossy(&unescaped(encoded)).into_owned())
    });
    extended.or_else(|| parameter("filename"))
}

/// What stands between the semicolons of a header, those within quotes not counted; without the
/// quotes (RFC 9110 §5.6.4).
fn unquoted_parts(value: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    let mut rest = value.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // Of a path with backslashes, which some send as it is, they stay.
            '\\' if quoted => {
                part.push(rest.next_if(|next| matches!(next, '"' | '\\')).unwrap_or(c))
            }
            '"' => quoted = !quoted,
            ';' if !quoted => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    parts
}

fn content_type(headers: &HeaderMap) -> &str {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/octet-stream")
}

/// What takes the bytes.
pub(super) struct Sink {
    status: u16,
    headers: HeaderMap,
    keep: Option<Exchange>,
    store: Store,
}

enum Store {
    Memory {
        bytes: Vec<u8>,
        /// Why they are not in a file.
        failed: Option<Error>,
    },
    File {
        partial: Partial,
        block: BytesMut,
        size: u64,
    },
}

impl Sink {
    pub(super) async fn write(&mut self, piece: Bytes) -> Result<()> {
        let (bytes, failed) = match &mut self.store {
            Store::Memory { bytes, failed } => (bytes, failed),
            Store::File { block, size, .. } => {
                block.extend_from_slice(&piece);
                *size += piece.len() as u64;
                return if block.len() >= BLOCK {
                    self.flush().await
                } else {
                    Ok(())
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
        Err(held(
            error,
            "the first bytes of what came are",
            self.status,
            std::mem::take(bytes),
            exchange,
        )
        .await)
    }

    /// Writes what was collected.
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
        let none = Store::Memory {
            bytes: Vec::new(),
            failed: None,
        };
        let Store::File { partial, size, .. } = std::mem::replace(&mut self.store, none) else {
            return Err(error);
        };
        let bytes = self
            .taken_back(partial, size - block.len() as u64, block, &error)
            .await?;
        self.store = Store::Memory {
            bytes,
            failed: Some(error),
        };
        Ok(())
    }

    /// What is in the file, and what follows; else an error, by which it is where it was.
    async fn taken_back(
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
            content.map_err(|_| again(partial.leave(length, &error)))
        })
        .await
    }

    /// Forgets what came.
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

    /// All has come. What cannot be had again is kept even if it cannot be where it should.
    pub(super) async fn finish(mut self) -> Result<Response> {
        self.flush().await?;
        let none = Store::Memory {
            bytes: Vec::new(),
            failed: None,
        };
        let (bytes, failed) = match std::mem::replace(&mut self.store, none) {
            Store::Memory { bytes, failed } => (bytes, failed),
            Store::File { partial, size, .. } => {
                let keep = self.keep.is_some();
                match blocking(move || Ok(partial.put_in_place(keep))).await? {
                    Ok(path) => return Ok(self.saved(&path, size)),
                    Err(Unplaced {
                        error,
                        partial: Some(partial),
                    }) if keep => (
                        self.taken_back(partial, size, Bytes::new(), &error).await?,
                        Some(error),
                    ),
                    Err(Unplaced { error, .. }) => return Err(error),
                }
            }
        };
        match (failed, &self.keep) {
            (Some(error), Some(exchange)) => {
                Err(held(error, "what came is", self.status, bytes, exchange).await)
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

/// The error of an output that no file took: it has the bytes.
async fn held(error: Error, what: &str, status: u16, bytes: Vec<u8>, exchange: &Exchange) -> Error {
    let message = format!("{}; {what} the body of this error", error.message());
    let answer = Answer::of_large(
        exchange.task.secrets(),
        status,
        HeaderMap::new(),
        bytes.into(),
    )
    .await;
    again(error.with_message(message)).with_answer(answer)
}

/// What may be done about an output that is not where it should be, or is lost.
fn again(error: Error) -> Error {
    let remedy = format!(
        "{} fal's history may have the output too: ask models.requests.by_endpoint for this request_id, with expand \
         \"payloads\".",
        error.remedy()
    );
    error.with_remedy(remedy)
}

#[cfg(any(test, fuzzing))]
#[path = "../../../fuzz/names.rs"]
pub(crate) mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    /// It is shown by errors and listed by the file system.
    #[test]
    fn a_name_has_no_part_of_a_secret_in_it() {
        let secret = "fake-secret-0123456789abcdef";
        let secrets = Secrets::default();
        secrets.carry(secret);
        for before in 0..150 {
            let told = format!(
                "attachment; filename=\"{}{secret}.png\"",
                "a".repeat(before)
            );
            let headers = HeaderMap::from_iter([(
                CONTENT_DISPOSITION,
                HeaderValue::from_str(&told).unwrap(),
            )]);
            let name = name_of(&headers, "/x", &secrets);
            assert!(!name.contains(&secret[..4]), "{before}: {name}");
        }
    }

    #[test]
    fn names_are_the_servers_and_harmless() {
        let name = |disposition: &'static str, url: &str| {
            let headers = HeaderMap::from_iter([(
                CONTENT_DISPOSITION,
                HeaderValue::from_static(disposition),
            )]);
            name_of(&headers, url, &Secrets::default())
        };
        for (disposition, url, expected) in [
            ("attachment; filename=\"a b.png\"", "/x", "a b.png"),
            ("attachment; filename=../../etc/passwd", "/x", "passwd"),
            (
                "attachment; filename=\"photo;1.png\"; size=3",
                "/x",
                "photo;1.png",
            ),
            ("attachment; filename=\"a\\\"b.png\"", "/x", "a_b.png"),
            ("attachment; filename=\"C:\\dir\\c.png\"", "/x", "c.png"),
            ("attachment; filename=\"open;c.png", "/x", "open;c.png"),
            (
                "attachment; filename=a.png; filename*=UTF-8''%C3%A4%2F..%2Fb.png",
                "/x",
                "b.png",
            ),
            ("attachment; filename=\"..\"", "/files/b/c_d.png", "c_d.png"),
            ("inline", "/files/%2e%2e%2fx.png", "x.png"),
            ("inline", "/files/", "download.bin"),
            ("inline", "/..", "download.bin"),
            ("inline", "/.bashrc", "bashrc"),
        ] {
            assert_eq!(name(disposition, url), expected, "{disposition} {url}");
        }
    }
}
