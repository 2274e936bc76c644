//! The final status, the result and the logs of a job come from different parts of fal at different
//! times. Where they contradict each other, they are requested again.

use super::hostile::{answered, client_of, hostile_to};
use super::queue::{JOB, events, job_of, lines, paths, queue, submit, subscribe};
use super::*;
use fal::{Code, Job};
use fal_emulator::{Fault, LateResult, QueueSettings};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const EARLY: &str = r#"{"detail": "Request is still in progress"}"#;
const NOT_FOUND: &str = r#"{"detail": "Request not found"}"#;
const RUNNING: &str = r#"{"status": "IN_PROGRESS", "request_id": "r-1"}"#;

/// A status line and a body.
type Said = (&'static str, &'static str);

/// Starts a queue whose job has ended with this status, and whose n-th result is `answer(n)`. Also
/// returns the number of requests for the result.
fn ended(
    status: &'static str,
    answer: impl Fn(usize) -> Said + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let (host, _, asked) = telling(move |_| ("200 OK", status), answer);
    (host, asked)
}

/// Starts a queue whose n-th status is `status(n)` and whose n-th result is `answer(n)`. Also
/// returns the number of requests for each.
fn telling(
    status: impl Fn(usize) -> Said + Send + Sync + 'static,
    answer: impl Fn(usize) -> Said + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (looks, asked) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (look, count) = (looks.clone(), asked.clone());
    let host = hostile_to(move |head, connection| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        const ID: &str = "x-fal-request-id: r-1\r\n";
        match path.split('?').next().unwrap_or_default() {
            _ if head.starts_with("PUT") => answered(connection, "202 Accepted", ID, "{}"),
            path if path.ends_with("/status/stream") => {
                answered(connection, "404 Not Found", ID, "{}")
            }
            path if path.ends_with("/status") => {
                let (line, body) = status(look.fetch_add(1, Ordering::Relaxed));
                answered(connection, line, ID, body)
            }
            path if path.ends_with("/requests/r-1") => {
                let (line, body) = answer(count.fetch_add(1, Ordering::Relaxed));
                answered(connection, line, ID, body)
            }
            _ => answered(connection, "200 OK", ID, r#"{"request_id": "r-1"}"#),
        }
    });
    (host, looks, asked)
}

const COMPLETED: &str = r#"{"status": "COMPLETED", "request_id": "r-1"}"#;
const FAILED: &str = r#"{"status": "COMPLETED", "request_id": "r-1", "error": "It broke", "error_type": "internal_error"}"#;

/// Gets the result in each way: by the request for it, after a submission, and by the job's id.
fn every_way(host: &str) -> Vec<(&'static str, Result<Response, Error>)> {
    every_way_within(host, Duration::from_secs(60))
}

fn every_way_within(host: &str, timeout: Duration) -> Vec<(&'static str, Result<Response, Error>)> {
    let client = client_of(host).timeout(timeout).build().unwrap();
    let job = Job::new(JOB, "r-1").unwrap();
    let ways = [
        ("result", client.result_start(&job).unwrap()),
        (
            "subscribe",
            client.subscribe_start(job_of(json!({}))).unwrap(),
        ),
        ("attach", client.attach_start(&job).unwrap()),
    ];
    let ended = |op: Op| op.wait(None).map(|_| op.take().unwrap()).unwrap();
    ways.into_iter().map(|(way, op)| (way, ended(op))).collect()
}

