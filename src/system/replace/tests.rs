use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use super::path::as_named;
use super::*;

/// Returns a new folder, and the path of a file `a` in it.
fn with_file(content: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn written(folder: &Path, name: &str, content: &[u8], access: Access) -> Successor {
    let successor = Successor::create(folder.join(name), access).unwrap();
    (&**successor.file()).write_all(content).unwrap();
    successor
}

fn plain(folder: &Path, content: &[u8]) -> Successor {
    written(folder, "new", content, Access::Plain)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Checks the content of the file, and that nothing else is in its folder.
#[track_caller]
fn is_alone(path: &Path, content: &[u8]) {
    assert_eq!(fs::read(path).unwrap(), content);
    let name = path.file_name().unwrap();
    assert_eq!(names(path.parent().unwrap()), [name.to_str().unwrap()]);
}

#[test]
fn the_place_is_taken_or_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a");
    for content in [&b"first"[..], b"second"] {
        plain(folder.path(), content).replace(&target).unwrap();
        is_alone(&target, content);
    }
    drop(plain(folder.path(), b"third"));
    is_alone(&target, b"second");
    // A file does not replace a folder.
    let inner = folder.path().join("dir");
    fs::create_dir(&inner).unwrap();
    assert!(plain(folder.path(), b"x").replace(&inner).is_err());
    assert_eq!(names(folder.path()), ["a", "dir"]);
}

#[test]
fn where_something_is_nothing_joins() {
    let (folder, target) = with_file(b"old");
    let free = folder.path().join("b");
    let successor = plain(folder.path(), b"new");
    let Refused { error, successor } = successor.join(&target).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&target).unwrap(), b"old");
    successor.join(&free).unwrap();
    assert_eq!(fs::read(free).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["a", "b"]);
}

/// Checks what the disk holds when the process is killed between two steps.
#[test]
fn ends_between_the_steps_leave_the_old_or_the_new() {
    let (folder, target) = with_file(b"old");
    let steps: [fn(&Successor, &Path); 4] = [
        |_, _| (),
        |new, target| new.follow(target).unwrap(),
        |new, _| (&**new.file()).write_all(b"new").unwrap(),
        |new, _| new.file().sync_all().unwrap(),
    ];
    for last in 0..=steps.len() {
        let path = folder.path().join("new");
        let mut successor = Successor::create(path.clone(), Access::Secret).unwrap();
        steps
            .iter()
            .take(last)
            .for_each(|step| step(&successor, &target));
        if last == steps.len() {
            successor.replace(&target).unwrap();
        } else {
            // Like a kill: the file is closed and not removed.
            successor.keep();
        }
        let expected: &[u8] = if last == steps.len() { b"new" } else { b"old" };
        assert_eq!(fs::read(&target).unwrap(), expected, "after step {last}");
        assert_eq!(path.exists(), last < steps.len(), "after step {last}");
        let _ = fs::remove_file(path);
    }
}

#[test]
fn readers_see_the_one_or_the_other() {
    let contents: [Vec<u8>; 2] = [vec![b'a'; 5000], vec![b'b'; 70_000]];
    let (folder, target) = with_file(&contents[0]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let read = patiently(|| fs::read(&target)).unwrap();
                    assert!(contents.contains(&read), "{} bytes", read.len());
                    // Without a pause, a file on Windows may never be closed for long enough.
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
            });
        }
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let (target, contents, folder) = (&target, &contents, &folder);
                scope.spawn(move || {
                    for round in 0..30 {
                        let name = format!("new-{writer}");
                        written(folder.path(), &name, &contents[round % 2], Access::Plain)
                            .replace(target)
                            .unwrap();
                    }
                })
            })
            .collect();
        let ends: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, Ordering::SeqCst);
        assert!(ends.iter().all(Result::is_ok));
    });
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn a_name_that_leads_to_another_file_is_noticed() {
    let (folder, path) = with_file(b"");
    let file = File::open(&path).unwrap();
    assert!(super::names(&path, &file).unwrap());
    fs::rename(&path, folder.path().join("b")).unwrap();
    assert!(!super::names(&path, &file).unwrap());
    fs::write(&path, b"").unwrap();
    assert!(!super::names(&path, &file).unwrap());
}

/// Covers disks whose driver cannot resolve a path.
#[test]
fn what_is_there_and_leads_nowhere_is_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let unknown = || io::Error::from_raw_os_error(1);
    let found = as_named(folder.path(), unknown());
    if cfg!(windows) {
        assert_eq!(found.unwrap(), folder.path());
    } else {
        assert!(found.is_err());
    }
    assert!(as_named(&folder.path().join("none"), unknown()).is_err());
    assert_eq!(
        as_named(folder.path(), ErrorKind::NotFound.into())
            .unwrap_err()
            .kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn what_cannot_be_replaced_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a");
    assert_eq!(
        write_over(&target, b"new").unwrap_err().kind(),
        ErrorKind::NotFound
    );
    fs::write(&target, b"longer than before").unwrap();
    write_over(&target, b"new").unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"new");
}

