//! Other objects and contents in the place of the file.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use fal::credentials::Environment;
use fal::credentials::login::{LoginError, LoginFile};

#[cfg(unix)]
use super::home::set_mode;
use super::home::{Home, REFRESH, access_token, assert_no_secret};

#[test]
fn the_folder_is_the_one_of_the_official_clients() {
    let path = |variables: &[(&str, &str)]| {
        let environment = Environment::from_variables(variables.iter().copied());
        LoginFile::locate(&environment).map(|login| login.path())
    };
    let home = ("HOME", "/home/fake");
    let profile = ("USERPROFILE", "/home/fake");
    let default = PathBuf::from("/home/fake/.fal/auth0_token");
    assert_eq!(path(&[home, profile]).unwrap(), default);
    assert_eq!(
        path(&[home, profile, ("FAL_HOME_DIR", " ")]).unwrap(),
        default
    );
    assert_eq!(
        path(&[("FAL_HOME_DIR", "/elsewhere")]).unwrap(),
        PathBuf::from("/elsewhere/auth0_token")
    );
    let expanded = path(&[home, profile, ("FAL_HOME_DIR", "~/x")]).unwrap();
    assert_eq!(expanded, PathBuf::from("/home/fake/x/auth0_token"));
    assert!(matches!(path(&[]), Err(LoginError::NoFolder { .. })));
    assert!(matches!(
        path(&[("FAL_HOME_DIR", "~/x")]),
        Err(LoginError::NoFolder { .. })
    ));
}

#[test]
fn both_official_readings_of_the_file_are_understood() {
    let access = access_token(3600);
    for text in [
        format!("{REFRESH}\n{access}"),
        format!("{REFRESH}\n{access}\n"),
        format!("\u{feff}{REFRESH}\r\n{access}\r\n"),
        format!("\n\n  {REFRESH}  \n\n\t{access}\n\nmore\n"),
        format!("{REFRESH}\r{access}"),
    ] {
        let home = Home::with(&text);
        let login = home.login().read().unwrap().unwrap();
        assert_no_secret(&login);
        assert_eq!(
            login.access_token(SystemTime::now()).unwrap().expose(),
            access,
            "{text:?}"
        );
        assert_eq!(home.fresh().expose(), access);
        assert!(login.notes().is_empty());
    }
}

#[test]
fn a_login_without_a_good_access_token_is_renewed() {
    for access in [
        "",
        "\n",
        "\nfake-secret",
        "\nfake-secret with spaces",
        &format!("\n{}", access_token(299)),
    ] {
        let home = Home::with(format!("{REFRESH}{access}"));
        let login = home.login().read().unwrap().unwrap();
        assert_no_secret(&login);
        assert!(
            login.access_token(SystemTime::now()).is_none(),
            "{access:?}"
        );
        let form = home.refresh().form();
        assert!(
            form.ends_with(&format!("&refresh_token={REFRESH}")),
            "{access:?}"
        );
    }
}

#[test]
fn no_file_is_no_login_and_leaves_no_trace() {
    let home = Home::new();
    assert!(home.login().read().unwrap().is_none());
    assert_eq!(home.begin().unwrap_err(), LoginError::LoggedOut);
    assert_eq!(fs::read_dir(home.folder()).unwrap().count(), 0);
    let absent = LoginFile::in_folder(home.folder().join("absent"));
    assert!(absent.read().unwrap().is_none());
    for empty in ["", " \r\n\n", "\u{feff}"] {
        home.write(empty);
        assert!(home.login().read().unwrap().is_none(), "{empty:?}");
    }
}

#[test]
fn a_file_caught_while_it_is_written_is_read_again() {
    let home = Home::with("");
    let path = home.path();
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(5));
        fs::write(path, REFRESH).unwrap();
    });
    assert!(home.login().read().unwrap().is_some());
    writer.join().unwrap();
}

#[test]
fn what_is_no_login_is_refused_with_its_reason() {
    let refused = |content: &[u8]| {
        let home = Home::with(content);
        let error = home.login().read().unwrap_err();
        assert_no_secret(&error);
        assert_eq!(home.begin().unwrap_err(), error);
        assert!(!error.remedy().is_empty());
        error
            .to_string()
            .replace(&home.path().display().to_string(), "auth0_token")
    };
    let malformed = "cannot use the fal login auth0_token: line 1 is not a token; log in again with `fal auth login`";
    assert_eq!(refused(b"fake-secret with spaces"), malformed);
    assert_eq!(refused("fake-secret-\u{1b}[31m".as_bytes()), malformed);
    let unreadable = |reason| format!("cannot read the fal login auth0_token: {reason}");
    assert_eq!(
        refused(b"fake-secret\xff"),
        unreadable("not UTF-8 text at byte 12")
    );
    assert_eq!(
        refused(b"\xff\xfef\0a\0k\0e\0"),
        unreadable("UTF-16 text: save it as UTF-8")
    );
}

#[test]
fn a_huge_file_is_refused_at_once() {
    let home = Home::new();
    File::create(home.path())
        .unwrap()
        .set_len(100 << 20)
        .unwrap();
    let started = Instant::now();
    let error = home.login().read().unwrap_err();
    assert!(
        error.to_string().ends_with("larger than 1048576 bytes"),
        "{error}"
    );
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_folder_in_its_place_is_refused() {
    let home = Home::new();
    fs::create_dir(home.path()).unwrap();
    let error = home.login().read().unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("a directory, not a regular file"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn a_dangling_link_is_refused() {
    let home = Home::new();
    std::os::unix::fs::symlink("absent", home.path()).unwrap();
    let error = home.login().read().unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("a symbolic link to a file that does not exist"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_is_pointed_out() {
    let home = Home::with(REFRESH);
    set_mode(&home.path(), 0o644);
    let login = home.login().read().unwrap().unwrap();
    let [note] = login.notes() else {
        panic!("{login:?}")
    };
    assert!(
        note.starts_with("readable by others (mode 0644): chmod 600 /"),
        "{note}"
    );
}
