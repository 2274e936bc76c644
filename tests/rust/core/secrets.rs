//! No text that leaves the library contains a secret.

use super::*;
use fal::{Code, Dispatcher, Level};
use fal_emulator::Fault;
use std::sync::{Arc, Mutex};

#[test]
fn no_log_line_and_no_debug_holds_the_secret() {
    let emulator = Emulator::start().unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let options = fal::credentials::Options::new().key(emulator.api_key());
    let builder = builder_with(&emulator, emulator.admin_key()).credentials(options.clone());
    let builder = builder.log(Level::Debug, move |level, _, line| {
        sink.lock().unwrap().push(format!("{level:?} {line}"))
    });
    let mut shown = vec![format!("{builder:?}{options:?}")];
    let client = builder.max_attempts(2).unwrap().build().unwrap();
    let request = Request::run("emulator/echo").unwrap();
    let op = client.run_start(request.clone()).unwrap();
    op.wait(None).unwrap();
    let response = op.take().unwrap().unwrap();
    let explanation = client.explain();
    shown.push(format!(
        "{client:?}{request:?}{op:?}{response:?}{:?}",
        Dispatcher::new()
    ));
    shown.push(format!(
        "{explanation:?}{explanation}{}",
        explanation.to_json()
    ));
    shown.push(format!(
        "{:?}",
        fal::Key::parse(emulator.api_key()).unwrap()
    ));
    shown.push(format!(
        "{:?}{:?}",
        client.hosts(),
        explanation.credential()
    ));
    for fault in [
        Fault::status(401),
        Fault::status(429),
        Fault::close(),
        Fault::redirect("https://evil.example/", 302),
    ] {
        emulator.inject(fault.times(2));
        let error = echo(&client).unwrap_err();
        shown.push(format!(
            "{error:?}{error}{}{:?}",
            error.remedy(),
            std::error::Error::source(&error)
        ));
        emulator.clear_faults();
    }
    fal::runtime::flush_log(PATIENCE).unwrap();
    let log = std::mem::take(&mut *lines.lock().unwrap());
    assert!(
        log.len() > 8,
        "the log says too little to be searched: {log:?}"
    );
    assert!(
        log.iter().any(|line| line.contains("from explicit key")),
        "{log:?}"
    );
    shown.extend(log);
    for key in [emulator.api_key(), emulator.admin_key()] {
        let leaks: Vec<_> = shown
            .iter()
            .filter(|text| text.contains(secret(key)))
            .collect();
        assert!(leaks.is_empty(), "{leaks:?}");
    }
    assert!(
        shown
            .iter()
            .any(|text| text.contains(emulator.api_key().split(':').next().unwrap())),
        "the id is public"
    );
}

#[test]
fn a_service_that_repeats_the_key_does_not_put_it_into_the_error() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    let fault = Fault::status(400)
        .body(format!("bad header: Key {key}"))
        .header("x-seen", format!("Key {key}"));
    emulator.inject(fault);
    let error = echo(&client(&emulator)).unwrap_err();
    let body = String::from_utf8_lossy(error.body()).into_owned();
    let masked = format!("Key {}:****", key.split_once(':').unwrap().0);
    assert_eq!(error.header("x-seen"), Some(masked.as_str()));
    assert!(
        error
            .headers()
            .any(|seen| seen == ("x-seen", masked.as_str()))
    );
    assert!(
        error
            .headers()
            .all(|(_, value)| !value.contains(secret(key)))
    );
    assert!(body.contains("****"), "{body}");
    assert!(!format!("{error}{error:?}{body}").contains(secret(key)));
}

/// Output of an app or a host may be private, and a service's URLs may contain anything.
#[test]
fn no_debug_shows_what_was_said_or_where_to_go() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let said = json!({"text": "a private word"});
    let session = client
        .realtime_start(
            Request::run("emulator/realtime").unwrap(),
            fal::SocketOptions::new(),
        )
        .unwrap();
    session.send(&said).unwrap();
    let shown = format!("{session:?} {:#?}", session);
    assert!(!shown.contains("private"), "{shown}");
    let heard = loop {
        match session.op().wait_event(Some(PATIENCE)).unwrap() {
            fal::NextEvent::Event(event) if event.kind() == fal::EventKind::Message => break event,
            fal::NextEvent::Event(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(heard.get("").unwrap(), &said);
    assert!(!format!("{heard:?}").contains("private"), "{heard:?}");
    let answer =
        json!({"request_id": "r-1", "status_url": "https://queue.fal.run/fake-secret-in-a-path"});
    emulator.inject(Fault::status(200).host("queue.fal.run").body(answer));
    let mut request = Request::run("emulator/job").unwrap();
    request.set_json(json!({}));
    let answer = Op::finish(|| client.submit_start(request)).unwrap();
    let job = fal::Job::of_response("emulator/job", &answer).unwrap();
    assert!(
        format!("{job:?}").contains("r-1") && !format!("{job:?}").contains("secret"),
        "{job:?}"
    );
}

#[test]
fn a_malformed_key_is_refused_before_anything_is_sent() {
    let emulator = Emulator::start().unwrap();
    for (key, part) in [
        ("fake-id:fake\nsecret-abc", "line break"),
        ("fake-id:fake\u{1b}[31msecret-abc", "escape byte"),
        ("fake-id:\"fake-secret-abc", "quote"),
        ("fake-id:fake\"secret-abc", "quote"),
        ("fake-secret-abc", "half a key"),
        ("fake-id:", "nothing after"),
        (":fake-secret-abc", "nothing before"),
        ("YOUR_API_KEY", "placeholder"),
    ] {
        let error = echo(&builder_with(&emulator, key).build().unwrap()).unwrap_err();
        assert_eq!(error.code(), Code::MalformedCredentials, "{key:?}: {error}");
        let text = format!("{error} {} {}", error.remedy(), error.resolution().unwrap());
        assert!(
            error.message().contains("FAL_KEY") && error.message().contains(part),
            "{part:?} is not in: {error}"
        );
        assert!(!text.contains("secret-abc"), "{text}");
    }
    assert!(emulator.arrivals().is_empty());
}

#[test]
fn without_a_key_the_error_lists_every_source_and_a_later_call_looks_again() {
    let emulator = Emulator::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let variables = [
        ("FAL_EMULATOR_HOST", emulator.host()),
        ("HOME", folder.path().to_str().unwrap().to_owned()),
        ("FAL_CONFIG_PATH", file.to_str().unwrap().to_owned()),
    ];
    let client = crate::logged::builder()
        .environment(Environment::from_variables(variables))
        .build()
        .unwrap();
    let error = echo(&client).unwrap_err();
    assert_eq!(error.code(), Code::NoCredentials);
    let sources: Vec<_> = error
        .resolution()
        .unwrap()
        .sources()
        .iter()
        .map(|source| source.source)
        .collect();
    let expected = [
        "explicit key",
        "explicit token",
        "explicit profile",
        "explicit callback",
        "FAL_KEY",
        "FAL_KEY_ID + FAL_KEY_SECRET",
        "FAL_KEY_FILE",
        "FAL_KEY_COMMAND",
        "profile",
        "keyring",
        "login",
    ];
    assert_eq!(sources, expected);
    assert!(error.remedy().contains("https://fal.ai/dashboard/keys"));
    std::fs::write(
        &file,
        format!(
            "[__internal__]\nprofile = \"p\"\n[p]\nkey = \"{}\"\n",
            emulator.api_key()
        ),
    )
    .unwrap();
    echo(&client).unwrap();
}
