//! Files: uploaded so that a model can read them, uploaded for the fields of an input, downloaded (fal-protocol.md §9).

mod address;
mod blocking;
mod content;
mod download;
mod file;
mod inputs;
mod lifecycle;
mod meter;
mod name;
mod reader;
mod token;
mod upload;

pub(crate) use content::Content;
pub use download::Download;
pub(crate) use inputs::{Inputs, resolve};
pub use lifecycle::{Decision, Lifecycle};
pub(crate) use token::TokenCache;
pub use upload::{Upload, UploadWay};

/// Bytes that are read from a disk at once.
const PIECE: usize = 256 << 10;
