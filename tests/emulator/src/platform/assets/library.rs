//! The storage of an account's assets.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::{Answer, conflict, not_found};
use super::text;
use crate::clock;
use crate::history::Record;
use crate::server::{HOSTS, Service};
use crate::state::State;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Video,
    Audio,
    ThreeD,
}

impl Kind {
    pub(super) const NAMES: [&'static str; 4] = ["image", "video", "audio", "3d"];

    pub(super) fn named(name: &str) -> Self {
        match name {
            "video" => Self::Video,
            "audio" => Self::Audio,
            "3d" => Self::ThreeD,
            _ => Self::Image,
        }
    }

    pub(super) fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The kind by the extension of the file name.
    fn of(url: &str) -> Option<Self> {
        match url.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
            "png" | "jpg" | "jpeg" | "webp" | "gif" => Some(Self::Image),
            "mp4" | "webm" | "mov" => Some(Self::Video),
            "mp3" | "wav" | "ogg" | "flac" => Some(Self::Audio),
            "glb" | "gltf" | "obj" | "fbx" => Some(Self::ThreeD),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Asset {
    pub(super) ordinal: u64,
    pub(super) id: String,
    pub(super) vector_id: String,
    pub(super) request_id: Option<String>,
    pub(super) url: String,
    pub(super) kind: Kind,
    pub(super) endpoint: Option<String>,
    pub(super) created: SystemTime,
    /// `upload` or `response`.
    pub(super) source: &'static str,
    pub(super) prompt: Option<String>,
    pub(super) size: Option<(f64, f64)>,
    pub(super) content_type: Option<String>,
    pub(super) favorite: bool,
    /// The ids of the collections that contain the asset.
    pub(super) collections: Vec<String>,
    /// The ids of its tags.
    pub(super) tags: Vec<String>,
    /// Whether the file was erased, so that only the lineage is left.
    pub(super) buried: bool,
}

impl Asset {
    pub(super) fn new(url: &str, source: &'static str, now: SystemTime) -> Self {
        Self {
            ordinal: 0,
            id: Uuid::new_v4().to_string(),
            vector_id: format!("vec_{}", Uuid::new_v4().simple()),
            request_id: None,
            url: url.to_owned(),
            kind: Kind::Image,
            endpoint: None,
            created: now,
            source,
            prompt: None,
            size: None,
            content_type: None,
            favorite: false,
            collections: Vec::new(),
            tags: Vec::new(),
            buried: false,
        }
    }

    fn title(&self) -> String {
        let name = self.url.rsplit('/').next().unwrap_or_default();
        self.prompt.clone().unwrap_or_else(|| name.to_owned())
    }

    /// The text that a search compares.
    pub(super) fn words(&self, shelf: &Shelf) -> String {
        let tags = self
            .tags
            .iter()
            .filter_map(|id| shelf.tags.iter().find(|tag| tag.id == *id));
        let tags: Vec<&str> = tags.map(|tag| tag.name.as_str()).collect();
        format!(
            "{} {} {}",
            self.title(),
            self.endpoint.as_deref().unwrap_or_default(),
            tags.join(" ")
        )
    }

    pub(super) fn show(&self, shelf: &Shelf, similarity: Option<f64>) -> Value {
        let tags = shelf
            .tags
            .iter()
            .filter(|tag| self.tags.contains(&tag.id))
            .map(Tag::show);
        json!({
            "asset_id": self.id,
            "vector_id": self.vector_id,
            "request_id": text(&self.request_id),
            "url": self.url,
            "type": self.kind.name(),
            "title": self.title(),
            "endpoint": text(&self.endpoint),
            "created_at": clock::rfc3339_millis(self.created),
            "source": self.source,
            "prompt": text(&self.prompt),
            "width": self.size.map(|size| size.0),
            "height": self.size.map(|size| size.1),
            "content_type": text(&self.content_type),
            "is_favorited": self.favorite,
            "collection_ids": self.collections,
            "tags": tags.collect::<Vec<_>>(),
            "similarity": similarity,
        })
    }
}

#[derive(Clone, Debug)]
pub(super) struct Tag {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created: SystemTime,
}

impl Tag {
    pub(super) fn show(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "created_at": clock::rfc3339_millis(self.created) })
    }
}

/// A collection, or a character with its reference images.
#[derive(Clone, Debug)]
pub(super) struct Collection {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) icon: Option<String>,
    pub(super) color: Option<String>,
    pub(super) cover: Option<String>,
    pub(super) parent: Option<String>,
    pub(super) favorite: bool,
    /// The filters of a smart collection.
    pub(super) filters: Option<Value>,
    /// The handle and the images of a character.
    pub(super) character: Option<(String, Vec<String>)>,
    pub(super) created: SystemTime,
    pub(super) updated: SystemTime,
}

