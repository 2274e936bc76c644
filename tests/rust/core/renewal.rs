//! Credentials from a callback: requested, expired, refused, and replaced.

use super::*;
use fal::Code;
use fal::credentials::{Answer, Callback, Options, State};
use fal_emulator::{Fault, Outcome, Scope};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A client whose credential comes from `ask`, and the number of calls of `ask`.
fn asking(
    emulator: &Emulator,
    ask: impl Fn(usize, Answer) + Send + Sync + 'static,
) -> (Client, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let callback = Callback::new(move |answer| ask(counter.fetch_add(1, Ordering::SeqCst), answer));
    let environment = Environment::from_variables([("FAL_EMULATOR_HOST", emulator.host())]);
    let builder = crate::logged::builder()
        .environment(environment)
        .credentials(Options::new().callback(callback));
    (builder.timeout(PATIENCE).build().unwrap(), asked)
}

#[test]
fn all_who_wait_share_one_question_and_the_answer_is_kept() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key().to_owned();
    let (client, asked) = asking(&emulator, move |_, answer| {
        let key = key.clone();
        // The host answers later, and on another thread.
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            answer.key(&key, None).unwrap();
        });
    });
    assert_eq!(client.explain().used().unwrap().source, "explicit callback");
    assert_eq!(
        asked.load(Ordering::SeqCst),
        0,
        "explain() must not call the callback"
    );
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| echo(&client).unwrap());
        }
    });
    echo(&client).unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let id = emulator.api_key().split(':').next().unwrap();
    assert_eq!(
        client.explain().used().unwrap().key_id.as_deref(),
        Some(id),
        "what was delivered is reported"
    );
}

