//! Names that Windows takes for a device in every folder, with any extension.

/// Whether a file of this name would be a device there.
pub(crate) fn names_device(name: &str) -> bool {
    // A device is known before a dot, and before blanks.
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_uppercase();
    matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$"
    ) || is_port(&stem)
}

fn is_port(stem: &str) -> bool {
    let number = stem
        .strip_prefix("COM")
        .or_else(|| stem.strip_prefix("LPT"));
    // Superscripts count as digits there.
    number.is_some_and(|number| {
        matches!(number, "¹" | "²" | "³") || matches!(number.as_bytes(), [b'0'..=b'9'])
    })
}
