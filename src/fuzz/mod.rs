//! What machines feed with anything at all: one function a target, each of which asserts what has
//! to hold whatever comes.
//!
//! `make fuzz` runs them under libFuzzer (the crate in `fuzz/`); the test below replays what is
//! kept there. Only for these two: neither this module nor what it opens is in a library that is
//! shipped.

pub(crate) mod input;
mod key;
pub(crate) mod spent;

/// A target's name, which is that of its program, and the function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("addresses", crate::transport::fuzz::run),
    ("config", crate::credentials::store::fuzz::run),
    ("errors", crate::service_error::fuzz::run),
    ("json", crate::codec::json::fuzz::run),
    ("key", key::run),
    ("messages", crate::services::socket::fuzz::run),
    ("names", crate::services::storage::fuzz::run),
    ("packed", crate::codec::msgpack::fuzz::run),
    ("platform", crate::services::platform::fuzz::run),
    ("pointers", crate::request::fuzz::run),
    ("sse", crate::codec::sse::fuzz::run),
    ("statuses", crate::services::queue::fuzz::run),
    ("times", crate::service_error::retry_after::fuzz::run),
    ("webhook", crate::services::webhook::fuzz::run),
];

/// Runs one of them.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    assert!(target.is_some(), "no target {name}");
    target.into_iter().for_each(|(_, run)| run(data));
}

#[cfg(test)]
mod replay {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
        files.sort();
        files
    }

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
    }

    #[test]
    fn what_was_kept_and_what_once_failed_passes() {
        for (name, run) in TARGETS {
            let corpus = files(&root().join("corpus").join(name));
            assert!(!corpus.is_empty(), "{name} has no corpus");
            run(b"");
            for path in corpus
                .iter()
                .chain(&files(&root().join("crashes").join(name)))
            {
                // The last one named is the one that fails.
                println!("{}", path.display());
                run(&fs::read(path).unwrap());
            }
        }
    }

    /// The API's program calls the exported functions and no target of this table.
    #[test]
    fn every_target_has_a_program_and_every_program_a_target() {
        let stem = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut programs: Vec<_> = files(&root().join("fuzz_targets"))
            .iter()
            .map(stem)
            .collect();
        programs.retain(|name| name != "api");
        let mut targets: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        targets.sort();
        assert_eq!(programs, targets);
    }
}
