//! The response after a redirect says nothing about the request that was redirected.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::hostile::{answered, client_of, head_of, hostile_to};
use super::upload::{content, upload};
use super::*;
use fal::credentials::{Callback, Options};
use fal::{Code, Download, Job, Upload, UploadWay};

const ID: &str = "x-fal-request-id: r-1\r\n";
const NEXT: &str = "x-fal-request-id: r-1\r\nlocation: /emulator/next\r\n";

/// Starts an operation of the app at this host.
type Start = fn(&Client, &str) -> Op;

pub(super) fn failed(op: Op) -> Error {
    op.discard_events();
    assert!(op.wait(Some(PATIENCE)).unwrap(), "it does not end");
    op.take().unwrap().unwrap_err()
}

fn post(host: &str) -> Request {
    let mut request = Request::new("POST", &format!("https://{host}/emulator/echo")).unwrap();
    request.set_json(json!({}));
    request
}

/// The operations that send a POST to an app.
pub(super) const OPERATIONS: [(&str, Start); 4] = [
    ("run", |client, _| {
        client
            .run_start(Request::run("emulator/echo").unwrap())
            .unwrap()
    }),
    ("stream", |client, _| {
        client
            .stream_start(Request::run("emulator/echo").unwrap())
            .unwrap()
    }),
    ("send", |client, host| {
        client.send_start(post(host)).unwrap()
    }),
    ("download", |client, host| {
        client
            .download_start(Download::of_request(post(host)))
            .unwrap()
    }),
];

fn renewing(host: &str) -> Client {
    with_keys(client_of(host).max_attempts(3).unwrap())
}

/// A client whose credential can be replaced.
pub(super) fn with_keys(client: ClientBuilder) -> Client {
    let asked = AtomicUsize::new(0);
    let callback = Callback::new(move |answer| {
        let round = asked.fetch_add(1, Ordering::SeqCst);
        answer
            .key(&format!("fake-id:fake-secret-number-{round}"), None)
            .unwrap();
    });
    client
        .credentials(Options::new().callback(callback))
        .build()
        .unwrap()
}

/// An app that sends 303 has run. Whatever the GET returns, the app does not run again.
#[test]
fn a_post_that_was_redirected_is_not_sent_again_whatever_the_get_comes_to() {
    let nobody = r#"{"detail": "x", "error_type": "runner_scheduling_failure"}"#;
    let typed = format!("{ID}x-fal-error-type: runner_scheduling_failure\r\n");
    let cases: [(&str, &str, String, &str); 8] = [
        ("too many", "429 Too Many", ID.into(), "{}"),
        (
            "too many, and again",
            "429 Too Many",
            format!("{ID}x-fal-needs-retry: 1\r\n"),
            "{}",
        ),
        ("no runner", "503 Unavailable", typed, nobody),
        ("the credential", "401 No", ID.into(), "{}"),
        ("nothing there", "404 Not Found", ID.into(), "{}"),
        ("another redirect", "302 Found", NEXT.into(), ""),
        (
            "a redirect elsewhere",
            "302 Found",
            format!("{ID}location: https://app.example/\r\n"),
            "",
        ),
        ("no answer", "", String::new(), ""),
    ];
    for (operation, start) in OPERATIONS {
        for (what, status, headers, body) in cases.clone() {
            let posts = Arc::new(AtomicUsize::new(0));
            let counter = posts.clone();
            let host = hostile_to(move |head, connection| {
                if head.starts_with("POST") {
                    counter.fetch_add(1, Ordering::SeqCst);
                    return answered(connection, "303 See Other", NEXT, "");
                }
                if status.is_empty() {
                    Ok(())
                } else {
                    answered(connection, status, &headers, body)
                }
            });
            let error = failed(start(&renewing(&host), "fal.run"));
            let got = (
                posts.load(Ordering::SeqCst),
                error.may_have_executed(),
                error.is_retryable(),
            );
            assert_eq!(got, (1, true, false), "{operation}, {what}: {error}");
        }
    }
}

#[test]
fn a_redirect_to_where_nobody_is_leaves_the_outcome_open() {
    for (operation, start) in OPERATIONS {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            drop(listener);
            head_of(&mut connection);
            answered(&mut connection, "303 See Other", NEXT, "").unwrap();
            let _ = connection.shutdown(std::net::Shutdown::Write);
            let _ = std::io::copy(&mut connection, &mut std::io::sink());
        });
        let error = failed(start(&renewing(&host), "fal.run"));
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Connect, true),
            "{operation}: {error}"
        );
    }
}

