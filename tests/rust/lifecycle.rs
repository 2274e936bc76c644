//! The runtime in its host: start, stop, fork and panic. There is one runtime, so one test runs at
//! a time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(unix)]

mod alone;
#[path = "lifecycle/files.rs"]
mod files;
mod late_queue;
mod logged;
#[path = "lifecycle/submissions.rs"]
mod submissions;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fal::credentials::Environment;
use fal::{Client, Code, Op, Request, Response, Upload, runtime};
use fal_emulator::{Emulator, Fault, Outcome};

use alone::{PATIENCE, builder, exit_code, turn};

fn start(client: &Client) -> fal::Result<Op> {
    client.run_start(Request::run("emulator/echo").unwrap())
}

fn call(client: &Client) -> fal::Result<Response> {
    Op::finish(|| start(client))
}

/// The names of libfal's threads in this process.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names
        .filter(|name| name.starts_with("fal-") && !name.starts_with("fal-emulator"))
        .collect()
}

/// Waits, because the kernel lists a joined thread for a moment longer.
#[track_caller]
fn assert_no_thread_left() {
    let deadline = Instant::now() + Duration::from_secs(2);
    while !threads().is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(threads(), [""; 0]);
}

#[test]
fn nothing_runs_before_the_first_call() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).build().unwrap();
    client.explain();
    assert!(threads().is_empty());
    call(&client).unwrap();
    let running = threads().len();
    assert!((1..=4).contains(&running), "{running} threads");
}

#[test]
fn the_runtime_starts_and_stops_a_hundred_times() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).build().unwrap();
    for _ in 0..100 {
        call(&client).unwrap();
        runtime::shutdown(PATIENCE).unwrap();
        assert_no_thread_left();
    }
    assert_eq!(emulator.arrivals().len(), 100);
    runtime::shutdown(PATIENCE).unwrap();
}

#[test]
fn a_shutdown_ends_calls_under_way_once_and_closes_their_sockets() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    emulator.inject(Fault::hang().always());
    let client = builder(&emulator).build().unwrap();
    let ops: Vec<_> = (0..20).map(|_| start(&client).unwrap()).collect();
    emulator.wait_for_arrivals(20, PATIENCE).unwrap();
    let waiter = std::thread::spawn({
        let op = ops[0].clone();
        move || op.wait(None)
    });
    runtime::shutdown(PATIENCE).unwrap();
    assert!(waiter.join().unwrap().unwrap());
    for op in &ops {
        let error = op.take().unwrap().unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::ShutDown, true),
            "{error}"
        );
    }
    let closed = |arrivals: &[fal_emulator::Arrival]| {
        arrivals
            .iter()
            .all(|arrival| arrival.outcome == Outcome::ClientClosed)
    };
    emulator.wait_until(PATIENCE, closed).unwrap();
    emulator.clear_faults();
    call(&client).unwrap();
}

/// A panic that libfal catches would still be printed to the host's standard error.
#[test]
fn a_shutdown_while_connections_are_made_panics_nowhere() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let panics = Arc::new(AtomicUsize::new(0));
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new({
        let panics = panics.clone();
        move |panic| {
            println!("{panic}");
            panics.fetch_add(1, Ordering::Relaxed);
        }
    }));
    for round in 0..100 {
        let limit = if round % 2 == 0 {
            PATIENCE
        } else {
            Duration::ZERO
        };
        let clients: Vec<_> = (0..40)
            .map(|_| builder(&emulator).build().unwrap())
            .collect();
        let ops: Vec<_> = clients
            .iter()
            .map(|client| start(client).unwrap())
            .collect();
        std::thread::sleep(Duration::from_micros(50 * (round % 40)));
        if runtime::shutdown(limit).is_err() {
            runtime::shutdown(PATIENCE).unwrap();
        }
        for op in ops {
            assert!(op.wait(Some(PATIENCE)).unwrap());
            op.take()
                .unwrap()
                .map(drop)
                .unwrap_or_else(|error| assert_eq!(error.code(), Code::ShutDown, "{error}"));
        }
    }
    std::panic::set_hook(before);
    assert_eq!(panics.load(Ordering::Relaxed), 0);
}

