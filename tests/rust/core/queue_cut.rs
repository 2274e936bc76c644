//! Operations on a job that are cut short: at each stage they end once, cancel the job at fal, and
//! leave no state behind.

use super::queue::{JOB, job_of, paths, queue};
use super::*;
use fal::{Code, Job};
use fal_emulator::{Arrival, Fault, Outcome, QueueSettings};

const STREAM: &str = "*/status/stream";

fn is_cancel(arrival: &Arrival) -> bool {
    arrival.method == "PUT"
        && arrival.path.ends_with("/cancel")
        && arrival.outcome == Outcome::Status(202)
}

fn cancelled_at_fal(emulator: &Emulator) -> usize {
    let told = emulator.wait_until(PATIENCE, |arrivals| arrivals.iter().any(is_cancel));
    assert!(told.is_ok(), "fal was not told: {:?}", paths(emulator));
    std::thread::sleep(Duration::from_millis(50));
    emulator
        .arrivals()
        .iter()
        .filter(|arrival| is_cancel(arrival))
        .count()
}

fn no_socket_in_use(emulator: &Emulator) {
    let idle = |arrivals: &[Arrival]| {
        arrivals
            .iter()
            .all(|arrival| arrival.outcome != Outcome::Pending)
    };
    let all = emulator.wait_until(PATIENCE, idle);
    assert!(all.is_ok(), "{:?}", emulator.arrivals());
}

fn long_job() -> Request {
    job_of(json!({"ms": 3_600_000}))
}

/// The stages of a subscribe: the name, the fault that holds it there, and how many requests have
/// arrived by then.
fn stages() -> Vec<(&'static str, Option<Fault>, usize)> {
    vec![
        ("the status stream is read", None, 2),
        (
            "the stream is waited for",
            Some(Fault::hang().path(STREAM).always()),
            2,
        ),
        (
            "between two looks",
            Some(Fault::status(404).path(STREAM).always()),
            3,
        ),
        (
            "the status is waited for",
            Some(Fault::status(404).path(STREAM)),
            3,
        ),
    ]
}

#[test]
fn cancelling_tells_fal_at_every_stage() {
    for (stage, fault, arrivals) in stages() {
        let emulator = queue(QueueSettings::default());
        if stage == "the status is waited for" {
            emulator.inject(Fault::hang().path("*/status").always());
        }
        fault.into_iter().for_each(|fault| emulator.inject(fault));
        let client = client(&emulator);
        let op = client.subscribe_start(long_job()).unwrap();
        emulator.wait_for_arrivals(arrivals, PATIENCE).unwrap();
        op.cancel();
        op.cancel();
        assert!(op.wait(Some(PATIENCE)).unwrap(), "{stage}");
        let error = op.take().unwrap().unwrap_err();
        let id = emulator.arrivals()[0].request_id.clone().unwrap();
        assert_eq!(
            (error.code(), error.request_id()),
            (Code::Cancelled, Some(id.as_str())),
            "{stage}: {error}"
        );
        assert!(
            error.may_have_executed() && error.message().contains("told to cancel"),
            "{stage}: {error}"
        );
        assert_eq!(cancelled_at_fal(&emulator), 1, "{stage}");
        assert_eq!(op.take().unwrap().unwrap_err().code(), Code::Taken);
        emulator.clear_faults();
        let job = Job::new(JOB, &id).unwrap();
        let end = Op::finish(|| client.attach_start(&job)).unwrap_err();
        assert_eq!(end.http_status(), Some(499), "{stage}: {end}");
        no_socket_in_use(&emulator);
    }
}

#[test]
fn a_deadline_tells_fal_too() {
    let emulator = queue(QueueSettings::default());
    let mut request = long_job();
    request.set_timeout(Duration::from_millis(700));
    let error = Op::finish(|| client(&emulator).subscribe_start(request)).unwrap_err();
    assert_eq!(error.code(), Code::Deadline, "{error}");
    assert!(
        error.request_id().is_some() && error.message().contains("700 ms"),
        "{error}"
    );
    assert_eq!(cancelled_at_fal(&emulator), 1);
    no_socket_in_use(&emulator);
}

