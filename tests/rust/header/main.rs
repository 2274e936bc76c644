//! Generates `include/fal/fal.h` from `src/ffi` with cbindgen, and compares it with the committed
//! file. `FAL_UPDATE=1 cargo test --test header` overwrites the committed file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod expand;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

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

const TOP: &str = "\
/* fal.h - the C interface of libfal, a library for fal.ai.
 *
 * Generated from src/ffi by cbindgen; edit it there. C99 and C++.
 *
 * Conventions
 *   Names      fal_<noun>_<verb>. Functions that end in _new or _start, and those whose parameter
 *              out is the address of a pointer to an object, create objects.
 *   Ownership  A unique object is freed with _free. A shared object is counted with _retain and
 *              _release. All of these accept NULL. A borrowed string or object belongs to the
 *              object that it was read from, and is valid as long as that one.
 *   Threads    Several threads may use a const pointer parameter at once, but only one thread at a
 *              time any other pointer parameter.
 *   Callbacks  A callback is a function of the host that libfal calls. The comment of its type says
 *              on which thread, and whether it may wait for libfal. Where it must not, functions that
 *              block fail with FAL_E_WOULD_DEADLOCK wherever libfal can tell.
 *   Errors     See the section Status. NULL for an object is FAL_E_INVALID_ARGUMENT, unless the
 *              comment allows it.
 *   Strings    UTF-8, paths included. An input is a pointer and a length; the length FAL_NUL means
 *              that the string ends with a NUL. An output is borrowed and ends with a NUL; *len is
 *              its length, and len may be NULL. The comment says when an output may be NULL.
 *   Times      In milliseconds, or microseconds if the name ends in _us. A negative time means no
 *              limit, and so does one that is too long for the system's clock. A wait of 0 returns
 *              at once. A timeout of 0 passed to a _set_ function is FAL_E_INVALID_ARGUMENT.
 *   Variables  Environment variables are read on the calling thread, by functions that create a
 *              client, start an operation, or store or look for a key. No other thread may change
 *              the environment meanwhile. Threads of libfal read only what other libraries read
 *              there: SSL_CERT_FILE and SSL_CERT_DIR when a client first uses TLS, LOCALDOMAIN and
 *              RES_OPTIONS when a host name is resolved, all variables when a key command is
 *              started, which inherits them, HOME if the caller has none, and on macOS those that
 *              name proxies.
 *   Secrets    No string that libfal returns contains the secret of a key, except that of
 *              fal_new_key_secret().
 */

#ifndef FAL_FAL_H
#define FAL_FAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef FAL_API
#  if defined(_WIN32) && !defined(FAL_STATIC)
#    define FAL_API __declspec(dllimport)
#  else
#    define FAL_API
#  endif
#endif

#ifdef __cplusplus
extern \"C\" {
#endif

// The length of a string that ends with a NUL.
#define FAL_NUL SIZE_MAX

";

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

/// The `//!` comment of a section's file: its first line is the title.
fn heading(section: &str) -> String {
    let source = read(section);
    let lines: Vec<_> = source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim)
        .collect();
    let title = lines[0].trim_start_matches('#').trim();
    let mut heading = format!("/* ==== {title} {}\n", "=".repeat(112 - title.len()));
    for line in lines.iter().skip(1) {
        writeln!(
            heading,
            " *{}{line}",
            if line.is_empty() { "" } else { " " }
        )
        .unwrap();
    }
    heading.push_str(" */\n");
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
    config.documentation_style = cbindgen::DocumentationStyle::C99;
    config.documentation_length = cbindgen::DocumentationLength::Full;
    config.line_length = 110;
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
        let definition = ["fn NAME(", "const NAME:", "type NAME ", "struct NAME "]
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
    let lines = item.lines().filter(|line| !line.starts_with("//"));
    let code = lines.collect::<Vec<_>>().join(" ");
    let callback = code
        .strip_prefix("typedef ")
        .and_then(|code| code.split_once("(*"));
    match callback {
        Some((_, name)) => name.split(')').next().unwrap_or_default().to_owned(),
        None => code.split('(').next().unwrap_or_default().to_owned(),
    }
}

/// Joins the line of the prefix `FAL_API` with the next one, and puts negative numbers in
/// parentheses. cbindgen has no settings for these.
fn tidy(item: &str) -> String {
    let joined = item.replace("FAL_API\n", "FAL_API ");
    let moved = joined != item;
    let lines = joined.lines().map(|line| {
        match line
            .strip_prefix("#define ")
            .and_then(|line| line.split_once(" -"))
        {
            Some((name, number)) => format!("#define {name} (-{number})"),
            None if moved && line.starts_with("    ") => format!("        {line}"),
            None => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn is_object(item: &str) -> bool {
    code(item).starts_with("typedef struct")
}

/// The text of a section, with empty lines between items that are not both constants.
fn section(name: &str) -> String {
    let mut text = heading(name);
    let mut after_constant = false;
    for item in items(name).iter().filter(|item| !is_object(item)) {
        let constant = code(item).starts_with("#define");
        text.push_str(if constant && after_constant { "" } else { "\n" });
        writeln!(text, "{item}").unwrap();
        after_constant = constant;
    }
    text.push('\n');
    text
}

/// The declarations of all objects, which precede all functions.
fn objects() -> String {
    let items = SECTIONS
        .iter()
        .flat_map(|name| items(name))
        .filter(|item| is_object(item));
    let rule = "=".repeat(112 - "Objects".len());
    let mut text = format!("/* ==== Objects {rule}\n *\n * Objects are opaque.\n */\n\n");
    items.for_each(|item| writeln!(text, "{item}\n").unwrap());
    text
}

fn header() -> String {
    let sections: String = SECTIONS.iter().map(|name| section(name)).collect();
    format!("{TOP}{}{sections}{BOTTOM}", objects())
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
