//! Sanitizes a client's file name for use in a URL.

/// The longest name in bytes. A longer one keeps its end, which has the extension.
const LONGEST: usize = 100;

/// The last segment of a path with `/` or `\`. Characters other than letters, digits, `.`, `-` and
/// `_` become `_`, and leading dots are removed.
pub(crate) fn safe(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
            c
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(plain).collect();
    name[name.len().saturating_sub(LONGEST)..]
        .trim_start_matches('.')
        .to_owned()
}

/// `file.<subtype>`, with the subtype cut at the first character that is not a letter or digit.
pub(crate) fn for_type(content_type: &str) -> String {
    let subtype = content_type.split('/').nth(1).unwrap_or_default();
    let extension: String = subtype
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .take(16)
        .collect();
    match extension.as_str() {
        "" | "octet" => "file.bin".into(),
        extension => format!("file.{extension}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_becomes_harmless() {
        let long = format!("{}.png", "x".repeat(300));
        for (name, safe_name) in [
            ("cat.png", "cat.png"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("..", ""),
            ("...hidden", "hidden"),
            ("a/", ""),
            ("a?b#c%2e&d.png", "a_b_c_2e_d.png"),
            ("a\r\nX-Evil: 1\0", "a__X-Evil__1_"),
            ("katze-\u{e4}\u{1f431}.png", "katze-__.png"),
        ] {
            assert_eq!(safe(name), safe_name, "{name:?}");
        }
        assert!(safe(&long).len() == LONGEST && safe(&long).ends_with("x.png"));
    }

    #[test]
    fn a_file_without_a_name_is_named_by_its_type() {
        for (content_type, name) in [
            ("image/png", "file.png"),
            ("image/svg+xml", "file.svg"),
            ("text/plain; charset=utf-8", "file.plain"),
            ("application/octet-stream", "file.bin"),
            ("nonsense", "file.bin"),
            ("image/../../x", "file.bin"),
        ] {
            assert_eq!(for_type(content_type), name, "{content_type}");
        }
    }
}
