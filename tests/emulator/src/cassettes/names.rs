//! The folder of an endpoint's recordings: a name that is valid on every system and leaves no
//! folder, whatever the id is.

use ring::digest::{SHA256, digest};

/// The longest name of a folder, and the number of folders that an id makes at most.
const LONGEST: usize = 80;
const DEEPEST: usize = 8;

/// Names that Windows gives to devices, with any extension.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// The folders of the endpoint `id`, one below the other.
pub(super) fn folders(id: &str) -> Vec<String> {
    let mut folders: Vec<String> = id.split('/').map(folder).collect();
    if folders.len() > DEEPEST {
        folders.truncate(DEEPEST - 1);
        folders.push(hash(id));
    }
    folders
}

/// One segment of an id, with every character escaped that a file system may treat as special.
fn folder(segment: &str) -> String {
    let mut name = String::new();
    let last = segment.len().saturating_sub(1);
    for (at, byte) in segment.bytes().enumerate() {
        let plain = match byte {
            // A name in front of which a `_` stands belongs to the recorder.
            b'_' | b'-' => at > 0,
            b'.' => at > 0 && at < last,
            _ => byte.is_ascii_alphanumeric(),
        };
        if plain && !(at == 0 && is_device(segment)) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    if name.is_empty() {
        return "%".into();
    }
    if name.len() > LONGEST {
        name.truncate(LONGEST - 17);
        name = format!("{name}-{}", hash(segment));
    }
    name
}

fn is_device(segment: &str) -> bool {
    let stem = segment.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_ascii_lowercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix)
            .is_some_and(|rest| rest.chars().count() == 1 && !rest.starts_with(char::is_alphabetic))
    };
    DEVICES.contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

/// Sixteen hexadecimal digits that identify `text`.
pub(super) fn hash(text: &str) -> String {
    hex(text.as_bytes())[..16].to_owned()
}

/// The SHA-256 of `bytes`, in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    digest.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_folders_below_the_recordings() {
        for (id, expected) in [
            ("fal-ai/flux/schnell", "fal-ai/flux/schnell"),
            ("fal-ai/flux-pro/v1.1", "fal-ai/flux-pro/v1.1"),
            ("../..", "%2E%2E/%2E%2E"),
            ("a/../../etc", "a/%2E%2E/%2E%2E/etc"),
            ("a//b", "a/%/b"),
            ("/a/", "%/a/%"),
            (".git/hooks", "%2Egit/hooks"),
            ("a/b.", "a/b%2E"),
            ("C:\\a", "C%3A%5Ca"),
            ("_media/a", "%5Fmedia/a"),
            ("a/%2e%2e", "a/%252e%252e"),
            ("con/AUX.txt", "%63on/%41UX.txt"),
            ("com1/LPT9.a/com0", "%63om1/%4CPT9.a/%63om0"),
            ("com/lpt10/coma", "com/lpt10/coma"),
            ("a/b c", "a/b%20c"),
            ("a/b\0c", "a/b%00c"),
            ("a/é", "a/%C3%A9"),
        ] {
            assert_eq!(folders(id).join("/"), expected, "{id}");
        }
    }

    #[test]
    fn long_ids_stay_short_and_distinct() {
        let (long, other) = ("a".repeat(300), format!("{}b", "a".repeat(299)));
        assert!(folders(&long)[0].len() <= LONGEST);
        assert_ne!(folders(&long), folders(&other));
        let (deep, deeper) = ("a/".repeat(50), "a/".repeat(51));
        assert_eq!(folders(&deep).len(), DEEPEST);
        assert_ne!(folders(&deep), folders(&deeper));
    }
}
