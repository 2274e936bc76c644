use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::json;

use super::mask::LEAST;
use super::*;

const SECRET: &str = "fake-secret-0123456789abcdef";

fn carrying(secret: &str) -> Secrets {
    let secrets = Secrets::default();
    secrets.carry(secret);
    secrets
}

fn hide(secret: &str, text: &str) -> String {
    let mut text = text.to_owned();
    carrying(secret).hide(&mut text);
    text
}

/// The encodings in which a text may contain another text.
fn forms(text: &str) -> Vec<String> {
    let each = |write: fn(u8) -> String| text.bytes().map(write).collect::<String>();
    let mut forms = vec![
        text.to_owned(),
        text.to_uppercase(),
        each(|byte| format!("\\u{byte:04x}")),
        each(|byte| format!("\\u{byte:04X}")),
        each(|byte| format!("\\\\u{byte:04x}")),
        each(|byte| format!("\\x{byte:02x}")),
        each(|byte| format!("%{byte:02x}")),
        each(|byte| format!("%{byte:02X}")),
        each(|byte| format!("%25{byte:02X}")),
        each(|byte| format!("%2525{byte:02X}")),
        each(|byte| {
            if byte % 2 == 0 {
                format!("\\u{byte:04x}")
            } else {
                char::from(byte).to_string()
            }
        }),
        each(|byte| {
            if byte % 3 == 0 {
                format!("%{byte:02x}")
            } else {
                char::from(byte).to_string()
            }
        }),
        text.replace('/', "\\/"),
    ];
    for before in ["", "k", "Ke", "Key fake-id:"] {
        let whole = format!("{before}{text}");
        forms.extend([
            STANDARD.encode(&whole),
            URL_SAFE.encode(&whole),
            URL_SAFE_NO_PAD.encode(&whole),
        ]);
        forms.push(STANDARD.encode(format!("{whole} and more")));
        forms.push(
            STANDARD
                .encode(&whole)
                .replace('=', "%3D")
                .replace('+', "%2B")
                .replace('/', "\\/"),
        );
    }
    forms
}

#[test]
fn a_secret_is_found_in_each_form_and_among_anything() {
    for secret in [
        SECRET,
        "a%b\\c/d+e~f?g>h=i",
        "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln/+==",
        "????~~~~>>>>",
    ] {
        for form in forms(secret) {
            for (before, behind) in [
                ("", ""),
                ("not ", " it"),
                ("%", "%"),
                ("\\", "\\"),
                ("{\"a\":\"", "\"}"),
                ("é", "ü"),
            ] {
                let hidden = hide(secret, &format!("{before}{form}{behind}"));
                assert!(
                    hidden.contains("****"),
                    "{form} between {before:?} and {behind:?}: {hidden}"
                );
                assert!(
                    !hidden.to_lowercase().contains(&secret.to_lowercase()),
                    "{hidden}"
                );
                // The base64 of adjacent bytes may remain.
                let left = hidden
                    .len()
                    .saturating_sub(before.len() + behind.len() + "****".len());
                assert!(left <= 40, "{form} left {left} in {hidden}");
            }
        }
    }
}

#[test]
fn what_is_around_it_stays() {
    assert_eq!(
        hide(
            SECRET,
            &format!("a {SECRET} b {SECRET}{SECRET}, 100 % \\o/")
        ),
        "a **** b ****, 100 % \\o/"
    );
    assert_eq!(hide("abab", "xababababx abab"), "x****x ****");
    let other = "fake-secret-0123456789abcdeF0 fake-secret-012345678 %66ake \\u0066ake é";
    assert_eq!(hide("fake-secret-0123456789xyz", other), other);
    assert_eq!(hide(SECRET, ""), "");
}

#[test]
fn what_is_too_short_to_be_a_secret_is_none() {
    assert_eq!(hide("", "abc"), "abc");
    assert_eq!(hide("abc", "abcabc"), "abcabc");
    assert_eq!(hide("abcd", "abcabcd"), "abc****");
}

/// A text that was cut may end within a secret, or within an escape sequence of the secret.
#[test]
fn the_beginning_of_a_secret_at_an_end_goes_too() {
    let escaped: String = SECRET
        .bytes()
        .map(|byte| format!("\\u{byte:04x}"))
        .collect();
    let percent: String = SECRET.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for (form, unit) in [
        (SECRET, 1),
        (&STANDARD.encode(SECRET), 1),
        (&escaped, 6),
        (&percent, 3),
    ] {
        // The last base64 character of the secret depends on the bytes that follow.
        for cut in 5 * unit..form.len() - 4 {
            let hidden = hide(SECRET, &format!("not {}", &form[..cut]));
            assert_eq!(hidden, "not ****", "{}", &form[..cut]);
        }
    }
    assert_eq!(
        hide(SECRET, "fake-secret-0 and fak"),
        "fake-secret-0 and fak",
        "not at the end, or too little"
    );
}

