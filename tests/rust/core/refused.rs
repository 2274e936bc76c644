//! A session whose credential is refused, by the handshake or by a message (docs/protocol.md §7.2,
//! §7.4; §16.23 leaves open which).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::realtime::{
    REALTIME, connected, drain, handshakes, input, message, start_with, state, tokens_made,
};
use super::*;
use fal::credentials::{Answer, Callback, Options};
use fal::{Code, Realtime, SocketOptions};
use fal_emulator::{RealtimeRefusal, Scope, Settings};

/// A client whose credential comes from `ask`, and the number of calls of `ask`.
fn asking(
    host: &str,
    proxy: bool,
    ask: impl Fn(usize, Answer) + Send + Sync + 'static,
) -> (Client, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let callback = Callback::new(move |answer| ask(counter.fetch_add(1, Ordering::SeqCst), answer));
    let environment = Environment::from_variables([("FAL_EMULATOR_HOST", host)]);
    let builder = crate::logged::builder()
        .environment(environment)
        .credentials(Options::new().callback(callback));
    let builder = match proxy {
        true => builder
            .proxy(&format!("http://{host}/api/fal/proxy"))
            .unwrap(),
        false => builder,
    };
    (builder.build().unwrap(), asked)
}

/// Makes the app refuse the connection.
fn refuse(session: &Realtime) {
    session
        .send(&input(1, json!({"outputs": 0, "unauthorized": true})))
        .unwrap();
    let (was, told) = state(session.op());
    assert_eq!((was.as_str(), &told["unanswered"]), ("lost", &json!(1)));
    assert!(
        told["reason"].as_str().unwrap().contains("Unauthorized"),
        "{told}"
    );
}

fn works(session: &Realtime) {
    session.send(&json!({"n": 7})).unwrap();
    assert_eq!(message(session.op()).get("/n").unwrap(), 7);
}

#[test]
fn a_refused_message_renews_a_callbacks_key_once() {
    let emulator = Emulator::start().unwrap();
    let keys = [
        emulator.create_key(Scope::Api, "acme"),
        emulator.create_key(Scope::Api, "acme"),
    ];
    let old = keys[0].split(':').next().unwrap().to_owned();
    let (client, asked) = asking(&emulator.host(), false, move |round, answer| {
        answer.key(&keys[round.min(1)], None).unwrap()
    });
    let session = start_with(&client, SocketOptions::new().use_header(true));
    connected(session.op());
    emulator.revoke_key(&old);
    refuse(&session);
    connected(session.op());
    assert_eq!(
        (asked.load(Ordering::SeqCst), handshakes(&emulator).len()),
        (2, 2),
        "only the second key opens one"
    );
    works(&session);
    // The credential is replaced once. A second refusal right after that is final.
    refuse(&session);
    connected(session.op());
    refuse(&session);
    let error = drain(session.op()).1.unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Unauthenticated, true),
        "{error}"
    );
    assert_eq!(
        (asked.load(Ordering::SeqCst), handshakes(&emulator).len()),
        (3, 3)
    );
    let text = format!("{error} {}", error.remedy());
    assert!(
        text.contains("Unauthorized")
            && text.contains("explicit callback")
            && text.contains("dashboard"),
        "{text}"
    );
    assert!(error.resolution().is_some() && error.request_id().is_some());
    assert!(String::from_utf8_lossy(error.body()).contains("Unauthorized"));
}

#[test]
fn a_fixed_key_that_is_refused_by_a_message_is_an_error_that_names_it() {
    let emulator = Emulator::start().unwrap();
    let session = start_with(&client(&emulator), SocketOptions::new().use_header(true));
    connected(session.op());
    refuse(&session);
    let error = drain(session.op()).1.unwrap_err();
    assert_eq!(
        (error.code(), handshakes(&emulator).len()),
        (Code::Unauthenticated, 1)
    );
    let id = emulator.api_key().split(':').next().unwrap();
    assert!(
        error.message().contains(id) && error.message().contains("FAL_KEY"),
        "{error}"
    );
    assert!(!format!("{error:?}{error}{}", error.remedy()).contains(secret(emulator.api_key())));
}

#[test]
fn a_login_that_is_refused_by_a_message_is_renewed_once() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("acme", 3600);
    let home = tempfile::tempdir().unwrap();
    super::sources::log_in(
        home.path(),
        &format!("{}\n{}", login.refresh_token, login.access_token),
    );
    let client = super::sources::at_home(&emulator, home.path(), &[]);
    let renewals = || super::sources::renewals(&emulator);
    let session = start_with(&client, SocketOptions::new().use_header(true));
    connected(session.op());
    assert_eq!(renewals(), 0);
    refuse(&session);
    connected(session.op());
    assert_eq!(renewals(), 1);
    refuse(&session);
    let error = drain(session.op()).1.unwrap_err();
    assert_eq!(
        (error.code(), renewals()),
        (Code::Unauthenticated, 1),
        "{error}"
    );
    assert!(error.message().contains("login"), "{error}");
}

#[test]
fn a_hosts_own_token_that_has_expired_is_asked_for_again_in_both_versions() {
    let emulator = Emulator::start().unwrap();
    for proxy in [false, true] {
        for realtime_refusal in [RealtimeRefusal::Http, RealtimeRefusal::Message] {
            emulator.set(Settings {
                realtime_refusal,
                ..Settings::default()
            });
            let minting = client(&emulator);
            let mint = || {
                let minted =
                    Op::finish(|| minting.mint_token_start(&[REALTIME], Duration::from_secs(60)))
                        .unwrap();
                minted.get_str("/token").unwrap().to_owned()
            };
            let old = mint();
            emulator.advance(Duration::from_secs(61));
            let tokens = [old, mint()];
            let (client, asked) = asking(&emulator.host(), proxy, move |round, answer| {
                answer.app_token(&tokens[round.min(1)], None).unwrap()
            });
            let (before, made) = (handshakes(&emulator).len(), tokens_made(&emulator));
            let session = start_with(&client, SocketOptions::new());
            connected(session.op());
            if realtime_refusal == RealtimeRefusal::Message {
                assert_eq!(state(session.op()).0, "lost");
                connected(session.op());
            }
            works(&session);
            let what = format!("{realtime_refusal:?}, proxy: {proxy}");
            assert_eq!(
                (
                    asked.load(Ordering::SeqCst),
                    handshakes(&emulator).len() - before
                ),
                (2, 2),
                "{what}"
            );
            assert_eq!(tokens_made(&emulator), made, "{what}");
            session.close();
            drain(session.op()).1.unwrap();
        }
    }
}

/// If no other credential is available, the error says why, and does not blame the app.
#[test]
fn a_source_that_has_no_other_credential_says_so() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key().to_owned();
    let (client, asked) = asking(&emulator.host(), false, move |round, answer| match round {
        0 => answer.key(&key, None).unwrap(),
        _ => answer.fail("the user closed the window"),
    });
    let session = start_with(&client, SocketOptions::new().use_header(true));
    connected(session.op());
    refuse(&session);
    let error = drain(session.op()).1.unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::CredentialsFailed, true),
        "{error}"
    );
    assert!(
        error.message().contains("the user closed the window"),
        "{error}"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}
