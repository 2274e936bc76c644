//! Names and content types of files, which untrusted parties choose.

use std::path::Path;

use reqwest::header::HeaderValue;

use crate::error::{Error, Result};
use crate::system::replace::names_device;

/// The most bytes of a name. File systems allow 255.
const MOST: usize = 150;

/// A content type a line, followed by its extensions: those that the crate `mime_guess` knows, whose
/// own table takes 150 KB more, because it consists of pointers.
const TYPES: &str = include_str!("content_types.txt");

/// The extensions of types that have several, or whose name is another extension.
const USUAL: &[(&str, &str)] = &[
    (UNKNOWN_TYPE, UNKNOWN),
    ("audio/mpeg", "mp3"),
    ("audio/x-wav", "wav"),
    ("text/javascript", "js"),
    ("text/markdown", "md"),
    ("text/plain", "txt"),
    ("video/x-matroska", "mkv"),
];

const UNKNOWN: &str = "bin";
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// Returns a name without folders, control characters and characters that file systems refuse.
/// `None` if nothing is left.
pub(crate) fn sanitized(name: &str) -> Option<String> {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = base
        .chars()
        .map(|c| if is_odd(c) { '_' } else { c })
        .collect();
    // Leading dots hide a file, and Windows drops trailing dots and spaces.
    let kept = kept
        .trim_start_matches(['.', ' '])
        .trim_end_matches(['.', ' ']);
    let kept = shortened(kept);
    let device = names_device(&kept);
    match (kept.is_empty(), device) {
        (true, _) => None,
        (false, true) => Some(format!("_{kept}")),
        (false, false) => Some(kept),
    }
}

fn is_odd(c: char) -> bool {
    // Bidirectional marks make "gpj.exe" look like a picture.
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || "<>:\"|?*".contains(c)
}

/// Shortens a name and keeps its extension.
fn shortened(name: &str) -> String {
    if name.len() <= MOST {
        return name.to_owned();
    }
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension)
        .filter(|extension| extension.len() <= 16);
    let tail = extension
        .map(|extension| format!(".{extension}"))
        .unwrap_or_default();
    let end = (0..=MOST - tail.len())
        .rev()
        .find(|end| name.is_char_boundary(*end))
        .unwrap_or_default();
    let cut = format!("{}{tail}", &name[..end]);
    // The cut may expose a dot or a space.
    cut.trim_end_matches(['.', ' ']).to_owned()
}

/// Returns a name for content without one, such as `upload.png` (docs/protocol.md §9.1).
pub(crate) fn made_up(stem: &str, content_type: &str) -> String {
    let kind = content_type.split(';').next().unwrap_or_default();
    format!("{stem}.{}", extension_of(&kind.trim().to_ascii_lowercase()))
}

/// Returns the extension of a content type: the usual one, a subtype that is an extension, the first
/// known one, or what a subtype begins with.
fn extension_of(kind: &str) -> String {
    let is_kind = |line: &(&str, &str)| line.0 == kind;
    if let Some((_, usual)) = USUAL.iter().find(|line| is_kind(line)) {
        return (*usual).to_owned();
    }
    let subtype = kind.split('/').nth(1).unwrap_or_default();
    let mut types = TYPES.lines().filter_map(|line| line.split_once(' '));
    if type_of(subtype).is_none()
        && let Some((_, extensions)) = types.find(is_kind)
    {
        return extensions.split(' ').take(1).collect();
    }
    let plain = subtype.split('-').next().unwrap_or_default().chars();
    let plain: String = plain.filter(char::is_ascii_alphanumeric).take(16).collect();
    if plain.is_empty() {
        UNKNOWN.to_owned()
    } else {
        plain
    }
}

/// Replaces the characters of a name that a header cannot hold.
pub(crate) fn in_header(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_graphic() || c == ' ' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

/// Returns the content type of an extension.
pub(crate) fn guessed_type(name: &str) -> &'static str {
    let extension = Path::new(name).extension().and_then(|e| e.to_str());
    extension.and_then(type_of).unwrap_or(UNKNOWN_TYPE)
}

