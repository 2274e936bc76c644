//! Failures: the old file stays as it was, and no temporary file is left.
#![cfg(unix)]

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use fal::credentials::store::{Activate, StoreError};

use super::place::{NEW, Place, key, set_mode};

/// Runs one test of this program again, in a child process.
fn again(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env("FAL_TEST_CHILD", "1");
    command
}

fn is_child() -> bool {
    std::env::var_os("FAL_TEST_CHILD").is_some()
}

fn run(mut command: Command) {
    let output = command.output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

#[test]
fn a_full_disk_loses_nothing() {
    if !is_child() {
        // A file may not grow beyond 0 blocks. Without the trap the kernel would end the process.
        let mut shell = Command::new("sh");
        let inner = again("failures::a_full_disk_loses_nothing");
        shell
            .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
            .arg(inner.get_program());
        shell
            .args(inner.get_args())
            .env("FAL_TEST_CHILD", "1")
            .env("FAL_TEST_PLACE", "");
        let place = Place::with("[a]\nkey = 'fake-id:fake-secret-1'\n");
        run_in(shell, &place);
        assert_eq!(place.text(), "[a]\nkey = 'fake-id:fake-secret-1'\n");
        assert_eq!(place.names(), ["config.toml", "config.toml.lock"]);
        return;
    }
    let error = child_put().unwrap_err();
    assert!(
        matches!(
            &error,
            StoreError::Io {
                action: "write",
                os_error: Some(27),
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .ends_with(".tmp: File too large (os error 27)"),
        "{error}"
    );
}

fn run_in(mut command: Command, place: &Place) {
    command.env("FAL_TEST_PLACE", &place.file);
    run(command);
}

fn child_put() -> Result<fal::credentials::store::Change, StoreError> {
    use fal::credentials::{Environment, Options, store::Store};
    let path = std::env::var_os("FAL_TEST_PLACE").unwrap();
    let store = Store::open(&Options::new().config_path(path), &Environment::process()).unwrap();
    super::place::clean(store.store_key("team", &key(NEW), Activate::Yes))
}

#[test]
fn a_read_only_folder_loses_nothing() {
    if !is_child() {
        let place = Place::with("[a]\nkey = 'fake-id:fake-secret-1'\n");
        let mut child = again("failures::a_read_only_folder_loses_nothing");
        // Root may write anywhere.
        if std::os::unix::fs::chown(&place.file, Some(65534), None).is_ok() {
            let program = place.folder().join("program");
            fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
            let mut copy = Command::new(program);
            copy.args(child.get_args())
                .env("FAL_TEST_CHILD", "1")
                .uid(65534)
                .gid(65534)
                .current_dir("/");
            child = copy;
            set_mode(place.folder().parent().unwrap(), 0o755);
        }
        set_mode(place.folder(), 0o555);
        run_in(child, &place);
        set_mode(place.folder(), 0o755);
        assert_eq!(place.text(), "[a]\nkey = 'fake-id:fake-secret-1'\n");
        assert!(
            !place
                .names()
                .iter()
                .any(|name| name.contains(".tmp") || name.contains(".lock"))
        );
        return;
    }
    let error = child_put().unwrap_err();
    assert!(
        matches!(
            &error,
            StoreError::Io {
                action: "lock",
                os_error: Some(13),
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn what_is_no_file_stays() {
    let place = Place::empty();
    fs::create_dir_all(&place.file).unwrap();
    let error = place.put("team").unwrap_err();
    let message =
        "cannot use ~/.fal/config.toml: a directory, not a regular file; nothing was changed";
    assert_eq!(place.without_home(error), message);
    assert!(place.file.is_dir());

    fs::remove_dir(&place.file).unwrap();
    std::os::unix::fs::symlink("nowhere", &place.file).unwrap();
    let error = place.put("team").unwrap_err();
    let message = "cannot use ~/.fal/config.toml: a symbolic link to a file that does not exist; nothing was changed";
    assert_eq!(place.without_home(error), message);
    assert!(fs::symlink_metadata(&place.file).unwrap().is_symlink());

    fs::remove_file(&place.file).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(&place.file)
            .status()
            .unwrap()
            .success()
    );
    let start = Instant::now();
    let error = place.put("team").unwrap_err();
    assert_eq!(
        place.without_home(error),
        "cannot use ~/.fal/config.toml: a FIFO, not a regular file; nothing was changed"
    );
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(place.names(), ["config.toml", "config.toml.lock"]);
}

#[test]
fn a_text_that_is_no_text_stays() {
    for (bytes, reason) in [
        (&b"[a]\nkey = '\xff'\n"[..], "not UTF-8 text at byte 12"),
        (b"\xff\xfe[\0a\0]\0", "UTF-16 text: save it as UTF-8"),
        (&vec![b'#'; (1 << 20) + 1], "larger than 1048576 bytes"),
        // Small enough to be read, but with the key it would be too large to be read again.
        (&vec![b'#'; 1 << 20], "larger than 1048576 bytes"),
    ] {
        let place = Place::with(bytes);
        let error = place.put("team").unwrap_err();
        assert_eq!(
            place.without_home(error),
            format!("cannot use ~/.fal/config.toml: {reason}; nothing was changed")
        );
        assert_eq!(fs::read(&place.file).unwrap(), bytes);
        assert_eq!(place.names(), ["config.toml", "config.toml.lock"]);
    }
}

#[test]
fn a_lock_that_is_held_is_not_waited_for_without_end() {
    let place = Place::with("[a]\n");
    let lock = fs::File::create(place.folder().join("config.toml.lock")).unwrap();
    lock.lock().unwrap();
    let (start, wait) = (Instant::now(), Duration::from_millis(200));
    let error = place
        .store()
        .with_lock_wait(wait)
        .remove_key("a")
        .unwrap_err();
    assert!((wait..wait * 10).contains(&start.elapsed()));
    assert_eq!(
        place.without_home(&error),
        "cannot lock ~/.fal/config.toml.lock: another program holds the lock"
    );
    assert!(fal::Error::from(error).is_retryable());
    lock.unlock().unwrap();
    assert!(place.put("a").unwrap().written);
}

#[test]
fn a_lock_that_is_a_trap_is_refused() {
    let place = Place::with("[a]\n");
    let lock = place.folder().join("config.toml.lock");
    std::os::unix::fs::symlink("victim", &lock).unwrap();
    assert!(matches!(
        place.put("team"),
        Err(StoreError::Io { action: "lock", .. })
    ));
    fs::remove_file(&lock).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(&lock)
            .status()
            .unwrap()
            .success()
    );
    assert!(matches!(
        place.put("team"),
        Err(StoreError::Io { action: "lock", .. })
    ));
    assert_eq!(place.names(), ["config.toml", "config.toml.lock"]);
    assert_eq!(place.text(), "[a]\n");
}

/// Some network disks refuse locks. Without a lock two programs could undo each other's changes.
#[cfg(target_os = "linux")]
#[test]
fn where_there_are_no_locks_nothing_is_changed_and_that_is_said() {
    for (refused, told) in [
        (libc::ENOLCK, "No locks available"),
        (libc::EOPNOTSUPP, "Operation not supported"),
        (libc::ENOSYS, "Function not implemented"),
    ] {
        let place = Place::with("[a]\nkey = 'fake-id:fake-secret-1'\n");
        let error = std::thread::scope(|scope| {
            let put = || {
                crate::system_calls::refuse(&[libc::SYS_flock], refused);
                place.put("team").unwrap_err()
            };
            scope.spawn(put).join().unwrap()
        });
        let error = error.to_string();
        assert!(
            error.starts_with("cannot lock ") && error.contains(told),
            "{error}"
        );
        assert_eq!(place.text(), "[a]\nkey = 'fake-id:fake-secret-1'\n");
    }
}
