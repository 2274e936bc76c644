//! The locks, between threads and processes of libfal.

use std::fs;
#[cfg(unix)]
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use fal::credentials::login::{LoginError, Wait};

use super::home::{Home, REFRESH, access_token, up_to};

#[test]
fn a_held_lock_is_waited_for_no_longer_than_allowed() {
    let home = Home::with(REFRESH);
    let held = home.refresh();
    let limit = Duration::from_millis(400);
    let started = Instant::now();
    let error = home
        .login()
        .begin(SystemTime::now(), None, up_to(limit))
        .unwrap_err();
    let waited = started.elapsed();
    assert!(matches!(error, LoginError::Locked { .. }), "{error:?}");
    assert!(
        waited >= limit && waited < limit + Duration::from_millis(400),
        "{waited:?}"
    );
    drop(held);
    drop(home.refresh());
}

#[test]
fn whoever_waits_for_the_lock_gets_the_token_of_its_holder() {
    let home = Home::with(REFRESH);
    let held = home.refresh();
    let login = home.login();
    let waiting = std::thread::spawn(move || {
        login.begin(SystemTime::now(), None, up_to(Duration::from_secs(10)))
    });
    std::thread::sleep(Duration::from_millis(200));
    assert!(!waiting.is_finished());
    let access = access_token(3600);
    let body = format!(r#"{{"access_token":"{access}"}}"#);
    held.complete(body.as_bytes(), SystemTime::now()).unwrap();
    match waiting.join().unwrap().unwrap() {
        fal::credentials::login::Begun::Fresh(token) => assert_eq!(token.expose(), access),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fresh_token_needs_no_lock() {
    let home = Home::with(REFRESH);
    let _held = home.refresh();
    home.write(format!("{REFRESH}\n{}", access_token(3600)));
    let begun = home
        .login()
        .begin(SystemTime::now(), None, up_to(Duration::from_millis(50)))
        .unwrap();
    assert!(matches!(begun, fal::credentials::login::Begun::Fresh(_)));
}

#[test]
fn waiting_can_be_cancelled() {
    let home = Home::with(REFRESH);
    let _held = home.refresh();
    let cancelled = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let wait = Wait {
            limit: Duration::from_secs(20),
            cancelled: &cancelled,
        };
        let login = home.login();
        let waiting = scope.spawn(move || login.begin(SystemTime::now(), None, wait).unwrap_err());
        std::thread::sleep(Duration::from_millis(150));
        let started = Instant::now();
        cancelled.store(true, Ordering::Relaxed);
        assert_eq!(waiting.join().unwrap(), LoginError::Cancelled);
        assert!(
            started.elapsed() < Duration::from_millis(300),
            "{:?}",
            started.elapsed()
        );
    });
}

#[test]
fn waiting_does_not_burn_the_processor() {
    let home = Home::with(REFRESH);
    let _held = home.refresh();
    let before = processor_time();
    let limit = Duration::from_secs(1);
    home.login()
        .begin(SystemTime::now(), None, up_to(limit))
        .unwrap_err();
    if let (Some(before), Some(after)) = (before, processor_time()) {
        assert!(after - before <= 10, "{} of 100 ticks", after - before);
    }
}

/// The processor time of this process, in ticks of 10 ms; on Linux only.
fn processor_time() -> Option<u64> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let times: Vec<u64> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    Some(times.iter().sum())
}

/// When an interpreter ends, portalocker 2 removes the file even if another process holds the lock.
#[cfg(unix)]
#[test]
fn removing_the_official_lock_file_does_not_break_our_lock() {
    let home = Home::with(REFRESH);
    let _held = home.refresh();
    fs::remove_file(home.folder().join(".portalock")).unwrap();
    let limit = Duration::from_millis(200);
    let error = home
        .login()
        .begin(SystemTime::now(), None, up_to(limit))
        .unwrap_err();
    assert!(matches!(error, LoginError::Locked { .. }), "{error:?}");
}

/// portalocker removes the file on every release.
#[cfg(unix)]
#[test]
fn the_lock_of_whoever_removes_the_file_ends() {
    let home = Home::with(REFRESH);
    let path = home.folder().join(".portalock");
    let official = File::create(&path).unwrap();
    official.lock().unwrap();
    std::thread::scope(|scope| {
        let (home, started) = (&home, Instant::now());
        let waiting = scope.spawn(move || home.refresh());
        std::thread::sleep(Duration::from_millis(200));
        fs::remove_file(&path).unwrap();
        // The path is free again, so the lock on the removed file no longer matters.
        let refresh = waiting.join().unwrap();
        assert!(started.elapsed() >= Duration::from_millis(200));
        let held = File::open(&path).unwrap().try_lock();
        assert!(
            matches!(held, Err(fs::TryLockError::WouldBlock)),
            "the lock is on the file that is there now"
        );
        drop(refresh);
    });
}

#[cfg(unix)]
#[test]
fn a_folder_in_the_place_of_the_lock_is_an_error() {
    let home = Home::with(REFRESH);
    fs::create_dir(home.folder().join(".portalock")).unwrap();
    let error = home.begin().unwrap_err();
    assert!(matches!(error, LoginError::NoLock { .. }), "{error:?}");
}

#[cfg(unix)]
#[test]
fn a_lock_file_that_may_only_be_read_is_locked_all_the_same() {
    let home = Home::with(REFRESH);
    let path = home.folder().join(".portalock");
    File::create(&path).unwrap();
    super::home::set_mode(&path, 0o444);
    let _refresh = home.refresh();
    assert!(matches!(
        File::open(&path).unwrap().try_lock(),
        Err(fs::TryLockError::WouldBlock)
    ));
}

/// Some network disks refuse locks. The official clients then continue without a lock, too.
#[cfg(target_os = "linux")]
#[test]
fn where_there_are_no_locks_it_is_renewed_without_one() {
    for (refused, goes_on) in [
        (libc::ENOLCK, true),
        (libc::EOPNOTSUPP, true),
        (libc::ENOSYS, true),
        (libc::EIO, false),
        (libc::EACCES, false),
    ] {
        let home = Home::with(REFRESH);
        let begun = std::thread::scope(|scope| {
            let begin = || {
                crate::system_calls::refuse(&[libc::SYS_flock], refused);
                home.begin().map(|begun| format!("{begun:?}"))
            };
            scope.spawn(begin).join().unwrap()
        });
        match begun {
            Ok(begun) => assert!(
                goes_on && begun.starts_with("Refresh"),
                "{refused}: {begun}"
            ),
            Err(error) => {
                assert!(!goes_on, "{refused}: {error}");
                assert!(
                    matches!(error, LoginError::NoLock { .. }),
                    "{refused}: {error}"
                );
                assert!(error.to_string().contains("cannot lock"), "{error}");
            }
        }
    }
}
