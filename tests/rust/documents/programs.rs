//! The programs in the README and on the pages are in files that `make test-examples` and `make test-install` compile.

use crate::files::{below, read};

const PROGRAMS: [(&str, &str); 4] = [
    ("python", "examples/python/lighthouse.py"),
    ("rust", "examples/rust/lighthouse.rs"),
    ("c", "examples/c/lighthouse.c"),
    ("cpp", "examples/cpp/lighthouse.cpp"),
];

#[test]
fn the_programs_of_the_readme_are_the_examples() {
    let readme = read("README.md");
    let blocks: Vec<(&str, &str)> = readme
        .split("\n```")
        .skip(1)
        .step_by(2)
        .map(|block| block.split_once('\n').expect("a language and a program"))
        .collect();
    assert_eq!(
        blocks.len(),
        PROGRAMS.len(),
        "each program of the README is in PROGRAMS"
    );
    for ((language, shown), (expected, path)) in blocks.iter().zip(PROGRAMS) {
        assert_eq!(*language, expected);
        // A file has a heading, and may allow a lint, before the program.
        assert!(
            read(path).ends_with(&format!("\n{shown}\n")),
            "{path} is another program than the README's"
        );
    }
    assert!(
        readme.lines().count() <= 170,
        "the README is three screens long; the rest belongs into docs/"
    );
}

/// The files from which the pages show parts, by the language of the block. Python has tests/python/test_docs.py.
const SOURCES: [(&str, &[&str], &[&str]); 4] = [
    ("c", &["examples/c", "docs/samples"], &[".c"]),
    ("cpp", &["examples/cpp", "docs/samples"], &[".cpp"]),
    ("rust", &["examples/rust"], &[".rs"]),
    ("cmake", &["tests/install"], &["CMakeLists.txt"]),
];

/// The lines of a part without the indentation that all have, and a target by the name that the tests give it.
fn plain<'a>(lines: &[&'a str]) -> Vec<String> {
    let depth = |line: &&'a str| line.len() - line.trim_start().len();
    let filled = lines.iter().filter(|line| !line.trim().is_empty());
    let margin = filled.map(depth).min().unwrap_or(0);
    let cut = |line: &&str| {
        line.get(margin..)
            .unwrap_or_default()
            .replace("(game ", "(cpp ")
    };
    lines.iter().map(cut).collect()
}

#[test]
fn the_blocks_of_the_pages_are_parts_of_programs() {
    let mut count = 0;
    let mut unknown = Vec::new();
    for page in below("docs").iter().filter(|path| path.ends_with(".md")) {
        let text = read(page);
        for block in text.split("\n```").skip(1).step_by(2) {
            let Some((language, shown)) = block.split_once('\n') else {
                continue;
            };
            let Some((_, folders, names)) = SOURCES.iter().find(|(known, ..)| *known == language)
            else {
                continue;
            };
            count += 1;
            let shown = plain(&shown.lines().collect::<Vec<_>>());
            let paths = folders.iter().flat_map(|folder| below(folder));
            let is_part = paths
                .filter(|path| names.iter().any(|name| path.ends_with(name)))
                .any(|path| {
                    let source = read(&path);
                    let lines: Vec<&str> = source.lines().collect();
                    let mut parts = lines.windows(shown.len());
                    match language {
                        // A project has other lines between these.
                        "cmake" => shown.iter().all(|line| lines.contains(&line.as_str())),
                        _ => parts.any(|part| plain(part) == shown),
                    }
                });
            if !is_part {
                unknown.push(format!("{page}:\n{}", shown.join("\n")));
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "no file that is compiled contains these parts:\n{}",
        unknown.join("\n")
    );
    assert!(count >= 12, "only {count} blocks were found");
}