#[test]
fn a_result_that_comes_late_is_waited_for() {
    let late: [Said; 4] = [
        ("202 Accepted", RUNNING),
        ("400 Bad Request", EARLY),
        ("400 Bad Request", ""),
        ("404 Not Found", NOT_FOUND),
    ];
    at_once(late, |late| {
        let (host, _) = ended(COMPLETED, move |asked| {
            if asked % 4 < 3 {
                late
            } else {
                ("200 OK", r#"{"x": 1}"#)
            }
        });
        for (way, outcome) in every_way(&host) {
            let answer = outcome.unwrap_or_else(|error| panic!("{late:?} {way}: {error}"));
            assert_eq!(
                (answer.status(), answer.get("/x").unwrap()),
                (200, &json!(1)),
                "{late:?} {way}"
            );
        }
    });
}

#[test]
fn a_result_that_never_comes_is_an_error_that_says_that_the_job_has_run() {
    let late: [(Said, Code); 3] = [
        (("202 Accepted", RUNNING), Code::ServiceUnavailable),
        (("400 Bad Request", EARLY), Code::ServiceUnavailable),
        (("404 Not Found", NOT_FOUND), Code::NotFound),
    ];
    at_once(late, |(late, code)| {
        let (host, asked) = ended(COMPLETED, move |_| late);
        for (way, outcome) in every_way(&host) {
            let error = outcome.unwrap_err();
            assert_eq!(
                (error.code(), error.request_id()),
                (code, Some("r-1")),
                "{late:?} {way}: {error}"
            );
            assert!(
                error.may_have_executed() && error.message().contains("has run"),
                "{late:?} {way}: {error}"
            );
        }
        assert!(
            (9..90).contains(&asked.load(Ordering::Relaxed)),
            "{late:?}: {asked:?}"
        );
    });
}

/// A response that can only be the job's own end is not requested again.
#[test]
fn what_the_app_says_of_its_input_is_no_contradiction() {
    for own in [
        (
            "400 Bad Request",
            r#"{"detail": [{"loc": ["body", "prompt"], "msg": "no", "type": "value_error"}]}"#,
        ),
        (
            "400 Bad Request",
            r#"{"detail": "Bad header", "error_type": "bad_request"}"#,
        ),
        ("404 Not Found", r#"{"detail": "Path /x not found"}"#),
        ("422 Unprocessable Entity", r#"{"detail": "no"}"#),
    ] {
        let (host, asked) = ended(COMPLETED, move |_| own);
        for (way, outcome) in every_way(&host) {
            let error = outcome.unwrap_err();
            assert!(
                !error.may_have_executed() && !error.message().contains("has run"),
                "{own:?} {way}: {error}"
            );
        }
        assert_eq!(asked.load(Ordering::Relaxed), 3, "{own:?}");
    }
}

/// An app may reject its input in words of its own, and fal may refuse the result of a job that has
/// run. The response does not tell which.
#[test]
fn a_400_in_other_words_lasts_and_leaves_the_outcome_open() {
    let (host, _) = ended(COMPLETED, |_| {
        ("400 Bad Request", r#"{"detail": "Prompt refused"}"#)
    });
    for (way, outcome) in every_way(&host) {
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::InvalidInput, true),
            "{way}: {error}"
        );
        assert!(error.message().contains("Prompt refused"), "{way}: {error}");
    }
    // If the status itself is a failure, there is no contradiction.
    let (host, _) = ended(r#"{"status": "FAILED"}"#, |_| {
        ("400 Bad Request", r#"{"detail": "Prompt refused"}"#)
    });
    for (way, outcome) in every_way(&host) {
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::InvalidInput, false),
            "{way}: {error}"
        );
    }
}

