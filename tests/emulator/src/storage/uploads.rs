//! Uploads, active and completed: their parts, signatures and owners.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use uuid::Uuid;

use super::disk::Blob;
use super::files::Place;
use super::lifecycle::Lifecycle;

/// The highest part number; the lowest is 1. Other object stores have this limit. fal publishes
/// none.
pub(crate) const MOST_PARTS: u32 = 10_000;

/// The method of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadKind {
    /// One PUT to a signed URL (methods A and B of docs/protocol.md §9).
    Signed,
    /// Parts with a CDN token (D1).
    CdnMultipart,
    /// Parts to a signed URL (D2).
    SignedMultipart,
    /// A signed URL for each part (D3).
    GcsMultipart,
}

/// The file that a client announced.
pub(crate) struct Announced {
    pub(crate) kind: UploadKind,
    pub(crate) place: Place,
    /// The account that owns the upload.
    pub(crate) owner: String,
    pub(crate) content_type: hyper::header::HeaderValue,
    pub(crate) file_name: Option<String>,
    pub(crate) lifecycle: Lifecycle,
}

struct Part {
    record: PartRecord,
    /// `None` after completion: then only the file holds the bytes.
    blob: Option<Arc<Blob>>,
}

struct Upload {
    ordinal: u64,
    announced: Arc<Announced>,
    parts: BTreeMap<u32, Part>,
    /// The numbers and etags of the parts with which the upload was completed.
    completed: Option<Vec<(u32, String)>>,
}

/// A part in the list that a client sends.
pub(crate) struct Claim {
    pub(crate) number: u32,
    pub(crate) etag: String,
}

/// Why an upload cannot be completed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incomplete {
    Unknown,
    Wrong(String),
}

/// The result of a completion.
pub(crate) enum Completion {
    /// These parts, in order, form the file.
    Join(Arc<Announced>, Vec<Arc<Blob>>),
    /// The upload was completed before with the same list.
    Repeated(Arc<Announced>),
}

/// An upload in the form that tests read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UploadRecord {
    /// The unguessable id, which the URLs of parts contain.
    pub id: String,
    /// The method.
    pub kind: UploadKind,
    /// The URL of the file after completion.
    pub url: String,
    /// The account that started the upload.
    pub owner: String,
    /// The parts by number. A single PUT is part 1.
    pub parts: BTreeMap<u32, PartRecord>,
    /// Whether the file exists.
    pub completed: bool,
}

/// A part in the form that tests read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartRecord {
    /// How often the part was received completely.
    pub puts: u64,
    /// The size of the last one in bytes.
    pub size: u64,
    /// The etag of the last one, without quotes.
    pub etag: String,
}

/// All uploads except direct ones, by id.
#[derive(Default)]
pub(crate) struct Uploads(Mutex<HashMap<String, Upload>>);

/// The etag of a part's content, without quotes.
pub(crate) fn etag(blob: &Blob) -> &str {
    &blob.sha256[..32]
}

impl Uploads {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Upload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, announced: Announced) -> String {
        let id = Uuid::new_v4().simple().to_string();
        let mut uploads = self.all();
        let ordinal = uploads.len() as u64;
        let upload = Upload {
            ordinal,
            announced: Arc::new(announced),
            parts: BTreeMap::new(),
            completed: None,
        };
        uploads.insert(id.clone(), upload);
        id
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<Announced>> {
        self.all()
            .get(id)
            .map(|upload| Arc::clone(&upload.announced))
    }

    /// Stores the only part of an upload by one PUT. A later PUT replaces it.
    pub(crate) fn put_whole(&self, id: &str, blob: &Arc<Blob>) {
        if let Some(upload) = self.all().get_mut(id) {
            upload.receive(1, blob);
            upload.finish(Vec::new());
        }
    }

    /// Stores a part, which replaces an earlier one. Returns false if the upload is unknown or
    /// completed.
    pub(crate) fn put_part(&self, id: &str, number: u32, blob: &Arc<Blob>) -> bool {
        match self
            .all()
            .get_mut(id)
            .filter(|upload| upload.completed.is_none())
        {
            Some(upload) => {
                upload.receive(number, blob);
                true
            }
            None => false,
        }
    }

    /// Checks the list of parts, in any order.
    pub(crate) fn check(&self, id: &str, claims: &[Claim]) -> Result<Completion, Incomplete> {
        let uploads = self.all();
        let upload = uploads.get(id).ok_or(Incomplete::Unknown)?;
        let list = sorted(claims);
        if let Some(completed) = &upload.completed {
            let announced = Arc::clone(&upload.announced);
            return if *completed == list {
                Ok(Completion::Repeated(announced))
            } else {
                Err(Incomplete::Unknown)
            };
        }
        let wrong = |text: String| Err(Incomplete::Wrong(text));
        if list.is_empty() {
            return wrong("no parts".into());
        }
        let mut blobs = Vec::new();
        for ((number, claimed), expected) in list.iter().zip(1..) {
            if *number != expected {
                return wrong(format!(
                    "part {expected} is missing, or a part is listed twice"
                ));
            }
            let part = upload.parts.get(number);
            let Some((part, blob)) = part.and_then(|part| Some((part, part.blob.as_ref()?))) else {
                return wrong(format!("part {number} was not uploaded"));
            };
            if part.record.etag != *claimed {
                return wrong(format!("the etag of part {number} does not match"));
            }
            blobs.push(Arc::clone(blob));
        }
        if blobs.len() < upload.parts.len() {
            return wrong(format!(
                "{} parts were uploaded, {} are listed",
                upload.parts.len(),
                blobs.len()
            ));
        }
        Ok(Completion::Join(Arc::clone(&upload.announced), blobs))
    }

    pub(crate) fn complete(&self, id: &str, claims: &[Claim]) {
        if let Some(upload) = self.all().get_mut(id) {
            upload.finish(sorted(claims));
        }
    }

    /// The records, in the order in which the uploads started.
    pub(crate) fn records(&self) -> Vec<UploadRecord> {
        let uploads = self.all();
        let mut uploads: Vec<_> = uploads.iter().collect();
        uploads.sort_by_key(|(_, upload)| upload.ordinal);
        uploads
            .into_iter()
            .map(|(id, upload)| upload.record(id))
            .collect()
    }
}

/// The numbers and etags without quotes, in the order of the numbers.
fn sorted(claims: &[Claim]) -> Vec<(u32, String)> {
    let mut list: Vec<_> = claims
        .iter()
        .map(|claim| (claim.number, claim.etag.trim_matches('"').to_owned()))
        .collect();
    list.sort();
    list
}

impl Upload {
    fn receive(&mut self, number: u32, blob: &Arc<Blob>) {
        let puts = self.parts.get(&number).map_or(0, |part| part.record.puts) + 1;
        let record = PartRecord {
            puts,
            size: blob.size,
            etag: etag(blob).to_owned(),
        };
        self.parts.insert(
            number,
            Part {
                record,
                blob: Some(Arc::clone(blob)),
            },
        );
    }

    fn finish(&mut self, list: Vec<(u32, String)>) {
        self.completed = Some(list);
        for part in self.parts.values_mut() {
            part.blob = None;
        }
    }

    fn record(&self, id: &str) -> UploadRecord {
        let parts = self
            .parts
            .iter()
            .map(|(number, part)| (*number, part.record.clone()));
        UploadRecord {
            id: id.to_owned(),
            kind: self.announced.kind,
            url: self.announced.place.url.clone(),
            owner: self.announced.owner.clone(),
            parts: parts.collect(),
            completed: self.completed.is_some(),
        }
    }
}
