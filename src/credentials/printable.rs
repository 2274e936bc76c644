//! Names in printable form.

/// Returns whether a text looks like the secret half of a fal key: 32 hexadecimal digits or more.
pub(crate) fn looks_like_secret(text: &str) -> bool {
    text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns a profile's name if it is short, free of control characters and not like a secret, and a
/// placeholder otherwise.
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
