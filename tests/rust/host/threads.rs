//! The threads on which the host's functions run.

use super::*;

/// The names of libfal's threads in this process.
fn names() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names
        .filter(|name| name.starts_with("fal-") && !name.starts_with("fal-emulator"))
        .collect()
}

/// Waits, because the kernel lists a joined thread for a moment longer.
#[track_caller]
pub(super) fn assert_none_left() {
    within(&format!("{:?} are left", names()), || names().is_empty());
}

/// Whether a signal is blocked on this thread.
fn blocked(signal: libc::c_int) -> bool {
    // SAFETY: with a null new set nothing is changed, and `set` is a local.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut set);
        libc::sigismember(&set, signal) == 1
    }
}

fn block(signals: &[libc::c_int], how: libc::c_int) {
    // SAFETY: `set` is a local that is initialized before it is read.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in signals {
            libc::sigaddset(&mut set, *signal);
        }
        libc::pthread_sigmask(how, &set, std::ptr::null_mut());
    }
}

#[test]
fn none_runs_where_calls_are_carried_out_and_signals_are_as_the_host_has_them() {
    for function in ALL {
        for own in [false, true] {
            let _turn = turn();
            block(
                &[libc::SIGPIPE],
                if own {
                    libc::SIG_BLOCK
                } else {
                    libc::SIG_UNBLOCK
                },
            );
            let emulator = Emulator::start().unwrap();
            let seen = Arc::new(Mutex::new(Vec::new()));
            let told = seen.clone();
            let (op, held) = function.provoke(&emulator, move || {
                let name = std::thread::current().name().unwrap_or_default().to_owned();
                told.lock()
                    .unwrap()
                    .push((name, blocked(libc::SIGPIPE), blocked(libc::SIGXFSZ)));
            });
            assert!(op.wait(Some(PATIENCE)).unwrap());
            drop(op);
            runtime::shutdown(PATIENCE).unwrap();
            drop(held);
            block(&[libc::SIGPIPE], libc::SIG_UNBLOCK);
            let seen = seen.lock().unwrap();
            assert!(!seen.is_empty(), "{function:?}");
            for (name, pipe, xfsz) in &*seen {
                assert_eq!(
                    (name.as_str(), *pipe, *xfsz),
                    ("fal-host", own, false),
                    "{function:?}"
                );
            }
        }
    }
}

/// The threads start with the first call of a function of the host, and end with the runtime.
#[test]
fn they_are_made_when_they_are_needed_and_are_few() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let host = || {
        names()
            .iter()
            .filter(|name| name.starts_with("fal-host"))
            .count()
    };
    let silent = builder(&emulator).without_log().build().unwrap();
    call(&silent).unwrap();
    assert_eq!(host(), 0);
    let lines = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let lines = lines.clone();
            let count = move |_: Level, _: Target, _: &str| {
                lines.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
            };
            builder(&emulator).log(Level::Debug, count).build().unwrap()
        })
        .collect();
    for client in &clients {
        call(client).unwrap();
    }
    runtime::flush_log(PATIENCE).unwrap();
    assert_eq!(lines.load(Ordering::SeqCst), 20 * 3);
    assert!((1..=4).contains(&host()), "{:?}", names());
    runtime::shutdown(PATIENCE).unwrap();
    assert_none_left();
}

#[test]
fn the_hooks_are_called_on_them_too() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    thread_local! {
        static HOOKED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }
    let (started, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (starts, stops) = (started.clone(), stopped.clone());
    let start: runtime::ThreadHook = Arc::new(move || {
        HOOKED.set(true);
        starts.fetch_add(1, Ordering::SeqCst);
    });
    let stop: runtime::ThreadHook = Arc::new(move || {
        stops.fetch_add(1, Ordering::SeqCst);
    });
    runtime::Config::default()
        .thread_hooks(Some(start), Some(stop))
        .install()
        .unwrap();
    let unhooked = Arc::new(AtomicUsize::new(0));
    for function in ALL {
        let counted = unhooked.clone();
        let (op, _held) = function.provoke(&emulator, move || {
            counted.fetch_add(usize::from(!HOOKED.get()), Ordering::SeqCst);
        });
        assert!(op.wait(Some(PATIENCE)).unwrap());
    }
    runtime::shutdown(PATIENCE).unwrap();
    runtime::Config::default().install().unwrap();
    assert_eq!(unhooked.load(Ordering::SeqCst), 0);
    assert_eq!(
        started.load(Ordering::SeqCst),
        stopped.load(Ordering::SeqCst)
    );
}
