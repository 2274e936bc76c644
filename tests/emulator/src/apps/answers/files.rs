//! The files of an output.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::node::{Files, Part};
use super::template::Problem;
use crate::answer::Answer;
use crate::apps::Call;
use crate::media::{Audio, Format, Media, Picture, Video};
use crate::storage::{self, Content, Lifecycle};

/// The largest number of files that one description makes.
const MOST: usize = 100;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Image,
    Video,
    Audio,
    /// A file with the given text.
    File,
}

/// What stands in the output for a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    #[default]
    File,
    Url,
    /// A data URI, in a file's `url`.
    Inline,
}

/// A file as a definition describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    media: Kind,
    #[serde(rename = "as", default)]
    form: Form,
    format: Option<Format>,
    width: Option<u32>,
    height: Option<u32>,
    seconds: Option<f64>,
    count: Option<usize>,
    text: Option<String>,
    content_type: Option<String>,
    file_name: Option<String>,
}

impl Description {
    pub(super) fn read(table: Map<String, Value>) -> Result<Self, Problem> {
        let read: Self = serde_json::from_value(table.into()).map_err(|error| error.to_string())?;
        read.check()?;
        Ok(read)
    }

    fn check(&self) -> Result<(), Problem> {
        let longest = if matches!(self.media, Kind::Video) {
            1920
        } else {
            4096
        };
        for (name, side) in [("width", self.width), ("height", self.height)] {
            if side.is_some_and(|side| !(1..=longest).contains(&side)) {
                return Err(format!("{name} must be 1 to {longest}"));
            }
        }
        if self
            .seconds
            .is_some_and(|time| !(0.1..=60.0).contains(&time))
        {
            return Err("seconds must be 0.1 to 60".into());
        }
        if self.count.is_some_and(|count| count > MOST) {
            return Err(format!("count must be 0 to {MOST}"));
        }
        Ok(())
    }

    /// The generated file; `None` for a text.
    fn made(&self, prompt: &str, seed: u64) -> Option<Media> {
        let (width, height) = match self.media {
            Kind::Video => (self.width.unwrap_or(320), self.height.unwrap_or(180)),
            _ => (self.width.unwrap_or(1024), self.height.unwrap_or(768)),
        };
        let picture = |width, height| Picture {
            prompt: prompt.to_owned(),
            seed,
            width,
            height,
            format: self.format.unwrap_or_default(),
        };
        let seconds = self.seconds.unwrap_or(2.0);
        match self.media {
            Kind::Image => Some(Media::Picture(picture(width, height))),
            Kind::Video => Some(Media::Video(Video {
                // The planes of a colour have half the size.
                picture: picture(width.next_multiple_of(2), height.next_multiple_of(2)),
                seconds,
            })),
            Kind::Audio => Some(Media::Audio(Audio { seconds, seed })),
            Kind::File => None,
        }
    }
}

/// Stores the files of one call's output.
pub(super) struct Maker<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) lifecycle: Lifecycle,
    pub(super) prompt: String,
    pub(super) seed: u64,
    /// The files within the output that are still to be made, each with the text in its place.
    pub(super) inline: Vec<(String, Media)>,
}

impl Files for Maker<'_> {
    fn file(&mut self, table: Map<String, Value>) -> Result<Value, Problem> {
        let description = Description::read(table)?;
        match description.count {
            None => self.one(&description),
            Some(count) => (0..count).map(|_| self.one(&description)).collect(),
        }
    }
}

fn data_uri(content_type: &str, bytes: &[u8]) -> String {
    format!("data:{content_type};base64,{}", STANDARD.encode(bytes))
}

/// Replaces the strings that are keys of `texts`.
fn replace(value: &mut Value, texts: &mut HashMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(other) = texts.remove(text.as_str()) {
                *text = other;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, texts)),
        Value::Object(members) => members.values_mut().for_each(|one| replace(one, texts)),
        _ => {}
    }
}

impl Maker<'_> {
    /// Makes the files within an output, apart from the thread that serves all requests.
    pub(super) async fn fill(&mut self, output: &mut Value) -> Result<(), Answer> {
        let mut texts = HashMap::new();
        for (place, media) in std::mem::take(&mut self.inline) {
            let bytes = storage::encode(media).await?;
            let start = place.split_once(',').map_or("", |(start, _)| start);
            texts.insert(place.clone(), format!("{start},{}", STANDARD.encode(bytes)));
        }
        if !texts.is_empty() {
            replace(output, &mut texts);
        }
        Ok(())
    }

    /// Each file has a seed of its own.
    fn one(&mut self, description: &Description) -> Result<Value, Problem> {
        let media = description.made(&self.prompt, self.seed);
        self.seed = self.seed.wrapping_add(1);
        let text = description.text.clone().unwrap_or_default();
        let usual = match &media {
            Some(media) => media.content_type(),
            None => "application/octet-stream",
        };
        let content_type = description.content_type.as_deref().unwrap_or(usual);
        let header = HeaderValue::from_str(content_type)
            .map_err(|_| "content_type is no content type".to_owned())?;
        let name = description.file_name.as_deref();
        let url = match (description.form, &media) {
            (Form::Inline, Some(media)) => {
                let place = format!("data:{content_type};base64,{}", Uuid::new_v4());
                self.inline.push((place.clone(), media.clone()));
                place
            }
            (Form::Inline, None) => data_uri(content_type, text.as_bytes()),
            (_, Some(media)) => {
                let content = Content::Media(media.clone());
                self.call.store_as(content, header, name, &self.lifecycle)
            }
            (_, None) => {
                let content = Content::Bytes(text.clone().into());
                self.call.store_as(content, header, name, &self.lifecycle)
            }
        };
        if description.form == Form::Url {
            return Ok(url.into());
        }
        let last = url.rsplit('/').next().unwrap_or_default().to_owned();
        let mut file = json!({ "url": url, "content_type": content_type });
        if description.form == Form::File {
            file["file_name"] = json!(name.map_or(last, str::to_owned));
        }
        match &media {
            Some(Media::Picture(picture)) => {
                file["width"] = json!(picture.width);
                file["height"] = json!(picture.height);
            }
            Some(_) => {}
            None => file["file_size"] = json!(text.len()),
        }
        Ok(file)
    }
}

/// Reports what is wrong with a table that describes a file, as far as it does not depend on the
/// input.
pub(super) fn check(parts: &[Part]) -> Result<(), Problem> {
    let constant = |(name, part): &Part| {
        let value = part.get_ref().plain();
        let depends = value.as_str().is_some_and(|text| text.contains("{{"));
        (!depends).then(|| (name.clone(), value))
    };
    Description::read(parts.iter().filter_map(constant).collect()).map(drop)
}