/// While the job is queued, while its runner starts, and while it runs: there is one error, which
/// names the job.
#[test]
fn a_limit_is_one_error_with_the_id_wherever_the_job_is() {
    let stages = [
        (
            "IN_QUEUE",
            QueueSettings {
                concurrent_requests: Some(1),
                ..QueueSettings::default()
            },
        ),
        (
            "IN_QUEUE",
            QueueSettings {
                startup_ms: 3_600_000,
                ..QueueSettings::default()
            },
        ),
        ("IN_PROGRESS", QueueSettings::default()),
    ];
    for (state, settings) in stages {
        for keep in [false, true] {
            let emulator = queue(settings.clone());
            let client = client(&emulator);
            if settings.concurrent_requests.is_some() {
                Op::finish(|| client.submit_start(long_job())).unwrap();
            }
            let mut request = long_job();
            request.set_timeout(Duration::from_millis(700));
            request.set_keep_running(keep);
            let op = client.subscribe_start(request).unwrap();
            assert!(op.wait(Some(PATIENCE)).unwrap(), "{state}");
            let error = op.take().unwrap().unwrap_err();
            assert_eq!(
                (error.code(), error.may_have_executed()),
                (Code::Deadline, true),
                "{state}: {error}"
            );
            let job = Job::new(JOB, error.request_id().unwrap()).unwrap();
            if keep {
                let status = Op::finish(|| client.status_start(&job)).unwrap();
                assert!(
                    state == status.get_str("/status").unwrap() || state == "IN_QUEUE",
                    "{state}"
                );
                assert!(
                    paths(&emulator).iter().all(|path| !path.starts_with("PUT")),
                    "{state}"
                );
            } else {
                assert_eq!(cancelled_at_fal(&emulator), 1, "{state}");
            }
        }
    }
}

/// The final status is delayed, so the deadline cancels the job too late. Its result is not lost.
#[test]
fn a_limit_that_cancels_a_job_that_has_ended_leads_to_its_result() {
    let emulator = queue(QueueSettings::default());
    emulator.inject(Fault::hang().path(STREAM).always());
    let client = client(&emulator);
    let mut request = job_of(json!({"output": {"x": 1}}));
    request.set_timeout(Duration::from_millis(700));
    let error = Op::finish(|| client.subscribe_start(request)).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Deadline, true),
        "{error}"
    );
    assert!(
        error.remedy().contains("whether it ended before"),
        "{}",
        error.remedy()
    );
    let refused = |arrivals: &[Arrival]| {
        arrivals
            .iter()
            .any(|it| it.method == "PUT" && it.outcome == Outcome::Status(400))
    };
    emulator.wait_until(PATIENCE, refused).unwrap();
    emulator.clear_faults();
    let job = Job::new(JOB, error.request_id().unwrap()).unwrap();
    assert_eq!(
        Op::finish(|| client.attach_start(&job))
            .unwrap()
            .get("/x")
            .unwrap(),
        1
    );
    assert_eq!(emulator.executions().values().sum::<u64>(), 1);
}

#[test]
fn before_the_answer_to_the_submission_nobody_knows_the_id() {
    let emulator = queue(QueueSettings::default());
    emulator.inject(Fault::hang().method("POST"));
    let op = client(&emulator).subscribe_start(long_job()).unwrap();
    emulator.wait_for_arrivals(1, PATIENCE).unwrap();
    op.cancel();
    op.wait(None).unwrap();
    let error = op.take().unwrap().unwrap_err();
    assert_eq!(
        (error.code(), error.request_id()),
        (Code::Cancelled, None),
        "{error}"
    );
    assert!(
        error.may_have_executed() && error.message().contains("unknown"),
        "{error}"
    );
    assert_eq!(emulator.arrivals().len(), 1);
}

