//! The uploads that pass: which content each URL of a file has.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::Method;
use serde_json::Value;
use url::Url;

use super::urls;
use crate::server::Request;
use crate::storage::{Blob, Stored};

/// What a request to a path stores: the file at a path, or a part of it.
#[derive(Clone)]
struct Target {
    file: String,
    part: Option<u32>,
}

#[derive(Default)]
struct Table {
    targets: HashMap<String, Target>,
    /// The parts that arrived of unfinished files.
    parts: HashMap<String, BTreeMap<u32, Arc<Blob>>>,
    /// The SHA-256 of the file at each path.
    known: HashMap<String, String>,
}

#[derive(Default)]
pub(super) struct Uploads(Mutex<Table>);

impl Uploads {
    /// The SHA-256 of the uploaded file at a URL.
    pub(super) fn hash(&self, url: &str) -> Option<String> {
        let path = urls::file_path(url)?;
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.known.get(&path).cloned()
    }

    /// Follows a successful request to the storage and its answer (docs/protocol.md §9.1 to §9.4).
    pub(super) fn follow(&self, request: &Request, answer: &[u8]) {
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.announce(request, &answer);
        if let Some(blob) = &request.upload {
            table.receive(&request.path, &answer, blob);
        }
        if request.method == Method::POST
            && let Some(path) = request.path.strip_suffix("/complete")
        {
            table.complete(path);
        }
    }
}

impl Table {
    /// An answer that says where to send a file or a part.
    fn announce(&mut self, request: &Request, answer: &Value) {
        let path = |name: &str| Some(Url::parse(answer[name].as_str()?).ok()?.path().to_owned());
        if let (Some(file), Some(target)) = (path("file_url"), path("upload_url")) {
            self.targets.insert(target, Target { file, part: None });
        } else if let (Some(file), Some(id)) = (path("access_url"), answer["uploadId"].as_str()) {
            let target = format!("{file}/multipart/{id}");
            self.targets.insert(target, Target { file, part: None });
        } else if let (Some(target), Some(part)) = (path("upload_url"), self.target(&request.path))
        {
            self.targets.insert(target, part);
        }
    }

    /// What a request to `path` stores.
    fn target(&self, path: &str) -> Option<Target> {
        if let Some(target) = self.targets.get(path) {
            return Some(target.clone());
        }
        let (upload, number) = path.rsplit_once('/')?;
        let target = self.targets.get(upload)?;
        let part = number.parse().ok()?;
        Some(Target {
            file: target.file.clone(),
            part: Some(part),
        })
    }

    fn receive(&mut self, path: &str, answer: &Value, blob: &Arc<Blob>) {
        let target = self.target(path).or_else(|| {
            let url = Url::parse(answer["access_url"].as_str()?).ok()?;
            let file = url.path().to_owned();
            Some(Target { file, part: None })
        });
        match target {
            Some(Target { file, part: None }) => {
                self.known.insert(file, blob.sha256.clone());
            }
            Some(Target {
                file,
                part: Some(number),
            }) => {
                self.parts
                    .entry(file)
                    .or_default()
                    .insert(number, Arc::clone(blob));
            }
            None => {}
        }
    }

    fn complete(&mut self, path: &str) {
        let Some(target) = self.targets.get(path) else {
            return;
        };
        if let Some(parts) = self.parts.remove(&target.file)
            && let Ok(joined) = Stored::join(parts.into_values().collect())
        {
            self.known.insert(target.file.clone(), joined.sha256);
        }
    }
}