#[test]
fn helper_threads_are_few_and_end_with_the_others() {
    struct Slow;
    impl std::io::Read for Slow {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            std::thread::sleep(Duration::from_secs(1));
            Ok(0)
        }
    }
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    std::fs::write(&path, vec![1; 1 << 20]).unwrap();
    let readers: Vec<_> = (0..20)
        .map(|_| client.upload_start(Upload::reader(Slow, None)).unwrap())
        .collect();
    let files: Vec<_> = (0..20)
        .map(|_| client.upload_start(Upload::file(&path)).unwrap())
        .collect();
    let mut most = 0;
    while !files.iter().all(|op| op.poll().unwrap()) {
        most = most.max(threads().len());
        std::thread::sleep(Duration::from_millis(1));
    }
    // One worker, two threads for readers, and the most that the helpers may have: a helper that
    // has just finished is not free yet, so a busy machine starts more than work at once.
    assert!((3..=30).contains(&most), "{most} threads");
    runtime::shutdown(PATIENCE).unwrap();
    assert_no_thread_left();
    for op in &readers {
        match op.take().unwrap() {
            Ok(_) => {}
            Err(error) => assert_eq!(
                (error.code(), error.may_have_executed()),
                (Code::ShutDown, false),
                "{error}"
            ),
        }
    }
}

#[test]
fn calls_race_with_shutdowns_and_each_ends_once() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).build().unwrap();
    let ended = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    match call(&client) {
                        Ok(_) => {}
                        Err(error) => assert_eq!(error.code(), Code::ShutDown, "{error}"),
                    }
                    ended.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        scope.spawn(|| {
            while ended.load(Ordering::SeqCst) < 800 {
                runtime::shutdown(PATIENCE).unwrap();
                std::thread::sleep(Duration::from_millis(2));
            }
        });
    });
    assert_eq!(ended.load(Ordering::SeqCst), 800);
}

/// A client in this home directory with only a login, which has to be renewed.
fn logged_in(emulator: &Emulator, home: &Path) -> Client {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(home.join(".fal"))
        .unwrap();
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(token_file(home))
        .unwrap();
    file.write_all(emulator.create_login("acme", 3600).refresh_token.as_bytes())
        .unwrap();
    let variables = [
        ("HOME", home.to_str().unwrap().to_owned()),
        ("FAL_EMULATOR_HOST", emulator.host()),
    ];
    logged::builder()
        .environment(Environment::from_variables(variables))
        .build()
        .unwrap()
}

fn token_file(home: &Path) -> PathBuf {
    home.join(".fal/auth0_token")
}

#[test]
fn a_shutdown_waits_until_a_renewal_that_was_sent_is_stored() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let client = logged_in(&emulator, home.path());
    let before = std::fs::read_to_string(token_file(home.path())).unwrap();
    emulator.inject(Fault::delay(Duration::from_millis(700)).host("auth.fal.ai"));
    let op = start(&client).unwrap();
    emulator.wait_for_arrivals(1, PATIENCE).unwrap();
    runtime::shutdown(PATIENCE).unwrap();
    assert_no_thread_left();
    assert_eq!(op.take().unwrap().unwrap_err().code(), Code::ShutDown);
    let after = std::fs::read_to_string(token_file(home.path())).unwrap();
    assert_ne!(before, after, "the successor of the refresh token is lost");
    call(&client).unwrap();
    assert_eq!(
        std::fs::read_to_string(token_file(home.path())).unwrap(),
        after,
        "the login is still valid"
    );
}

#[test]
fn a_shutdown_says_that_a_renewal_was_cut_short() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let client = logged_in(&emulator, home.path());
    emulator.inject(Fault::hang().host("auth.fal.ai"));
    let op = start(&client).unwrap();
    emulator.wait_for_arrivals(1, PATIENCE).unwrap();
    let error = runtime::shutdown(Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.code(), Code::Deadline, "{error}");
    assert!(
        error.message().contains("before it was complete"),
        "{error}"
    );
    assert_eq!(op.take().unwrap().unwrap_err().code(), Code::ShutDown);
    runtime::shutdown(PATIENCE).unwrap();
    assert_no_thread_left();
}

/// A renewal that was not sent can be repeated later, so the shutdown does not wait for it.
#[test]
fn a_shutdown_does_not_wait_for_a_renewal_that_cannot_connect() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    // Accepts connections and sends nothing, so the TLS handshake does not begin.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let client = logged_in(&emulator, home.path());
    drop(client);
    let address = format!("http://{}", silent.local_addr().unwrap());
    let variables = [
        ("HOME", home.path().to_str().unwrap().to_owned()),
        ("HTTPS_PROXY", address),
    ];
    let client = logged::builder()
        .environment(Environment::from_variables(variables))
        .build()
        .unwrap();
    let op = start(&client).unwrap();
    let _connection = silent.accept().unwrap();
    let began = Instant::now();
    runtime::shutdown(PATIENCE).unwrap();
    assert!(
        began.elapsed() < PATIENCE / 2,
        "it waited {:?}",
        began.elapsed()
    );
    assert_eq!(op.take().unwrap().unwrap_err().code(), Code::ShutDown);
}

