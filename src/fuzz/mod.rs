//! Fuzz targets. Each one is a function that takes arbitrary bytes and asserts invariants.
//!
//! `make fuzz` runs them under libFuzzer (the crate in `fuzz/`), and the test below replays the
//! files that are stored there. This module and the functions that it makes accessible are compiled
//! only for these two.

pub(crate) mod input;
mod key;
pub(crate) mod spent;

/// The name of a target, which is also the name of its program, and its function.
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

/// Runs the target of this name.
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
                // The last file printed is the one that fails.
                println!("{}", path.display());
                run(&fs::read(path).unwrap());
            }
        }
    }

    /// The program `api` calls the exported C functions, and has no target here.
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
