//! Profiles and the configuration file.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fal::credentials::{Environment, Options, Platform, Problem, State, resolve};

use super::world::{GOOD, World, key, quoted, source};

const TWO: &str = "[a]\nkey = \"fake-a:fake-secret-a\"\n\n[b]\nhost = \"api.example\"\n";

#[test]
fn the_profile_is_chosen_as_the_cli_does() {
    let internal = |name: &str| format!("{TWO}[__internal__]\nprofile = {}\n", quoted(name));
    let path = "~/.fal/config.toml";
    let no_key = "the profile has no key";
    let cases: &[(&str, Option<&str>, String)] = &[
        (TWO, None, format!("absent {path}; no profile is selected")),
        (TWO, Some("a"), format!("used {path}:2 [a]")),
        (
            TWO,
            Some(" a\r"),
            format!("used {path}:2 [a]; FAL_PROFILE: surrounding white space was dropped"),
        ),
        (TWO, Some("b"), format!("absent {path}:4 [b]; {no_key}")),
        (
            TWO,
            Some("c"),
            format!("malformed {path}; no profile named c; the file has: a, b"),
        ),
        (
            TWO,
            Some("A"),
            format!("malformed {path}; no profile named A; the file has: a, b"),
        ),
        (
            TWO,
            Some("__internal__"),
            format!("malformed {path}; no profile named __internal__; the file has: a, b"),
        ),
        (
            TWO,
            Some(GOOD),
            format!("malformed {path}; no profile named (name not shown); the file has: a, b"),
        ),
        (
            TWO,
            Some("0123456789abcdef0123456789abcdef"),
            format!("malformed {path}; no profile named (name not shown); the file has: a, b"),
        ),
        (
            "",
            Some("c"),
            format!("malformed {path}; no profile named c; the file has none"),
        ),
        (&internal("a"), None, format!("used {path}:2 [a]")),
        (
            &internal("a"),
            Some("b"),
            format!("absent {path}:4 [b]; {no_key}"),
        ),
        (&internal("b"), Some("a"), format!("used {path}:2 [a]")),
        (
            &internal("c"),
            None,
            format!(
                "absent {path}; [__internal__] selects a profile that does not exist: no profile named c"
            ),
        ),
        (&internal(""), None, format!("absent {path}")),
        (
            "__internal__ = 1\n",
            None,
            format!("absent {path}; no profile is selected"),
        ),
        (
            "[__internal__]\nprofile = 1\n",
            None,
            format!("absent {path}; no profile is selected"),
        ),
        (
            "a = \"fake-a:fake-secret-a\"\n",
            Some("a"),
            format!("malformed {path}; no profile named a; the file has none"),
        ),
        (
            "[a]\nkey = 'your-key'\n",
            Some("a"),
            format!("malformed {path}:2 [a]; a placeholder, not a key"),
        ),
        (
            "[a]\n\nkey = 7\n",
            Some("a"),
            format!("malformed {path}:3 [a]; the key of the profile is not a string"),
        ),
        (
            "[a]\nkey = ''\n",
            Some("a"),
            format!("absent {path}:2 [a]; the key of the profile is empty"),
        ),
        (
            "a = { key = \"fake\\u002da:fake-secret\" }\n",
            Some("a"),
            format!("used {path}:1 [a]"),
        ),
        (
            "\u{feff}[a]\r\nkey = 'fake-a:fake-secret'\r\n",
            Some("a"),
            format!("used {path}:2 [a]"),
        ),
    ];
    for (config, name, expected) in cases {
        let mut world = World::new().config(config);
        if let Some(name) = name {
            world = world.set("FAL_PROFILE", *name);
        }
        assert_eq!(
            world.row(&world.resolve(), "profile"),
            *expected,
            "{config}"
        );
    }
}

#[test]
fn the_profile_that_the_caller_names_must_hold_a_key() {
    let cases = [
        (
            "a",
            "used ~/.fal/config.toml:2 [a]; FAL_KEY holds another key",
        ),
        (
            "b",
            "malformed ~/.fal/config.toml:4 [b]; the profile has no key",
        ),
        (
            "c",
            "malformed ~/.fal/config.toml; no profile named c; the file has: a, b",
        ),
        (
            "",
            "malformed ~/.fal/config.toml; no profile named (empty name); the file has: a, b",
        ),
    ];
    for (name, expected) in cases {
        let world = World::new()
            .config(TWO)
            .options(|o| o.profile(name))
            .set("FAL_KEY", GOOD);
        assert_eq!(world.row(&world.resolve(), "explicit profile"), expected);
    }
    let world = World::new().options(|options| options.profile("a"));
    assert_eq!(
        world.row(&world.resolve(), "explicit profile"),
        "malformed ~/.fal/config.toml; no profile named a; there is no configuration file"
    );
}

