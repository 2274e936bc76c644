//! An app's response never permits a second POST: a POST is sent again only after a response that
//! provably came from fal's gateway (docs/protocol.md §5.8, §12.3).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::hostile::{answered, client_of, hostile_to};
use super::*;
use fal::credentials::{Callback, Options};
use fal::{Code, HostRole};

/// The error types that say that no app was reached, with the status of each (§12.3).
const NOBODY: [(&str, u16); 4] = [
    ("runner_scheduling_failure", 503),
    ("runner_connection_refused", 503),
    ("runner_connection_timeout", 503),
    ("startup_timeout", 504),
];

const ID: &str = "x-fal-request-id: r-1\r\n";
/// Headers that an app's response has and the gateway's own has not.
const MARKS: [&str; 2] = [
    "x-fal-served-from: runner-7\r\n",
    "x-fal-billable-units: 0\r\n",
];

/// Starts a server that returns this response to each request, and counts the requests.
fn counting(status: u16, headers: &str, body: &str) -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let (counter, headers, body) = (count.clone(), headers.to_owned(), body.to_owned());
    let host = hostile_to(move |_, connection| {
        counter.fetch_add(1, Ordering::SeqCst);
        answered(
            connection,
            &format!("{status} X"),
            &format!("content-type: application/json\r\n{headers}"),
            &body,
        )
    });
    (host, count)
}

/// Sends a request that gets this response. Returns the error and the number of requests.
fn sent(method: &str, status: u16, headers: &str, body: &str) -> (Error, usize) {
    let (host, count) = counting(status, headers, body);
    let client = client_of(&host).max_attempts(2).unwrap().build().unwrap();
    let error = match method {
        "POST" => echo(&client).unwrap_err(),
        _ => send(&client, method, "https://fal.run/emulator/echo").unwrap_err(),
    };
    (error, count.load(Ordering::SeqCst))
}

fn typed(kind: &str) -> String {
    json!({"detail": "x", "error_type": kind}).to_string()
}

fn header(kind: &str) -> String {
    format!("{ID}x-fal-error-type: {kind}\r\n")
}

#[test]
fn what_the_gateway_says_of_itself_has_a_post_sent_again() {
    for (kind, status) in NOBODY {
        for body in [
            typed(kind),
            json!({"detail": "x"}).to_string(),
            String::new(),
        ] {
            let (error, requests) = sent("POST", status, &header(kind), &body);
            assert_eq!(
                (requests, error.may_have_executed()),
                (2, false),
                "{kind} {body}: {error}"
            );
            assert!(error.is_retryable(), "{error}");
        }
    }
}

#[test]
fn a_contradiction_is_an_unknown_outcome_and_not_sent_again() {
    for (kind, status) in NOBODY {
        let (body, said) = (typed(kind), header(kind));
        let other = NOBODY.iter().find(|(other, _)| *other != kind).unwrap().0;
        let wrong = if status == 503 { 504 } else { 503 };
        let cases = [
            (
                "the app's runner",
                status,
                format!("{said}{}", MARKS[0]),
                body.clone(),
            ),
            (
                "the app's price",
                status,
                format!("{said}{}", MARKS[1]),
                body.clone(),
            ),
            ("only the body says so", status, ID.to_owned(), body.clone()),
            ("422", 422, said.clone(), body.clone()),
            ("500", 500, said.clone(), body.clone()),
            ("another 5xx", wrong, said.clone(), body.clone()),
            (
                "the header says something else",
                status,
                header(other),
                body.clone(),
            ),
            (
                "the header says two things",
                status,
                format!("{said}x-fal-error-type: {other}\r\n"),
                body.clone(),
            ),
            (
                "the body says something else",
                status,
                said.clone(),
                typed("runner_disconnected"),
            ),
            (
                "the body lists fields",
                status,
                said.clone(),
                json!({"detail": [{"msg": "x", "type": "one_of"}]}).to_string(),
            ),
            (
                "no id of the gateway's",
                status,
                format!("x-fal-error-type: {kind}\r\n"),
                body.clone(),
            ),
            (
                "a page",
                status,
                said.clone(),
                "<html><title>503</title>nginx</html>".to_owned(),
            ),
        ];
        for (what, status, headers, body) in cases {
            let (error, requests) = sent("POST", status, &headers, &body);
            assert_eq!(
                (requests, error.may_have_executed()),
                (1, true),
                "{kind}, {what}: {error}"
            );
            assert_eq!(error.http_status(), Some(status), "{kind}, {what}");
            let remedy = error.remedy();
            assert!(
                remedy.contains("check whether it did") && !remedy.contains("again later"),
                "{kind}, {what}: {remedy}"
            );
        }
        // A GET can be repeated without harm.
        let (error, requests) = sent("GET", status, &format!("{said}{}", MARKS[0]), &body);
        assert_eq!(
            (requests, error.may_have_executed()),
            (2, false),
            "{kind}: {error}"
        );
    }
}

