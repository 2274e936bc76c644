//! Imports go one way: a module of `src/` imports from modules that `DESIGN.md` lists before it,
//! and files form no circle. The files of the Python crate form no circle either.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tree::{Imports, Tree};

/// The page that states the order, and the line before the order.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/DESIGN.md");
const ORDER: &str = "```imports\n";

/// The imports of the crate in this folder of the repository.
fn imports_below(folder: &str) -> Imports {
    let mut files = tree::files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    assert!(!files.is_empty(), "{folder} has no source files");
    files.retain(|file, _| !file.starts_with("fuzz/"));
    Tree::of(&files).imports()
}

/// The modules from the lowest to the highest.
fn stated_order() -> Vec<String> {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let block = page
        .split_once(ORDER)
        .expect("DESIGN.md states the order")
        .1;
    let block = block.split_once("```").unwrap().0;
    block.split_whitespace().map(str::to_owned).collect()
}

/// The top folder or file in `src/` that contains a file.
fn module_of(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Imports from a module that comes later in the order or is missing from it.
fn against(order: &[String], imports: &Imports) -> Vec<String> {
    let place = |file: &str| order.iter().position(|module| module == module_of(file));
    let wrong = |from: &str, to: &str| match (place(from), place(to)) {
        (Some(from), Some(to)) => to > from,
        _ => true,
    };
    let all = imports
        .iter()
        .flat_map(|(from, to)| to.iter().map(move |to| (from, to)));
    all.filter(|(from, to)| module_of(from) != module_of(to) && wrong(from, to))
        .map(|(from, to)| format!("{from} imports {to}"))
        .collect()
}

/// The files of each circle, with the imports among them.
fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let reached: BTreeMap<_, _> = imports
        .keys()
        .map(|file| (file, reach(imports, file)))
        .collect();
    let in_circle = |file: &&String| reached[*file].contains(*file);
    let mut circles = BTreeSet::new();
    for file in imports.keys().filter(in_circle) {
        let with: Vec<_> = reached[file]
            .iter()
            .filter(|other| reached.get(other).is_some_and(|back| back.contains(file)))
            .cloned()
            .collect();
        circles.insert(with);
    }
    circles.into_iter().collect()
}

/// Every file that a file imports, directly or through others.
fn reach(imports: &Imports, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        for to in imports.get(file).into_iter().flatten() {
            if reached.insert(to.clone()) {
                next.push(to);
            }
        }
    }
    reached
}

#[test]
fn imports_follow_the_order() {
    let imports = imports_below("src");
    let order = stated_order();
    let modules: BTreeSet<_> = imports.keys().map(|file| module_of(file)).collect();
    for module in &order {
        assert!(
            modules.contains(module.as_str()),
            "DESIGN.md orders {module}, which is not there"
        );
    }
    let pairs: BTreeSet<_> = imports
        .iter()
        .flat_map(|(from, to)| to.iter().map(move |to| (module_of(from), module_of(to))))
        .filter(|(from, to)| from != to)
        .collect();
    println!(
        "{} modules, {} imports between them",
        order.len(),
        pairs.len()
    );
    assert_eq!(against(&order, &imports), [""; 0]);
}

#[test]
fn no_circle_of_files() {
    for folder in ["src", "bindings/python/src"] {
        assert_eq!(circles(&imports_below(folder)), [[""; 0]; 0], "{folder}");
    }
}

/// A crate of these files.
fn planted(files: &[(&str, &str)]) -> Imports {
    let files = files
        .iter()
        .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()));
    Tree::of(&files.collect()).imports()
}

#[test]
fn an_import_against_the_order_is_found_however_it_is_written() {
    let order = ["low", "high"].map(str::to_owned);
    for text in [
        "use crate::high::Thing;",
        "use crate::{high::Thing, low};",
        "use super::high::{self, Thing as Other};\nfn f(_: high::Thing) {}",
        "use crate::high::*;\nfn f(_: Thing) {}",
        "use crate::Thing;",
        "fn f() -> crate::high::Thing { todo!() }",
        "fn f() { println!(\"{}\", crate::high::LIMIT) }",
        "mod within { use super::super::high::Thing; }",
    ] {
        let imports = planted(&[
            ("lib.rs", "mod high; mod low; pub use high::Thing;"),
            ("high.rs", "pub struct Thing; pub const LIMIT: u8 = 1;"),
            ("low.rs", text),
        ]);
        assert_eq!(
            against(&order, &imports),
            ["low.rs imports high.rs"],
            "{text}"
        );
    }
}

#[test]
fn what_is_no_import_is_not_taken_for_one() {
    let order = ["low", "high"].map(str::to_owned);
    for text in [
        "/// [`Thing`](crate::high::Thing)\nstruct Low;",
        "#[cfg(test)] mod tests { use crate::high::Thing; }",
        "pub struct Thing; fn f(_: Thing) {}",
        "pub use crate::high::Thing;",
    ] {
        let imports = planted(&[
            ("lib.rs", "mod high; mod low;"),
            ("high.rs", "use crate::low; pub struct Thing;"),
            ("low.rs", text),
        ]);
        assert_eq!(against(&order, &imports), [""; 0], "{text}");
    }
}

#[test]
fn a_module_without_a_place_is_found() {
    let imports = planted(&[
        ("lib.rs", "mod low; mod new;"),
        ("low.rs", "pub struct Low;"),
        ("new.rs", "use crate::low::Low;"),
    ]);
    assert_eq!(
        against(&["low".to_owned()], &imports),
        ["new.rs imports low.rs"]
    );
}

#[test]
fn a_circle_is_found() {
    let imports = planted(&[
        ("lib.rs", "mod a; mod other;"),
        ("a/mod.rs", "mod b; mod c; pub use b::B; pub struct A;"),
        ("a/b.rs", "use super::c::C; pub struct B;"),
        ("a/c.rs", "use super::B; pub struct C;"),
        ("other.rs", "use crate::a::B;"),
    ]);
    assert_eq!(circles(&imports), [["a/b.rs", "a/c.rs"]]);
}
