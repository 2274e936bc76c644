//! The files of a crate and the imports between them, read from the source.
//!
//! Tests are left out. A re-export does not count as an import, because the file does not use the
//! name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, Path, UseTree, Visibility};

type Segments = Vec<String>;

/// A crate, by the modules that have files of their own.
pub(crate) struct Tree {
    modules: BTreeMap<Segments, Module>,
}

#[derive(Default)]
struct Module {
    file: String,
    names: BTreeMap<String, Name>,
    globs: Vec<Segments>,
    uses: BTreeSet<Segments>,
}

enum Name {
    Here,
    Import(Segments),
}

/// The files that each file imports.
pub(crate) type Imports = BTreeMap<String, BTreeSet<String>>;

impl Tree {
    /// Reads `files`: paths from the crate's source folder, and their texts.
    pub(crate) fn of(files: &BTreeMap<String, String>) -> Self {
        let parsed: BTreeMap<_, _> = files
            .iter()
            .map(|(file, text)| {
                (
                    module_of(file),
                    (file.clone(), syn::parse_file(text).unwrap()),
                )
            })
            .collect();
        let for_tests = tests(&parsed);
        let modules = parsed
            .into_iter()
            .filter(|(module, _)| !for_tests.iter().any(|test| module.starts_with(test)))
            .map(|(path, (file, syntax))| {
                let module = Reader::read(&path, file, &syntax.items);
                (path, module)
            })
            .collect();
        Tree { modules }
    }

    pub(crate) fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for module in self.modules.values() {
            let from = imports.entry(module.file.clone()).or_default();
            from.extend(module.uses.iter().filter_map(|path| self.file_of(path, 0)));
            from.remove(&module.file);
        }
        imports
    }

    /// The file that defines what `path` names.
    fn file_of(&self, path: &[String], depth: usize) -> Option<String> {
        let known = (0..=path.len())
            .rev()
            .find(|end| self.modules.contains_key(&path[..*end]))?;
        let module = &self.modules[&path[..known]];
        // The path names the module itself. Items used through it have paths of their own.
        let name = path.get(known)?;
        let rest = &path[known + 1..];
        match module.names.get(name) {
            Some(Name::Import(target)) if depth < 8 => {
                let target: Segments = target.iter().chain(rest).cloned().collect();
                self.file_of(&target, depth + 1)
            }
            Some(_) => Some(module.file.clone()),
            None => module.globs.iter().find_map(|glob| {
                let target: Segments = glob.iter().chain(&path[known..]).cloned().collect();
                (depth < 8)
                    .then(|| self.file_of(&target, depth + 1))
                    .flatten()
            }),
        }
    }
}

/// The files below a folder.
pub(crate) fn files(folder: &FilePath) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(folder)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .replace('\\', "/");
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

fn module_of(file: &str) -> Segments {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/')
        .filter(|part| *part != "lib")
        .map(str::to_owned)
        .collect()
}

/// The modules that only tests and fuzzers compile.
fn tests(parsed: &BTreeMap<Segments, (String, syn::File)>) -> Vec<Segments> {
    let children = parsed.iter().flat_map(|(path, (_, syntax))| {
        let modules = syntax.items.iter().filter_map(|item| match item {
            Item::Mod(module) if is_test(&module.attrs) => Some(module.ident.to_string()),
            _ => None,
        });
        modules.map(|name| path.iter().cloned().chain([name]).collect())
    });
    children.collect()
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .filter(|one| one.path().is_ident("cfg"))
        .any(|cfg| {
            let condition = cfg
                .meta
                .require_list()
                .unwrap()
                .tokens
                .to_string()
                .replace(' ', "");
            let word = |part: &str| part == "test" || part == "fuzzing";
            !condition.contains("not(test") && condition.split(['(', ')', ',']).any(word)
        })
}