#[test]
fn a_missed_start_deadline_that_an_app_tells_of_is_an_unknown_outcome() {
    let said = format!("{ID}x-fal-request-timeout-type: user\r\n");
    let (error, requests) = sent("POST", 504, &said, &typed("request_timeout"));
    assert_eq!(
        (requests, error.may_have_executed(), error.is_retryable()),
        (1, false, false),
        "{error}"
    );
    for mark in MARKS {
        let (error, requests) = sent(
            "POST",
            504,
            &format!("{said}{mark}"),
            &typed("request_timeout"),
        );
        assert_eq!((requests, error.may_have_executed()), (1, true), "{error}");
    }
}

#[test]
fn a_429_of_an_app_is_not_sent_again() {
    let (error, requests) = sent("POST", 429, ID, "{}");
    assert_eq!(
        (requests, error.may_have_executed(), error.is_retryable()),
        (2, false, true),
        "{error}"
    );
    for mark in MARKS {
        let (error, requests) = sent(
            "POST",
            429,
            &format!("{ID}x-fal-needs-retry: 1\r\n{mark}"),
            "{}",
        );
        assert_eq!(
            (error.code(), requests, error.may_have_executed()),
            (Code::RateLimited, 1, true),
            "{error}"
        );
        assert!(error.remedy().contains("app"), "{}", error.remedy());
        let (error, requests) = sent("GET", 429, &format!("{ID}{mark}"), "{}");
        assert_eq!((requests, error.may_have_executed()), (2, false), "{error}");
    }
}

/// A client whose credential can be replaced.
fn renewing(host: &str) -> Client {
    renewing_in(host).build().unwrap()
}

fn renewing_in(host: &str) -> ClientBuilder {
    let asked = AtomicUsize::new(0);
    let callback = Callback::new(move |answer| {
        let round = asked.fetch_add(1, Ordering::SeqCst);
        answer
            .key(&format!("fake-id:fake-secret-number-{round}"), None)
            .unwrap();
    });
    let environment = Environment::from_variables([("FAL_EMULATOR_HOST", host)]);
    let client = crate::logged::builder()
        .environment(environment)
        .timeout(PATIENCE);
    client.credentials(Options::new().callback(callback))
}

/// Sends a request of such a client that gets this response. Returns the error and the requests.
fn renewed(method: &str, headers: &str, body: &str) -> (Error, usize) {
    let (host, count) = counting(401, headers, body);
    let client = renewing(&host);
    let error = match method {
        "POST" => echo(&client).unwrap_err(),
        _ => send(&client, method, "https://fal.run/emulator/echo").unwrap_err(),
    };
    assert_eq!(error.code(), Code::Unauthenticated, "{error}");
    (error, count.load(Ordering::SeqCst))
}

#[test]
fn a_401_is_sent_again_only_where_it_is_the_gateways() {
    let detail = |text: &str| json!({"detail": text}).to_string();
    for body in [
        detail("invalid key credentials"),
        detail("No user found for Key ID and Secret"),
        detail("Cannot access application \"a/b\""),
        detail("bearer: unable to decode issuer"),
        String::new(),
        "{}".to_owned(),
    ] {
        let (error, requests) = renewed("POST", ID, &body);
        assert_eq!(
            (requests, error.may_have_executed()),
            (2, false),
            "{body}: {error}"
        );
        for mark in MARKS {
            let (error, requests) = renewed("POST", &format!("{ID}{mark}"), &body);
            assert_eq!(
                (requests, error.may_have_executed()),
                (1, true),
                "{body}: {error}"
            );
            assert!(
                error.message().contains("app") && error.remedy().contains("app"),
                "{error}"
            );
            assert!(
                !error.message().contains("key fake-id"),
                "it is not this key that was refused: {error}"
            );
            assert_eq!(
                renewed("GET", &format!("{ID}{mark}"), &body).1,
                1,
                "the key is good"
            );
        }
    }
    for headers in [ID, ""] {
        let text = "the downstream API refused my token after 40 s of work";
        let (error, requests) = renewed("POST", headers, &detail(text));
        assert_eq!((requests, error.may_have_executed()), (1, true), "{error}");
        let (error, requests) = renewed("GET", headers, &detail(text));
        assert_eq!((requests, error.may_have_executed()), (2, false), "{error}");
    }
}

