//! A picture for a prompt: hills under a sky. The same prompt, seed and size give the same picture.
//!
//! It uses no sine or similar function, whose last bit differs between platforms, so that the
//! picture is the same on all of them.

use std::io::{self, Cursor};

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};
use png::{BitDepth, ColorType, Compression, Encoder, EncodingError, Filter};
use serde::Deserialize;

const SKY_SHADES: usize = 96;
const SUN: u8 = SKY_SHADES as u8;
const FIRST_HILL: u8 = SUN + 1;
const HILLS: usize = 6;

/// The form of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    #[default]
    Png,
    Jpeg,
    Webp,
}

impl Format {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }
}

/// The values that determine a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) prompt: String,
    pub(crate) seed: u64,
    /// In pixels.
    pub(crate) width: u32,
    /// In pixels.
    pub(crate) height: u32,
    pub(crate) format: Format,
}

impl Picture {
    pub(super) fn encode(&self) -> io::Result<Bytes> {
        let mut file = Cursor::new(Vec::new());
        let (width, height, color) = (self.width, self.height, ExtendedColorType::Rgb8);
        let written = match self.format {
            Format::Png => return Ok(self.png()?),
            Format::Jpeg => {
                JpegEncoder::new(&mut file).write_image(&self.pixels(), width, height, color)
            }
            Format::Webp => WebPEncoder::new_lossless(&mut file).write_image(
                &self.pixels(),
                width,
                height,
                color,
            ),
        };
        written.map_err(io::Error::other)?;
        Ok(file.into_inner().into())
    }

    /// The colours, and for each pixel the number of its colour.
    fn paint(&self) -> (Vec<u8>, Vec<u8>) {
        let mut random = Random::new(&self.prompt, self.seed);
        let palette = palette(&mut random);
        let scene = Scene::new(&mut random, self.width as usize, self.height as usize);
        (palette, scene.draw())
    }

    /// Red, green and blue of each pixel.
    pub(super) fn pixels(&self) -> Vec<u8> {
        let (palette, pixels) = self.paint();
        let color = |pixel: u8| &palette[usize::from(pixel) * 3..][..3];
        pixels.into_iter().flat_map(color).copied().collect()
    }

    /// The picture as PNG.
    fn png(&self) -> Result<Bytes, EncodingError> {
        let (palette, pixels) = self.paint();
        let mut png = Vec::new();
        let mut encoder = Encoder::new(&mut png, self.width, self.height);
        encoder.set_color(ColorType::Indexed);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_palette(palette);
        encoder.set_compression(Compression::Fast);
        // A row is similar to the row above it.
        encoder.set_filter(Filter::Up);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&pixels)?;
        writer.finish()?;
        Ok(png.into())
    }
}

/// The positions of the objects, in pixels.
struct Scene {
    width: usize,
    height: usize,
    sun: (f64, f64),
    radius: f64,
    /// For each hill, from the farthest, the first row that it covers in each column.
    ridges: Vec<Vec<usize>>,
}

impl Scene {
    fn new(random: &mut Random, width: usize, height: usize) -> Self {
        let (w, h) = (width as f64, height as f64);
        let sun = (w * random.between(0.2, 0.8), h * random.between(0.18, 0.42));
        let radius = w.min(h) * random.between(0.07, 0.13);
        let ridges = (0..HILLS)
            .map(|hill| {
                let near = hill as f64 / HILLS as f64;
                let base = 0.45 + 0.48 * near;
                ridge(random, width, h, base, 0.2 - 0.09 * near)
            })
            .collect();
        Self {
            width,
            height,
            sun,
            radius,
            ridges,
        }
    }

    /// Palette indices, row by row.
    fn draw(&self) -> Vec<u8> {
        let mut pixels = vec![0; self.width * self.height];
        for (y, row) in pixels.chunks_exact_mut(self.width).enumerate() {
            row.fill((y * SKY_SHADES / self.height) as u8);
            self.draw_sun(y, row);
            for (color, ridge) in (FIRST_HILL..).zip(&self.ridges) {
                for (pixel, top) in row.iter_mut().zip(ridge) {
                    if y >= *top {
                        *pixel = color;
                    }
                }
            }
        }
        pixels
    }

