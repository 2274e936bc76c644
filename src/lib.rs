//! See the repository's README.

pub mod credentials;
pub mod key;
