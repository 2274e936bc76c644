//! A process that forks while the host's functions run: a lock that they hold in the parent is
//! never released in the child.

use std::sync::PoisonError;

use super::*;
use crate::alone::exit_code;

/// The log function holds a lock while it is called, which is never released in the child.
#[test]
fn a_child_calls_while_a_line_is_written() {
    const FORKS: usize = 200;
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let lock = Arc::new(Mutex::new(0_u64));
    let held = lock.clone();
    let slow = move |_: Level, _: Target, _: &str| {
        let mut lines = held.lock().unwrap_or_else(PoisonError::into_inner);
        *lines += 1;
        std::thread::sleep(Duration::from_micros(300));
    };
    let client = builder(&emulator).log(Level::Debug, slow).build().unwrap();
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while done.load(Ordering::SeqCst) == 0 {
                    call(&client).unwrap();
                }
            });
        }
        let mut inherited = 0;
        for round in 0..FORKS {
            // Half of the children are forked in the middle of a line.
            let began = Instant::now();
            while round % 2 == 0 && lock.try_lock().is_ok() && began.elapsed() < PATIENCE {
                std::hint::spin_loop();
            }
            // SAFETY: the child only uses the library, which supports forked processes, and exits
            // with _exit.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let locked = lock.try_lock().is_err();
                let code = match call(&client) {
                    Ok(_) => i32::from(locked),
                    Err(_) => 2,
                };
                // SAFETY: ends the child without running the parent's exit handlers.
                unsafe { libc::_exit(code) };
            }
            let code = exit_code(child);
            assert!(code == 0 || code == 1, "round {round}: {code}");
            inherited += code;
        }
        done.store(1, Ordering::SeqCst);
        assert!(
            inherited > 0,
            "no child was forked while the lock was held, so this proves nothing"
        );
    });
    runtime::shutdown(PATIENCE).unwrap();
}

/// Lines that wait in the parent are written in the parent only, and the child's own lines in the
/// child.
#[test]
fn lines_stay_in_the_process_in_which_they_arose() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines");
    let (gate, file) = (Gate::default(), path.clone());
    let (held, parent) = (gate.clone(), std::process::id());
    let client = builder(&emulator).log(Level::Debug, move |_, _, line| {
        use std::io::Write;
        if std::process::id() == parent {
            held.pass();
        }
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&file)
            .unwrap();
        file.write_all(format!("{} {line}\n", std::process::id() == parent).as_bytes())
            .unwrap();
    });
    let client = client.build().unwrap();
    call(&client).unwrap();
    within("no line is written", || gate.come() > 0);
    // SAFETY: as above.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let code = match call(&client).is_ok() && runtime::shutdown(PATIENCE).is_ok() {
            true => 0,
            false => 1,
        };
        // SAFETY: as above.
        unsafe { libc::_exit(code) };
    }
    assert_eq!(exit_code(child), 0);
    gate.open();
    runtime::shutdown(PATIENCE).unwrap();
    let lines = std::fs::read_to_string(path).unwrap();
    let of = |process: &str| {
        lines
            .lines()
            .filter(|line| line.starts_with(process))
            .count()
    };
    // The child has the key that the parent found.
    assert_eq!((of("true"), of("false")), (3, 2), "{lines}");
}

/// Each of the host's other functions blocks in the parent while a child calls.
#[test]
fn a_child_calls_while_functions_of_its_parents_block() {
    for function in ALL {
        let _turn = turn();
        let emulator = Emulator::start().unwrap();
        let gate = Gate::default();
        let closed = gate.clone();
        let (op, held) = function.provoke(&emulator, move || closed.pass());
        within("nothing is called", || gate.come() > 0);
        let client = builder(&emulator).build().unwrap();
        // SAFETY: as above.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let good = call(&client).is_ok() && runtime::shutdown(PATIENCE).is_ok();
            // SAFETY: as above.
            unsafe { libc::_exit(i32::from(!good)) };
        }
        assert_eq!(exit_code(child), 0, "{function:?}");
        gate.open();
        drop((op, held));
        runtime::shutdown(PATIENCE).unwrap();
    }
}
