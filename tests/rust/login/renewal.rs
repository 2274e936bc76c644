//! One renewal, from `begin` to the resulting file.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use fal::credentials::login::{Begun, LoginError, Renewed};
use serde_json::{Value, json};

use super::home::{Home, REFRESH, access_token, assert_no_secret, patient, up_to};
#[cfg(unix)]
use super::home::{mode, set_mode};

const NEXT: &str = "fake-secret-refresh-2";

fn answer(tokens: &Value) -> Vec<u8> {
    tokens.to_string().into_bytes()
}

/// Renews, and also returns the new access token.
fn renew(home: &Home) -> (Renewed, String) {
    let access = access_token(3600);
    let body = answer(
        &json!({ "access_token": access, "refresh_token": NEXT, "id_token": "fake", "expires_in": 3600 }),
    );
    let renewed = home.refresh().complete(&body, SystemTime::now()).unwrap();
    assert_no_secret(&renewed);
    (renewed, access)
}

#[test]
fn the_next_tokens_take_the_place_of_the_old_ones() {
    let home = Home::with(format!("{REFRESH}\n{}\n\nmore\n", access_token(-5)));
    let (renewed, access) = renew(&home);
    assert_eq!(
        (renewed.access.expose(), &renewed.not_stored),
        (access.as_str(), &None)
    );
    assert_eq!(home.content(), format!("{NEXT}\n{access}"));
    assert_eq!(home.files(), ["auth0_token"]);
    assert_eq!(home.fresh().expose(), access);
}

#[test]
fn without_a_next_refresh_token_the_old_one_stays() {
    let home = Home::with(REFRESH);
    let access = access_token(3600);
    let body = answer(&json!({ "access_token": access, "refresh_token": "" }));
    home.refresh().complete(&body, SystemTime::now()).unwrap();
    assert_eq!(home.content(), format!("{REFRESH}\n{access}"));
}

#[test]
fn a_token_that_fal_refused_is_not_fresh() {
    let rejected = access_token(3600);
    let home = Home::with(format!("{REFRESH}\n{rejected}"));
    let begun = home
        .login()
        .begin(SystemTime::now(), Some(&rejected), patient())
        .unwrap();
    assert!(matches!(begun, Begun::Refresh(_)));
    drop(begun);
    let begun = home
        .login()
        .begin(SystemTime::now(), Some("another"), patient())
        .unwrap();
    assert!(matches!(begun, Begun::Fresh(_)));
}

#[test]
fn a_renewal_that_fails_or_is_dropped_changes_nothing() {
    let text = format!("{REFRESH}\n{}\n", access_token(-5));
    let home = Home::with(&text);
    drop(home.refresh());
    let bad = home
        .refresh()
        .complete(b"<html>", SystemTime::now())
        .unwrap_err();
    assert!(matches!(bad, LoginError::BadAnswer { .. }));
    let body = answer(&json!({ "error": "temporarily_unavailable" }));
    let started = Instant::now();
    let failed = home
        .refresh()
        .failed(503, &body, SystemTime::now(), patient())
        .unwrap_err();
    assert!(!failed.needs_login() && started.elapsed() < Duration::from_secs(2));
    assert_eq!(home.content(), text);
    assert_eq!(home.files(), ["auth0_token"]);
}

#[test]
fn an_unknown_refresh_token_asks_for_a_login_and_stays() {
    let home = Home::with(REFRESH);
    let body = answer(
        &json!({ "error": "invalid_grant", "error_description": format!("unknown: {REFRESH}") }),
    );
    let limit = Duration::from_millis(200);
    let error = home
        .refresh()
        .failed(403, &body, SystemTime::now(), up_to(limit))
        .unwrap_err();
    assert_no_secret(&error);
    assert!(
        error.needs_login() && error.remedy().contains("`fal auth login`"),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "fal did not renew the login (HTTP 403: invalid_grant: unknown: ****)"
    );
    assert_eq!(home.content(), REFRESH);
}

#[test]
fn a_renewal_that_another_program_won_gives_its_token() {
    let home = Home::with(REFRESH);
    let refresh = home.refresh();
    let access = access_token(3600);
    let (path, text) = (home.path(), format!("{NEXT}\n{access}"));
    let winner = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        fs::write(path, text).unwrap();
    });
    let body = answer(&json!({ "error": "invalid_grant" }));
    let token = refresh
        .failed(403, &body, SystemTime::now(), patient())
        .unwrap();
    winner.join().unwrap();
    assert_eq!(token.expose(), access);
}

#[test]
fn a_logout_or_another_login_meanwhile_is_not_undone() {
    let body = answer(&json!({ "access_token": access_token(3600), "refresh_token": NEXT }));
    for other in [None, Some("fake-secret-refresh-other")] {
        let home = Home::with(REFRESH);
        let refresh = home.refresh();
        match other {
            Some(other) => home.write(other),
            None => fs::remove_file(home.path()).unwrap(),
        }
        let renewed = refresh.complete(&body, SystemTime::now()).unwrap();
        assert!(matches!(
            renewed.not_stored,
            Some(LoginError::ChangedMeanwhile { .. })
        ));
        assert_eq!(fs::read_to_string(home.path()).ok().as_deref(), other);
    }
}

#[cfg(unix)]
#[test]
fn the_file_ends_up_its_owners_alone() {
    let home = Home::with(REFRESH);
    set_mode(&home.path(), 0o644);
    let refresh = home.refresh();
    for name in home.files() {
        if name != "auth0_token" {
            assert_eq!(mode(&home.folder().join(name)), 0o600);
        }
    }
    drop(refresh);
    renew(&home);
    assert_eq!(mode(&home.path()), 0o600);
}

#[cfg(unix)]
#[test]
fn a_link_is_written_through() {
    let elsewhere = Home::with(REFRESH);
    let home = Home::new();
    std::os::unix::fs::symlink(elsewhere.path(), home.path()).unwrap();
    let (_, access) = renew(&home);
    assert!(fs::symlink_metadata(home.path()).unwrap().is_symlink());
    assert_eq!(elsewhere.content(), format!("{NEXT}\n{access}"));
    assert_eq!(
        (home.files(), elsewhere.files()),
        (
            vec!["auth0_token".to_owned()],
            vec!["auth0_token".to_owned()]
        )
    );
}

#[cfg(unix)]
#[test]
fn a_refresh_token_whose_successor_cannot_be_stored_is_not_used() {
    let home = Home::with(REFRESH);
    set_mode(&home.path(), 0o400);
    let error = home.begin().unwrap_err();
    assert!(matches!(error, LoginError::NotWritable { .. }), "{error:?}");
    assert_eq!(home.content(), REFRESH);
    // A fresh token is not written.
    set_mode(&home.path(), 0o600);
    home.write(format!("{REFRESH}\n{}", access_token(3600)));
    set_mode(&home.path(), 0o400);
    home.fresh();
}

#[test]
fn what_a_killed_process_left_behind_is_removed() {
    let home = Home::with(REFRESH);
    let [old, young, foreign] = [
        ".auth0_token.0123.libfal",
        ".auth0_token.4567.libfal",
        ".auth0_token.0123.other",
    ];
    for name in [old, young, foreign] {
        fs::write(home.folder().join(name), "fake-secret").unwrap();
    }
    for name in [old, foreign] {
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        fs::File::options()
            .write(true)
            .open(home.folder().join(name))
            .unwrap()
            .set_modified(hour_ago)
            .unwrap();
    }
    renew(&home);
    assert_eq!(home.files(), [foreign, young, "auth0_token"]);
}
