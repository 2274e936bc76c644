//! Characters: a handle, a description, and reference images.

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::fields::Fields;
use super::super::paging;
use super::super::visit::Visit;
use super::super::{Answer, conflict, created, done, ok};
use super::collections::{answer, mark, set};
use super::library::Collection;
use super::shelf;

pub(in super::super) fn characters(visit: &Visit<'_>) -> Result<Answer, Answer> {
    shelf(visit, |shelf| {
        let all: Vec<&Collection> = shelf
            .collections
            .iter()
            .filter(|known| known.character.is_some())
            .collect();
        let page: Vec<Value> = paging::offset(visit, all)?
            .map(|known| known.show(shelf))
            .collect();
        ok(&json!({ "characters": page }))
    })
}

/// Derives a handle from a name, if the caller gives none.
fn handle(name: &str) -> String {
    let letters = name.chars().map(|c| {
        if c.is_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    });
    letters.take(64).collect()
}

pub(in super::super) fn create_character(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let fields = Fields::read(visit.request)?;
    let now = visit.now();
    let name = fields.text("name", 1..=255)?;
    let identifier = fields
        .nullable("identifier", 1..=64)?
        .flatten()
        .unwrap_or_else(|| handle(&name));
    let description = fields.text("description", 1..=2000)?;
    let images = fields.texts("reference_images", 1..=20)?;
    let images = images.ok_or_else(|| super::wrong("reference_images", "required"))?;
    let cover = fields.nullable_url("cover_image_url")?.flatten();
    shelf(visit, |shelf| {
        let taken = |known: &Collection| {
            known
                .character
                .as_ref()
                .is_some_and(|(handle, _)| *handle == identifier)
        };
        if shelf.collections.iter().any(taken) {
            return Err(conflict("A character with this identifier exists"));
        }
        let character = Collection {
            id: Uuid::new_v4().to_string(),
            name,
            description: Some(description),
            icon: None,
            color: None,
            cover,
            parent: None,
            favorite: false,
            filters: None,
            character: Some((identifier, images)),
            created: now,
            updated: now,
        };
        let id = character.id.clone();
        shelf.collections.push(character);
        created(&answer(shelf, &id))
    })
}

pub(in super::super) fn change_character(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let (fields, id) = (Fields::read(visit.request)?, visit.part("character_id"));
    let name = fields.optional("name", 1..=255)?;
    let description = fields.optional("description", 1..=2000)?;
    let images = fields.texts("reference_images", 1..=20)?;
    let cover = fields.nullable_url("cover_image_url")?;
    shelf(visit, |shelf| {
        let known = shelf.find(id, true)?;
        set(&mut known.name, name);
        set(&mut known.description, description.map(Some));
        set(&mut known.cover, cover);
        if let (Some((_, kept)), Some(images)) = (&mut known.character, images) {
            *kept = images;
        }
        known.updated = visit.now();
        ok(&answer(shelf, id))
    })
}

pub(in super::super) fn character(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let id = visit.part("character_id");
    shelf(visit, |shelf| {
        shelf.find(id, true)?;
        ok(&answer(shelf, id))
    })
}

pub(in super::super) fn delete_character(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let id = visit.part("character_id");
    shelf(visit, |shelf| {
        shelf.find(id, true)?;
        shelf.collections.retain(|known| known.id != id);
        done()
    })
}

pub(in super::super) fn favorite_character(visit: &Visit<'_>) -> Result<Answer, Answer> {
    mark(visit, visit.part("character_id"), true, true)
}

pub(in super::super) fn unfavorite_character(visit: &Visit<'_>) -> Result<Answer, Answer> {
    mark(visit, visit.part("character_id"), true, false)
}
