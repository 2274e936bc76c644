//! Operating system services: file replacement, the limit of open files, memory, random numbers, signals, loaded modules.

pub(crate) mod codes;
pub(crate) mod descriptors;
pub(crate) mod memory;
pub(crate) mod module;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod replace;
#[allow(unsafe_code)]
pub(crate) mod signals;
