//! The journal of arrivals: its filters and pages, what it holds, and what it says it no longer has.

use std::collections::BTreeMap;

use fal_emulator::{ArrivedBody, Emulator, Fault, JournalSettings, Settings};
use serde_json::{Value, json};

use crate::client::{Request, id};

fn journal(emulator: &Emulator, query: &str) -> Value {
    let path = format!("/_emulator/arrivals?{query}");
    let answer = Request::get(&emulator.host(), &path).send(emulator);
    assert_eq!(answer.status, 200, "{query}: {}", answer.json());
    answer.json()
}

fn ordinals(page: &Value) -> Vec<u64> {
    let requests = page["requests"].as_array().unwrap().iter();
    requests
        .map(|one| one["ordinal"].as_u64().unwrap())
        .collect()
}

fn echo(emulator: &Emulator, input: &Value) {
    let run = Request::run("emulator/echo", input).key(emulator.api_key());
    assert_eq!(run.send(emulator).status, 200);
}

fn limited(arrivals: usize, body_bytes: u64) -> Emulator {
    let journal = JournalSettings {
        arrivals,
        body_bytes,
    };
    let settings = Settings {
        journal,
        ..Settings::default()
    };
    Emulator::builder().settings(settings).start().unwrap()
}

#[test]
fn requests_are_found_by_what_they_are_and_how_they_ended() {
    let emulator = Emulator::start().unwrap();
    echo(&emulator, &json!({"prompt": "a Lighthouse"}));
    Request::run("emulator/fail", &json!({"status": 503, "body": {}}))
        .key(emulator.admin_key())
        .send(&emulator);
    Request::get("fal.run", "/nobody/knows")
        .key(emulator.api_key())
        .send(&emulator);
    emulator.inject(Fault::reset_after_body());
    let _ = Request::run("emulator/echo/deep", &json!({}))
        .key(emulator.api_key())
        .attempt(&emulator);
    let queued = Request::new("POST", "queue.fal.run", "/emulator/echo")
        .key(emulator.api_key())
        .json(&json!({}))
        .send(&emulator);
    let request_id = queued.request_id().to_owned();
    for (query, expected) in [
        ("status=200".to_owned(), vec![1, 5]),
        ("status=2xx".into(), vec![1, 5]),
        ("status=5xx".into(), vec![2]),
        ("status=failed".into(), vec![2, 3, 4]),
        ("status=reset".into(), vec![4]),
        ("status=pending".into(), vec![]),
        ("endpoint=emulator/echo".into(), vec![1, 5]),
        ("endpoint=emulator/echo*".into(), vec![1, 4, 5]),
        ("endpoint=*/fail".into(), vec![2]),
        (format!("key={}", id(emulator.admin_key())), vec![2]),
        ("key=fake-api-*".into(), vec![1, 3, 4, 5]),
        ("text=lighthouse".into(), vec![1]),
        // The response of the queue has the id, which the request has not.
        (format!("text={request_id}"), vec![5]),
        (format!("request_id={request_id}"), vec![5]),
        ("unknown=true".into(), vec![3]),
        ("unknown=false&status=2xx".into(), vec![1, 5]),
    ] {
        let page = journal(&emulator, &query);
        assert_eq!(ordinals(&page), expected, "{query}");
        assert_eq!(page["count"], expected.len(), "{query}");
    }
    for wrong in [
        "status=7xx",
        "status=nice",
        "limit=few",
        "order=sideways",
        "unknown=perhaps",
    ] {
        let path = format!("/_emulator/arrivals?{wrong}");
        assert_eq!(
            Request::get(&emulator.host(), &path).send(&emulator).status,
            400,
            "{wrong}"
        );
    }
}

#[test]
fn pages_stay_as_they_are_while_requests_arrive() {
    let emulator = Emulator::start().unwrap();
    for n in 0..5 {
        echo(&emulator, &json!({"n": n}));
    }
    let first = journal(&emulator, "limit=2");
    assert_eq!((ordinals(&first), &first["next"]), (vec![1, 2], &json!(2)));
    // The count is that of all pages.
    assert_eq!(first["count"], 5);
    let newest = journal(&emulator, "limit=2&order=newest");
    assert_eq!(
        (ordinals(&newest), &newest["next"]),
        (vec![5, 4], &json!(4))
    );
    echo(&emulator, &json!({}));
    assert_eq!(ordinals(&journal(&emulator, "limit=2&after=2")), [3, 4]);
    assert_eq!(
        ordinals(&journal(&emulator, "limit=2&order=newest&before=4")),
        [3, 2]
    );
    let last = journal(&emulator, "limit=2&after=4");
    assert_eq!((ordinals(&last), &last["next"]), (vec![5, 6], &Value::Null));
    assert_eq!(ordinals(&journal(&emulator, "limit=0")), Vec::<u64>::new());
}