    fn draw_sun(&self, y: usize, row: &mut [u8]) {
        let above = y as f64 - self.sun.1;
        let squared = self.radius * self.radius - above * above;
        if squared <= 0.0 {
            return;
        }
        let half = squared.sqrt();
        let from = (self.sun.0 - half).max(0.0) as usize;
        let to = ((self.sun.0 + half).max(0.0) as usize).min(row.len());
        if let Some(disc) = row.get_mut(from..to) {
            disc.fill(SUN);
        }
    }
}

/// The upper edge of a hill: three octaves of smooth noise around `base`. Heights are fractions of
/// the picture's.
fn ridge(random: &mut Random, width: usize, height: f64, base: f64, relief: f64) -> Vec<usize> {
    let octaves: Vec<(Vec<f64>, f64)> = [(4, 0.62), (9, 0.28), (23, 0.1)]
        .map(|(knots, share)| {
            let values = (0..=knots + 1).map(|_| random.between(-1.0, 1.0)).collect();
            (values, share)
        })
        .into();
    (0..width)
        .map(|x| {
            let at = x as f64 / width as f64;
            let relative: f64 = octaves
                .iter()
                .map(|(knots, share)| share * smooth(knots, at))
                .sum();
            ((base + relief * relative).clamp(0.0, 1.0) * height) as usize
        })
        .collect()
}

/// The value at `at` in 0..1 of the curve through `knots`, which are at least three.
fn smooth(knots: &[f64], at: f64) -> f64 {
    let scaled = at * (knots.len() - 2) as f64;
    let index = scaled as usize;
    let part = scaled - index as f64;
    let eased = part * part * (3.0 - 2.0 * part);
    knots[index] + (knots[index + 1] - knots[index]) * eased
}

/// The colours: sky from top to horizon, sun, hills from the farthest to the nearest.
fn palette(random: &mut Random) -> Vec<u8> {
    let hue = random.between(0.0, 1.0);
    let warm = hue + random.between(0.08, 0.2);
    let top = rgb(hue, 0.5, random.between(0.28, 0.5));
    let horizon = rgb(warm, 0.75, 0.83);
    let ground = rgb(hue + 0.04, 0.55, 0.11);
    let mut colors = Vec::with_capacity(SKY_SHADES + 1 + HILLS);
    colors.extend((0..SKY_SHADES).map(|shade| {
        // The sky is brightest where the hills begin.
        mix(
            top,
            horizon,
            (shade as f64 / SKY_SHADES as f64 * 1.6).min(1.0),
        )
    }));
    colors.push(rgb(warm, 0.95, 0.95));
    colors.extend(
        (0..HILLS).map(|hill| mix(horizon, ground, (hill as f64 + 1.2) / (HILLS as f64 + 0.2))),
    );
    colors
        .into_iter()
        .flat_map(|color| color.map(|channel| (channel * 255.0) as u8))
        .collect()
}

fn mix(from: [f64; 3], to: [f64; 3], part: f64) -> [f64; 3] {
    [0, 1, 2].map(|channel| from[channel] + (to[channel] - from[channel]) * part)
}

/// Converts hue (1 is a full turn), saturation and lightness into red, green and blue in 0..1.
fn rgb(hue: f64, saturation: f64, lightness: f64) -> [f64; 3] {
    let chroma = saturation * lightness.min(1.0 - lightness);
    [0.0, 8.0, 4.0].map(|offset| {
        let position = (offset + hue * 12.0) % 12.0;
        lightness - chroma * (position - 3.0).min(9.0 - position).clamp(-1.0, 1.0)
    })
}

/// A SplitMix64 generator, seeded with a prompt and a seed.
struct Random(u64);

impl Random {
    fn new(prompt: &str, seed: u64) -> Self {
        let mut random = Self(seed);
        for byte in prompt.bytes() {
            random.0 = random.next() ^ u64::from(byte);
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        let part = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        low + (high - low) * part
    }
}