/// A call that looks for the key at the moment in which it arrives must find it, and not request
/// another.
#[test]
fn an_answer_that_comes_at_once_is_asked_for_once() {
    let emulator = Emulator::start().unwrap();
    for _ in 0..300 {
        let key = emulator.api_key().to_owned();
        let (client, asked) = asking(&emulator, move |_, answer| answer.key(&key, None).unwrap());
        let ops: Vec<_> = (0..16)
            .map(|_| {
                client
                    .run_start(Request::run("emulator/echo").unwrap())
                    .unwrap()
            })
            .collect();
        for op in ops {
            op.wait(None).unwrap();
            op.take().unwrap().unwrap();
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn who_stops_waiting_does_not_end_the_question() {
    let emulator = Emulator::start().unwrap();
    let held = Arc::new(Mutex::new(None));
    let slot = held.clone();
    let (client, asked) = asking(&emulator, move |_, answer| {
        *slot.lock().unwrap() = Some(answer)
    });
    let first = client
        .run_start(Request::run("emulator/echo").unwrap())
        .unwrap();
    let second = client
        .run_start(Request::run("emulator/echo").unwrap())
        .unwrap();
    while held.lock().unwrap().is_none() {
        thread::yield_now();
    }
    first.cancel();
    first.wait(None).unwrap();
    let error = first.take().unwrap().unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Cancelled, false)
    );
    held.lock()
        .unwrap()
        .take()
        .unwrap()
        .key(emulator.api_key(), None)
        .unwrap();
    second.wait(None).unwrap();
    second.take().unwrap().unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn an_expired_key_is_asked_for_again() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key().to_owned();
    // A key counts as expired ten seconds before its end.
    let (client, asked) = asking(&emulator, move |round, answer| {
        let expires = if round == 0 {
            Duration::from_secs(1)
        } else {
            Duration::from_secs(3600)
        };
        answer.key(&key, Some(expires)).unwrap();
    });
    for _ in 0..4 {
        echo(&client).unwrap();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn a_refused_key_is_renewed_once() {
    let emulator = Emulator::start().unwrap();
    let (old, new) = (
        emulator.create_key(Scope::Api, "acme"),
        emulator.create_key(Scope::Api, "acme"),
    );
    let keys = [old.clone(), new.clone()];
    let (client, asked) = asking(&emulator, move |round, answer| {
        answer.key(&keys[round.min(1)], None).unwrap()
    });
    echo(&client).unwrap();
    emulator.revoke_key(old.split(':').next().unwrap());
    emulator.clear_arrivals();
    echo(&client).unwrap();
    let arrivals = emulator.arrivals();
    let outcomes: Vec<_> = arrivals
        .iter()
        .map(|arrival| (arrival.outcome, arrival.executed))
        .collect();
    assert_eq!(
        outcomes,
        [(Outcome::Status(401), false), (Outcome::Status(200), true)]
    );
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    emulator.revoke_key(new.split(':').next().unwrap());
    emulator.clear_arrivals();
    assert_eq!(echo(&client).unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(
        (emulator.arrivals().len(), asked.load(Ordering::SeqCst)),
        (2, 3),
        "once, and not for ever"
    );
}

#[test]
fn a_fixed_key_that_is_refused_is_not_sent_again() {
    let emulator = Emulator::start().unwrap();
    let error = echo(
        &builder_with(&emulator, "fake-id:fake-secret-wrong")
            .build()
            .unwrap(),
    )
    .unwrap_err();
    assert_eq!(
        (error.code(), emulator.arrivals().len()),
        (Code::Unauthenticated, 1)
    );
}

#[test]
fn a_question_without_a_good_answer_is_a_clear_error() {
    let emulator = Emulator::start().unwrap();
    let (client, asked) = asking(&emulator, |round, answer| match round {
        0 => answer.fail("the user closed the window"),
        1 => drop(answer),
        2 => drop(answer.key("fake-secret-without-its-id", None)),
        _ => drop(answer.app_token("not a token", None)),
    });
    for part in [
        "the user closed the window",
        "without an answer",
        "half a key",
        "is not allowed",
    ] {
        let error = echo(&client).unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::CredentialsFailed, false),
            "{error}"
        );
        assert!(
            error.message().contains("explicit callback") && error.message().contains(part),
            "{error}"
        );
        let failed = error
            .resolution()
            .unwrap()
            .sources()
            .iter()
            .find(|source| source.state == State::Failed)
            .unwrap();
        assert!(failed.notes[0].contains(part));
        assert!(!format!("{error} {}", error.resolution().unwrap()).contains("fake-secret"));
    }
    assert_eq!(
        (asked.load(Ordering::SeqCst), emulator.arrivals().len()),
        (4, 0)
    );
}

#[test]
fn a_panic_in_the_callback_is_an_error() {
    let emulator = Emulator::start().unwrap();
    // The panic's payload may be the key that the callback was about to return. The panic is
    // resumed, so that the panic hook does not print it.
    let (client, _) = asking(&emulator, |_, _| {
        std::panic::resume_unwind(Box::new(
            "what key is fake-id:fake-secret-of-a-callback?".to_owned(),
        ))
    });
    let error = echo(&client).unwrap_err();
    assert_eq!(error.code(), Code::CredentialsFailed);
    assert!(error.message().contains("panicked"), "{error}");
    assert!(
        !format!("{error:?} {}", error.resolution().unwrap()).contains("fake-secret"),
        "{error}"
    );
}

#[test]
fn calls_under_way_keep_their_key_when_the_client_gets_another() {
    let emulator = Emulator::start().unwrap();
    let (first, second) = (
        emulator.create_key(Scope::Api, "acme"),
        emulator.create_key(Scope::Api, "acme"),
    );
    let client = builder_with(&emulator, &first).build().unwrap();
    emulator.inject(Fault::delay(Duration::from_millis(300)));
    let under_way = client
        .run_start(Request::run("emulator/echo").unwrap())
        .unwrap();
    emulator.wait_for_arrivals(1, PATIENCE).unwrap();
    client
        .clone()
        .set_credentials(Options::new().key(second.as_str()));
    let later = echo(&client).unwrap();
    under_way.wait(None).unwrap();
    let id = |key: &str| key.split(':').next().unwrap().to_owned();
    assert_eq!(
        under_way
            .take()
            .unwrap()
            .unwrap()
            .get_str("/key_id")
            .unwrap(),
        id(&first)
    );
    assert_eq!(later.get_str("/key_id").unwrap(), id(&second));
    assert_eq!(client.explain().used().unwrap().source, "explicit key");
}

/// A client in a notebook with these variables, and the number of requests to the notebook.
fn in_notebook(
    emulator: &Emulator,
    variables: &[(&str, &str)],
    ask: impl Fn(usize, Answer) + Send + Sync + 'static,
) -> (Client, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let secrets = Callback::new(move |answer| ask(counter.fetch_add(1, Ordering::SeqCst), answer));
    let host = [("FAL_EMULATOR_HOST".to_owned(), emulator.host())];
    let all = variables
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .chain(host);
    let builder = crate::logged::builder()
        .environment(Environment::from_variables(all))
        .timeout(PATIENCE);
    (
        builder
            .credentials(Options::new().notebook(secrets))
            .build()
            .unwrap(),
        asked,
    )
}

fn source(client: &Client) -> Option<&'static str> {
    client.explain().used().map(|used| used.source)
}

#[test]
fn a_notebook_is_asked_before_the_login_and_after_every_key() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("acme", 3600);
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".fal")).unwrap();
    let tokens = format!("{}\n{}", login.refresh_token, login.access_token);
    std::fs::write(home.path().join(".fal/auth0_token"), tokens).unwrap();
    let home = ("HOME", home.path().to_str().unwrap());
    let key = emulator.api_key().to_owned();

    let (client, asked) = in_notebook(&emulator, &[home], move |_, answer| {
        answer.key(&key, None).unwrap()
    });
    assert_eq!(
        (source(&client), asked.load(Ordering::SeqCst)),
        (Some("Colab"), 0)
    );
    assert!(echo(&client).unwrap().get_str("/key_id").is_ok());
    echo(&client).unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);

    let (client, asked) = in_notebook(&emulator, &[home], |_, answer| {
        answer.absent("no such secret")
    });
    for _ in 0..2 {
        echo(&client).unwrap();
    }
    let explained = client.explain();
    assert_eq!(
        (
            explained.used().unwrap().source,
            asked.load(Ordering::SeqCst)
        ),
        ("login", 1)
    );
    let colab = explained
        .sources()
        .iter()
        .find(|one| one.source == "Colab")
        .unwrap();
    assert_eq!(
        (colab.state, colab.notes.as_slice()),
        (State::Absent, &["no such secret".to_owned()][..])
    );

    for (variable, used) in [
        (("FAL_KEY", emulator.api_key()), "FAL_KEY"),
        (("FAL_FORCE_AUTH_BY_USER", "1"), "login"),
    ] {
        let (client, asked) = in_notebook(&emulator, &[home, variable], |_, _| ());
        echo(&client).unwrap();
        assert_eq!(
            (source(&client), asked.load(Ordering::SeqCst)),
            (Some(used), 0)
        );
    }
    assert!(
        super::client(&emulator)
            .explain()
            .sources()
            .iter()
            .all(|one| one.source != "Colab")
    );
}

#[test]
fn a_notebook_without_a_key_is_no_credential_and_a_bad_key_is_a_failure() {
    let emulator = Emulator::start().unwrap();
    let (client, asked) =
        in_notebook(
            &emulator,
            &[("HOME", "/nonexistent")],
            |round, answer| match round {
                0 => answer.absent("access was not granted"),
                _ => drop(answer.key("fake-secret-half", None)),
            },
        );
    let error = echo(&client).unwrap_err();
    assert_eq!(error.code(), Code::NoCredentials, "{error}");
    assert!(
        error
            .resolution()
            .unwrap()
            .to_string()
            .contains("access was not granted")
    );
    let error = echo(&client).unwrap_err();
    assert_eq!(
        (error.code(), asked.load(Ordering::SeqCst)),
        (Code::CredentialsFailed, 2)
    );
    assert!(
        error.message().starts_with("Colab: ") && !error.message().contains("fake-secret"),
        "{error}"
    );
    let (client, _) = asking(&emulator, |_, answer| answer.absent("nothing here"));
    assert_eq!(echo(&client).unwrap_err().code(), Code::CredentialsFailed);
}