fn type_of(extension: &str) -> Option<&'static str> {
    let mut types = TYPES.lines().filter_map(|line| line.split_once(' '));
    let (found, _) = types.find(|(_, extensions)| {
        let mut extensions = extensions.split(' ');
        extensions.any(|known| known.eq_ignore_ascii_case(extension))
    })?;
    Some(found)
}

/// Checks that a content type can be sent.
pub(crate) fn checked_type(text: &str) -> Result<()> {
    let plain = HeaderValue::from_str(text).is_ok()
        && text
            .split_once('/')
            .is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
    if plain {
        Ok(())
    } else {
        Err(Error::invalid(
            "the content type must have the form type/subtype",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_become_harmless() {
        for (name, kept) in [
            ("input.png", Some("input.png")),
            ("Foto für Ännchen.jpg", Some("Foto für Ännchen.jpg")),
            ("../../etc/passwd", Some("passwd")),
            ("..\\..\\boot.ini", Some("boot.ini")),
            ("/", None),
            ("..", None),
            ("", None),
            (" . ", None),
            (".bashrc", Some("bashrc")),
            ("a\r\nX-Evil: 1.png", Some("a__X-Evil_ 1.png")),
            ("a\0b", Some("a_b")),
            ("nul.txt", Some("_nul.txt")),
            ("nul .txt", Some("_nul .txt")),
            ("COM1", Some("_COM1")),
            ("COM10", Some("COM10")),
            ("com0.txt", Some("_com0.txt")),
            ("COM¹.png", Some("_COM¹.png")),
            ("lpt²", Some("_lpt²")),
            ("conin$", Some("_conin$")),
            ("CONOUT$ .txt", Some("_CONOUT$ .txt")),
            ("x\u{202e}gpj.exe", Some("x_gpj.exe")),
            ("a:b", Some("a_b")),
        ] {
            assert_eq!(sanitized(name).as_deref(), kept, "{name:?}");
        }
        assert_eq!(
            sanitized(&format!("{} x", "a".repeat(MOST - 1))).unwrap(),
            "a".repeat(MOST - 1)
        );
        let long = sanitized(&format!("{}.png", "ä".repeat(400))).unwrap();
        assert!(long.len() <= MOST && long.ends_with("ä.png"), "{long}");
    }

    #[test]
    fn what_has_no_name_gets_one() {
        for (kind, name) in [
            ("image/png", "upload.png"),
            ("image/JPEG", "upload.jpeg"),
            ("image/svg+xml", "upload.svg"),
            ("application/x-tar", "upload.tar"),
            ("application/x-unknown", "upload.x"),
            ("application/vnd.a/../b.c", "upload.vnda"),
            ("text/plain; charset=utf-8", "upload.txt"),
            ("Text/Plain", "upload.txt"),
            ("text/html;charset=utf-8", "upload.html"),
            ("application/json", "upload.json"),
            ("audio/mpeg", "upload.mp3"),
            ("video/quicktime", "upload.mov"),
            ("model/gltf-binary", "upload.glb"),
            ("application/octet-stream", "upload.bin"),
            ("nonsense", "upload.bin"),
        ] {
            assert_eq!(made_up("upload", kind), name);
        }
        assert_eq!(in_header("Ä b\u{7f}.png"), "_ b_.png");
        assert_eq!(guessed_type("a.PNG"), "image/png");
        for name in ["a", "", ".png", "a.", "a.image/png", "a.no such"] {
            assert_eq!(guessed_type(name), UNKNOWN_TYPE, "{name:?}");
        }
        assert!(checked_type("image/png").is_ok());
        assert!(
            checked_type("png").is_err()
                && checked_type("a/b\r\nc: d").is_err()
                && checked_type("/").is_err()
        );
    }

    #[test]
    fn the_types_are_those_of_mime_guess() {
        let mut extensions = 0;
        for line in TYPES.lines() {
            for extension in line.split(' ').skip(1) {
                let theirs = mime_guess::from_ext(extension).first_raw();
                assert_eq!(Some(guessed_type(&format!("a.{extension}"))), theirs);
                extensions += 1;
            }
        }
        assert_eq!(extensions, 1335);
    }
}