#[test]
fn a_shutdown_waits_for_a_cancellation_or_says_that_it_was_cut_short() {
    for patient in [true, false] {
        let _turn = turn();
        let emulator = Emulator::start().unwrap();
        let client = builder(&emulator).build().unwrap();
        let delay = if patient {
            Fault::delay(Duration::from_millis(700))
        } else {
            Fault::hang().always()
        };
        emulator.inject(delay.method("PUT"));
        let mut job = Request::run("emulator/job").unwrap();
        job.set_field("ms", 60_000.into()).unwrap();
        let op = client.subscribe_start(job).unwrap();
        emulator
            .wait_until(PATIENCE, |arrivals| arrivals.len() >= 2)
            .unwrap();
        let stopped = runtime::shutdown(if patient {
            PATIENCE
        } else {
            Duration::from_millis(300)
        });
        assert_eq!(op.take().unwrap().unwrap_err().code(), Code::ShutDown);
        match stopped {
            Ok(()) => assert!(patient),
            Err(error) => assert!(
                !patient && error.message().contains("before it was complete"),
                "{error}"
            ),
        }
        // A request that was cut short may not have been sent.
        let cancelled = |arrival: &fal_emulator::Arrival| {
            arrival.method == "PUT" && arrival.outcome != Outcome::ClientClosed
        };
        let told = emulator.wait_until(PATIENCE, |arrivals| {
            !patient || arrivals.iter().any(cancelled)
        });
        assert!(told.is_ok(), "{:?}", emulator.arrivals());
    }
}

#[test]
fn a_shutdown_may_take_as_long_as_it_needs() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).build().unwrap();
    for timeout in [
        Some(Duration::MAX),
        Some(Duration::from_secs(1 << 60)),
        None,
    ] {
        call(&client).unwrap();
        runtime::shutdown(timeout).unwrap();
        assert_no_thread_left();
    }
}

/// After any of several concurrent shutdowns has returned, even in a race with the first call, no
/// thread is left.
#[test]
fn shutdowns_and_first_calls_race_and_leave_no_thread() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).build().unwrap();
    for _ in 0..50 {
        std::thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(|| call(&client).unwrap())));
        });
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    runtime::shutdown(PATIENCE).unwrap();
                    assert_no_thread_left();
                });
            }
        });
    }
}

/// The shutdown waits only for the threads of the runtime that it stops.
#[test]
fn a_shutdown_does_not_wait_for_a_life_that_begins_meanwhile() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).build().unwrap();
    // The threads of the log end late, so there is time for the runtime to start again.
    let slow: runtime::ThreadHook = Arc::new(|| std::thread::sleep(Duration::from_millis(100)));
    runtime::Config::default()
        .thread_hooks(None, Some(slow))
        .install()
        .unwrap();
    let over = AtomicBool::new(false);
    let ended: Vec<_> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                let code = call(&client).err().map(|error| error.code());
                assert!(matches!(code, None | Some(Code::ShutDown)), "{code:?}");
            }
        });
        let shutdown = |_| {
            std::thread::sleep(Duration::from_millis(50));
            runtime::shutdown(PATIENCE)
        };
        let ended = (0..3).map(shutdown).collect();
        over.store(true, Ordering::SeqCst);
        ended
    });
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    runtime::shutdown(PATIENCE).unwrap();
    runtime::Config::default().install().unwrap();
    assert_no_thread_left();
}

/// A reader blocks a helper thread: the shutdown reports that its limit was too short, and the next
/// shutdown waits for the same thread.
#[test]
fn a_thread_that_did_not_end_in_time_is_waited_for_by_the_next_shutdown() {
    struct Stuck(std::sync::mpsc::Receiver<()>, std::sync::mpsc::Sender<()>);
    impl std::io::Read for Stuck {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            let _ = self.1.send(());
            let _ = self.0.recv();
            Ok(0)
        }
    }
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).build().unwrap();
    let ((release, held), (reads, begun)) =
        (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    let op = client
        .upload_start(Upload::reader(Stuck(held, reads), None))
        .unwrap();
    begun.recv_timeout(PATIENCE).unwrap();
    for _ in 0..2 {
        let error = runtime::shutdown(Duration::from_millis(100)).unwrap_err();
        assert_eq!(error.code(), Code::Deadline, "{error}");
    }
    op.take().unwrap().unwrap_err();
    // The runtime may start again meanwhile.
    call(&client).unwrap();
    assert_eq!(
        runtime::shutdown(Duration::from_millis(500))
            .unwrap_err()
            .code(),
        Code::Deadline
    );
    drop(release);
    runtime::shutdown(PATIENCE).unwrap();
    assert_no_thread_left();
}

