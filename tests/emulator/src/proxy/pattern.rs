//! Patterns for targets: `*` matches within a segment, `**` across segments. Every other character,
//! `?` included, is literal.

use crate::faults::matches as matches_segment;

pub(super) fn matches_any(patterns: &[impl AsRef<str>], text: &str) -> bool {
    let text: Vec<&str> = text.split('/').collect();
    patterns
        .iter()
        .any(|pattern| matches(&pattern.as_ref().split('/').collect::<Vec<_>>(), &text))
}

fn matches(pattern: &[&str], text: &[&str]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        (["**", rest @ ..], _) => (0..=text.len()).any(|skipped| matches(rest, &text[skipped..])),
        ([first, rest @ ..], [segment, tail @ ..]) => {
            matches_segment(first, segment) && matches(rest, tail)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::matches_any;

    #[test]
    fn stars_respect_segments() {
        for (pattern, text, expected) in [
            ("fal.run/**", "fal.run/fal-ai/flux/dev", true),
            ("fal.run/**", "fal.run/.hidden/x", true),
            ("fal.run/**", "fal.run/a?b=c/d", true),
            ("fal.run/**", "queue.fal.run/a", false),
            ("fal.run/**", "fal.run.example.com/a", false),
            ("fal-ai/*", "fal-ai/flux", true),
            ("fal-ai/*", "fal-ai/flux/dev", false),
            ("fal-ai/fl*x/dev", "fal-ai/flux/dev", true),
            ("**/dev", "fal-ai/flux/dev", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/x/y/c", false),
            ("a?b=c", "a?b=c", true),
            ("a?b=c", "axb=c", false),
        ] {
            assert_eq!(matches_any(&[pattern], text), expected, "{pattern} {text}");
        }
    }
}
