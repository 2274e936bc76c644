//! Submissions that are under way during a shutdown, and in a process that forks.

use super::*;
use crate::late_queue::{LateQueue, accepted};

fn client_of(queue: &LateQueue) -> Client {
    let variables = [
        ("FAL_KEY", "fake-id:fake-secret-0".to_owned()),
        ("FAL_EMULATOR_HOST", queue.host()),
    ];
    logged::builder()
        .environment(Environment::from_variables(variables))
        .build()
        .unwrap()
}

fn submitting(queue: &LateQueue) -> Op {
    let op = client_of(queue)
        .subscribe_start(Request::run("emulator/job").unwrap())
        .unwrap();
    queue.wait_for("POST", PATIENCE);
    op
}

fn assert_cancelled_once(queue: &LateQueue) {
    assert_eq!(
        (queue.heads("POST").len(), queue.heads("PUT").len()),
        (1, 1)
    );
}

#[test]
fn a_shutdown_waits_for_the_answer_and_cancels_the_job() {
    let _turn = turn();
    let queue = LateQueue::start(accepted());
    let op = submitting(&queue);
    let shutdown = std::thread::spawn(|| runtime::shutdown(PATIENCE));
    assert!(op.wait(Some(PATIENCE)).unwrap());
    let error = op.take().unwrap().unwrap_err();
    assert!(
        error.code() == Code::ShutDown && error.may_have_executed(),
        "{error}"
    );
    assert!(queue.heads("PUT").is_empty() && !shutdown.is_finished());
    queue.release();
    shutdown.join().unwrap().unwrap();
    assert_cancelled_once(&queue);
    assert_no_thread_left();
}

#[test]
fn a_shutdown_waits_for_a_submission_that_was_cancelled_before() {
    let _turn = turn();
    let queue = LateQueue::start(accepted());
    let op = submitting(&queue);
    op.cancel();
    assert!(op.wait(Some(PATIENCE)).unwrap());
    drop(op);
    let shutdown = std::thread::spawn(|| runtime::shutdown(PATIENCE));
    std::thread::sleep(Duration::from_millis(200));
    assert!(!shutdown.is_finished());
    queue.release();
    shutdown.join().unwrap().unwrap();
    assert_cancelled_once(&queue);
    assert_no_thread_left();
}

#[test]
fn a_shutdown_with_a_limit_does_not_wait_longer() {
    let _turn = turn();
    let queue = LateQueue::start(accepted());
    let _op = submitting(&queue);
    let began = Instant::now();
    let error = runtime::shutdown(Duration::from_millis(300)).unwrap_err();
    assert!(
        error.code() == Code::Deadline && error.message().contains("submission"),
        "{error}"
    );
    assert!(began.elapsed() < PATIENCE / 4, "{:?}", began.elapsed());
    queue.wait_until_left(PATIENCE);
    assert_no_thread_left();
    assert!(queue.heads("PUT").is_empty());
}

/// The child neither waits for the parent's submission nor cancels its job.
#[test]
fn a_forked_child_leaves_the_submission_to_its_parent() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let queue = LateQueue::start(accepted());
    let op = submitting(&queue);
    op.cancel();
    assert!(op.wait(Some(PATIENCE)).unwrap());
    let client = builder(&emulator).build().unwrap();
    // SAFETY: the child only uses the library, which supports forked processes, and exits with
    // _exit.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let called = call(&client).is_ok();
        let stopped = runtime::shutdown(Duration::from_secs(5)).is_ok();
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { libc::_exit(i32::from(!called || !stopped)) };
    }
    assert_eq!(exit_code(child), 0);
    assert!(queue.heads("PUT").is_empty());
    queue.release();
    runtime::shutdown(PATIENCE).unwrap();
    assert_cancelled_once(&queue);
}
