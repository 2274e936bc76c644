//! The file that `FAL_KEY_FILE` names, and errors of any file.

use fal::credentials::{Environment, Options, resolve};

use super::world::{GOOD, World, source};
#[cfg(unix)]
use super::world::{SOURCES, key, set_mode};

#[test]
fn every_oddity_of_a_key_file() {
    let good = |text: &str| text.as_bytes().to_vec();
    let cases: &[(Vec<u8>, &str)] = &[
        (good(GOOD), "used ~/key.txt:1"),
        (
            good("\u{feff}fake-id:fake-secret-1\r\n"),
            "used ~/key.txt:1",
        ),
        (
            good("# of the team\n\n  fake-id:fake-secret-1\n\n# end\n"),
            "used ~/key.txt:3",
        ),
        (good("FAL_KEY=fake-id:fake-secret-1\n"), "used ~/key.txt:1"),
        (
            good("export FAL_KEY = 'fake-id:fake-secret-1'\n"),
            "used ~/key.txt:1; surrounding white space was dropped; surrounding quotes were dropped",
        ),
        (good(""), "malformed ~/key.txt; the file contains no key"),
        (
            good("\n# nothing\n"),
            "malformed ~/key.txt; the file contains no key",
        ),
        (
            good("FAL_KEY=\n"),
            "malformed ~/key.txt:1; the key is empty",
        ),
        (
            good("fake-id:fake-secret-1\n\nOTHER=1\n"),
            "malformed ~/key.txt:3; the file has more than one line, and no line sets FAL_KEY",
        ),
        // In a dotenv file the last assignment counts.
        (
            good("A='1\n2'\nFAL_KEY=fake-id:fake-secret-1\nFAL_KEYS=2\n"),
            "used ~/key.txt:3",
        ),
        (
            good("FAL_KEY=fake-secret-2\nexport FAL_KEY=fake-id:fake-secret-1\n"),
            "used ~/key.txt:2",
        ),
        (
            good("OTHER=1\n#FAL_KEY=a:b\nFAL_KEY_ID=fake-id\n"),
            "malformed ~/key.txt:3; the file has more than one line, and no line sets FAL_KEY",
        ),
        (
            good("fake-secret-1\n"),
            "malformed ~/key.txt:1; half a key: no `:` in it, a key is `<key id>:<key secret>`",
        ),
        (
            b"fake-id:\xfffake-secret".to_vec(),
            "malformed ~/key.txt; not UTF-8 text at byte 9",
        ),
        (
            b"\xff\xfef\0a\0".to_vec(),
            "malformed ~/key.txt; UTF-16 text: save it as UTF-8",
        ),
        (
            vec![b'\n'; (1 << 20) + 1],
            "malformed ~/key.txt; larger than 1048576 bytes",
        ),
        (
            [vec![b'\n'; (1 << 20) - GOOD.len()], good(GOOD)].concat(),
            "used ~/key.txt:1048556",
        ),
    ];
    for (content, expected) in cases {
        let world = World::new()
            .file("key.txt", content)
            .set("FAL_KEY_FILE", "~/key.txt");
        assert_eq!(world.row(&world.resolve(), "FAL_KEY_FILE"), *expected);
    }
}

