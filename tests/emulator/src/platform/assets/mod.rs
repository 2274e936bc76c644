//! `/v1/assets/…` (docs/protocol.md §14.7): an account's images and videos, their lineage, and
//! their organization.

mod browse;
mod characters;
mod collections;
mod library;
mod lineage;
mod tags;

use serde_json::{Value, json};

pub(super) use browse::{collected, likeness, list};
pub(super) use characters::{
    change_character, character, characters, create_character, delete_character,
    favorite_character, unfavorite_character,
};
pub(super) use collections::{
    change_collection, collect, collection, collections, create_collection, delete_collection,
    favorite_collection, hierarchy, move_collection, take_out, unfavorite_collection,
};
pub(crate) use library::remember;
pub(super) use library::{Library, links};
pub(super) use lineage::lineage;
pub(super) use tags::{
    assign_tag, create_tag, delete_tag, rename_tag, replace_tags, tags, tags_of, unassign_tag,
};

use library::{Asset, Kind, Shelf};

use super::fields::{Fields, wrong};
use super::visit::Visit;
use super::{created, not_found, ok};
use crate::answer::Answer;
use crate::storage;

/// Runs an operation on the library of its caller.
fn shelf<T>(
    visit: &Visit<'_>,
    work: impl FnOnce(&mut Shelf) -> Result<T, Answer>,
) -> Result<T, Answer> {
    visit.state.platform.library.with(visit.account(), work)
}

/// The asset that an `AssetRef` names.
fn referred<'s>(shelf: &'s mut Shelf, fields: &Fields) -> Result<&'s mut Asset, Answer> {
    let names = ["asset_id", "request_id", "vector_id"];
    let mut given = Vec::new();
    for name in names {
        if let Some(value) = fields.optional(name, 1..=256)? {
            given.push((name, value));
        }
    }
    let [(name, value)] = &given[..] else {
        return Err(wrong(
            "asset_id, request_id, vector_id",
            "give exactly one of these",
        ));
    };
    let found = shelf.assets.iter_mut().find(|asset| match *name {
        "asset_id" => asset.id == *value,
        "vector_id" => asset.vector_id == *value,
        _ => asset.request_id.as_ref() == Some(value),
    });
    found
        .filter(|asset| !asset.buried)
        .ok_or_else(|| not_found("Asset not found"))
}

/// The asset that the path names, by either of its two ids.
fn named<'s>(shelf: &'s Shelf, id: &str) -> Result<&'s Asset, Answer> {
    let found = shelf
        .assets
        .iter()
        .find(|asset| asset.id == id || asset.vector_id == id);
    found
        .filter(|asset| !asset.buried)
        .ok_or_else(|| not_found("Asset not found"))
}

pub(super) fn read(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let shown = shelf(visit, |shelf| {
        Ok(named(shelf, visit.part("asset_id"))?.show(shelf, None))
    })?;
    ok(&json!({ "asset": shown }))
}

/// Makes an existing file an asset.
pub(super) fn register(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let fields = Fields::read(visit.request)?;
    let url = fields.url("url")?;
    let kind = fields
        .choice("type", &Kind::NAMES)?
        .ok_or_else(|| wrong("type", "required"))?;
    let prompt = fields.nullable("prompt", 1..=2000)?.flatten();
    let collection = fields.nullable("collection_id", 1..=256)?.flatten();
    let favorite = fields.boolean("favorite")?;
    let tags = fields.texts("tag_ids", 0..=100)?.unwrap_or_default();
    let media_type =
        storage::media_type(visit.state, visit.account(), &url).map_err(|why| match why {
            storage::Denied::BadUrl => wrong("url", "must be the URL of a file that fal hosts"),
            storage::Denied::NotFound => not_found("File not found"),
            storage::Denied::NotOwner => super::denied("Access denied"),
        })?;
    let now = visit.now();
    let shown = shelf(visit, |shelf| {
        shelf.known_tags(&tags)?;
        if let Some(collection) = &collection {
            shelf.manual(collection)?;
        }
        let asset = shelf.add(Asset {
            kind: Kind::named(kind),
            prompt,
            content_type: Some(media_type),
            favorite,
            tags,
            collections: collection.into_iter().collect(),
            ..Asset::new(&url, "upload", now)
        });
        Ok(asset.clone().show(shelf, None))
    })?;
    created(&json!({ "asset": shown }))
}

pub(super) fn favorite(visit: &Visit<'_>) -> Result<Answer, Answer> {
    mark(visit, true)
}

pub(super) fn unfavorite(visit: &Visit<'_>) -> Result<Answer, Answer> {
    mark(visit, false)
}

fn mark(visit: &Visit<'_>, favorite: bool) -> Result<Answer, Answer> {
    let fields = Fields::read(visit.request)?;
    shelf(visit, |shelf| {
        referred(shelf, &fields)?.favorite = favorite;
        Ok(())
    })?;
    ok(&json!({ "is_favorited": favorite }))
}

fn text(value: &Option<String>) -> Value {
    json!(value)
}