/// Collects what a file defines and uses. An inline module is part of its file.
struct Reader<'a> {
    path: &'a [String],
    module: Module,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn read(path: &'a [String], file: String, items: &'a [Item]) -> Module {
        let module = Module {
            file,
            ..Module::default()
        };
        let mut reader = Reader {
            path,
            module,
            depth: 0,
        };
        items.iter().for_each(|item| reader.define(item));
        items.iter().for_each(|item| reader.visit_item(item));
        reader.module
    }

    fn define(&mut self, item: &Item) {
        let name = match item {
            Item::Const(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Union(item) => &item.ident,
            Item::Mod(item) if item.content.is_some() => &item.ident,
            Item::Macro(item) => match &item.ident {
                Some(name) => name,
                None => return,
            },
            Item::Use(item) if !is_test(&item.attrs) => return self.import(item),
            _ => return,
        };
        self.module.names.insert(name.to_string(), Name::Here);
    }

    fn import(&mut self, item: &ItemUse) {
        for (name, path) in flat(&item.tree, Vec::new()) {
            let Some(path) = self.absolute(path) else {
                continue;
            };
            match name {
                Some(name) => _ = self.module.names.insert(name, Name::Import(path)),
                None => self.module.globs.push(path),
            }
        }
    }

    /// The path from the root of the crate, or `None` if it leads out of the crate.
    fn absolute(&self, path: Segments) -> Option<Segments> {
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => return Some(rest.to_vec()),
            "self" => self.path.to_vec(),
            "super" => {
                let above = rest.iter().take_while(|part| *part == "super").count() + 1;
                let up = above.saturating_sub(self.depth);
                let start = self.path[..self.path.len().checked_sub(up)?].to_vec();
                return Some(
                    start
                        .into_iter()
                        .chain(rest[above - 1..].iter().cloned())
                        .collect(),
                );
            }
            _ => match self.module.names.get(first) {
                Some(Name::Import(target)) => target.clone(),
                Some(Name::Here) => return None,
                // The name of a child module. If there is no such module, the path resolves to
                // nothing.
                None => [self.path, &path[..1]].concat(),
            },
        };
        Some(start.into_iter().chain(rest.iter().cloned()).collect())
    }

    fn add(&mut self, path: Segments) {
        if let Some(path) = self.absolute(path) {
            self.module.uses.insert(path);
        }
    }
}

impl<'a> Visit<'a> for Reader<'a> {
    fn visit_item(&mut self, item: &'a Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Static(item) => &item.attrs,
            Item::Const(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        self.depth += 1;
        visit::visit_item_mod(self, item);
        self.depth -= 1;
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        if matches!(item.vis, Visibility::Inherited) {
            flat(&item.tree, Vec::new())
                .into_iter()
                .for_each(|(_, path)| self.add(path));
        }
    }

    fn visit_visibility(&mut self, _: &'a Visibility) {}

    fn visit_path(&mut self, path: &'a Path) {
        self.add(
            path.segments
                .iter()
                .map(|segment| segment.ident.to_string())
                .collect(),
        );
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'a Macro) {
        let text = call.tokens.to_string();
        let words: Vec<_> = text
            .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':' || c == ' '))
            .collect();
        for path in words.iter().flat_map(|part| paths(part)) {
            self.add(path);
        }
    }
}

/// The paths in the text of a macro's tokens, in which `::` stands between spaces.
fn paths(text: &str) -> Vec<Segments> {
    let text = text.replace(" :: ", "::");
    let words = text.split_whitespace().filter(|word| word.contains("::"));
    words
        .map(|word| {
            word.split("::")
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        })
        .collect()
}

/// The names that a `use` imports, and their paths. A glob has no name.
fn flat(tree: &UseTree, before: Segments) -> Vec<(Option<String>, Segments)> {
    let with = |ident: &syn::Ident| before.iter().cloned().chain([ident.to_string()]).collect();
    match tree {
        UseTree::Path(path) => flat(&path.tree, with(&path.ident)),
        UseTree::Name(name) if name.ident == "self" => vec![(before.last().cloned(), before)],
        UseTree::Name(name) => vec![(Some(name.ident.to_string()), with(&name.ident))],
        UseTree::Rename(name) => vec![(Some(name.rename.to_string()), with(&name.ident))],
        UseTree::Glob(_) => vec![(None, before)],
        UseTree::Group(group) => group
            .items
            .iter()
            .flat_map(|tree| flat(tree, before.clone()))
            .collect(),
    }
}