impl Collection {
    pub(super) fn kind(&self) -> &'static str {
        match (&self.character, &self.filters) {
            (Some(_), _) => "character",
            (None, Some(_)) => "smart",
            (None, None) => "manual",
        }
    }

    pub(super) fn show(&self, shelf: &Shelf) -> Value {
        let mut row = json!({
            "id": self.id,
            "type": self.kind(),
            "name": self.name,
            "description": text(&self.description),
            "icon": text(&self.icon),
            "color": text(&self.color),
            "cover_image_url": text(&self.cover),
            "character_identifier": self.character.as_ref().map(|(handle, _)| handle),
            "parent_collection_id": text(&self.parent),
            "is_favorited": self.favorite,
            "asset_count": shelf.assets.iter().filter(|asset| !asset.buried && self.holds(asset, shelf)).count(),
            "created_at": clock::rfc3339_millis(self.created),
            "updated_at": clock::rfc3339_millis(self.updated),
        });
        if let Some(filters) = &self.filters {
            row["filters"] = filters.clone();
        }
        if let Some((_, images)) = &self.character {
            row["reference_images"] = json!(images);
        }
        row
    }
}

/// The assets, collections and tags of one account.
#[derive(Default)]
pub(super) struct Shelf {
    /// The assets, oldest first.
    pub(super) assets: Vec<Asset>,
    pub(super) collections: Vec<Collection>,
    pub(super) tags: Vec<Tag>,
}

impl Shelf {
    pub(super) fn add(&mut self, mut asset: Asset) -> &Asset {
        asset.ordinal = self.assets.len() as u64 + 1;
        let at = self.assets.len();
        self.assets.push(asset);
        &self.assets[at]
    }

    /// Finds a collection of the account, or a character if `character` is true.
    pub(super) fn find(&mut self, id: &str, character: bool) -> Result<&mut Collection, Answer> {
        let found = self
            .collections
            .iter_mut()
            .find(|known| known.id == id && known.character.is_some() == character);
        found.ok_or_else(|| {
            not_found(if character {
                "Character not found"
            } else {
                "Collection not found"
            })
        })
    }

    /// 409 unless assets can be added to the collection.
    pub(super) fn manual(&mut self, id: &str) -> Result<(), Answer> {
        match self.find(id, false)?.filters {
            None => Ok(()),
            Some(_) => Err(conflict(
                "The filters of a smart collection select its assets",
            )),
        }
    }

    pub(super) fn known_tags(&self, ids: &[String]) -> Result<(), Answer> {
        match ids
            .iter()
            .all(|id| self.tags.iter().any(|tag| tag.id == *id))
        {
            true => Ok(()),
            false => Err(not_found("Tag not found")),
        }
    }
}

/// The libraries of all accounts.
#[derive(Default)]
pub(crate) struct Library(Mutex<HashMap<String, Shelf>>);

impl Library {
    pub(super) fn with<T>(&self, account: &str, work: impl FnOnce(&mut Shelf) -> T) -> T {
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(shelves.entry(account.to_owned()).or_default())
    }

    /// Marks the assets of a request as erased.
    pub(in super::super) fn bury(&self, account: &str, request_id: &str) {
        self.with(account, |shelf| {
            let made = shelf
                .assets
                .iter_mut()
                .filter(|asset| asset.request_id.as_deref() == Some(request_id));
            made.for_each(|asset| asset.buried = true);
        });
    }
}

/// Makes the output files of a request assets of its caller.
pub(crate) fn remember(state: &State, record: &Record) {
    let is_file = |output: &bytes::Bytes| {
        std::str::from_utf8(output).is_ok_and(|text| text.contains(".fal.media/files/"))
    };
    let (Some(account), true) = (&record.account, record.output.as_ref().is_some_and(is_file))
    else {
        return;
    };
    let (input, output) = (record.json_input(), record.json_output());
    state.platform.library.with(account, |shelf| {
        for (url, around) in links_within(&output) {
            let Some(kind) = Kind::of(&url) else {
                continue;
            };
            let side = |name: &str| around.get(name).and_then(Value::as_f64);
            shelf.add(Asset {
                kind,
                request_id: Some(record.request_id.clone()),
                endpoint: Some(record.endpoint_id.clone()),
                prompt: input["prompt"].as_str().map(str::to_owned),
                size: side("width").zip(side("height")),
                content_type: around
                    .get("content_type")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
                ..Asset::new(&url, "response", record.ended.unwrap_or(record.started))
            });
        }
    });
}

/// The URLs of CDN files anywhere in a value, each with the value that contains it.
fn links_within(value: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    collect(value, &Value::Null, &mut found);
    found
}

/// The URLs of CDN files anywhere in a value.
pub(in super::super) fn links(value: &Value) -> Vec<String> {
    links_within(value)
        .into_iter()
        .map(|(url, _)| url)
        .collect()
}

fn collect(value: &Value, around: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::String(text) if is_cdn(text) => found.push((text.clone(), around.clone())),
        Value::Array(values) => values
            .iter()
            .for_each(|value| collect(value, around, found)),
        Value::Object(members) => members
            .values()
            .for_each(|member| collect(member, value, found)),
        _ => {}
    }
}

fn is_cdn(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .and_then(|rest| rest.split('/').next());
    host.is_some_and(|host| {
        HOSTS
            .iter()
            .any(|(known, service)| *known == host && *service == Service::Cdn)
    })
}
