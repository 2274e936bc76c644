//! The programs in the README are files of `examples/`, which `make test-examples` runs.

use crate::files::read;

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
        readme.lines().count() <= 140,
        "the README is two screens long; the rest belongs into docs/"
    );
}
