//! The files, folders, headings and functions of `fal.h` that the documents name exist.

use std::collections::BTreeSet;

use crate::files::{below, pages_at_the_root, read, root};

/// Folders at the root whose files are named by their full path.
const FOLDERS: [&str; 11] = [
    "src/",
    "tests/",
    "bench/",
    "docs/",
    "examples/",
    "include/",
    "bindings/",
    "fuzz/",
    "packaging/",
    ".github/",
    ".ci/",
];
/// Pages about fal's own URLs, files and variables.
const ABOUT_FAL: [&str; 5] = [
    "docs/protocol.md",
    "docs/platform.md",
    "docs/unknowns.md",
    "docs/client-differences.md",
    "docs/credentials-differences.md",
];

fn pages() -> Vec<(String, String)> {
    let mut paths = pages_at_the_root();
    paths.extend(below("docs"));
    paths.extend(
        [
            "tests/emulator/README.md",
            "tests/chaos/README.md",
            "bench/README.md",
            "bindings/python/README.md",
        ]
        .map(String::from),
    );
    paths.extend(below(".github"));
    paths.retain(|path| path.ends_with(".md"));
    paths
        .into_iter()
        .map(|path| (path.clone(), read(&path)))
        .collect()
}

/// The text without its fenced blocks.
fn prose(text: &str) -> String {
    text.split("\n```")
        .step_by(2)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The texts between single backticks.
fn code(text: &str) -> Vec<&str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .collect()
}

/// The anchor of a heading on GitHub.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn anchors(page: &str) -> BTreeSet<String> {
    prose(page)
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#')))
        .collect()
}

/// The targets of links, `[…](target)`.
fn links(text: &str) -> Vec<String> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

/// Resolves a link in `docs/decisions/`, such as `../x.md`, to a path from the root.
fn resolved(page: &str, target: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn links_lead_to_files_and_headings() {
    let mut broken = Vec::new();
    for (page, text) in pages() {
        for link in links(&prose(&text)) {
            if link.contains("://") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() {
                page.clone()
            } else {
                resolved(&page, path)
            };
            if !root().join(&target).exists() {
                broken.push(format!("{page}: {link}"));
            } else if !heading.is_empty() && !anchors(&read(&target)).contains(heading) {
                broken.push(format!("{page}: {link}: no such heading"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn named_files_exist() {
    let sources: Vec<String> = ["src", "tests/chaos/src"]
        .iter()
        .flat_map(|folder| below(folder))
        .collect();
    let exists = |page: &str, name: &str| {
        let name = name.trim_end_matches('/');
        root().join(name).exists() || root().join(resolved(page, name)).exists()
    };
    let mut missing = Vec::new();
    let mut count = 0;
    for (page, text) in pages() {
        for name in code(&prose(&text)) {
            // A name with a blank or a placeholder is not a path.
            if name.contains([' ', '*', '<', '…', '(', '{', '$', '=']) {
                continue;
            }
            let whole = FOLDERS.iter().any(|folder| name.starts_with(folder))
                && !ABOUT_FAL.contains(&page.as_str());
            let short = name.ends_with(".rs");
            if !whole && !short {
                continue;
            }
            count += 1;
            let known = exists(&page, name)
                || (!whole
                    && sources
                        .iter()
                        .any(|path| path.ends_with(&format!("/{name}"))));
            if !known {
                missing.push(format!("{page}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "no such files:\n{}", missing.join("\n"));
    assert!(count > 50, "only {count} names were found");
}

#[test]
fn named_functions_are_in_the_header() {
    let header = read("include/fal/fal.h");
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: BTreeSet<&str> = header.split(|c: char| !is_word(c)).collect();
    // fal's own Python package, the emulator's crate, fixtures and option, and a variable of CMake's.
    let others = [
        "fal_client",
        "fal_emulator",
        "fal_emulator_replay",
        "fal_emulator_session",
        "fal_USE_STATIC_LIBS",
    ];
    let mut missing = Vec::new();
    let mut count = 0;
    for (page, text) in pages() {
        let of_others = ABOUT_FAL.contains(&page.as_str())
            || page == "CHANGELOG.md"
            || page.starts_with("tests/");
        if of_others {
            continue;
        }
        for word in text.split(|c: char| !is_word(c)) {
            if (word.starts_with("fal_") || word.starts_with("FAL_E_"))
                && !word.ends_with('_')
                && !others.contains(&word)
            {
                count += 1;
                if !words.contains(word) {
                    missing.push(format!("{page}: {word}"));
                }
            }
        }
    }
    assert!(
        missing.is_empty(),
        "fal.h has none of:\n{}",
        missing.join("\n")
    );
    assert!(count > 50, "only {count} names were found");
}

#[test]
fn named_commands_are_targets_of_make() {
    let rules = [
        "Makefile",
        "bench/rules.mk",
        "docs/rules.mk",
        "tests/cpp/rules.mk",
        "packaging/rules.mk",
        "packaging/python/rules.mk",
        "tests/install/rules.mk",
        "tests/sanitizers/rules.mk",
        "tests/wheels/rules.mk",
    ]
    .map(read)
    .concat();
    let targets: BTreeSet<&str> = rules
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(target, _)| target)
        .collect();
    let mut missing = Vec::new();
    let mut count = 0;
    let workflow = ".github/workflows/wheels.yml";
    for (page, text) in pages()
        .into_iter()
        .chain([(workflow.into(), read(workflow))])
    {
        let spans = code(&text)
            .into_iter()
            .filter_map(|span| span.strip_prefix("make "));
        let lines = text.lines().filter_map(|line| {
            line.strip_prefix("    make ")
                .or_else(|| line.trim_start().strip_prefix("- run: make "))
        });
        for command in spans.chain(lines) {
            let target = command.split_whitespace().next().unwrap_or_default();
            count += 1;
            // A pattern rule makes a file.
            if !target.contains('/') && !targets.contains(target) {
                missing.push(format!("{page}: make {target}"));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "no such targets:\n{}",
        missing.join("\n")
    );
    assert!(count > 10, "only {count} commands were found");
}

/// A step of a walk names files first, and then items in them.
#[test]
fn walks_name_what_is_there() {
    let page = read("CONTRIBUTING.md");
    let walks = page.split("\n## A walk: ").skip(1);
    let is_name = |span: &&&str| {
        span.chars()
            .all(|c| c.is_ascii_alphanumeric() || "_:".contains(c))
    };
    let mut count = 0;
    for step in walks.flat_map(|walk| {
        walk.split("\n\n")
            .flat_map(|part| part.split(". `").skip(1))
    }) {
        let step = format!("`{step}").replace('\n', " ");
        let spans = code(&step);
        let files: String = spans
            .iter()
            .filter(|span| span.contains('/'))
            .map(|path| read(path))
            .collect();
        for name in spans
            .iter()
            .filter(is_name)
            .flat_map(|name| name.split("::"))
        {
            count += 1;
            let found = files.contains(name);
            assert!(found, "{name} is in none of the files of its step: {step}");
        }
    }
    assert!(count > 4, "only {count} names were found");
}
