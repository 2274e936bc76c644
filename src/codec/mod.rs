//! Formats: they parse and write, and know nothing of fal.

pub(crate) mod json;
pub(crate) mod msgpack;
pub(crate) mod rfc3339;
pub(crate) mod sse;
