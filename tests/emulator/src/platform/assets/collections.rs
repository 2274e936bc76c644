//! Collections, filled by hand or by filters, and nested up to five levels.

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::fields::{Fields, wrong};
use super::super::paging;
use super::super::visit::Visit;
use super::super::{Answer, conflict, created, done, error, ok};
use super::library::{Collection, Shelf};
use super::{referred, shelf};

/// The largest number of levels.
const DEEPEST: usize = 5;

pub(in super::super) fn collections(visit: &Visit<'_>) -> Result<Answer, Answer> {
    shelf(visit, |shelf| {
        let all: Vec<&Collection> = shelf
            .collections
            .iter()
            .filter(|known| known.character.is_none())
            .collect();
        let page: Vec<Value> = paging::offset(visit, all)?
            .map(|known| known.show(shelf))
            .collect();
        ok(&json!({ "collections": page }))
    })
}

pub(super) fn answer(shelf: &Shelf, id: &str) -> Value {
    let found = shelf.collections.iter().find(|known| known.id == id);
    found.map_or(Value::Null, |known| {
        let name = if known.character.is_some() {
            "character"
        } else {
            "collection"
        };
        json!({ (name): known.show(shelf) })
    })
}

fn filters(fields: &Fields) -> Result<Option<Option<Value>>, Answer> {
    match fields.get("filters") {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::Object(filters)) => Ok(Some(Some(Value::Object(filters.clone())))),
        Some(_) => Err(wrong("filters", "must be an object")),
    }
}

pub(in super::super) fn create_collection(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let fields = Fields::read(visit.request)?;
    let now = visit.now();
    let collection = Collection {
        id: Uuid::new_v4().to_string(),
        name: fields.text("name", 1..=255)?,
        description: fields.nullable("description", 0..=10_000)?.flatten(),
        icon: fields.nullable("icon", 0..=255)?.flatten(),
        color: fields.nullable("color", 0..=255)?.flatten(),
        cover: fields.nullable_url("cover_image_url")?.flatten(),
        parent: fields.nullable("parent_collection_id", 1..=256)?.flatten(),
        favorite: false,
        filters: filters(&fields)?.flatten(),
        character: None,
        created: now,
        updated: now,
    };
    shelf(visit, |shelf| {
        if let Some(parent) = &collection.parent {
            shelf.manual(parent)?;
            fits(shelf.level(parent) + 1)?;
        }
        let id = collection.id.clone();
        shelf.collections.push(collection);
        created(&answer(shelf, &id))
    })
}

pub(in super::super) fn collection(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let id = visit.part("collection_id");
    shelf(visit, |shelf| {
        shelf.find(id, false)?;
        ok(&answer(shelf, id))
    })
}

pub(in super::super) fn change_collection(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let (fields, id) = (Fields::read(visit.request)?, visit.part("collection_id"));
    let name = fields.optional("name", 1..=255)?;
    let description = fields.nullable("description", 0..=10_000)?;
    let (icon, color) = (
        fields.nullable("icon", 0..=255)?,
        fields.nullable("color", 0..=255)?,
    );
    let (cover, filters) = (fields.nullable_url("cover_image_url")?, filters(&fields)?);
    shelf(visit, |shelf| {
        let known = shelf.find(id, false)?;
        match (&known.filters, &filters) {
            (None, Some(Some(_))) => {
                return Err(conflict("A manual collection cannot have filters"));
            }
            (Some(_), Some(None)) => return Err(conflict("A smart collection must have filters")),
            _ => {}
        }
        set(&mut known.name, name);
        set(&mut known.description, description);
        set(&mut known.icon, icon);
        set(&mut known.color, color);
        set(&mut known.cover, cover);
        set(&mut known.filters, filters);
        known.updated = visit.now();
        ok(&answer(shelf, id))
    })
}

pub(super) fn set<T>(member: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *member = value;
    }
}

/// Moves the collection's contents and children up to its parent.
pub(in super::super) fn delete_collection(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let id = visit.part("collection_id");
    shelf(visit, |shelf| {
        let parent = shelf.find(id, false)?.parent.clone();
        shelf.collections.retain(|known| known.id != id);
        for orphan in shelf
            .collections
            .iter_mut()
            .filter(|known| known.parent.as_deref() == Some(id))
        {
            orphan.parent.clone_from(&parent);
        }
        for asset in &mut shelf.assets {
            asset.collections.retain(|known| known != id);
        }
        done()
    })
}

