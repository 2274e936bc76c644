//! Names as they may be printed.

/// Like the secret half of one of fal's keys, which is 32 hexadecimal digits.
pub(crate) fn looks_like_secret(text: &str) -> bool {
    text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A profile's name, unless it may be a key in the wrong place or would harm a terminal.
pub(crate) fn printable_name(name: &str) -> &str {
    const LONGEST: usize = 64;
    let printable = name
        .chars()
        .all(|c| c.is_alphanumeric() || " -_.@/+".contains(c))
        && !looks_like_secret(name);
    if name.is_empty() {
        "(empty name)"
    } else if printable && name.chars().count() <= LONGEST {
        name
    } else {
        "(name not shown)"
    }
}