const UNKNOWN_ID: Said = ("404 Not Found", r#"{"status": "NOT_FOUND"}"#);
const FINALIZING: &str = r#"{"status": "FINALIZING", "request_id": "r-1"}"#;

fn subscribe_to(host: &str) -> Result<Response, Error> {
    let client = client_of(host)
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap();
    Op::finish(|| client.subscribe_start(job_of(json!({}))))
}

/// The queue knows a job whose status it has returned. A later "unknown" contradicts that.
#[test]
fn a_status_that_comes_late_is_waited_for() {
    for missing in [0..1, 0..3, 1..2] {
        let status = move |n| match n {
            n if missing.contains(&n) => UNKNOWN_ID,
            0 => ("202 Accepted", RUNNING),
            _ => ("200 OK", COMPLETED),
        };
        let (host, ..) = telling(status, |_| ("200 OK", r#"{"x": 1}"#));
        assert_eq!(subscribe_to(&host).unwrap().get("/x").unwrap(), 1);
    }
    // The contradiction is not followed for ever.
    let (host, looks, _) = telling(|_| UNKNOWN_ID, |_| ("200 OK", "{}"));
    let error = subscribe_to(&host).unwrap_err();
    assert_eq!(
        (error.code(), error.request_id()),
        (Code::NotFound, Some("r-1")),
        "{error}"
    );
    assert!(
        error.may_have_executed() && looks.load(Ordering::Relaxed) > 3,
        "{error} {looks:?}"
    );
    // For a job of which the queue has returned nothing, "unknown" is the response.
    let (host, looks, _) = telling(|_| UNKNOWN_ID, |_| ("200 OK", "{}"));
    let client = client_of(&host).build().unwrap();
    let error = Op::finish(|| client.attach_start(&Job::new(JOB, "r-1").unwrap())).unwrap_err();
    assert_eq!(
        (error.code(), looks.load(Ordering::Relaxed)),
        (Code::NotFound, 1),
        "{error}"
    );
}

/// A job that is not cancelled keeps running and costs money.
#[test]
fn a_cancellation_that_comes_before_the_job_is_known_is_sent_again() {
    let sent = Arc::<AtomicUsize>::default();
    let count = sent.clone();
    let host = hostile_to(move |head, connection| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let (line, body) = match path.split('?').next().unwrap_or_default() {
            _ if head.starts_with("PUT") => match count.fetch_add(1, Ordering::Relaxed) {
                0..2 => UNKNOWN_ID,
                _ => ("202 Accepted", "{}"),
            },
            path if path.ends_with("/status/stream") => UNKNOWN_ID,
            path if path.ends_with("/status") => ("202 Accepted", RUNNING),
            _ => ("200 OK", r#"{"request_id": "r-1"}"#),
        };
        answered(connection, line, "", body)
    });
    let op = client_of(&host)
        .build()
        .unwrap()
        .subscribe_start(job_of(json!({})))
        .unwrap();
    op.wait_event(Some(PATIENCE)).unwrap();
    op.cancel();
    let begun = std::time::Instant::now();
    while sent.load(Ordering::Relaxed) < 3 {
        assert!(begun.elapsed() < PATIENCE, "{sent:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A state that libfal does not know may come before the end.
#[test]
fn no_result_of_a_job_in_an_unknown_state_is_waited_out() {
    const X: Said = ("200 OK", r#"{"x": 1}"#);
    let late: [Said; 4] = [
        ("404 Not Found", NOT_FOUND),
        ("200 OK", "null"),
        ("204 No Content", ""),
        ("400 Bad Request", EARLY),
    ];
    let states: [fn(usize) -> Said; 2] = [
        |n| ("200 OK", if n < 2 { FINALIZING } else { COMPLETED }),
        |_| ("200 OK", FINALIZING),
    ];
    let rows = late.map(|late| states.map(|state| (late, state)));
    at_once(rows.into_iter().flatten(), |(late, state)| {
        let (host, ..) = telling(state, move |n| if n < 2 { late } else { X });
        let response = subscribe_to(&host).unwrap();
        assert_eq!(response.get("/x").unwrap(), 1, "{late:?}");
        let job = Job::new(JOB, "r-1").unwrap();
        let client = client_of(&host).build().unwrap();
        let response = Op::finish(|| client.result_start(&job)).unwrap();
        assert_eq!(response.get("/x").unwrap(), 1, "{late:?}");
    });
    // A response that stays the same is believed: the output may be empty.
    at_once(["null", ""], |lasting| {
        let (host, ..) = telling(|_| ("200 OK", FINALIZING), move |_| ("200 OK", lasting));
        assert_eq!(subscribe_to(&host).unwrap().body(), lasting.as_bytes());
    });
    let lasting: [Said; 2] = [
        ("404 Not Found", NOT_FOUND),
        ("400 Bad Request", r#"{"detail": "no"}"#),
    ];
    at_once(lasting, |lasting| {
        let (host, ..) = telling(|_| ("200 OK", FINALIZING), move |_| lasting);
        // Some ways ask again for as long as there is time.
        for (way, outcome) in every_way_within(&host, PATIENCE / 2)
            .into_iter()
            .filter(|(way, _)| *way == "result" || lasting.0 == "404 Not Found")
        {
            let error = outcome.unwrap_err();
            assert!(
                error.may_have_executed() && error.http_status().is_some(),
                "{way} {lasting:?}: {error}"
            );
        }
    });
    // An app's own rejection is an end in any state.
    let own = r#"{"detail": [{"loc": ["body", "prompt"], "msg": "no", "type": "value_error"}]}"#;
    let (host, ..) = telling(
        |_| ("200 OK", FINALIZING),
        move |_| ("400 Bad Request", own),
    );
    for (way, outcome) in every_way(&host) {
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::InvalidInput, false),
            "{way}: {error}"
        );
    }
}

/// A 400 or 404 says that there is no such result, or that there is none yet. Only the status
/// distinguishes these.
#[test]
fn what_may_be_early_is_not_judged_without_the_status() {
    let down: [Said; 3] = [
        ("503 Service Unavailable", "{}"),
        ("429 Too Many Requests", "{}"),
        ("200 OK", "{"),
    ];
    let early: [Said; 3] = [
        ("404 Not Found", NOT_FOUND),
        ("400 Bad Request", r#"{"detail": "no"}"#),
        ("200 OK", "null"),
    ];
    let job = Job::new(JOB, "r-1").unwrap();
    for down in down {
        for early in early {
            let (host, ..) = telling(move |_| down, move |_| early);
            let client = client_of(&host).build().unwrap();
            let error = Op::finish(|| client.result_start(&job)).unwrap_err();
            assert!(
                !matches!(error.code(), Code::NotFound | Code::InvalidInput),
                "{down:?} {early:?}: {error}"
            );
            assert!(error.may_have_executed(), "{down:?} {early:?}: {error}");
            assert_eq!(error.request_id(), Some("r-1"), "{down:?} {early:?}");
        }
        let (host, ..) = telling(
            move |n| if n < 2 { down } else { ("200 OK", COMPLETED) },
            |n| {
                if n < 2 {
                    ("404 Not Found", NOT_FOUND)
                } else {
                    ("200 OK", r#"{"x": 1}"#)
                }
            },
        );
        let client = client_of(&host).build().unwrap();
        assert_eq!(
            Op::finish(|| client.result_start(&job))
                .unwrap()
                .get("/x")
                .unwrap(),
            1,
            "{down:?}"
        );
    }
}

#[test]
fn no_output_and_an_error_in_the_status_is_the_error() {
    for nothing in ["null", "", " null\n"] {
        let (host, _) = ended(FAILED, move |_| ("200 OK", nothing));
        for (way, outcome) in every_way(&host) {
            let error = outcome.unwrap_err();
            assert_eq!(error.code(), Code::ServiceFailed, "{way}: {error}");
            assert!(error.message().contains("It broke"), "{way}: {error}");
        }
        let (host, _) = ended(COMPLETED, move |_| ("200 OK", nothing));
        for (way, outcome) in every_way(&host) {
            assert_eq!(outcome.unwrap().body(), nothing.as_bytes(), "{way}");
        }
        let (host, _) = ended(RUNNING, move |_| ("200 OK", nothing));
        let job = Job::new(JOB, "r-1").unwrap();
        let error =
            Op::finish(|| client_of(&host).build().unwrap().result_start(&job)).unwrap_err();
        assert_eq!(error.code(), Code::NotReady, "{error}");
    }
    for late in [
        ("202 Accepted", RUNNING),
        ("400 Bad Request", EARLY),
        ("404 Not Found", NOT_FOUND),
    ] {
        let (host, _) = ended(FAILED, move |_| late);
        let error = every_way(&host).remove(1).1.unwrap_err();
        assert!(error.message().contains("It broke"), "{late:?}: {error}");
    }
}

/// If the operation's deadline comes before the next request, the operation ends with what is
/// known.
#[test]
fn a_pause_that_does_not_fit_is_not_begun() {
    let (host, _) = ended(COMPLETED, |_| ("404 Not Found", NOT_FOUND));
    // After 1.55 s the next pause is 1 s.
    let client = client_of(&host)
        .timeout(Duration::from_millis(2500))
        .build()
        .unwrap();
    let job = Job::new(JOB, "r-1").unwrap();
    let ended = || Op::finish(|| client.result_start(&job)).unwrap_err().code();
    // On a busy machine one request may take all of the time.
    let ends: Vec<_> = (0..5)
        .map(|_| ended())
        .take_while(|code| *code == Code::Deadline)
        .collect();
    assert!(ends.len() < 5, "the pause was started");
}

/// `FAL_JOBS` sets the number of jobs. Each is polled without a pause from its submission to its
/// end.
#[test]
fn results_that_are_asked_for_without_a_pause_are_right() {
    let jobs: usize = std::env::var("FAL_JOBS")
        .ok()
        .and_then(|jobs| jobs.parse().ok())
        .unwrap_or(200);
    let emulator = queue(QueueSettings {
        concurrent_requests: None,
        ..QueueSettings::default()
    });
    let client = client(&emulator);
    let left = Arc::new(AtomicUsize::new(jobs));
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (client, left) = (client.clone(), left.clone());
            std::thread::spawn(move || {
                let (mut right, mut early) = (0, 0);
                while let Ok(number) =
                    left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
                        left.checked_sub(1)
                    })
                {
                    let job = submit(
                        &client,
                        json!({"ms": 5 + number % 20, "output": {"n": number}}),
                    );
                    loop {
                        match Op::finish(|| client.result_start(&job)) {
                            Err(error) if error.code() == Code::NotReady => early += 1,
                            outcome => {
                                let answer =
                                    outcome.unwrap_or_else(|error| panic!("{number}: {error}"));
                                assert_eq!(
                                    (answer.status(), answer.get("/n").unwrap()),
                                    (200, &json!(number))
                                );
                                break;
                            }
                        }
                    }
                    right += 1;
                }
                (right, early)
            })
        })
        .collect();
    let counts = workers.into_iter().map(|worker| worker.join().unwrap());
    let (right, early) = counts.fold((0, 0), |(right, early), (one, other)| {
        (right + one, early + other)
    });
    println!("{right} of {jobs} right, {early} asked for too early");
    assert!(right == jobs && early > 0, "{right} {early}");
}

#[test]
fn results_may_be_late_at_the_emulator_too() {
    for late_result in [
        LateResult::Accepted,
        LateResult::BadRequest,
        LateResult::NotFound,
    ] {
        let emulator = queue(QueueSettings {
            late_result_ms: 400,
            late_result,
            ..QueueSettings::default()
        });
        let client = client(&emulator);
        assert_eq!(
            subscribe(&client, json!({"output": {"x": 1}}))
                .unwrap()
                .get("/x")
                .unwrap(),
            1,
            "{late_result:?}"
        );
        let asked = paths(&emulator)
            .into_iter()
            .filter(|path| path == "GET /emulator/job/requests/ID");
        assert!(asked.count() > 1, "{late_result:?}: it was not late");
        let job = submit(&client, json!({"output": {"x": 2}}));
        Op::finish(|| client.attach_start(&job)).unwrap();
        assert_eq!(
            Op::finish(|| client.result_start(&job))
                .unwrap()
                .get("/x")
                .unwrap(),
            2,
            "{late_result:?}"
        );
    }
}

#[test]
fn a_cancellation_is_accepted_if_it_says_so() {
    for (line, body, outcome) in [
        (
            "202 Accepted",
            r#"{"status": "CANCELLATION_REQUESTED"}"#,
            None,
        ),
        ("200 OK", r#"{"success": true}"#, None),
        ("200 OK", "", None),
        ("200 OK", r#"{"success": false}"#, Some(Code::InvalidInput)),
        (
            "200 OK",
            r#"{"status": "ALREADY_COMPLETED"}"#,
            Some(Code::InvalidInput),
        ),
        (
            "202 Accepted",
            r#"{"status": "ALREADY_COMPLETED"}"#,
            Some(Code::InvalidInput),
        ),
        (
            "400 Bad Request",
            r#"{"status": "ALREADY_COMPLETED"}"#,
            Some(Code::InvalidInput),
        ),
        ("200 OK", r#"{"status": "NOT_FOUND"}"#, Some(Code::NotFound)),
    ] {
        let host = hostile_to(move |_, connection| {
            answered(connection, line, "x-fal-request-id: r-1\r\n", body)
        });
        let job = Job::new(JOB, "r-1").unwrap();
        let error = Op::finish(|| client_of(&host).build().unwrap().cancel_start(&job)).err();
        assert_eq!(error.as_ref().map(Error::code), outcome, "{line} {body}");
        if let Some(error) = error {
            assert_eq!(error.request_id(), Some("r-1"), "{line} {body}");
            assert!(
                error.code() == Code::NotFound || error.remedy().contains("fetch its result"),
                "{}",
                error.remedy()
            );
        }
    }
}

#[test]
fn an_answer_without_a_state_is_no_status() {
    for body in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"status": 7}"#,
        r#"{"status": "COMPL"#,
    ] {
        let host = hostile_to(move |_, connection| {
            answered(connection, "200 OK", "x-fal-request-id: r-1\r\n", body)
        });
        let job = Job::new(JOB, "r-1").unwrap();
        let error =
            Op::finish(|| client_of(&host).build().unwrap().status_start(&job)).unwrap_err();
        assert_eq!(
            (error.code(), error.request_id()),
            (Code::Protocol, Some("r-1")),
            "{body}: {error}"
        );
    }
}

/// The host reads as fast as it can, so no line is lost, and a repeated line is returned once.
#[test]
fn long_logs_and_bursts_of_them_are_told_once_and_whole() {
    // More lines than libfal remembers, and more than it reads for one window.
    const LINES: usize = 70_000;
    const NEWEST: usize = 65_536;
    let log: Vec<_> = (0..LINES)
        .map(|n| json!({"message": format!("line {n}"), "timestamp": n}))
        .collect();
    let running = json!({"status": "IN_PROGRESS", "logs": log}).to_string();
    let looks = Arc::<AtomicUsize>::default();
    let counter = looks.clone();
    let host = hostile_to(move |head, connection| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        match path.split('?').next().unwrap_or_default() {
            path if path.ends_with("/status/stream") => {
                answered(connection, "404 Not Found", "", "{}")
            }
            path if path.ends_with("/status") => match counter.fetch_add(1, Ordering::Relaxed) {
                0..3 => answered(connection, "202 Accepted", "", &running),
                _ => answered(connection, "200 OK", "", COMPLETED),
            },
            path if path.ends_with("/requests/r-1") => answered(connection, "200 OK", "", "{}"),
            _ => answered(connection, "200 OK", "", r#"{"request_id": "r-1"}"#),
        }
    });
    let client = client_of(&host)
        .timeout(Duration::from_secs(300))
        .build()
        .unwrap();
    // On a busy machine the host may be too slow.
    let mut tries = (0..10).filter_map(|_| {
        looks.store(0, Ordering::Relaxed);
        let op = client.subscribe_start(job_of(json!({}))).unwrap();
        let told = lines(&events(&op));
        op.take().unwrap().unwrap();
        (op.dropped_events() == 0).then_some(told)
    });
    let told = tries.next().expect("lines are dropped each time");
    assert_eq!(told.len(), NEWEST, "three windows with the same lines");
    assert!(
        (LINES - NEWEST..LINES)
            .zip(&told)
            .all(|(n, told)| *told == format!("line {n}"))
    );

    // A job does not wait for a host that reads no events.
    looks.store(0, Ordering::Relaxed);
    let op = client.subscribe_start(job_of(json!({}))).unwrap();
    assert!(op.wait(Some(Duration::from_secs(300))).unwrap());
    assert!(op.take().unwrap().is_ok());
}

/// The pause after a Retry-After is limited, because a job may end at any time.
#[test]
fn a_long_retry_after_does_not_stop_the_waiting() {
    for forever in ["86000", "Fri, 01 Jan 2100 00:00:00 GMT"] {
        let emulator = queue(QueueSettings::default());
        emulator.inject(Fault::status(404).path("*/status/stream").always());
        emulator.inject(
            Fault::status(503)
                .path("*/status")
                .header("retry-after", forever),
        );
        let mut request = job_of(json!({"output": {"x": 1}}));
        request.set_timeout(Duration::from_secs(86_400));
        let op = client(&emulator).subscribe_start(request).unwrap();
        assert!(
            op.wait(Some(Duration::from_secs(120))).unwrap(),
            "{forever}: it sleeps"
        );
        assert_eq!(
            op.take().unwrap().unwrap().get("/x").unwrap(),
            1,
            "{forever}"
        );
    }
}

/// Each call ends with the service's error, and not with its own timeout.
#[test]
fn a_retry_after_that_does_not_fit_ends_the_call_with_its_error() {
    let emulator = queue(QueueSettings::default());
    let busy = |path: &str, status| {
        Fault::status(status)
            .path(path)
            .header("retry-after", "100000")
            .always()
    };
    let client = builder(&emulator)
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    let job = submit(&client, json!({}));
    emulator.inject(busy("*/requests/*", 503));
    for outcome in [
        Op::finish(|| client.status_start(&job)),
        Op::finish(|| client.result_start(&job)),
        Op::finish(|| client.cancel_start(&job)),
    ] {
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.code(), error.http_status()),
            (Code::ServiceUnavailable, Some(503)),
            "{error}"
        );
    }
    emulator.inject(busy("/emulator/echo", 429));
    assert_eq!(echo(&client).unwrap_err().code(), Code::RateLimited);
    let upload = fal::Upload::bytes(vec![7_u8; 6 << 20]).way(fal::UploadWay::DirectParts);
    emulator.inject(
        Fault::status(500)
            .method("PUT")
            .header("retry-after", "100000")
            .always(),
    );
    let error = Op::finish(|| client.upload_start(upload)).unwrap_err();
    assert_eq!(
        (error.code(), error.http_status()),
        (Code::ServiceFailed, Some(500)),
        "{error}"
    );
}