/// Many programs load a `.env` file. libfal does not.
#[test]
fn a_dotenv_file_that_nothing_reads_is_pointed_out() {
    let note = "holds FAL_KEY, and is not read: set FAL_KEY_FILE=~/.env, or load it before the program needs the key";
    let skipped = |line: u32| format!("skipped ~/.env:{line}; {note}");
    let there = || {
        World::new()
            .file(
                ".env",
                "# of the app\nDEBUG=1\nFAL_KEY=\"fake-id:fake-secret-1\"\n",
            )
            .in_home()
    };
    let row = |world: &World| world.row(&world.resolve(), ".env");
    let nothing = there();
    assert_eq!(row(&nothing), skipped(3));
    assert_eq!(
        source(&nothing.resolve(), ".env").key_id.as_deref(),
        Some("fake-id")
    );
    let expected = format!("no fal key found; ~/.env:3 {note}");
    let resolution = nothing.resolve();
    assert!(
        nothing
            .without_home(&resolution.to_string())
            .ends_with(&format!("\n{expected}")),
        "{resolution}"
    );
    let message = resolution.to_json()["problem"]["message"].take();
    assert_eq!(nothing.without_home(message.as_str().unwrap()), expected);
    // The user may expect the other key to be in use.
    assert_eq!(
        row(&there().set("FAL_KEY", "fake-id-2:fake-secret-2")),
        skipped(3)
    );
    assert_eq!(
        row(&World::new()
            .file(".env", "FAL_KEY=\nexport FAL_KEY=nonsense")
            .in_home()),
        skipped(2)
    );
    // The use of the file that the note recommends.
    let used = there().set("FAL_KEY_FILE", "~/.env");
    assert_eq!(
        used.row(&used.resolve(), "FAL_KEY_FILE"),
        "used ~/.env:3; surrounding quotes were dropped"
    );

    let silent = [
        used,
        // Another program has loaded the file.
        there().set("FAL_KEY", GOOD),
        there()
            .set("FAL_KEY", "fake-id-2:fake-secret-2")
            .set("FAL_KEY_FILE", "~/.env"),
        World::new()
            .file(
                ".env",
                "#FAL_KEY=fake-id:fake-secret\nFAL_KEY_ID=fake-id\nMY_FAL_KEY=x\n",
            )
            .in_home(),
        World::new().file(".env", b"FAL_KEY=\xff").in_home(),
        World::new()
            .file(".env", vec![b'\n'; (1 << 20) + 1])
            .in_home(),
        World::new().in_home(),
        // Here the working directory is unknown.
        World::new().file(".env", GOOD),
        there().options(|options| options.anonymous(true)),
    ];
    for world in silent {
        let resolution = world.resolve();
        assert!(
            resolution
                .sources()
                .iter()
                .all(|report| report.source != ".env"),
            "{resolution}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_dotenv_that_is_no_file_is_never_waited_for() {
    let world = World::new().in_home();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(world.path(".env"))
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(
        world.resolve().sources().len(),
        World::new().resolve().sources().len()
    );
}

#[test]
fn a_key_file_that_is_not_there() {
    let absent = "there is no such file";
    let impossible = if cfg!(windows) {
        "invalid filename"
    } else {
        absent
    };
    let cases = [
        ("~/none.txt", format!("malformed ~/none.txt; {absent}")),
        (
            " ~/none.txt\r",
            format!(
                "malformed ~/none.txt; {absent}; FAL_KEY_FILE: surrounding white space was dropped"
            ),
        ),
        (
            GOOD,
            format!("malformed (path not shown: it may be a key); {absent}"),
        ),
        (
            "fake-secret",
            format!("malformed (path not shown: it may be a key); {absent}"),
        ),
        (
            "fake-id:fake-secret/+=",
            format!("malformed (path not shown: it may be a key); {absent}"),
        ),
        (
            "/no\x1b[2Jne\n.txt",
            format!("malformed /no\u{fffd}[2Jne\u{fffd}.txt; {impossible}"),
        ),
    ];
    for (path, expected) in cases {
        let world = World::new().set("FAL_KEY_FILE", path);
        assert_eq!(world.row(&world.resolve(), "FAL_KEY_FILE"), expected);
    }
    let homeless = Environment::from_variables([("FAL_KEY_FILE", "~/key.txt")]);
    assert_eq!(
        resolve(&Options::new(), &homeless)
            .problem()
            .unwrap()
            .to_string(),
        "FAL_KEY_FILE: FAL_KEY_FILE starts with `~`, and the home directory is unknown"
    );
}

#[test]
#[cfg(unix)]
fn only_regular_files_are_read() {
    use std::os::unix::fs::symlink;
    let world = World::new().file("real.txt", GOOD);
    let fifo = world.path("fifo");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let _socket = std::os::unix::net::UnixListener::bind(world.path("socket")).unwrap();
    symlink(world.path("real.txt"), world.path("link")).unwrap();
    symlink(world.path("nowhere"), world.path("dangling")).unwrap();
    symlink(&fifo, world.path("link-to-fifo")).unwrap();
    let cases = [
        ("~/fifo", "malformed ~/fifo; a FIFO, not a regular file"),
        (
            "~/link-to-fifo",
            "malformed ~/link-to-fifo; a FIFO, not a regular file",
        ),
        (
            "~/socket",
            "malformed ~/socket; a socket, not a regular file",
        ),
        (
            "/dev/zero",
            "malformed /dev/zero; a device, not a regular file",
        ),
        ("~", "malformed ~; a directory, not a regular file"),
        ("~/link", "used ~/link:1"),
        (
            "~/dangling",
            "malformed ~/dangling; a symbolic link to a file that does not exist",
        ),
    ];
    for (path, expected) in cases {
        let environment = world.variables.iter().cloned();
        let path = [("FAL_KEY_FILE".to_owned(), std::ffi::OsString::from(path))];
        let resolution = resolve(
            &Options::new(),
            &Environment::from_variables(environment.chain(path)),
        );
        assert_eq!(world.row(&resolution, "FAL_KEY_FILE"), expected);
    }
}

#[test]
#[cfg(unix)]
fn a_secret_that_others_can_read_is_pointed_out() {
    let cases = [
        (0o600, None),
        (0o400, None),
        (0o644, Some("readable by others (mode 0644)")),
        (0o640, Some("readable by others (mode 0640)")),
        (0o622, Some("writable by others (mode 0622)")),
    ];
    for (mode, access) in cases {
        for (name, put) in [SOURCES[1], SOURCES[4], SOURCES[5]] {
            let world = put(World::new(), GOOD);
            let file = if name == "FAL_KEY_FILE" {
                "key.txt"
            } else {
                ".fal/config.toml"
            };
            set_mode(&world.path(file), mode);
            let resolution = world.resolve();
            let notes = source(&resolution, name)
                .notes
                .iter()
                .map(|note| world.without_home(note));
            let expected = access.map(|access| format!("{access}: chmod 600 ~/{file}"));
            assert_eq!(notes.collect::<Vec<_>>(), Vec::from_iter(expected));
            assert_eq!(key(&resolution).id(), "fake-id");
        }
    }
}
