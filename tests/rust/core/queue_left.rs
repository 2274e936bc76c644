//! Submissions that are under way when their operation ends: no caller learns the id of the job, so
//! libfal reads the answer on, and cancels the job.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::hostile::client_of;
use super::late_queue::{LateQueue, accepted, response};
use super::queue::{JOB, job_of, paths, queue};
use super::*;
use fal::credentials::{Callback, Options};
use fal_emulator::{Arrival, Fault, Outcome, QueueSettings};

/// How long the answer is waited for after the end of the operation.
const READING: Duration = Duration::from_secs(30);

/// Starts `op`, waits until its submission has arrived, and cancels it.
fn cancelled(queue: &LateQueue, op: &Op) -> Error {
    queue.wait_for("POST", PATIENCE);
    op.cancel();
    assert!(op.wait(Some(PATIENCE)).unwrap(), "it does not end");
    op.take().unwrap().unwrap_err()
}

/// Cuts a submission short, and returns its error if any caller gets one.
type Cut = fn(&Client, &LateQueue) -> Option<Error>;

const CUTS: [(&str, Cut); 4] = [
    ("a cancellation", |client, queue| {
        let op = client.subscribe_start(job_of(json!({}))).unwrap();
        Some(cancelled(queue, &op))
    }),
    ("the cancellation of a submission alone", |client, queue| {
        let op = client.submit_start(job_of(json!({}))).unwrap();
        Some(cancelled(queue, &op))
    }),
    ("a deadline", |client, queue| {
        let mut request = job_of(json!({}));
        request.set_timeout(Duration::from_millis(700));
        let ended = Op::finish(|| client.subscribe_start(request));
        queue.wait_for("POST", PATIENCE);
        Some(ended.unwrap_err())
    }),
    ("a dropped future", |client, queue| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let waiting = client.subscribe(JOB, json!({}));
            let arrived = async {
                while queue.heads("POST").is_empty() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::select! {
                _ = waiting => panic!("it ends"),
                () = arrived => {}
            }
        });
        None
    }),
];

#[test]
fn a_job_whose_id_comes_late_is_cancelled() {
    at_once(CUTS, |(name, cut)| {
        let queue = LateQueue::start(accepted());
        let client = client_of(&queue.host()).build().unwrap();
        if let Some(error) = cut(&client, &queue) {
            assert!(
                error.may_have_executed() && error.message().contains("to cancel it"),
                "{name}: {error}"
            );
            assert_eq!(error.request_id(), None, "{name}");
        }
        assert!(queue.heads("PUT").is_empty() && !queue.is_left(), "{name}");
        queue.release();
        queue.wait_for("PUT", PATIENCE);
        std::thread::sleep(Duration::from_millis(100));
        let (posts, puts) = (queue.heads("POST"), queue.heads("PUT"));
        assert_eq!((posts.len(), puts.len()), (1, 1), "{name}: {puts:?}");
        let put = puts[0].to_lowercase();
        assert!(
            put.starts_with("put /emulator/job/requests/r-1/cancel http")
                && put.contains("host: queue.fal.run")
                && put.contains("authorization: key fake-id:"),
            "{name}: {put}"
        );
    });
}

#[test]
fn the_address_for_the_cancellation_is_followed_within_the_queue_only() {
    let trap = Trap::set();
    let foreign = [
        trap.url(),
        "https://evil.example/cancel".to_owned(),
        "https://fal.run/emulator/cancel".to_owned(),
        "https://user:pass@queue.fal.run/cancel".to_owned(),
        "//evil.example/cancel".to_owned(),
    ];
    let own = "https://queue.fal.run/emulator/elsewhere/cancel".to_owned();
    at_once(foreign.into_iter().chain([own.clone()]), |url| {
        let body = json!({"request_id": "r-1", "cancel_url": url}).to_string();
        let queue = LateQueue::start(response("200 OK", "", &body));
        let client = client_of(&queue.host()).build().unwrap();
        CUTS[0].1(&client, &queue);
        queue.release();
        queue.wait_for("PUT", PATIENCE);
        let put = queue.heads("PUT")[0].to_lowercase();
        let path = match url == own {
            true => "put /emulator/elsewhere/cancel http",
            false => "put /emulator/job/requests/r-1/cancel http",
        };
        assert!(
            put.starts_with(path) && put.contains("host: queue.fal.run"),
            "{url}: {put}"
        );
    });
    trap.assert_untouched();
}