#[test]
fn the_workers_are_configured_between_lives() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).build().unwrap();
    let (started, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let count = |counter: &Arc<AtomicUsize>| {
        let counter = counter.clone();
        let hook: runtime::ThreadHook = Arc::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            assert!(
                counter.load(Ordering::SeqCst) != 2,
                "a hook that panics has no effect"
            );
        });
        Some(hook)
    };
    let config = runtime::Config::default()
        .worker_threads(3)
        .unwrap()
        .thread_hooks(count(&started), count(&stopped));
    config.install().unwrap();
    call(&client).unwrap();
    assert_eq!(
        runtime::Config::default().install().unwrap_err().code(),
        Code::InvalidArgument
    );
    assert!(runtime::Config::default().worker_threads(0).is_err());
    runtime::shutdown(PATIENCE).unwrap();
    assert!(started.load(Ordering::SeqCst) >= 3);
    assert_eq!(
        started.load(Ordering::SeqCst),
        stopped.load(Ordering::SeqCst)
    );
    runtime::Config::default().install().unwrap();
}

#[test]
fn a_forked_child_makes_its_own_call_while_the_parents_go_on() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).build().unwrap();
    for round in 0..10 {
        emulator.clear_arrivals();
        emulator.inject(Fault::delay(Duration::from_millis(300)).times(3));
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let client = client.clone();
                std::thread::spawn(move || call(&client))
            })
            .collect();
        let inherited = start(&client).unwrap();
        emulator.wait_for_arrivals(4, PATIENCE).unwrap();
        // SAFETY: the child only uses the library, which supports forked processes, and exits with
        // _exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let code = child_of_fork(&client, &inherited);
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(code) };
        }
        assert_eq!(exit_code(child), 0, "round {round}");
        for caller in callers {
            caller.join().unwrap().unwrap();
        }
        inherited.wait(None).unwrap();
        inherited.take().unwrap().unwrap();
    }
}

/// Returns 0 if the child works as it should. It must not panic.
fn child_of_fork(client: &Client, inherited: &Op) -> i32 {
    let forked = |code: Option<Code>| code == Some(Code::Forked);
    if inherited.ended().is_some() || !forked(inherited.wait(None).err().map(|error| error.code()))
    {
        return 1;
    }
    inherited.cancel();
    if !forked(
        inherited
            .take()
            .and_then(|outcome| outcome.err())
            .map(|error| error.code()),
    ) {
        return 2;
    }
    for _ in 0..3 {
        if call(client).is_err() {
            return 3;
        }
    }
    match runtime::shutdown(PATIENCE) {
        Ok(()) => 0,
        Err(_) => 4,
    }
}

#[test]
fn a_child_may_fork_before_any_call_and_shut_down_what_it_never_started() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).build().unwrap();
    call(&client).unwrap();
    // SAFETY: as above.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let code = if runtime::shutdown(PATIENCE).is_ok() && call(&client).is_ok() {
            0
        } else {
            1
        };
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { libc::_exit(code) };
    }
    assert_eq!(exit_code(child), 0);
    call(&client).unwrap();
}

#[test]
fn a_future_works_on_any_executor_and_cancels_when_dropped() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).build().unwrap();
    let foreign = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let echoed = foreign
        .block_on(client.run("emulator/echo", serde_json::json!({"a": 1})))
        .unwrap();
    assert_eq!(echoed.get("/body/a").unwrap(), 1);
    emulator.clear_arrivals();
    emulator.inject(Fault::hang());
    foreign.block_on(async {
        let call = client.run("emulator/echo", serde_json::json!({}));
        assert!(
            tokio::time::timeout(Duration::from_millis(300), call)
                .await
                .is_err()
        );
        emulator
            .wait_until(PATIENCE, |arrivals| {
                arrivals
                    .iter()
                    .all(|arrival| arrival.outcome == Outcome::ClientClosed)
            })
            .unwrap();
        // tokio does not allow a runtime to be stopped inside another one.
        runtime::shutdown(PATIENCE).unwrap();
    });
}

#[test]
fn a_broken_pipe_does_not_end_the_process() {
    let _turn = turn();
    // SAFETY: restores the default that C programs have. Rust's start-up code changes it.
    let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).build().unwrap();
    for _ in 0..20 {
        emulator.inject(Fault::reset_before_body());
        let mut request = Request::run("emulator/echo").unwrap();
        request.set_field("x", "y".repeat(4 << 20).into()).unwrap();
        Op::finish(|| client.run_start(request)).unwrap_err();
    }
    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGPIPE, before) };
}
