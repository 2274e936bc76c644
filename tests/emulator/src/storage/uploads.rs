//! Uploads under way, and those that are over: parts, signatures, who may send them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use uuid::Uuid;

use super::disk::Blob;
use super::files::Place;
use super::lifecycle::Lifecycle;

/// Part numbers are 1 to this, as at other object stores; fal publishes no limit.
pub(crate) const MOST_PARTS: u32 = 10_000;

/// How the bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadKind {
    /// One PUT to a signed URL (ways A and B of docs/protocol.md §9).
    Signed,
    /// Parts with a CDN token (D1).
    CdnMultipart,
    /// Parts to a signed URL (D2).
    SignedMultipart,
    /// A signed URL for each part (D3).
    GcsMultipart,
}

/// What a client announced.
pub(crate) struct Announced {
    pub(crate) kind: UploadKind,
    pub(crate) place: Place,
    /// An account.
    pub(crate) owner: String,
    pub(crate) content_type: hyper::header::HeaderValue,
    pub(crate) file_name: Option<String>,
    pub(crate) lifecycle: Lifecycle,
}

struct Part {
    record: PartRecord,
    /// Until the upload is over: then the file alone holds its bytes.
    blob: Option<Arc<Blob>>,
}

struct Upload {
    ordinal: u64,
    announced: Arc<Announced>,
    parts: BTreeMap<u32, Part>,
    /// The numbers and etags that completed it.
    completed: Option<Vec<(u32, String)>>,
}

/// A part as a client lists it.
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

/// What completing means.
pub(crate) enum Completion {
    /// These parts, in order, make the file.
    Join(Arc<Announced>, Vec<Arc<Blob>>),
    /// It was done before, by the same list.
    Repeated(Arc<Announced>),
}

/// An upload as tests see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UploadRecord {
    /// Unguessable; part of the URLs of its parts.
    pub id: String,
    /// How the bytes come.
    pub kind: UploadKind,
    /// Where the file will be.
    pub url: String,
    /// The account that began it.
    pub owner: String,
    /// By number; a single PUT is part 1.
    pub parts: BTreeMap<u32, PartRecord>,
    /// Whether the file is there.
    pub completed: bool,
}

/// A part as tests see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartRecord {
    /// How often it arrived whole.
    pub puts: u64,
    /// Bytes, of the last one.
    pub size: u64,
    /// Without quotes, of the last one.
    pub etag: String,
}

/// All uploads but direct ones, by id.
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

    /// The only part of an upload by one PUT; a later one replaces it.
    pub(crate) fn put_whole(&self, id: &str, blob: &Arc<Blob>) {
        if let Some(upload) = self.all().get_mut(id) {
            upload.receive(1, blob);
            upload.finish(Vec::new());
        }
    }

    /// Keeps a part, in place of an earlier one; false when the upload is unknown or over.
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

    /// Checks the list of parts, in whatever order it is.
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
                return wrong(format!("the etag of part {number} is another"));
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

    /// In the order in which they began.
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

/// Numbers and etags without quotes.
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
