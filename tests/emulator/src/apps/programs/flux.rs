//! `fal-ai/flux/…`, `fal-ai/flux-pro/…`, `fal-ai/fast-sdxl/…`: a picture for a prompt.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::answer::Answer;
use crate::apps::Call;
use crate::input::Fields;
use crate::media::{Format, Media, Picture};
use crate::storage::{self, Lifecycle};

/// Name, width and height in pixels.
const SIZES: &[(&str, u32, u32)] = &[
    ("square_hd", 1024, 1024),
    ("square", 512, 512),
    ("portrait_4_3", 768, 1024),
    ("portrait_16_9", 576, 1024),
    ("landscape_4_3", 1024, 768),
    ("landscape_16_9", 1024, 576),
];

struct Input {
    prompt: String,
    seed: i128,
    size: (u32, u32),
    images: u64,
    inline: bool,
}

pub(in crate::apps) async fn run(call: &Call<'_>) -> Result<Answer, Answer> {
    call.plain_post()?;
    let input = Input::read(&call.input()?)?;
    let lifecycle = Lifecycle::read(&call.request.headers)?;
    call.started();
    let began = Instant::now();
    let mut images = Vec::new();
    for index in 0..input.images {
        images.push(image(call, &input, index, &lifecycle).await?);
    }
    let output = json!({
        "images": images,
        "timings": { "inference": began.elapsed().as_secs_f64() },
        "seed": input.seed,
        "has_nsfw_concepts": vec![false; images.len()],
        "prompt": input.prompt,
    });
    Ok(Answer::json(StatusCode::OK, &output).billable_units(input.units()))
}

async fn image(
    call: &Call<'_>,
    input: &Input,
    index: u64,
    lifecycle: &Lifecycle,
) -> Result<Value, Answer> {
    let (width, height) = input.size;
    let picture = Picture {
        prompt: input.prompt.clone(),
        seed: (input.seed as u64).wrapping_add(index),
        width,
        height,
        format: Format::Png,
    };
    let url = if input.inline {
        let content = storage::encode(Media::Picture(picture)).await?;
        format!("data:image/png;base64,{}", STANDARD.encode(content))
    } else {
        call.store(Media::Picture(picture), lifecycle)
    };
    Ok(json!({ "url": url, "width": width, "height": height, "content_type": "image/png" }))
}

impl Input {
    fn read(object: &Map<String, Value>) -> Result<Self, Answer> {
        let mut fields = Fields::new(object);
        let input = Self {
            prompt: fields.required_string("prompt"),
            seed: fields.integer("seed").unwrap_or_else(random_seed),
            size: size(&mut fields),
            images: fields.integer_between("num_images", 1, 1, 4),
            inline: fields.boolean("sync_mode"),
        };
        fields.finish()?;
        Ok(input)
    }

    /// The number of megapixels, rounded up.
    fn units(&self) -> u64 {
        let pixels = u64::from(self.size.0) * u64::from(self.size.1);
        self.images * pixels.div_ceil(1_000_000)
    }
}

/// A seed of 32 bits, which every JSON parser represents exactly.
fn random_seed() -> i128 {
    i128::from(Uuid::new_v4().as_fields().0)
}

/// The size if the input and the endpoint name none.
const USUAL: (u32, u32) = (1024, 768);

fn size(fields: &mut Fields<'_>) -> (u32, u32) {
    match fields.get("image_size") {
        None => USUAL,
        Some(Value::Object(object)) => fields.nested("image_size", object, |size| {
            let mut side = |name| size.integer_between(name, 512, 64, 4096) as u32;
            (side("width"), side("height"))
        }),
        Some(value) => {
            let preset = SIZES.iter().find(|(name, ..)| *value == **name);
            if let Some((_, width, height)) = preset {
                return (*width, *height);
            }
            let names = preset_names();
            let message = format!("Input should be {names}");
            fields.error(
                "image_size",
                "enum",
                &message,
                Some(json!({ "expected": names })),
            );
            USUAL
        }
    }
}

/// `'a', 'b' or 'c'`, the form in which pydantic lists an enumeration.
fn preset_names() -> String {
    let quoted: Vec<String> = SIZES.iter().map(|(name, ..)| format!("'{name}'")).collect();
    match quoted.split_last() {
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
