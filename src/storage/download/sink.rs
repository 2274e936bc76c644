//! Where a download goes: memory, or a file.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap};
use serde_json::json;

use super::data::unescaped;
use super::partial::{Partial, Place, exists, failed, folder_of};
use crate::error::{Code, Error, Result};
use crate::memory;
use crate::response::Response;
use crate::storage::blocking::blocking;
use crate::storage::name;

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
        let Some(path) = path else { return Ok(Target::Memory) };
        blocking(move || {
            let place = match fs::metadata(&path) {
                Ok(there) if there.is_dir() => Place::Folder(path),
                Ok(there) if !there.is_file() => {
                    return Err(Error::invalid(format!("{} is neither a regular file nor a folder", path.display())));
                }
                Ok(_) if !overwrite => return Err(exists(&path)),
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed("look at", &path, &e)),
                Err(_) if !overwrite && path.symlink_metadata().is_ok() => return Err(exists(&path)),
                _ if path.as_os_str().is_empty() => return Err(Error::invalid("the path of the file is empty")),
                _ if names_folder(&path) => return Err(missing(&path)),
                _ if !folder_of(&path).is_dir() => return Err(missing(folder_of(&path))),
                _ => Place::Path(path),
            };
            Ok(Target::File(Partial::create(place, overwrite)?))
        })
        .await
    }

    /// Begins, with the head of the answer.
    pub(super) async fn open(self, status: u16, headers: HeaderMap, url_path: &str) -> Result<Sink> {
        let Target::File(mut partial) = self else {
            return Ok(Sink::Memory { status, headers, bytes: Vec::new() });
        };
        let name = name_of(&headers, url_path);
        let partial = blocking(move || partial.called(|| name).map(|()| partial)).await?;
        Ok(Sink::File { status, headers, partial, block: BytesMut::new(), size: 0 })
    }
}

/// Whether a path is that of a folder whatever is there.
fn names_folder(path: &Path) -> bool {
    path.file_name().is_none() || path.as_os_str().to_string_lossy().ends_with(std::path::is_separator)
}

fn missing(folder: &Path) -> Error {
    Error::new(Code::Io, format!("the folder {} does not exist", folder.display()))
}

/// The name that the server gives, else the address's last segment, made harmless.
fn name_of(headers: &HeaderMap, url_path: &str) -> String {
    let value = headers.get(CONTENT_DISPOSITION);
    let told = value.and_then(|value| disposition(&String::from_utf8_lossy(value.as_bytes())));
    let segment = url_path.rsplit('/').next().unwrap_or_default();
    let of_url = || name::sanitized(&String::from_utf8_lossy(&unescaped(segment)));
    let named = told.as_deref().and_then(name::sanitized).or_else(of_url);
    named.unwrap_or_else(|| name::made_up("download", content_type(headers)))
}

/// The file name in a `Content-Disposition`.
fn disposition(value: &str) -> Option<String> {
    let parts = unquoted_parts(value);
    let parameter = |wanted: &str| {
        parts.iter().skip(1).find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        })
    };
    let extended = parameter("filename*").and_then(|value| {
        let encoded = value.splitn(3, '\'').nth(2)?;
        Some(String::from_utf8_lossy(&unescaped(encoded)).into_owned())
    });
    extended.or_else(|| parameter("filename"))
}

/// What stands between the semicolons of a header, those within quotes not counted; without the quotes (RFC 9110 §5.6.4).
fn unquoted_parts(value: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    let mut rest = value.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // Of a path with backslashes, which some send as it is, they stay.
            '\\' if quoted => part.push(rest.next_if(|next| matches!(next, '"' | '\\')).unwrap_or(c)),
            '"' => quoted = !quoted,
            ';' if !quoted => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    parts
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/octet-stream")
}

/// What takes the bytes.
pub(super) enum Sink {
    Memory { status: u16, headers: HeaderMap, bytes: Vec<u8> },
    File { status: u16, headers: HeaderMap, partial: Partial, block: BytesMut, size: u64 },
}

impl Sink {
    pub(super) async fn write(&mut self, piece: Bytes) -> Result<()> {
        match self {
            Sink::Memory { bytes, .. } => memory::append(bytes, &piece)?,
            Sink::File { partial, block, size, .. } => {
                block.extend_from_slice(&piece);
                *size += piece.len() as u64;
                if block.len() >= BLOCK {
                    partial.append(block.split().freeze()).await?;
                }
            }
        }
        Ok(())
    }

    /// Forgets what came.
    pub(super) async fn restart(&mut self) -> Result<()> {
        match self {
            Sink::Memory { bytes, .. } => bytes.clear(),
            Sink::File { partial, block, size, .. } => {
                block.clear();
                *size = 0;
                partial.empty().await?;
            }
        }
        Ok(())
    }

    /// All has come. What cannot be had again is kept (`keep`) even if it cannot be where it should.
    pub(super) async fn finish(self, keep: bool) -> Result<Response> {
        match self {
            Sink::Memory { status, headers, bytes } => Ok(Response::new(status, headers, bytes.into())),
            Sink::File { status, headers, partial, block, size } => {
                partial.append(block.freeze()).await?;
                let path = blocking(move || partial.put_in_place(keep)).await?;
                Ok(Response::made(&json!({
                    "path": path.to_string_lossy(),
                    "file_name": path.file_name().map(|name| name.to_string_lossy()),
                    "content_type": content_type(&headers),
                    "size": size,
                    "http_status": status,
                })))
            }
        }
    }
}

#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/names.rs"]
pub(crate) mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn names_are_the_servers_and_harmless() {
        let name = |disposition: &'static str, url: &str| {
            name_of(&HeaderMap::from_iter([(CONTENT_DISPOSITION, HeaderValue::from_static(disposition))]), url)
        };
        for (disposition, url, expected) in [
            ("attachment; filename=\"a b.png\"", "/x", "a b.png"),
            ("attachment; filename=../../etc/passwd", "/x", "passwd"),
            ("attachment; filename=\"photo;1.png\"; size=3", "/x", "photo;1.png"),
            ("attachment; filename=\"a\\\"b.png\"", "/x", "a_b.png"),
            ("attachment; filename=\"C:\\dir\\c.png\"", "/x", "c.png"),
            ("attachment; filename=\"open;c.png", "/x", "open;c.png"),
            ("attachment; filename=a.png; filename*=UTF-8''%C3%A4%2F..%2Fb.png", "/x", "b.png"),
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
