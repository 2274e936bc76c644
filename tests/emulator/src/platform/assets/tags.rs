//! Tags, and the assets that have them.

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::fields::{Fields, wrong};
use super::super::visit::Visit;
use super::super::{Answer, conflict, created, done, not_found, ok};
use super::library::{Shelf, Tag};
use super::{named, referred, shelf};

fn shown(shelf: &Shelf, ids: &[String]) -> Value {
    shelf
        .tags
        .iter()
        .filter(|tag| ids.contains(&tag.id))
        .map(Tag::show)
        .collect()
}

fn find<'s>(shelf: &'s mut Shelf, id: &str) -> Result<&'s mut Tag, Answer> {
    shelf
        .tags
        .iter_mut()
        .find(|tag| tag.id == id)
        .ok_or_else(|| not_found("Tag not found"))
}

fn free(shelf: &Shelf, name: &str) -> Result<(), Answer> {
    match shelf.tags.iter().any(|tag| tag.name == name) {
        true => Err(conflict("A tag with this name exists")),
        false => Ok(()),
    }
}

pub(in super::super) fn tags(visit: &Visit<'_>) -> Result<Answer, Answer> {
    shelf(visit, |shelf| {
        ok(&json!({ "tags": shelf.tags.iter().map(Tag::show).collect::<Vec<_>>() }))
    })
}

pub(in super::super) fn create_tag(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let name = Fields::read(visit.request)?.text("name", 1..=50)?;
    shelf(visit, |shelf| {
        free(shelf, &name)?;
        let tag = Tag {
            id: Uuid::new_v4().to_string(),
            name,
            created: visit.now(),
        };
        let shown = tag.show();
        shelf.tags.push(tag);
        created(&json!({ "tag": shown }))
    })
}

pub(in super::super) fn rename_tag(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let (name, id) = (
        Fields::read(visit.request)?.optional("name", 1..=50)?,
        visit.part("tag_id"),
    );
    shelf(visit, |shelf| {
        let known = find(shelf, id)?.name.clone();
        if let Some(name) = name.filter(|name| *name != known) {
            free(shelf, &name)?;
            find(shelf, id)?.name = name;
        }
        ok(&json!({ "tag": find(shelf, id)?.show() }))
    })
}

pub(in super::super) fn delete_tag(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let id = visit.part("tag_id");
    shelf(visit, |shelf| {
        find(shelf, id)?;
        shelf.tags.retain(|tag| tag.id != id);
        for asset in &mut shelf.assets {
            asset.tags.retain(|tag| tag != id);
        }
        done()
    })
}

pub(in super::super) fn replace_tags(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let fields = Fields::read(visit.request)?;
    let ids = fields
        .texts("tag_ids", 0..=100)?
        .ok_or_else(|| wrong("tag_ids", "required"))?;
    shelf(visit, |shelf| {
        shelf.known_tags(&ids)?;
        referred(shelf, &fields)?.tags.clone_from(&ids);
        ok(&json!({ "tags": shown(shelf, &ids) }))
    })
}

pub(in super::super) fn tags_of(visit: &Visit<'_>) -> Result<Answer, Answer> {
    shelf(visit, |shelf| {
        ok(&json!({ "tags": shown(shelf, &named(shelf, visit.part("asset_id"))?.tags) }))
    })
}

pub(in super::super) fn assign_tag(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let (fields, id) = (Fields::read(visit.request)?, visit.part("tag_id"));
    shelf(visit, |shelf| {
        find(shelf, id)?;
        let asset = referred(shelf, &fields)?;
        if !asset.tags.iter().any(|tag| tag == id) {
            asset.tags.push(id.to_owned());
        }
        ok(&json!({ "success": true }))
    })
}

pub(in super::super) fn unassign_tag(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let (fields, id) = (Fields::read(visit.request)?, visit.part("tag_id"));
    shelf(visit, |shelf| {
        find(shelf, id)?;
        referred(shelf, &fields)?.tags.retain(|tag| tag != id);
        done()
    })
}
