//! Listing, filtering and searching assets. The emulator does not analyse pictures: a search counts
//! words and compares URLs.

use serde_json::{Value, json};

use super::super::paging::{self, USUAL};
use super::super::visit::Visit;
use super::super::{Answer, invalid, not_found, ok};
use super::library::{Asset, Collection, Kind, Shelf};
use super::shelf;

const SOURCES: [&str; 2] = ["upload", "response"];
const SECTIONS: [&str; 4] = ["all-media", "uploads", "favorites", "generated"];

/// The share of the wanted words that a text contains, from 0 to 1.
pub(in super::super) fn likeness(wanted: &str, text: &str) -> f64 {
    let text = text.to_lowercase();
    let words: Vec<String> = wanted.split_whitespace().map(str::to_lowercase).collect();
    let found = words
        .iter()
        .filter(|word| text.contains(word.as_str()))
        .count();
    if words.is_empty() {
        0.0
    } else {
        found as f64 / words.len() as f64
    }
}

/// The filters of a query, or the `filters` of a smart collection.
#[derive(Default)]
pub(super) struct Filter {
    kinds: Vec<String>,
    sources: Vec<String>,
    section: Option<String>,
    tags: Vec<String>,
    all_tags: bool,
    characters: Vec<String>,
    text: Option<String>,
    url: Option<String>,
}

impl Filter {
    fn read(visit: &Visit<'_>) -> Result<Self, Answer> {
        let terms = [
            visit.one("q"),
            visit.url("search_image_url")?,
            visit.url("search_video_url")?,
        ];
        if terms.iter().flatten().count() > 1 {
            return Err(invalid(
                "q, search_image_url, search_video_url: give only one of these",
            ));
        }
        let [text, image, video] = terms;
        Ok(Self {
            kinds: visit.choices("media_type", &Kind::NAMES)?,
            sources: visit.choices("source", &SOURCES)?,
            section: visit.choice("section", &SECTIONS)?.map(str::to_owned),
            tags: visit.many("tag_id")?,
            all_tags: visit.choice("tag_mode", &["any", "all"])? == Some("all"),
            characters: visit.many("character_identifier")?,
            text,
            url: image.or(video),
        })
    }

    /// Reads the filters of a smart collection, which have the names of the query's parameters.
    /// Unknown ones have no effect.
    pub(super) fn of(filters: &Value) -> Self {
        let many = |name: &str| match &filters[name] {
            Value::String(one) => vec![one.clone()],
            Value::Array(values) => values
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        };
        let one = |name: &str| filters[name].as_str().map(str::to_owned);
        Self {
            kinds: many("media_type"),
            sources: many("source"),
            section: one("section"),
            tags: many("tag_id"),
            all_tags: filters["tag_mode"] == "all",
            characters: many("character_identifier"),
            text: one("q"),
            url: None,
        }
    }

    /// Returns `None` for an asset that the filters exclude, else its score in a search, if there
    /// is one.
    pub(super) fn weigh(&self, asset: &Asset, shelf: &Shelf) -> Option<Option<f64>> {
        let among = |values: &[String], value: &str| {
            values.is_empty() || values.iter().any(|known| known == value)
        };
        let has_tag = |id: &String| asset.tags.contains(id);
        let tagged = self.tags.is_empty()
            || if self.all_tags {
                self.tags.iter().all(has_tag)
            } else {
                self.tags.iter().any(has_tag)
            };
        let shows = |handle: &String| {
            asset
                .prompt
                .as_ref()
                .is_some_and(|prompt| mentions(prompt, handle))
        };
        let in_section = match self.section.as_deref() {
            Some("uploads") => asset.source == "upload",
            Some("generated") => asset.source == "response",
            Some("favorites") => asset.favorite,
            _ => true,
        };
        let passes = among(&self.kinds, asset.kind.name())
            && among(&self.sources, asset.source)
            && in_section
            && tagged
            && (self.characters.is_empty() || self.characters.iter().any(shows));
        if asset.buried || !passes {
            return None;
        }
        let similarity = match (&self.text, &self.url) {
            (Some(text), _) => Some(likeness(text, &asset.words(shelf))),
            (None, Some(url)) => Some(if asset.url == *url { 1.0 } else { 0.0 }),
            (None, None) => None,
        };
        similarity
            .is_none_or(|value| value > 0.0)
            .then_some(similarity)
    }
}

/// Whether a prompt names a character as `@handle`.
pub(super) fn mentions(prompt: &str, handle: &str) -> bool {
    prompt
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '@' | '_' | '-')))
        .any(|word| word.strip_prefix('@') == Some(handle))
}

impl Collection {
    /// Whether the collection contains an asset.
    pub(super) fn holds(&self, asset: &Asset, shelf: &Shelf) -> bool {
        match (&self.character, &self.filters) {
            (Some((handle, images)), _) => {
                images.contains(&asset.vector_id)
                    || images.contains(&asset.url)
                    || asset
                        .request_id
                        .as_ref()
                        .is_some_and(|id| images.contains(id))
                    || asset
                        .prompt
                        .as_ref()
                        .is_some_and(|prompt| mentions(prompt, handle))
            }
            (None, Some(filters)) => Filter::of(filters).weigh(asset, shelf).is_some(),
            (None, None) => asset.collections.contains(&self.id),
        }
    }
}

pub(in super::super) fn list(visit: &Visit<'_>) -> Result<Answer, Answer> {
    browse(visit, visit.one("collection_id"))
}

pub(in super::super) fn collected(visit: &Visit<'_>) -> Result<Answer, Answer> {
    browse(visit, Some(visit.part("collection_id").to_owned()))
}

fn browse(visit: &Visit<'_>, collection: Option<String>) -> Result<Answer, Answer> {
    let filter = Filter::read(visit)?;
    shelf(visit, |shelf| {
        let within = match &collection {
            Some(id) => {
                let found = shelf.collections.iter().find(|known| known.id == *id);
                Some(found.ok_or_else(|| not_found("Collection not found"))?)
            }
            None => None,
        };
        let mut found: Vec<(Option<f64>, &Asset)> = shelf
            .assets
            .iter()
            .filter(|asset| within.is_none_or(|collection| collection.holds(asset, shelf)))
            .filter_map(|asset| Some((filter.weigh(asset, shelf)?, asset)))
            .collect();
        found.sort_by(|(a, first), (b, second)| {
            b.unwrap_or_default()
                .total_cmp(&a.unwrap_or_default())
                .then(second.ordinal.cmp(&first.ordinal))
        });
        let total = found.len();
        let mut page = paging::numbered(visit, "assets", USUAL, found, |(similarity, asset)| {
            asset.show(shelf, similarity)
        })?;
        page["total_count"] = json!(total);
        page["scope_truncated"] = json!(false);
        ok(&page)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_is_a_share_of_words() {
        assert!(
            (likeness("a red CAT", "the red cat") - 1.0).abs() < 1e-9
                || likeness("a red CAT", "the red cat") > 0.6
        );
        assert!((likeness("cat dog", "a cat") - 0.5).abs() < 1e-9);
        assert!(likeness("", "a cat").abs() < 1e-9);
    }

    #[test]
    fn a_handle_is_a_whole_word() {
        assert!(mentions("a picture of @mia, smiling", "mia"));
        assert!(!mentions("a picture of @miami", "mia"));
        assert!(!mentions("mia", "mia"));
    }
}
