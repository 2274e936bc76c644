//! Generates `include/fal/fal.h` from `src/ffi` with cbindgen, and compares it with the committed
//! file. `FAL_UPDATE=1 cargo test --test header` overwrites the committed file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod expand;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// No line of the header is longer, and a declaration that fits is on one line.
const COLUMNS: usize = 120;

/// The sections of the header, in the order in which they build on each other.
const SECTIONS: [&str; 26] = [
    "version",
    "status",
    "error",
    "credentials",
    "store",
    "options",
    "credential_request",
    "client",
    "request",
    "queue_options",
    "response",
    "op",
    "event",
    "queue",
    "stream",
    "socket_options",
    "realtime",
    "websocket",
    "channel",
    "upload",
    "download",
    "platform",
    "webhook",
    "dispatcher",
    "watch",
    "runtime",
];

/// The programs of the tutorial, which `make test-examples` runs.
const TUTORIAL: [&str; 3] = ["picture", "frames", "callbacks"];

const BOTTOM: &str = "\
#ifdef __cplusplus
}
#endif

#endif /* FAL_FAL_H */
";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    let path = root().join("src/ffi").join(file).with_extension("rs");
    std::fs::read_to_string(path).unwrap()
}

/// The files with the items of a section. The type `fal_credentials` has its own file, because
/// errors have a report, too.
fn files(section: &str) -> impl Iterator<Item = &str> {
    let report = (section == "credentials").then_some("report");
    std::iter::once(section).chain(report)
}

/// The `//!` comment of a section's file, as a group of Doxygen: its first line is the title.
fn heading(section: &str) -> String {
    let source = read(section);
    let lines: Vec<_> = source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim)
        .collect();
    let title = lines[0].trim_start_matches('#').trim();
    group(section, title, &lines[1..])
}

fn group(id: &str, title: &str, lines: &[&str]) -> String {
    let rule = "=".repeat(COLUMNS - "// ====  ".len() - title.len());
    let mut heading = format!("// ==== {title} {rule}\n/// @defgroup {id} {title}\n");
    for line in lines {
        writeln!(heading, "{}", format!("/// {line}").trim_end()).unwrap();
    }
    heading.push_str("/// @{\n");
    heading
}

/// The items of a section, each with its comment, in the order of the source.
fn items(name: &str) -> Vec<String> {
    let source: String = files(name)
        .map(|file| expand::expand(&read(file)))
        .collect();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(source.as_bytes()).unwrap();
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        no_includes: true,
        ..Default::default()
    };
    config.style = cbindgen::Style::Type;
    config.usize_is_size_t = true;
    config.documentation_style = cbindgen::DocumentationStyle::Cxx;
    config.documentation_length = cbindgen::DocumentationLength::Full;
    config.tab_width = 4;
    config.function.args = cbindgen::Layout::Horizontal;
    config.function.prefix = Some("FAL_API".into());
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(file.path())
        .generate()
        .unwrap();
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text).unwrap();
    let mut items: Vec<_> = text.trim().split("\n\n").map(tidy).collect();
    items.sort_by_key(|item| position(item, &source));
    items
}

/// The position of an item in the source.
fn position(item: &str, source: &str) -> usize {
    let code = code(item);
    let words: Vec<_> = code
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    let defined = |word: &&str| {
        let definition = [
            "fn NAME(",
            "const NAME:",
            "type NAME ",
            "struct NAME ",
            "enum NAME ",
        ]
        .map(|form| form.replace("NAME", word));
        definition
            .iter()
            .find_map(|definition| source.find(definition.as_str()))
    };
    words
        .iter()
        .rev()
        .filter(|word| word.len() > 3)
        .find_map(defined)
        .unwrap_or_else(|| panic!("no source for {item}"))
}

