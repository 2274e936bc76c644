//! The dependencies comply with deny.toml: licences, bans and sources. The test needs no network.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use crate::files::{read, root};

/// All packages that the workspace depends on, on every system and with every feature.
fn packages() -> Vec<Value> {
    let metadata = |offline: &[&str]| {
        Command::new(env!("CARGO"))
            .args([
                "metadata",
                "--locked",
                "--all-features",
                "--format-version=1",
            ])
            .args(offline)
            .current_dir(root())
            .output()
            .unwrap()
    };
    let mut output = metadata(&["--offline"]);
    if !output.status.success() {
        // Crates for other systems may not have been downloaded yet.
        output = metadata(&[]);
    }
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

type List<'a> = [toml::Spanned<DeValue<'a>>];

fn list<'a>(rules: &'a DeTable<'_>, section: &str, name: &str) -> &'a List<'a> {
    let section = rules.get(section).unwrap().get_ref();
    section.get(name).unwrap().get_ref().as_array().unwrap()
}

fn strings(list: &List<'_>) -> BTreeSet<String> {
    let texts = list.iter().map(|text| text.get_ref().as_str().unwrap());
    texts.map(str::to_owned).collect()
}

/// The crate that a rule applies to.
fn subject<'a>(rule: &'a DeValue<'_>) -> &'a str {
    rule.get("crate").unwrap().get_ref().as_str().unwrap()
}

/// Whether the allowed licences satisfy a licence expression: `A OR B`, `A AND B`, parentheses, and
/// the old `A/B`.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    fn either(words: &mut &[String], allowed: &BTreeSet<String>) -> bool {
        let mut met = both(words, allowed);
        while words.first().is_some_and(|word| word == "OR") {
            *words = &words[1..];
            met |= both(words, allowed);
        }
        met
    }
    fn both(words: &mut &[String], allowed: &BTreeSet<String>) -> bool {
        let mut met = one(words, allowed);
        while words.first().is_some_and(|word| word == "AND") {
            *words = &words[1..];
            met &= one(words, allowed);
        }
        met
    }
    fn one(words: &mut &[String], allowed: &BTreeSet<String>) -> bool {
        let (first, rest) = words.split_first().expect("a licence");
        *words = rest;
        if first == "(" {
            let met = either(words, allowed);
            assert_eq!(words.first().map(String::as_str), Some(")"));
            *words = &words[1..];
            return met;
        }
        let mut licence = first.clone();
        if words.first().is_some_and(|word| word == "WITH") {
            licence = format!("{licence} WITH {}", words[1]);
            *words = &words[2..];
        }
        allowed.contains(&licence)
    }
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<String> = spaced.split_whitespace().map(str::to_owned).collect();
    let mut words = &words[..];
    let met = either(&mut words, allowed);
    assert!(words.is_empty(), "{expression}");
    met
}

#[test]
fn licence_expressions_are_understood() {
    let allowed: BTreeSet<String> = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]
        .map(String::from)
        .into();
    for met in [
        "MIT",
        "MIT OR GPL-3.0",
        "GPL-3.0/MIT",
        "(GPL-3.0 OR MIT) AND ISC",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for unmet in [
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "Apache-2.0",
        "(MIT OR ISC) AND GPL-3.0",
    ] {
        assert!(!is_met(unmet, &allowed), "{unmet}");
    }
}

#[test]
fn dependencies_keep_to_deny_toml() {
    let text = read("deny.toml");
    let rules = DeTable::parse(&text).unwrap();
    let rules = rules.get_ref();
    let allowed = strings(list(rules, "licenses", "allow"));
    let exceptions = list(rules, "licenses", "exceptions");
    let banned = list(rules, "bans", "deny");
    let registries = strings(list(rules, "sources", "allow-registry"));

    let packages = packages();
    assert!(packages.len() > 100, "only {} packages", packages.len());
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or_default();
        let mut may = allowed.clone();
        for exception in exceptions.iter().map(toml::Spanned::get_ref) {
            if subject(exception) == name {
                may.extend(strings(
                    exception
                        .get("allow")
                        .unwrap()
                        .get_ref()
                        .as_array()
                        .unwrap(),
                ));
                used.insert(name);
            }
        }
        if licence.is_empty() || !is_met(licence, &may) {
            wrong.push(format!("{name}: its licence is {licence:?}"));
        }
        if banned.iter().any(|rule| subject(rule.get_ref()) == name) {
            wrong.push(format!("{name}: it is banned"));
        }
        if let Some(source) = package["source"].as_str()
            && !registries
                .iter()
                .any(|one| source == format!("registry+{one}"))
        {
            wrong.push(format!("{name}: it comes from {source}"));
        }
    }
    assert!(wrong.is_empty(), "deny.toml forbids:\n{}", wrong.join("\n"));
    assert_eq!(
        used.len(),
        exceptions.len(),
        "an exception that nothing needs"
    );
}

/// The page of dependencies gives a reason for each dependency of the library.
#[test]
fn each_dependency_has_a_reason() {
    let page = read("docs/decisions/0023-dependencies.md");
    let packages = packages();
    let library = packages.iter().find(|one| one["name"] == "libfal").unwrap();
    let missing: Vec<&str> = library["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| dependency["name"].as_str().unwrap())
        .filter(|name| !page.contains(name))
        .collect();
    assert!(missing.is_empty(), "no reason is given for {missing:?}");
}
