//! What the operating system gives: files, memory, random numbers, signals, modules.

pub(crate) mod memory;
pub(crate) mod module;
pub(crate) mod random;
pub(crate) mod replace;
#[allow(unsafe_code)]
pub(crate) mod signals;