/// The service says after the end of the operation that it did not take the submission, or that it
/// is elsewhere, or that the key is not valid. An operation under way would go on.
#[test]
fn no_answer_leads_to_a_second_post() {
    let refused = r#"{"detail": "Unauthorized"}"#;
    let answers = [
        response("429 Too Many Requests", "retry-after: 0\r\n", "{}"),
        response("401 Unauthorized", "", refused),
        response(
            "307 Temporary Redirect",
            "location: https://queue.fal.run/emulator/job\r\n",
            "",
        ),
        response("500 Internal Server Error", "", "{}"),
        response("200 OK", "", "{}"),
        response("200 OK", "", "no JSON"),
        "no HTTP\r\n\r\n".to_owned(),
    ];
    let ending = [
        String::new(),
        "HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n{\"request_id\": \"r-1\"".to_owned(),
    ];
    let all = answers.iter().map(|answer| (answer, false));
    at_once(
        all.chain(ending.iter().map(|answer| (answer, true))),
        |(answer, ends)| {
            let asked = Arc::new(AtomicUsize::new(0));
            let counter = asked.clone();
            let callback = Callback::new(move |answer: fal::credentials::Answer| {
                let count = counter.fetch_add(1, Ordering::SeqCst);
                answer
                    .key(&format!("fake-id-{count}:fake-secret-for-nobody"), None)
                    .unwrap();
            });
            let queue = match ends {
                false => LateQueue::start(answer.as_str()),
                true => LateQueue::ending(answer.as_str()),
            };
            let variables = [("FAL_EMULATOR_HOST", queue.host())];
            let client = crate::logged::builder()
                .environment(Environment::from_variables(variables))
                .credentials(Options::new().callback(callback))
                .build()
                .unwrap();
            CUTS[0].1(&client, &queue);
            queue.release();
            std::thread::sleep(Duration::from_secs(2));
            let (posts, puts) = (queue.heads("POST"), queue.heads("PUT"));
            assert_eq!((posts.len(), puts.len()), (1, 0), "{answer}");
        },
    );
}

#[test]
fn an_answer_that_does_not_come_is_waited_for_a_while() {
    let half = r#"{"request_id": "r-1""#;
    let length = half.len() + 1;
    let half = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{half}");
    at_once(["", half.as_str(), "HTTP/1.1 200"], |answer| {
        let queue = LateQueue::start(answer);
        let client = client_of(&queue.host()).build().unwrap();
        CUTS[0].1(&client, &queue);
        let ended = Instant::now();
        queue.release();
        let waited = queue.wait_until_left(READING + PATIENCE) - ended;
        assert!(
            (READING - PATIENCE / 4..READING + PATIENCE / 4).contains(&waited),
            "{answer:?}: {waited:?}"
        );
        let (posts, puts) = (queue.heads("POST"), queue.heads("PUT"));
        assert_eq!((posts.len(), puts.len()), (1, 0), "{answer}");
    });
}

#[test]
fn a_job_that_shall_go_on_is_not_waited_for() {
    let queue = LateQueue::start(accepted());
    let client = client_of(&queue.host()).build().unwrap();
    let mut request = job_of(json!({}));
    request.set_keep_running(true);
    let error = cancelled(&queue, &client.subscribe_start(request).unwrap());
    assert!(
        error.may_have_executed() && !error.message().contains("to cancel it"),
        "{error}"
    );
    queue.wait_until_left(PATIENCE / 2);
    assert!(queue.heads("PUT").is_empty());
}

#[test]
fn the_service_has_neither_a_running_job_nor_a_second_one() {
    let emulator = queue(QueueSettings::default());
    emulator.inject(Fault::delay(Duration::from_millis(700)).method("POST"));
    let client = client(&emulator);
    let op = client
        .subscribe_start(job_of(json!({"ms": 3_600_000})))
        .unwrap();
    emulator.wait_for_arrivals(1, PATIENCE).unwrap();
    op.cancel();
    let is_cancelled = |arrivals: &[Arrival]| {
        let accepted = |it: &Arrival| it.method == "PUT" && it.outcome == Outcome::Status(202);
        arrivals.iter().any(accepted)
    };
    let told = emulator.wait_until(PATIENCE, is_cancelled);
    assert!(told.is_ok(), "{:?}", paths(&emulator));
    let posts = paths(&emulator);
    let posts = posts.iter().filter(|path| path.starts_with("POST"));
    assert_eq!(posts.count(), 1);
}
