//! Expands the macros of `src/ffi/macros.rs` into plain functions for cbindgen, which does not
//! expand macros, and turns each integer type with its constants into an enum.

use std::fmt::Write;

const MACROS: [&str; 6] = [
    "fallible",
    "operations",
    "infallible",
    "strings",
    "frees",
    "counted",
];

/// `source` with each entry of a macro replaced by a function with an empty body, and each type of
/// constants by an enum.
pub(crate) fn expand(source: &str) -> String {
    let plain = functions(source);
    let types = plain.lines().filter_map(|line| {
        line.strip_prefix("pub type ")
            .and_then(|line| line.strip_suffix(" = i32;"))
    });
    types.fold(plain.clone(), |plain, name| enumerated(&plain, name))
}

/// `source` with the constants of the type `name` as the values of an enum.
///
/// Rust has an integer, since a caller in C may pass any number. The last value makes the enum 32
/// bits wide with every compiler, and a later library's values representable in C++.
fn enumerated(source: &str, name: &str) -> String {
    let declared = format!("pub type {name} = i32;");
    let constant = format!(": {name} = ");
    let mut rest = String::new();
    let mut values = String::new();
    let mut comment = String::new();
    for line in source.lines() {
        let value = line
            .strip_prefix("pub const ")
            .and_then(|line| line.split_once(&constant));
        if line.starts_with("///") {
            writeln!(comment, "{line}").unwrap();
        } else if let Some((constant, value)) = value {
            let value = value.trim_end_matches(';');
            writeln!(
                values,
                "{}{constant} = {value},",
                std::mem::take(&mut comment)
            )
            .unwrap();
        } else {
            writeln!(rest, "{}{line}", std::mem::take(&mut comment)).unwrap();
        }
    }
    if values.is_empty() {
        return source.to_owned();
    }
    let last = format!("{}_MAX_ENUM", name.to_uppercase());
    let last = format!("/// Not a value. It makes the type 32 bits wide.\n{last} = 0x7FFFFFFF,");
    let declaration = format!("#[repr(C)]\npub enum {name} {{\n{values}{last}\n}}");
    rest.replace(&declared, &declaration)
}

/// `source` with each entry of a macro replaced by a function with an empty body.
fn functions(source: &str) -> String {
    let mut plain = String::new();
    let mut lines = source.lines();
    while let Some(line) = lines.by_ref().find(|line| !line.starts_with("//!")) {
        let name = line.strip_suffix("! {").unwrap_or_default();
        if MACROS.contains(&name) {
            entries(name, &mut lines, &mut plain);
        } else {
            writeln!(plain, "{line}").unwrap();
        }
    }
    plain
}

/// Writes the entries of the macro `of`, up to its closing brace.
fn entries<'a>(of: &str, lines: &mut impl Iterator<Item = &'a str>, plain: &mut String) {
    let mut parameters = String::new();
    while let Some(line) = lines.next().filter(|line| *line != "}") {
        let code = line.trim();
        if code.is_empty() || code.starts_with("///") {
            writeln!(plain, "{code}").unwrap();
            continue;
        }
        let mut signature = code.to_owned();
        while !signature.ends_with([';', '{']) {
            signature += lines.next().unwrap().trim();
        }
        if signature.ends_with('{') {
            lines.find(|line| *line == "    }").unwrap();
        }
        let signature = signature.trim_end_matches([';', '{', ' ']);
        let (keyword, rest) = signature.split_once(' ').unwrap();
        let (name, rest) = rest.split_once('(').unwrap_or((rest, ""));
        let (list, value) = rest.split_once(')').unwrap_or_default();
        // The second function of a pair has the parameters of the first.
        if keyword == "fn" {
            parameters = list.split(',').map(parameter).collect();
        }
        let (value, _) = value.split_once(" =").unwrap_or((value, ""));
        let value = value.strip_prefix(" -> ").unwrap_or("()");
        let kind = if keyword == "wait" { keyword } else { of };
        let (more, value) = ending(kind, value);
        let function = format!("fn {name}({parameters}{more}) -> {value} {{}}");
        writeln!(
            plain,
            "#[unsafe(no_mangle)]\npub unsafe extern \"C\" {function}"
        )
        .unwrap();
    }
}

/// The C parameters for one parameter of an entry, with a comma after each.
fn parameter(parameter: &str) -> String {
    let Some((name, of)) = parameter.trim().split_once(": ") else {
        return String::new();
    };
    let of = of.strip_prefix("Option<").unwrap_or(of);
    let of = of.trim_end_matches(['>', ']']);
    let form = |start: &str| of.strip_prefix(start);
    if let Some(len) = form("text[") {
        format!("{name}: *const c_char, {len}: usize, ")
    } else if let Some(len) = form("bytes[") {
        format!("{name}: *const c_void, {len}: usize, ")
    } else if let Some(release) = form("lease[") {
        format!("{release}: fal_release_callback, {name}: *mut c_void, ")
    } else if let Some(object) = form("&mut ").or(form("Box<")) {
        format!("{name}: *mut {object}, ")
    } else if let Some(object) = form("&") {
        format!("{name}: *const {object}, ")
    } else {
        format!("{name}: {of}, ")
    }
}

/// The parameters that the macro `of` adds, and the type that its functions return.
fn ending(of: &str, value: &str) -> (String, String) {
    let out = |out: &str| {
        let parameters = format!("{out}err: *mut *mut fal_error");
        (parameters, "fal_status".to_owned())
    };
    match of {
        "operations" => out("out: *mut *mut fal_op, "),
        "wait" => out("out: *mut *mut fal_response, "),
        "fallible" if value == "()" => out(""),
        "fallible" => {
            let shared = value.strip_prefix("Shared<");
            let object = shared.unwrap_or(value).trim_end_matches('>');
            let pointer = if object.starts_with("fal_") {
                "*mut "
            } else {
                ""
            };
            out(&format!("out: *mut {pointer}{object}, "))
        }
        "strings" => ("len: *mut usize".to_owned(), "*const c_char".to_owned()),
        _ => (String::new(), value.to_owned()),
    }
}