/// A block without its comment, up to the parameters.
fn code(item: &str) -> String {
    let lines = item
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join(" ");
    let callback = code
        .strip_prefix("typedef ")
        .and_then(|code| code.split_once("(*"));
    match callback {
        Some((_, name)) => name.split(')').next().unwrap_or_default().to_owned(),
        None => code.split('(').next().unwrap_or_default().to_owned(),
    }
}

/// Lays out the declaration of an item: on one line, or, if that is too long, with one parameter a
/// line. Names an enum also by its tag, and lets a compiler warn where a status is ignored. cbindgen
/// has no settings for these.
fn tidy(item: &str) -> String {
    let item = item.replace("FAL_API\n", "FAL_API ");
    if let Some((comment, values)) = item.split_once("typedef enum {") {
        let (values, name) = values.rsplit_once(",\n} ").unwrap();
        let name = name.trim_end_matches(';');
        let values = values.replace("2147483647", "0x7FFFFFFF");
        let nodiscard = if name == "fal_status" {
            "FAL_NODISCARD "
        } else {
            ""
        };
        return format!("{comment}typedef enum {nodiscard}{name} {{{values}\n}} {name};");
    }
    let lines: Vec<_> = item.lines().map(wrapped).collect();
    lines.join("\n")
}

fn wrapped(line: &str) -> String {
    if line.len() <= COLUMNS || line.starts_with("///") {
        return line.to_owned();
    }
    let (start, parameters) = line.rsplit_once('(').unwrap();
    let parameters = parameters.trim_end_matches(");").replace(", ", ",\n    ");
    format!("{start}(\n    {parameters});")
}

fn is_object(item: &str) -> bool {
    code(item).starts_with("typedef struct")
}

/// The text of a section, with empty lines between its items.
fn section(name: &str) -> String {
    let mut text = heading(name);
    for item in items(name).iter().filter(|item| !is_object(item)) {
        write!(text, "\n{item}\n").unwrap();
    }
    text + "\n/// @}\n\n"
}

/// The declarations of all objects, which precede all functions.
fn objects() -> String {
    let items = SECTIONS
        .iter()
        .flat_map(|name| items(name))
        .filter(|item| is_object(item));
    let mut text = group("objects", "Objects", &["", "Objects are opaque."]);
    items.for_each(|item| write!(text, "\n{item}\n").unwrap());
    text + "\n/// @}\n\n"
}

/// What precedes the sections: the conventions, and the tutorial, with the shown part of each program
/// in the place of its name.
fn head() -> String {
    let text = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let head = text("tests/rust/header/head.h");
    TUTORIAL.iter().fold(head, |head, name| {
        let program = text(&format!("examples/c/tutorial/{name}.c"));
        let (_, shown) = program.split_once("/* In fal.h: */\n").unwrap();
        let shown = shown.split("/* Not in fal.h: */").next().unwrap();
        let lines = shown.lines().map(|line| format!("/// {line}"));
        let lines: Vec<_> = lines.map(|line| line.trim_end().to_owned()).collect();
        head.replace(&format!("/// {{{name}}}"), &lines.join("\n"))
    })
}

fn header() -> String {
    let sections: String = SECTIONS.iter().map(|name| section(name)).collect();
    format!("{}{}{sections}{BOTTOM}", head(), objects())
}

#[test]
fn the_committed_header_is_the_generated_one() {
    let path = root().join("include/fal/fal.h");
    let generated = header();
    if std::env::var_os("FAL_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/fal/fal.h is not up to date: run `make header`"
    );
}

#[test]
fn every_file_of_the_abi_is_a_section() {
    let files = std::fs::read_dir(root().join("src/ffi"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut exporting: Vec<_> = files
        .filter(|path| {
            let source = std::fs::read_to_string(path).unwrap();
            expand::expand(&source).contains("\n#[unsafe(no_mangle)]\n")
        })
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    exporting.sort();
    let mut sections = SECTIONS;
    sections.sort_unstable();
    assert_eq!(exporting, sections);
}