/// A name and a password in a URL would be sent, and shown in errors.
#[test]
fn a_redirect_with_a_password_is_not_followed() {
    for user in ["fake-user", "fake-user:fake-secret", ":fake-secret"] {
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        let host = hostile_to(move |head, connection| {
            counter.fetch_add(1, Ordering::SeqCst);
            let from = head.split(' ').nth(1).unwrap_or_default();
            let to = format!("{ID}location: https://{user}@fal.run{from}\r\n");
            answered(connection, "302 Found", &to, "")
        });
        let error = send(&renewing(&host), "GET", "https://fal.run/emulator/echo").unwrap_err();
        assert_eq!(error.code(), Code::Redirect, "{user}: {error}");
        assert!(!format!("{error:?}").contains("fake-secret"), "{error:?}");
        assert_eq!(requests.load(Ordering::SeqCst), 1, "{user}");
    }
}

/// A page that exists elsewhere does not confirm a change.
#[test]
fn no_change_is_made_by_a_get_elsewhere() {
    let job = || Job::new("emulator/job", "r-1").unwrap();
    let to = |method: &str, url: &str| {
        let mut request = Request::new(method, url).unwrap();
        request.set_json(json!({}));
        request
    };
    type Case<'a> = (
        &'a str,
        Box<dyn Fn(&Client) -> Result<Response, Error> + 'a>,
    );
    let cases: Vec<Case<'_>> = vec![
        (
            "cancel",
            Box::new(|c| Op::finish(|| c.cancel_start(&job()))),
        ),
        (
            "submit",
            Box::new(|c| Op::finish(|| c.submit_start(Request::run("emulator/job").unwrap()))),
        ),
        (
            "subscribe",
            Box::new(|c| Op::finish(|| c.subscribe_start(Request::run("emulator/job").unwrap()))),
        ),
        (
            "token",
            Box::new(|c| {
                Op::finish(|| c.mint_token_start(&["emulator/echo"], Duration::from_secs(60)))
            }),
        ),
        (
            "platform",
            Box::new(|c| {
                Op::finish(|| c.platform_start("assets.collections.create", json!({"name": "x"})))
            }),
        ),
        (
            "deletion",
            Box::new(|c| {
                Op::finish(|| c.platform_start("assets.tags.delete", json!({"tag_id": "t"})))
            }),
        ),
        (
            "DELETE",
            Box::new(|c| {
                Op::finish(|| c.send_start(to("DELETE", "https://fal.run/emulator/echo")))
            }),
        ),
        (
            "PUT",
            Box::new(|c| Op::finish(|| c.send_start(to("PUT", "https://fal.run/emulator/echo")))),
        ),
        (
            "POST",
            Box::new(|c| Op::finish(|| c.send_start(to("POST", "https://rest.fal.ai/x")))),
        ),
        (
            "parts",
            Box::new(|c| upload(c, Upload::bytes(content(1000)).way(UploadWay::GoogleParts))),
        ),
        (
            "signed parts",
            Box::new(|c| upload(c, Upload::bytes(content(1000)).way(UploadWay::SignedParts))),
        ),
    ];
    for (name, operation) in cases {
        let host = hostile_to(|head, connection| {
            let urls = json!({"upload_url": "https://rest.fal.ai/u", "file_url": "https://v3.fal.media/f", "etag": "e"});
            let fine = json!({"status": "IN_PROGRESS", "request_id": "r-1", "token": "t"});
            let is_part = head.starts_with("PUT /u/1 ")
                || head.starts_with("POST /u/1 ")
                || head.contains("initiate");
            let (status, headers, body) = match head.starts_with("GET") {
                true => (
                    "200 OK",
                    format!("{ID}content-type: application/json\r\n"),
                    fine,
                ),
                false if is_part => (
                    "200 OK",
                    format!("{ID}content-type: application/json\r\n"),
                    urls,
                ),
                false => (
                    "303 See Other",
                    format!("{ID}location: /elsewhere\r\n"),
                    json!({}),
                ),
            };
            answered(connection, status, &headers, &body.to_string())
        });
        let error = operation(&client_of(&host).build().unwrap()).expect_err(name);
        assert_eq!(
            (error.code(), error.http_status()),
            (Code::Redirect, Some(303)),
            "{name}: {error}"
        );
        assert_eq!(error.header("location"), Some("/elsewhere"), "{name}");
    }
}