pub(in super::super) fn favorite_collection(visit: &Visit<'_>) -> Result<Answer, Answer> {
    mark(visit, visit.part("collection_id"), false, true)
}

pub(in super::super) fn unfavorite_collection(visit: &Visit<'_>) -> Result<Answer, Answer> {
    mark(visit, visit.part("collection_id"), false, false)
}

pub(super) fn mark(
    visit: &Visit<'_>,
    id: &str,
    character: bool,
    favorite: bool,
) -> Result<Answer, Answer> {
    shelf(visit, |shelf| {
        shelf.find(id, character)?.favorite = favorite;
        ok(&answer(shelf, id))
    })
}

fn fits(levels: usize) -> Result<(), Answer> {
    if levels <= DEEPEST {
        Ok(())
    } else {
        Err(unprocessable("Collections can be nested up to five levels"))
    }
}

fn unprocessable(message: &str) -> Answer {
    error(
        hyper::StatusCode::UNPROCESSABLE_ENTITY,
        "validation_error",
        message,
    )
}

impl Shelf {
    /// The ancestors, from the direct parent to the top.
    fn ancestors(&self, id: &str) -> Vec<&Collection> {
        let find = |id: &str| self.collections.iter().find(|known| known.id == id);
        let mut above = Vec::new();
        let mut next = find(id)
            .and_then(|known| known.parent.as_deref())
            .and_then(find);
        while let Some(parent) = next {
            above.push(parent);
            next = parent.parent.as_deref().and_then(find);
        }
        above
    }

    /// The level of the collection; 1 at the top.
    fn level(&self, id: &str) -> usize {
        self.ancestors(id).len() + 1
    }

    fn children<'s>(&'s self, id: &'s str) -> impl Iterator<Item = &'s Collection> {
        self.collections
            .iter()
            .filter(move |known| known.parent.as_deref() == Some(id))
    }

    /// The number of levels from the collection down, itself included.
    fn height(&self, id: &str) -> usize {
        1 + self
            .children(id)
            .map(|child| self.height(&child.id))
            .max()
            .unwrap_or_default()
    }

    fn tree(&self, known: &Collection) -> Value {
        let children: Vec<Value> = self
            .children(&known.id)
            .map(|child| self.tree(child))
            .collect();
        json!({ "id": known.id, "name": known.name, "type": known.kind(), "children": children })
    }
}

pub(in super::super) fn move_collection(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let (fields, id) = (Fields::read(visit.request)?, visit.part("collection_id"));
    let name = "parent_collection_id";
    let parent = fields
        .nullable(name, 1..=256)?
        .ok_or_else(|| wrong(name, "must be present; null is allowed"))?;
    shelf(visit, |shelf| {
        shelf.find(id, false)?;
        shelf.manual(id)?;
        if let Some(parent) = &parent {
            shelf.manual(parent)?;
            if parent == id || shelf.ancestors(parent).iter().any(|above| above.id == id) {
                return Err(unprocessable("A collection cannot be within itself"));
            }
            fits(shelf.level(parent) + shelf.height(id))?;
        }
        let known = shelf.find(id, false)?;
        known.parent = parent;
        known.updated = visit.now();
        ok(&answer(shelf, id))
    })
}

pub(in super::super) fn hierarchy(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let id = visit.part("collection_id");
    shelf(visit, |shelf| {
        let known = shelf.find(id, false)?.clone();
        let mut ancestors: Vec<Value> = shelf
            .ancestors(id)
            .into_iter()
            .map(|above| json!({ "id": above.id, "name": above.name, "type": above.kind() }))
            .collect();
        ancestors.reverse();
        ok(&json!({ "hierarchy": shelf.tree(&known), "ancestors": ancestors }))
    })
}

pub(in super::super) fn collect(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let (fields, id) = (Fields::read(visit.request)?, visit.part("collection_id"));
    shelf(visit, |shelf| {
        shelf.manual(id)?;
        let asset = referred(shelf, &fields)?;
        if !asset.collections.iter().any(|known| known == id) {
            asset.collections.push(id.to_owned());
        }
        ok(&json!({ "success": true }))
    })
}

pub(in super::super) fn take_out(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let (fields, id) = (Fields::read(visit.request)?, visit.part("collection_id"));
    shelf(visit, |shelf| {
        shelf.manual(id)?;
        referred(shelf, &fields)?
            .collections
            .retain(|known| known != id);
        done()
    })
}