#[cfg(unix)]
mod modes {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_secret_is_for_its_owner_and_anything_else_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        for (access, old, new) in [
            (Access::Secret, 0o600, 0o600),
            (Access::Secret, 0o644, 0o600),
            (Access::Plain, 0o600, 0o600),
            (Access::Plain, 0o664, 0o664),
            (Access::Plain, 0o4755, 0o755),
        ] {
            fs::write(&target, b"old").unwrap();
            fs::set_permissions(&target, fs::Permissions::from_mode(old)).unwrap();
            let successor = written(folder.path(), "new", b"new", access);
            successor.follow(&target).unwrap();
            successor.replace(&target).unwrap();
            assert_eq!(mode(&target), new, "{access:?} {old:o}");
        }
    }

    #[test]
    fn a_link_is_replaced_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (link, far) = (folder.path().join("link"), folder.path().join("far"));
        fs::write(&far, b"far").unwrap();
        std::os::unix::fs::symlink(&far, &link).unwrap();
        let successor = plain(folder.path(), b"new");
        successor.follow(&link).unwrap();
        successor.replace(&link).unwrap();
        assert_eq!(fs::read(&far).unwrap(), b"far");
        assert_eq!(fs::read(&link).unwrap(), b"new");
        assert_eq!(
            real(&link).unwrap(),
            fs::canonicalize(folder.path()).unwrap().join("link")
        );
    }
}

/// Runs `work` while the file, which is created if missing, is open without sharing for the first
/// 300 ms.
#[cfg(windows)]
pub(crate) fn held_for_a_moment<T>(path: &Path, work: impl FnOnce() -> T) -> T {
    use std::os::windows::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    let holder = options
        .write(true)
        .create(true)
        .truncate(false)
        .share_mode(0)
        .open(path)
        .unwrap();
    released_after_a_moment(holder, work)
}

#[cfg(windows)]
fn released_after_a_moment<T>(holder: File, work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(300));
            drop(holder);
        });
        work()
    })
}

#[cfg(windows)]
mod held_files {
    use std::os::windows::fs::OpenOptionsExt;
    use std::time::Instant;

    use windows_sys::Win32::Storage::FileSystem::{
        FILE_ATTRIBUTE_HIDDEN, FILE_SHARE_READ, FILE_SHARE_WRITE,
    };

    use super::*;

    /// Opens a file like virus scanners and most programs do.
    fn hold(path: &Path) -> File {
        OpenOptions::new()
            .read(true)
            .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE)
            .open(path)
            .unwrap()
    }

    #[test]
    fn a_file_that_is_held_for_a_moment_is_replaced() {
        let (folder, target) = with_file(b"old");
        let holder = hold(&target);
        released_after_a_moment(holder, || {
            plain(folder.path(), b"new").replace(&target).unwrap();
        });
        is_alone(&target, b"new");
    }

    #[test]
    fn a_file_that_stays_held_stays_and_that_is_said() {
        let (folder, target) = with_file(b"old");
        let holder = hold(&target);
        let started = Instant::now();
        let successor = plain(folder.path(), b"new");
        let error = successor.replace(&target).unwrap_err().error;
        assert!(started.elapsed() >= PATIENCE);
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        assert_eq!(error.to_string(), IN_USE);
        is_alone(&target, b"old");
        // The content can still be overwritten.
        write_over(&target, b"new").unwrap();
        drop(holder);
        assert_eq!(fs::read(&target).unwrap(), b"new");
    }

    #[test]
    fn nobody_holds_what_is_to_be_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let successor = written(folder.path(), "new", b"new", Access::Secret);
        let error = OpenOptions::new()
            .read(true)
            .open(successor.path())
            .unwrap_err();
        assert_eq!(error.raw_os_error(), Some(32));
    }

    #[test]
    fn a_new_secret_is_private_and_attributes_stay() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        written(folder.path(), "new", b"one", Access::Secret)
            .replace(&target)
            .unwrap();
        assert_eq!(who_else_reads(&target), None);
        let successor = plain(folder.path(), b"two");
        successor.follow(&target).unwrap();
        successor.replace(&target).unwrap();
        assert_eq!(who_else_reads(&target), None);
        let hidden = folder.path().join("b");
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        drop(
            options
                .attributes(FILE_ATTRIBUTE_HIDDEN)
                .open(&hidden)
                .unwrap(),
        );
        let successor = plain(folder.path(), b"two");
        successor.follow(&hidden).unwrap();
        successor.replace(&hidden).unwrap();
        use std::os::windows::fs::MetadataExt;
        assert_ne!(
            fs::metadata(&hidden).unwrap().file_attributes() & FILE_ATTRIBUTE_HIDDEN,
            0
        );
    }
}
