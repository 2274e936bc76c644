//! HTML pages in place of JSON. They are from fal's ingress, or from something between this machine
//! and fal.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, SERVER};

pub(super) struct Page {
    pub(super) title: String,
    /// Whether the page is from fal's ingress, which is an nginx (docs/protocol.md §13.1).
    pub(super) of_ingress: bool,
}

impl Page {
    pub(super) fn of(headers: &HeaderMap, body: &[u8]) -> Option<Page> {
        const BEGINNING: usize = 64 << 10;
        let text = String::from_utf8_lossy(&body[..body.len().min(BEGINNING)]);
        let lower = text
            .trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n'])
            .to_ascii_lowercase();
        let begins = lower.starts_with("<html")
            || lower.starts_with("<!doctype html")
            || lower.starts_with("<head");
        if !begins && !is_html(headers) {
            return None;
        }
        let server = text_of(headers, &SERVER).to_ascii_lowercase();
        let of_ingress = lower.contains("nginx") || server.contains("nginx");
        Some(Page {
            title: title(&text).unwrap_or_else(|| "untitled".to_owned()),
            of_ingress,
        })
    }
}

pub(crate) fn is_html(headers: &HeaderMap) -> bool {
    let kind = text_of(headers, &CONTENT_TYPE).split(';').next();
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
}

/// The value of a header, or an empty text.
fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

fn title(text: &str) -> Option<String> {
    const MOST: usize = 100;
    // Only ASCII changes case, so the offsets are the same in both texts.
    let lower = text.to_ascii_lowercase();
    let tag = lower.find("<title")?;
    let begin = tag + lower[tag..].find('>')? + 1;
    let end = begin + lower[begin..].find("</title")?;
    let words: Vec<_> = text[begin..end]
        .split(|c: char| c.is_whitespace() || c.is_control())
        .collect();
    let title: String = words.join(" ").trim().chars().take(MOST).collect();
    Some(title).filter(|title| !title.is_empty())
}

pub(super) fn foreign(host: &str, status: u16, title: &str) -> String {
    format!("{host} answered {status} with an HTML page that is not fal's, titled {title:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_its_type_or_its_beginning() {
        let html: HeaderMap = [(CONTENT_TYPE, "Text/HTML; charset=utf-8".parse().unwrap())]
            .into_iter()
            .collect();
        let plain = HeaderMap::new();
        let page = |headers, body: &str| {
            Page::of(headers, body.as_bytes()).map(|page| (page.title, page.of_ingress))
        };
        let named = |title: &str, of_ingress| Some((title.to_owned(), of_ingress));
        assert_eq!(
            page(
                &plain,
                "\u{feff} <!DOCTYPE html><TITLE a=b>Log\n in\u{7}</TITLE>"
            ),
            named("Log  in", false)
        );
        assert_eq!(
            page(&plain, "<html><title>502 Bad Gateway</title><hr>nginx"),
            named("502 Bad Gateway", true)
        );
        assert_eq!(page(&html, "<p>"), named("untitled", false));
        assert_eq!(page(&html, "<title>x"), named("untitled", false));
        assert_eq!(page(&plain, r#"{"detail":"<html>"}"#), None);
        assert_eq!(page(&plain, "<?xml version='1.0'?><Error/>"), None);
        assert_eq!(page(&plain, ""), None);
    }
}
