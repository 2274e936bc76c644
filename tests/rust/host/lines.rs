//! The lines of the log: in order, complete if the host reads them, and counted if it does not.

use super::*;

type Lines = Arc<Mutex<Vec<String>>>;

fn kept() -> (Lines, impl Fn(Level, Target, &str) + Send + Sync + 'static) {
    let lines = Lines::default();
    let sink = lines.clone();
    (lines, move |level: Level, _: Target, line: &str| {
        logged::write(level, line);
        sink.lock().unwrap().push(line.to_owned());
    })
}

#[test]
fn a_shutdown_and_a_flush_deliver_every_line_in_order() {
    for flush in [true, false] {
        let _turn = turn();
        let emulator = Emulator::start().unwrap();
        let (lines, sink) = kept();
        let slow = move |level: Level, target: Target, line: &str| {
            std::thread::sleep(Duration::from_millis(2));
            sink(level, target, line);
        };
        let client = builder(&emulator).log(Level::Debug, slow).build().unwrap();
        for n in 0..50 {
            let request = Request::run(&format!("emulator/echo/{n}")).unwrap();
            Op::finish(|| client.run_start(request)).unwrap();
        }
        match flush {
            true => runtime::flush_log(PATIENCE).unwrap(),
            false => runtime::shutdown(PATIENCE).unwrap(),
        }
        let lines = lines.lock().unwrap();
        let posts: Vec<_> = lines
            .iter()
            .filter(|line| line.starts_with("POST"))
            .collect();
        assert_eq!(posts.len(), 50);
        assert!(
            posts
                .iter()
                .enumerate()
                .all(|(n, line)| line.ends_with(&format!("/echo/{n}"))),
            "{posts:?}"
        );
        assert_eq!(lines.len(), 50 * 2 + 1);
    }
}

#[test]
fn what_a_slow_function_cannot_take_is_counted_and_told_once() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let gate = Gate::default();
    let (lines, sink) = kept();
    let held = gate.clone();
    let client = builder(&emulator).log(Level::Debug, move |level, target, line| {
        held.pass();
        sink(level, target, line);
    });
    let client = client.build().unwrap();
    for _ in 0..600 {
        call(&client).unwrap();
    }
    assert_eq!(
        runtime::flush_log(Duration::from_millis(50))
            .unwrap_err()
            .code(),
        Code::Deadline
    );
    gate.open();
    runtime::shutdown(PATIENCE).unwrap();
    let lines = lines.lock().unwrap();
    let told: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("were dropped"))
        .collect();
    let [told] = told[..] else { panic!("{told:?}") };
    let dropped: usize = told.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(lines.len() - 1 + dropped, 600 * 2 + 1);
    assert!(dropped > 100, "{told}");
}

#[test]
fn waiting_for_libfal_in_it_is_refused_and_starting_is_not() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let other = builder(&emulator).build().unwrap();
    let codes = Arc::new(Mutex::new(Vec::new()));
    let told = codes.clone();
    let client = builder(&emulator).log(Level::Info, move |_, _, _| {
        let started = start(&other, "emulator/echo");
        let waits = [
            call(&other).map(drop),
            started.wait(None).map(drop),
            runtime::shutdown(PATIENCE),
            runtime::flush_log(PATIENCE),
        ];
        told.lock()
            .unwrap()
            .extend(waits.map(|outcome| outcome.map_err(|error| error.code())));
    });
    call(&client.build().unwrap()).unwrap();
    emulator.wait_for_arrivals(2, PATIENCE).unwrap();
    runtime::shutdown(PATIENCE).unwrap();
    let codes = codes.lock().unwrap();
    assert!(
        codes.len() == 4
            && codes
                .iter()
                .all(|outcome| *outcome == Err(Code::WouldDeadlock)),
        "{codes:?}"
    );
}

#[test]
fn without_a_runtime_nothing_is_flushed_and_none_is_started() {
    let _turn = turn();
    runtime::flush_log(PATIENCE).unwrap();
    threads::assert_none_left();
}
