//! Parsers and writers of data formats. They contain nothing specific to fal.

pub(crate) mod json;
pub(crate) mod msgpack;
pub(crate) mod rfc3339;
pub(crate) mod sse;