/// What libfal does with a POST that was refused. It depends on who may have sent the refusal.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Again,
    /// Sent once, and not executed.
    Last,
    /// Sent once, and possibly executed.
    Doubt,
}

const SAID: [(&str, &str); 4] = [
    ("the gateway's id", ID),
    ("nothing", ""),
    (
        "the id and a mark",
        "x-fal-request-id: r-1\r\nx-fal-served-from: runner-7\r\n",
    ),
    ("a mark", "x-fal-billable-units: 0\r\n"),
];

/// A request, and what libfal does with it after a 429 and after a 401, for each entry of `SAID`.
type Row<'a> = (
    &'a str,
    bool,
    fn(&Client) -> Result<Op, Error>,
    [Fate; 4],
    [Fate; 4],
);

#[test]
fn who_may_have_answered_decides_what_is_sent_again() {
    use Fate::{Again, Doubt, Last};
    fn to(method: &str, url: &str) -> Request {
        let mut request = Request::new(method, url).unwrap();
        request.set_json(json!({}));
        request
    }
    fn job() -> fal::Job {
        fal::Job::new("emulator/job", "r-1").unwrap()
    }
    let run: fn(&Client) -> Result<Op, Error> =
        |c| c.run_start(Request::run("emulator/echo").unwrap());
    let submit: fn(&Client) -> Result<Op, Error> =
        |c| c.submit_start(Request::run("emulator/job").unwrap());
    // An app may send any of these itself. Only a response that is provably the gateway's was sent
    // before an app ran.
    let of_app = [Again, Doubt, Doubt, Doubt];
    // A submission runs no app, so it is sent again unless the response is marked as an app's.
    let of_queue = [Again, Again, Doubt, Doubt];
    let rows: Vec<Row<'_>> = vec![
        ("run", false, run, of_app, of_app),
        (
            "run by GET",
            false,
            |c| c.send_start(to("GET", "https://fal.run/emulator/echo")),
            [Again; 4],
            [Again, Again, Last, Last],
        ),
        (
            "run by PUT",
            false,
            |c| c.send_start(to("PUT", "https://fal.run/emulator/echo")),
            of_app,
            of_app,
        ),
        (
            "stream",
            false,
            |c| c.stream_start(Request::run("emulator/echo").unwrap()),
            of_app,
            of_app,
        ),
        ("submit", false, submit, of_queue, of_queue),
        (
            "status",
            false,
            |c| c.status_start(&job()),
            [Again; 4],
            [Again; 4],
        ),
        (
            "cancel",
            false,
            |c| c.cancel_start(&job()),
            [Again; 4],
            [Again; 4],
        ),
        (
            "token",
            false,
            |c| c.mint_token_start(&["emulator/echo"], Duration::from_secs(60)),
            [Again; 4],
            [Again; 4],
        ),
        (
            "platform",
            false,
            |c| c.send_start(to("POST", "/v1/keys")),
            [Again; 4],
            [Again; 4],
        ),
        // A proxy passes on the id, but has limits and users of its own.
        ("run by proxy", true, run, of_app, of_app),
        ("submit by proxy", true, submit, of_app, of_app),
    ];
    let hands: Vec<_> = rows
        .into_iter()
        .map(|(name, proxied, start, busy, refused)| {
            let name = name.to_owned();
            std::thread::spawn(move || {
                for (status, fates) in [(429, busy), (401, refused)] {
                    for ((said, headers), fate) in SAID.into_iter().zip(fates) {
                        let (host, count) = counting(status, headers, "{}");
                        let client = renewing_in(&host).max_attempts(2).unwrap();
                        let client = match proxied {
                            true => client.proxy("https://app.example/api/fal/proxy").unwrap(),
                            false => client,
                        };
                        let client = client.build().unwrap();
                        let error = Op::finish(|| start(&client)).unwrap_err();
                        let got = match (count.load(Ordering::SeqCst), error.may_have_executed()) {
                            (2, false) => Again,
                            (1, false) => Last,
                            (1, true) => Doubt,
                            other => panic!("{name}, {status} with {said}: {other:?}: {error}"),
                        };
                        assert_eq!(got, fate, "{name}, {status} with {said}: {error}");
                        let told = error.remedy().contains("before you send the request again");
                        assert!(
                            fate != Doubt || proxied || told,
                            "{name}, {status} with {said}: {}",
                            error.remedy()
                        );
                    }
                }
            })
        })
        .collect();
    hands.into_iter().for_each(|hand| hand.join().unwrap());
}