#[test]
fn of_several_secrets_none_shows_and_the_newest_are_kept() {
    let secrets = Secrets::default();
    let secret = |number: usize| format!("fake-secret-{number:04}-of-many");
    (0..MOST * 3).for_each(|number| {
        secrets.carry(&secret(0));
        secrets.carry(&secret(number));
    });
    assert_eq!(secrets.carried().len(), MOST);
    assert!(
        secrets.are_in(&secret(0))
            && secrets.are_in(&secret(MOST * 3 - 1))
            && !secrets.are_in(&secret(1))
    );
    let other = Secrets::of(&secrets.masks);
    other.carry(SECRET);
    other.share(&secrets);
    other.share(&secrets);
    assert!(other.are_in(SECRET) || other.carried().len() == MOST);
    let same = Secrets::of(&secrets.masks);
    same.carry(&secret(0));
    assert!(
        secrets
            .carried()
            .iter()
            .any(|mask| Arc::ptr_eq(mask, &same.carried()[0])),
        "one for all who carry it"
    );
    drop((secrets, other, same));
}

#[test]
fn values_lose_it_in_texts_and_names() {
    let secrets = carrying(SECRET);
    let mut value = json!({"a": [SECRET, 1, null], SECRET: {"b": format!("x{SECRET}")}});
    secrets.hide_json(&mut value);
    assert_eq!(
        value,
        json!({"a": ["****", 1, null], "****": {"b": "x****"}})
    );
}

#[tokio::test]
async fn large_texts_are_searched_across_the_turns() {
    let secrets = carrying(SECRET);
    for at in [TURN - SECRET.len() / 2, TURN - 1, TURN, 2 * TURN - 3] {
        let mut text = vec![b'x'; 3 * TURN];
        text.splice(at..at, SECRET.bytes());
        let hidden = secrets.hidden_slowly(&text.into()).await.unwrap();
        assert_eq!(hidden.len(), 3 * TURN + "****".len(), "{at}");
        assert_eq!(&hidden[at..at + 4], b"****");
    }
    let whole = Bytes::from(vec![b'x'; 3 * TURN]);
    assert!(secrets.hidden_slowly(&whole).await.is_none());
}

/// A server knows the key that it received, and may send the text that is most expensive to search.
#[test]
fn nothing_costs_more_than_a_constant_times_its_length() {
    const LENGTH: usize = 1 << 20;
    let almost = &SECRET[..SECRET.len() - 1];
    let percent: String = almost
        .bytes()
        .map(|byte| format!("%25252525{byte:02x}"))
        .collect();
    let token = "a".repeat(4000) + "b";
    for (secret, piece) in [
        (SECRET, almost),
        (SECRET, SECRET),
        (SECRET, &percent),
        (SECRET, "%25"),
        (SECRET, "\\"),
        (SECRET, "\\u00"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "a"),
        (&token, "a"),
        (&token, "YWFh"),
    ] {
        let text = piece.repeat(LENGTH / piece.len()).into_bytes();
        let mask = Mask::of(secret).unwrap();
        for escaped in [false, true] {
            let started = std::time::Instant::now();
            let mut search = mask.find(&text, escaped);
            search.advance(text.len());
            search.end();
            // Generous for a debug build on a busy machine. A search whose time also grows with the
            // length of the secret takes minutes.
            assert!(
                started.elapsed().as_secs() < 30,
                "{piece:.20}: {:?}",
                started.elapsed()
            );
        }
    }
}

#[test]
fn random_secrets_in_random_texts() {
    const LETTERS: &[u8] = b"ab%2\\u0/F";
    let mut state: u64 = 1;
    // Knuth's linear congruential generator, so that each run has the same texts.
    let mut below = |most: usize| -> usize {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most
    };
    let mut some = |most: usize, least: usize| -> String {
        let length = least + below(most - least + 1);
        (0..length)
            .map(|_| char::from(LETTERS[below(LETTERS.len())]))
            .collect()
    };
    for _ in 0..5_000 {
        let secret = some(12, LEAST);
        let text = format!("{}{secret}{}", some(20, 0), some(20, 0));
        let hidden = hide(&secret, &text);
        // The secret has no `*`, so the mask cannot complete one.
        assert!(
            !hidden.to_lowercase().contains(&secret.to_lowercase()),
            "{secret} in {text}: {hidden}"
        );
    }
}

/// A failed infallible allocation would abort the process.
#[test]
fn what_there_is_no_memory_to_hide_is_not_told() {
    let secrets = carrying(SECRET);
    for between in ["", "-", "some text"] {
        let text = format!("{between}{SECRET}{between}").repeat(20_000);
        crate::fuzz::spent::scarce(|| {
            let told = String::from_utf8(secrets.hidden(text.as_bytes()).unwrap()).unwrap();
            assert!(!told.contains(&SECRET[..LEAST]), "{}", &told[..100]);
            Ok(())
        });
    }
}
