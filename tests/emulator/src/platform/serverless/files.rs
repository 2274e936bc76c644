//! The persistent volume of an account: files in memory, in directories that follow from their
//! paths.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use url::Url;

use super::super::fields::Fields;
use super::super::visit::Visit;
use super::super::{Answer, invalid, not_found, ok};
use super::zipped::unzipped;
use crate::body::Payload;
use crate::clock;
use crate::storage;
use crate::webhooks;

#[derive(Clone)]
struct File {
    bytes: Bytes,
    created: SystemTime,
    updated: SystemTime,
}

type Volume = BTreeMap<String, File>;

/// The volumes of all accounts.
#[derive(Default)]
pub(in super::super) struct Volumes(Mutex<HashMap<String, Volume>>);

impl Volumes {
    fn with<T>(&self, account: &str, work: impl FnOnce(&mut Volume) -> T) -> T {
        let mut volumes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(volumes.entry(account.to_owned()).or_default())
    }
}

/// A path within the volume, without leading or trailing slashes; 400 for a path that leads out of
/// it.
fn clean(path: &str) -> Result<String, Answer> {
    let path = path.trim_matches('/');
    let bad = |segment: &str| segment.is_empty() || segment == "." || segment == "..";
    if path.split('/').any(bad) || path.contains(['\\', '\0']) {
        return Err(invalid("path: must be within the volume"));
    }
    Ok(path.to_owned())
}

fn entry(path: &str, file: Option<&File>, times: (SystemTime, SystemTime)) -> Value {
    let mut row = json!({
        "path": path,
        "name": path.rsplit('/').next(),
        "created_time": clock::rfc3339_millis(times.0),
        "updated_time": clock::rfc3339_millis(times.1),
        "is_file": file.is_some(),
        "size": file.map_or(0, |file| file.bytes.len()),
    });
    if let Some(file) = file {
        let sum = digest(&SHA256, &file.bytes);
        row["checksum_sha256"] = sum
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
            .into();
    }
    row
}

pub(in super::super) fn list_root(visit: &Visit<'_>) -> Result<Answer, Answer> {
    listed(visit, "")
}

pub(in super::super) fn list(visit: &Visit<'_>) -> Result<Answer, Answer> {
    listed(visit, &(clean(visit.part("dir"))? + "/"))
}

/// The entries directly in a directory. A missing directory has none, because 404 is not a
/// documented response.
fn listed(visit: &Visit<'_>, prefix: &str) -> Result<Answer, Answer> {
    visit
        .state
        .platform
        .volumes
        .with(visit.account(), |volume| {
            let mut rows: BTreeMap<String, Value> = BTreeMap::new();
            let mut directories: BTreeMap<String, (SystemTime, SystemTime)> = BTreeMap::new();
            for (path, file) in volume.iter() {
                let Some(rest) = path.strip_prefix(prefix) else {
                    continue;
                };
                match rest.split_once('/') {
                    None => {
                        rows.insert(
                            path.clone(),
                            entry(path, Some(file), (file.created, file.updated)),
                        );
                    }
                    Some((name, _)) => {
                        let times = directories
                            .entry(format!("{prefix}{name}"))
                            .or_insert((file.created, file.updated));
                        *times = (times.0.min(file.created), times.1.max(file.updated));
                    }
                }
            }
            rows.extend(
                directories
                    .into_iter()
                    .map(|(path, times)| (path.clone(), entry(&path, None, times))),
            );
            ok(&rows.into_values().collect())
        })
}

pub(in super::super) fn download(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let path = clean(visit.part("file"))?;
    let file = visit
        .state
        .platform
        .volumes
        .with(visit.account(), |volume| volume.get(&path).cloned());
    let payload = Payload::Bytes(file.ok_or_else(|| not_found("File not found"))?.bytes);
    Ok(Answer::payload(
        StatusCode::OK,
        HeaderValue::from_static("application/octet-stream"),
        payload,
    ))
}

/// 400 if a directory would become a file, or a file a directory.
fn store(visit: &Visit<'_>, files: Vec<(String, Bytes)>) -> Result<Answer, Answer> {
    let now = visit.now();
    visit
        .state
        .platform
        .volumes
        .with(visit.account(), |volume| {
            for (path, _) in &files {
                let mut above = path.match_indices('/').map(|(at, _)| &path[..at]);
                let below = format!("{path}/");
                let is_directory = volume
                    .range(below.clone()..)
                    .next()
                    .is_some_and(|(known, _)| known.starts_with(&below));
                if is_directory || above.any(|directory| volume.contains_key(directory)) {
                    return Err(invalid(
                        "path: a directory with this name exists, or a parent is a file",
                    ));
                }
            }
            for (path, bytes) in files {
                let created = volume.get(&path).map_or(now, |known| known.created);
                volume.insert(
                    path,
                    File {
                        bytes,
                        created,
                        updated: now,
                    },
                );
            }
            ok(&json!(true))
        })
}

/// Stores a file from this emulator's CDN or from a server on this machine. The emulator connects
/// to no other host.
pub(in super::super) fn store_url<'a>(
    visit: &'a Visit<'a>,
) -> Pin<Box<dyn Future<Output = Result<Answer, Answer>> + Send + 'a>> {
    Box::pin(async move {
        let path = clean(visit.part("file"))?;
        let text = Fields::read(visit.request)?.url("url")?;
        let url = Url::parse(&text).map_err(|_| invalid("url: not a URL"))?;
        let bytes = if webhooks::is_reachable(&url) {
            webhooks::get(&url)
                .await
                .map_err(|why| invalid(&format!("url: {why}")))?
        } else {
            let content = storage::readable(visit.state, visit.account(), &text);
            let content =
                content.map_err(|_| invalid("url: the emulator cannot download this URL"))?;
            storage::bytes(content).await?
        };
        store(visit, vec![(path, bytes)])
    })
}

pub(in super::super) fn store_local(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let path = clean(visit.part("target_path"))?;
    let unzip = visit.boolean("unzip")?;
    let part = upload(visit)
        .ok_or_else(|| invalid("file_upload: must be a field of multipart/form-data"))?;
    if !unzip {
        return store(visit, vec![(path, part)]);
    }
    let files = unzipped(&part).ok_or_else(|| {
        invalid("file_upload: must be a ZIP archive with paths within the target")
    })?;
    store(
        visit,
        files
            .into_iter()
            .map(|(name, bytes)| (format!("{path}/{name}"), bytes))
            .collect(),
    )
}

/// The field `file_upload` of a form.
fn upload(visit: &Visit<'_>) -> Option<Bytes> {
    let content_type = visit.request.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let mut parts = content_type.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parts
        .find_map(|part| part.strip_prefix("boundary="))?
        .trim_matches('"');
    let body = &visit.request.body;
    let delimiter = format!("--{boundary}");
    let mut from = find(body, delimiter.as_bytes(), 0)? + delimiter.len();
    let delimiter = format!("\r\n{delimiter}");
    loop {
        if body[from..].starts_with(b"--") {
            return None;
        }
        let head_end = find(body, b"\r\n\r\n", from)?;
        let head = String::from_utf8_lossy(&body[from..head_end]).to_lowercase();
        let begin = head_end + 4;
        let end = find(body, delimiter.as_bytes(), begin)?;
        if head.contains("name=\"file_upload\"") || head.contains("name=file_upload") {
            return Some(body.slice(begin..end));
        }
        from = end + delimiter.len();
    }
}

fn find(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    bytes
        .get(from..)?
        .windows(wanted.len())
        .position(|window| window == wanted)
        .map(|at| from + at)
}
