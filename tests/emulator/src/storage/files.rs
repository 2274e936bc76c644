//! Stored files: their paths, their lifetimes and their permissions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::acl::Acl;
use super::disk::Stored;
use super::name;
use crate::answer::Answer;
use crate::body::Payload;
use crate::media::Media;

/// The content of a file.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A generated file.
    Media(Media),
    /// Bytes in memory.
    Bytes(Bytes),
    /// An uploaded file.
    Stored(Stored),
}

impl Content {
    /// An identifier that differs for any other content.
    pub(crate) fn tag(&self) -> String {
        match self {
            Self::Media(_) | Self::Bytes(_) => Uuid::new_v4().simple().to_string(),
            Self::Stored(stored) => stored.sha256[..32].to_owned(),
        }
    }

    pub(crate) async fn payload(self) -> Result<Payload, Answer> {
        match self {
            Self::Stored(stored) => Ok(Payload::Stored {
                from: 0,
                to: stored.size,
                stored,
            }),
            Self::Bytes(bytes) => Ok(Payload::Bytes(bytes)),
            Self::Media(media) => Ok(Payload::Bytes(encode(media).await?)),
        }
    }
}

/// The whole content in memory.
pub(crate) async fn bytes(content: Content) -> Result<Bytes, Answer> {
    match content {
        Content::Bytes(bytes) => Ok(bytes),
        Content::Media(media) => encode(media).await,
        Content::Stored(stored) => stored.read(0, stored.size).map_err(|_| {
            Answer::detail(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }),
    }
}

/// Makes a generated file.
pub(crate) async fn encode(media: Media) -> Result<Bytes, Answer> {
    // Drawing a large picture would block all other connections.
    match tokio::task::spawn_blocking(move || media.encode()).await {
        Ok(Ok(bytes)) => Ok(bytes),
        _ => Err(Answer::detail(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Internal Server Error",
        )),
    }
}

/// The form of a file's URL (docs/protocol.md §16.31).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileUrlForm {
    /// `https://v3.fal.media/files/b/<store>/<name>`
    V3,
    /// `https://v3b.fal.media/files/b/<store>/<name>`
    V3b,
    /// `https://v3.fal.media/files/<animal>/<name>`, the older form.
    Animal,
}

/// A file that can be downloaded.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) ordinal: u64,
    pub(crate) url: String,
    /// Identifies this content among all that the path had.
    pub(crate) tag: String,
    pub(crate) content: Content,
    pub(crate) content_type: HeaderValue,
    /// The account that owns the file.
    pub(crate) owner: Option<String>,
    /// The name that the client gave.
    pub(crate) file_name: Option<String>,
    pub(crate) stored: SystemTime,
    pub(crate) expires: Option<SystemTime>,
    pub(crate) acl: Acl,
}

/// The location of a file, which is known before its content.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) path: String,
    pub(crate) url: String,
}

/// The result of looking up a path.
pub(crate) enum Found {
    File(Arc<File>),
    Expired,
    Nothing,
}

enum Slot {
    File(Arc<File>),
    Expired,
}

#[derive(Default)]
struct Table {
    slots: HashMap<String, Slot>,
    last_ordinal: u64,
}

/// All stored files by path. A file has the same path on both hosts.
pub(crate) struct Files {
    store: String,
    table: Mutex<Table>,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self {
            store: Uuid::new_v4().simple().to_string()[..8].to_owned(),
            table: Mutex::default(),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates an unguessable URL that ends in the sanitized name of the file.
    pub(crate) fn place(
        &self,
        form: FileUrlForm,
        file_name: Option<&str>,
        content_type: &str,
    ) -> Place {
        let safe = file_name.map(name::safe).filter(|name| !name.is_empty());
        let safe = safe.unwrap_or_else(|| name::for_type(content_type));
        let unique = Uuid::new_v4().simple();
        let store = match form {
            FileUrlForm::Animal => "lion".to_owned(),
            FileUrlForm::V3 | FileUrlForm::V3b => format!("b/{}", self.store),
        };
        let host = match form {
            FileUrlForm::V3b => "v3b.fal.media",
            FileUrlForm::V3 | FileUrlForm::Animal => "v3.fal.media",
        };
        let path = format!("/files/{store}/{unique}_{safe}");
        Place {
            url: format!("https://{host}{path}"),
            path,
        }
    }

    /// Stores a file, or replaces the one at the path.
    pub(crate) fn put(&self, path: &str, mut file: File) {
        let mut table = self.table();
        table.last_ordinal += 1;
        file.ordinal = table.last_ordinal;
        table
            .slots
            .insert(path.to_owned(), Slot::File(Arc::new(file)));
    }

    /// Finds a file. An expired one is removed.
    pub(crate) fn find(&self, path: &str, now: SystemTime) -> Found {
        let mut table = self.table();
        let Some(slot) = table.slots.get_mut(path) else {
            return Found::Nothing;
        };
        slot.age(now);
        match slot {
            Slot::File(file) => Found::File(Arc::clone(file)),
            Slot::Expired => Found::Expired,
        }
    }

    pub(crate) fn remove(&self, path: &str) {
        self.table().slots.remove(path);
    }

    /// Returns false if there is no such file.
    pub(crate) fn set_acl(&self, path: &str, acl: Acl) -> bool {
        match self.table().slots.get_mut(path) {
            Some(Slot::File(file)) => {
                Arc::make_mut(file).acl = acl;
                true
            }
            _ => false,
        }
    }

    /// The files that have not expired, oldest first.
    pub(crate) fn all(&self, now: SystemTime) -> Vec<Arc<File>> {
        let mut table = self.table();
        let mut files = Vec::new();
        for slot in table.slots.values_mut() {
            slot.age(now);
            if let Slot::File(file) = slot {
                files.push(Arc::clone(file));
            }
        }
        files.sort_by_key(|file| file.ordinal);
        files
    }
}

impl Slot {
    fn age(&mut self, now: SystemTime) {
        if let Self::File(file) = self
            && file.expires.is_some_and(|expires| expires <= now)
        {
            *self = Self::Expired;
        }
    }
}