#[test]
fn an_arrival_tells_when_it_was_and_how_long_it_took() {
    let emulator = Emulator::start().unwrap();
    emulator.advance(std::time::Duration::from_secs(86_400));
    let before = emulator.now();
    let slow = Request::run("emulator/slow", &json!({"ms": 30})).key(emulator.api_key());
    slow.send(&emulator);
    let arrival = &emulator.arrivals()[0];
    assert!(
        arrival.at >= before && arrival.at <= emulator.now(),
        "the emulator's clock"
    );
    assert!(arrival.duration.unwrap() >= std::time::Duration::from_millis(30));
    let shown = arrival.to_json();
    assert!(shown["duration_ms"].as_f64().unwrap() >= 30.0);
    assert!(shown["at"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn the_oldest_arrivals_go_first_and_are_counted() {
    let emulator = limited(3, 1 << 20);
    for n in 0..10 {
        echo(&emulator, &json!({"n": n}));
    }
    let page = journal(&emulator, "");
    assert_eq!(ordinals(&page), [8, 9, 10]);
    assert_eq!(
        (&page["dropped"], &page["dropped_bodies"]),
        (&json!(7), &json!(0))
    );
    assert_eq!(emulator.arrivals().len(), 3);
    emulator.clear_arrivals();
    assert_eq!(journal(&emulator, "")["dropped"], 0);
    // A smaller journal is smaller at once.
    echo(&emulator, &json!({}));
    echo(&emulator, &json!({}));
    let mut settings = emulator.settings();
    settings.journal.arrivals = 1;
    emulator.set(settings);
    assert_eq!(ordinals(&journal(&emulator, "")), [12]);
}

#[test]
fn the_oldest_bodies_go_first_and_their_arrivals_stay() {
    let emulator = limited(1000, 100_000);
    let text = "x".repeat(10_000);
    for n in 0..20 {
        echo(&emulator, &json!({"n": n, "text": text}));
    }
    let arrivals = emulator.arrivals();
    assert_eq!(arrivals.len(), 20);
    let dropped: Vec<bool> = arrivals.iter().map(|one| one.dropped).collect();
    let first_kept = dropped.iter().position(|dropped| !dropped).unwrap();
    // An input and its echo have more than 20,000 bytes.
    assert!((15..20).contains(&first_kept), "{first_kept}");
    assert!(dropped[first_kept..].iter().all(|dropped| !dropped));
    for arrival in &arrivals {
        assert_eq!(arrival.body == ArrivedBody::Empty, arrival.dropped);
        assert!(arrival.body_length > 10_000, "the length stays known");
    }
    let page = journal(&emulator, "path=/emulator/*");
    assert_eq!((&page["count"], &page["dropped"]), (&json!(20), &json!(0)));
    assert_eq!(page["dropped_bodies"], first_kept);
    // The history forgets its inputs in the same way.
    let inputs = |from: u64, to: u64| -> BTreeMap<bool, u64> {
        let mut counts = BTreeMap::new();
        for arrival in &emulator.arrivals()[from as usize..to as usize] {
            let path = format!("/dashboard/requests/{}.json", arrival.ordinal);
            let detail = Request::get(&emulator.host(), &path).send(&emulator).json();
            *counts
                .entry(detail["output"]["text"].is_string())
                .or_default() += 1;
        }
        counts
    };
    assert_eq!(inputs(0, 10), BTreeMap::from([(false, 10)]));
    assert_eq!(inputs(19, 20), BTreeMap::from([(true, 1)]));
}

#[test]
fn a_journal_without_room_for_bodies_keeps_none() {
    let emulator = limited(10, 0);
    echo(&emulator, &json!({"a": 1}));
    let arrival = &emulator.arrivals()[0];
    assert!(
        arrival.dropped
            && arrival.body == ArrivedBody::Empty
            && arrival.response == ArrivedBody::Empty
    );
    assert_eq!(arrival.body_length, 7);
}
