//! The files of the repository that the tests of the documents consider.

use std::fs;
use std::path::{Path, PathBuf};

/// The folders that builds create.
const BUILT: [&str; 5] = [
    "target",
    "build",
    "node_modules",
    "__pycache__",
    ".pytest_cache",
];

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below `folder`, relative to the root, sorted, without the folders that builds create.
pub(crate) fn below(folder: &str) -> Vec<String> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            match path.is_dir() {
                true if BUILT.contains(&name) => {}
                true => collect(&path, found),
                false => found.push(path),
            }
        }
    }
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    let relative = |path: &PathBuf| {
        path.strip_prefix(root())
            .unwrap()
            .to_str()
            .unwrap()
            .replace('\\', "/")
    };
    let mut found: Vec<String> = found.iter().map(relative).collect();
    found.sort();
    found
}

/// The files at the root whose names end in `.md`.
pub(crate) fn pages_at_the_root() -> Vec<String> {
    let names = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".md")).collect()
}