/// The error type of another failure contradicts the status.
#[test]
fn a_429_or_401_with_the_name_of_another_failure_is_in_doubt() {
    for kind in [
        "runner_disconnected",
        "request_timeout",
        "startup_timeout",
        "internal_error",
    ] {
        for (headers, body) in [
            (header(kind), "{}".to_owned()),
            (ID.to_owned(), typed(kind)),
        ] {
            let (error, requests) = sent("POST", 429, &headers, &body);
            assert_eq!(
                (requests, error.may_have_executed()),
                (1, true),
                "{kind} {body}: {error}"
            );
            let (error, requests) = renewed("POST", &headers, &body);
            assert_eq!(
                (requests, error.may_have_executed()),
                (1, true),
                "{kind} {body}: {error}"
            );
        }
    }
}

/// A body that can be read only once cannot be sent again: fal's error is returned, and the next
/// request carries a new credential.
#[test]
fn a_body_that_is_read_once_is_not_sent_again_after_a_401() {
    let heads = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = heads.clone();
    let host = hostile_to(move |head, connection| {
        log.lock().unwrap().push(head.to_owned());
        answered(
            connection,
            "401 No",
            ID,
            r#"{"detail": "invalid key credentials"}"#,
        )
    });
    let client = renewing(&host);
    let mut request = Request::run("emulator/echo").unwrap();
    let upload = fal::Upload::reader(std::io::Cursor::new(b"{}".to_vec()), None);
    request.set_body_of(upload, "application/json").unwrap();
    let error = Op::finish(|| client.run_start(request)).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Unauthenticated, false),
        "{error}"
    );
    assert_eq!(heads.lock().unwrap().len(), 1);
    echo(&client).unwrap_err();
    assert!(
        heads.lock().unwrap()[1].contains("fake-secret-number-1"),
        "the next one is asked with another"
    );
}

/// An app that calls fal with its owner's key and passes on fal's error.
#[test]
fn an_app_says_nothing_about_the_callers_account() {
    for (status, text) in [
        (
            403,
            "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing",
        ),
        (402, "Payment required"),
        (403, "Access denied"),
    ] {
        let body = json!({"detail": text}).to_string();
        for mark in MARKS {
            let (error, requests) = sent("POST", status, &format!("{ID}{mark}"), &body);
            assert_eq!((requests, error.lock_reason()), (1, None), "{error}");
            assert_ne!(error.code(), Code::AccountLocked, "{error}");
            assert!(
                error.message().contains("app") && error.remedy().contains("app"),
                "{error} {}",
                error.remedy()
            );
            assert!(!error.remedy().contains("dashboard"), "{}", error.remedy());
        }
    }
}

/// A gateway that stops waiting for a run does not know whether the run was executed.
#[test]
fn a_gateway_that_gave_up_leaves_the_outcome_open() {
    for status in [499, 502, 504, 520, 521, 522, 523, 524] {
        for body in [
            json!({"detail": "x"}).to_string(),
            String::new(),
            "<html><title>x</title></html>".to_owned(),
        ] {
            let (host, count) = counting(status, ID, &body);
            let client = client_of(&host).max_attempts(2).unwrap().build().unwrap();
            let submitted =
                || Op::finish(|| client.submit_start(Request::run("emulator/echo").unwrap()));
            for error in [echo(&client).unwrap_err(), submitted().unwrap_err()] {
                assert!(error.may_have_executed(), "{status} {body}: {error}");
                assert_eq!(error.request_id(), Some("r-1"));
                assert!(
                    !error.remedy().contains("again later"),
                    "{status}: {}",
                    error.remedy()
                );
            }
            assert_eq!(
                count.load(Ordering::SeqCst),
                2,
                "{status}: each was sent once"
            );
        }
        // A documented error type says that the run failed.
        let known =
            json!({"detail": [{"loc": ["body"], "msg": "x", "type": "generation_timeout"}]})
                .to_string();
        assert!(
            !sent("POST", status, ID, &known).0.may_have_executed(),
            "{status}"
        );
    }
    let (error, requests) = sent("POST", 503, ID, r#"{"detail": "x"}"#);
    assert_eq!(
        (requests, error.may_have_executed(), error.is_retryable()),
        (1, false, true),
        "{error}"
    );
}

/// The same rules for a host that the caller has set.
#[test]
fn hosts_of_ones_own_are_judged_alike() {
    let (host, count) = counting(429, &format!("{ID}{}", MARKS[0]), "{}");
    let client = client_of(&host)
        .max_attempts(2)
        .unwrap()
        .host(HostRole::Run, "gateway.example")
        .unwrap();
    let error = echo(&client.build().unwrap()).unwrap_err();
    assert_eq!(
        (count.load(Ordering::SeqCst), error.may_have_executed()),
        (1, true),
        "{error}"
    );
}