#[test]
fn the_path_of_the_configuration_file() {
    let world = || {
        World::new()
            .config("[a]\nkey = 'fake-home:fake-secret'\n")
            .set("FAL_PROFILE", "a")
    };
    let other = || world().file("other.toml", "[a]\nkey = 'fake-other:fake-secret'\n");
    let id = |world: World| key(&world.resolve()).id().to_owned();
    assert_eq!(id(other().set("FAL_HOME_DIR", "/nowhere")), "fake-home");
    assert_eq!(
        id(other().set("FAL_CONFIG_PATH", "~/other.toml")),
        "fake-other"
    );
    let elsewhere = other().set("FAL_CONFIG_PATH", "/nowhere");
    let path = elsewhere.path("other.toml");
    assert_eq!(
        id(elsewhere.options(|options| options.config_path(path))),
        "fake-other"
    );
    let missing = World::new().set("FAL_CONFIG_PATH", "~/none.toml");
    let resolution = missing.resolve();
    assert_eq!(resolution.problem(), Some(&Problem::NotFound));
    assert_eq!(
        missing.row(&resolution, "profile"),
        "absent ~/none.toml; there is no configuration file; FAL_CONFIG_PATH names a file that does not exist: ~/none.toml"
    );
    let home = world();
    let windows = Environment::from_variables([
        ("HOME", PathBuf::from("/nowhere")),
        ("USERPROFILE", home.path("")),
        ("FAL_PROFILE", "a".into()),
    ]);
    let resolution = resolve(
        &Options::new(),
        &windows.clone().with_platform(Platform::Windows),
    );
    assert_eq!(key(&resolution).id(), "fake-home");
    let resolution = resolve(&Options::new(), &windows.with_platform(Platform::Unix));
    assert_eq!(source(&resolution, "profile").state, State::Malformed);
}

/// `set FAL_CONFIG_PATH="C:\Users\a b\config.toml"` keeps the quotes, and no file name on Windows
/// contains one.
#[test]
fn quotes_around_a_path_are_dropped_on_windows_and_that_is_said() {
    let world = World::new().file("a b.toml", "[a]\nkey = 'fake-id:fake-secret'\n");
    let path = world.path("a b.toml");
    let quoted = format!("\"{}\" ", path.display());
    let environment =
        Environment::from_variables([("FAL_CONFIG_PATH", quoted.as_str()), ("FAL_PROFILE", "a")]);
    let resolution = resolve(
        &Options::new(),
        &environment.clone().with_platform(Platform::Windows),
    );
    assert_eq!(key(&resolution).id(), "fake-id");
    let notes = &source(&resolution, "profile").notes;
    assert!(
        notes
            .iter()
            .any(|note| note.starts_with("FAL_CONFIG_PATH: ") && note.contains("quotes")),
        "{notes:?}"
    );
    let resolution = resolve(&Options::new(), &environment.with_platform(Platform::Unix));
    assert_ne!(source(&resolution, "profile").state, State::Used);
}

#[test]
fn a_broken_configuration_file_is_placed_and_not_quoted() {
    let cases = [
        ("[a]\nkey = fake-id:fake-secret\n", 2, 7),
        ("[a\nkey = 'fake-id:fake-secret'\n", 1, 3),
        ("[a]\nkey = 'fake-secret\n", 2, 19),
        ("[a]\nkey = 'fake-secret'\nkey = 'fake-secret'\n", 3, 1),
        ("é = 'fake-secret'\n", 1, 1),
    ];
    for (config, line, column) in cases {
        let world = World::new().config(config).set("FAL_PROFILE", "a");
        let expected = format!(
            "malformed ~/.fal/config.toml:{line}:{column}; not valid TOML at line {line}, column {column} \
             (a value is quoted and set once: key = \"…\")"
        );
        assert_eq!(world.row(&world.resolve(), "profile"), expected);
    }
    let world = World::new().file(".fal/config.toml", b"[a]\nkey = '\xff'");
    assert_eq!(
        world.row(&world.resolve(), "profile"),
        "malformed ~/.fal/config.toml; not UTF-8 text at byte 12"
    );
    let world = World::new().file(".fal/config.toml/x", "");
    assert_eq!(
        world.row(&world.resolve(), "profile"),
        "malformed ~/.fal/config.toml; a directory, not a regular file"
    );
}

#[test]
fn a_configuration_file_of_100_mb_is_refused_at_once() {
    let world = World::new()
        .file(".fal/config.toml", "")
        .set("FAL_PROFILE", "a");
    File::options()
        .write(true)
        .open(world.path(".fal/config.toml"))
        .unwrap()
        .set_len(100 << 20)
        .unwrap();
    let started = Instant::now();
    let row = world.row(&world.resolve(), "profile");
    assert_eq!(
        row,
        "malformed ~/.fal/config.toml; larger than 1048576 bytes"
    );
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[cfg(unix)]
#[test]
fn a_dangling_link_to_the_configuration_file_is_refused() {
    let world = World::new().file(".fal/other", "");
    std::os::unix::fs::symlink("absent", world.path(".fal/config.toml")).unwrap();
    let row = world.row(&world.resolve(), "profile");
    assert_eq!(
        row,
        "malformed ~/.fal/config.toml; a symbolic link to a file that does not exist"
    );
}

/// The CLI truncates the file before it writes.
#[test]
fn a_file_that_is_empty_while_it_is_written_anew_is_read_full() {
    let text = "[team]\nkey = 'fake-id:fake-secret'\n[__internal__]\nprofile = 'team'\n";
    let world = World::new()
        .file(".fal/config.toml", "")
        .file(".fal/auth0_token", "fake-secret-refresh");
    let path = world.path(".fal/config.toml");
    let used = std::thread::scope(|scope| {
        let resolving = scope.spawn(|| world.resolve().used().unwrap().source);
        std::thread::sleep(Duration::from_millis(10));
        std::fs::write(path, text).unwrap();
        resolving.join().unwrap()
    });
    assert_eq!(used, "profile");
    // A file that stays empty holds no key.
    let empty = World::new().file(".fal/config.toml", "");
    assert_eq!(
        empty.row(&empty.resolve(), "profile"),
        "absent ~/.fal/config.toml; no profile is selected"
    );
}