#[test]
fn before_anything_was_sent_there_is_nothing_to_tell() {
    // With a full backlog the handshakes of further connections are not answered.
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = full.local_addr().unwrap();
    let _held: Vec<_> = (0..4096)
        .map_while(|_| {
            std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()
        })
        .collect();
    let variables = [
        ("FAL_KEY", "fake-id:fake-secret-0".to_owned()),
        ("FAL_EMULATOR_HOST", address.to_string()),
    ];
    let client = crate::logged::builder()
        .environment(Environment::from_variables(variables))
        .build()
        .unwrap();
    let op = client.subscribe_start(long_job()).unwrap();
    assert!(!op.wait(Some(Duration::from_millis(200))).unwrap());
    op.cancel();
    op.wait(None).unwrap();
    let error = op.take().unwrap().unwrap_err();
    assert!(
        !error.may_have_executed() && error.message().contains("nothing was sent"),
        "{error}"
    );
}

#[test]
fn a_cut_fetch_leaves_the_result() {
    let emulator = queue(QueueSettings::default());
    emulator.inject(
        Fault::slow(1, Duration::from_secs(1))
            .path("*/requests/*")
            .skip(1),
    );
    let client = client(&emulator);
    let op = client
        .subscribe_start(job_of(json!({"output": {"x": 1}})))
        .unwrap();
    emulator.wait_for_arrivals(3, PATIENCE).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    op.cancel();
    op.wait(None).unwrap();
    let error = op.take().unwrap().unwrap_err();
    assert!(error.message().contains("has ended"), "{error}");
    no_socket_in_use(&emulator);
    assert!(
        paths(&emulator).iter().all(|path| !path.starts_with("PUT")),
        "an ended job is not cancelled"
    );
    let job = Job::new(JOB, error.request_id().unwrap()).unwrap();
    assert_eq!(
        Op::finish(|| client.result_start(&job))
            .unwrap()
            .get("/x")
            .unwrap(),
        1
    );
}

#[test]
fn a_dropped_handle_does_not_cancel_and_a_dropped_future_does() {
    let emulator = queue(QueueSettings::default());
    let client = client(&emulator);
    drop(client.subscribe_start(job_of(json!({"ms": 300}))).unwrap());
    let result = |arrival: &Arrival| {
        arrival.path.matches('/').count() == 4 && arrival.outcome == Outcome::Status(200)
    };
    emulator
        .wait_until(PATIENCE, |arrivals| arrivals.iter().any(result))
        .unwrap();
    assert!(paths(&emulator).iter().all(|path| !path.starts_with("PUT")));

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let waiting = client.subscribe(JOB, json!({"ms": 3_600_000}));
        assert!(
            tokio::time::timeout(Duration::from_millis(500), waiting)
                .await
                .is_err()
        );
    });
    assert_eq!(cancelled_at_fal(&emulator), 1);
}

#[test]
fn a_job_that_shall_go_on_goes_on() {
    let emulator = queue(QueueSettings::default());
    let client = client(&emulator);
    let mut request = long_job();
    request.set_keep_running(true);
    request.set_timeout(Duration::from_millis(500));
    let error = Op::finish(|| client.subscribe_start(request)).unwrap_err();
    assert!(
        error.message().contains("continues") && error.remedy().contains("attach"),
        "{error}: {}",
        error.remedy()
    );
    let mut job = Job::new(JOB, error.request_id().unwrap()).unwrap();
    job.set_keep_running(true);
    job.set_timeout(Duration::from_millis(300));
    let error = Op::finish(|| client.attach_start(&job)).unwrap_err();
    assert_eq!(
        (error.code(), error.request_id()),
        (Code::Deadline, Some(job.request_id()))
    );
    assert!(paths(&emulator).iter().all(|path| !path.starts_with("PUT")));
    let status = Op::finish(|| client.status_start(&job)).unwrap();
    assert_eq!(status.get_str("/status").unwrap(), "IN_PROGRESS");
}

#[test]
fn a_cut_attach_tells_fal() {
    let emulator = queue(QueueSettings::default());
    let client = client(&emulator);
    let job = super::queue::submit(&client, json!({"ms": 3_600_000}));
    let op = client.attach_start(&job).unwrap();
    emulator.wait_for_arrivals(2, PATIENCE).unwrap();
    op.cancel();
    assert_eq!(cancelled_at_fal(&emulator), 1);
}
