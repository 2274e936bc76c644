//! A user without permissions. Root may do everything, so it runs the program as such a user.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::SystemTime;

use fal::credentials::login::{Begun, LoginFile};

use super::home::{Home, REFRESH, access_token, patient, set_mode};

const NOBODY: u32 = 65534;

#[test]
#[ignore = "the child process of the other tests"]
fn child() {
    let login = LoginFile::in_folder(std::env::var("TEST_FAL_HOME").unwrap());
    let begun = match login.begin(SystemTime::now(), None, patient()) {
        Ok(Begun::Fresh(_)) => "fresh".to_owned(),
        Ok(Begun::Refresh(_)) => "refresh".to_owned(),
        Err(error) => error.to_string(),
    };
    println!("begun: {begun}");
}

/// The result of `begin` for a user who owns nothing.
fn begun(home: &Home) -> String {
    set_mode(home.folder(), 0o755);
    let place = Home::new();
    set_mode(place.folder(), 0o755);
    let program = place.folder().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut command = Command::new(&program);
    command
        .args(["--exact", "powerless::child", "--ignored", "--nocapture"])
        .env("TEST_FAL_HOME", home.folder());
    if program.metadata().unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    } else {
        set_mode(home.folder(), 0o555);
    }
    let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
    set_mode(home.folder(), 0o755);
    assert!(!output.contains("fake-secret"), "a secret shows: {output}");
    let (_, begun) = output.split_once("begun: ").unwrap();
    begun
        .lines()
        .next()
        .unwrap()
        .replace(&home.folder().display().to_string(), "~")
}

#[test]
fn a_file_that_may_not_be_read() {
    let home = Home::with(REFRESH);
    set_mode(&home.path(), 0o000);
    assert_eq!(
        begun(&home),
        "cannot read the fal login ~/auth0_token: permission denied"
    );
}

#[test]
fn a_folder_that_may_not_be_written() {
    let home = Home::with(REFRESH);
    set_mode(&home.path(), 0o444);
    assert_eq!(
        begun(&home),
        "cannot lock the fal login ~/.libfal.lock: permission denied"
    );
    // A fresh token needs neither the lock nor a write.
    set_mode(&home.path(), 0o600);
    home.write(format!("{REFRESH}\n{}", access_token(3600)));
    set_mode(&home.path(), 0o444);
    assert_eq!(begun(&home), "fresh");
}

#[test]
fn a_folder_that_may_be_read_and_locked_but_not_written() {
    let home = Home::with(REFRESH);
    drop(home.refresh());
    for name in ["auth0_token", ".portalock", ".libfal.lock"] {
        set_mode(&home.folder().join(name), 0o644);
    }
    let said = begun(&home);
    assert_eq!(
        said,
        "cannot renew the fal login: its file ~/auth0_token cannot be replaced: permission denied"
    );
    assert_eq!(home.content(), REFRESH);
}

/// `sudo` with the user's home directory must not lock the user out.
#[test]
fn a_file_that_root_renews_stays_its_owners() {
    let home = Home::with(REFRESH);
    // Only root can change the owner of a file, so other users cannot break anything here.
    let is_root = std::os::unix::fs::chown(home.path(), Some(NOBODY), Some(NOBODY)).is_ok();
    let before = fs::metadata(home.path()).unwrap();
    let body = format!(r#"{{"access_token":"{}"}}"#, access_token(3600));
    let renewed = home
        .refresh()
        .complete(body.as_bytes(), SystemTime::now())
        .unwrap();
    assert_eq!(renewed.not_stored, None);
    let after = fs::metadata(home.path()).unwrap();
    assert_ne!(after.ino(), before.ino());
    assert_eq!(
        (after.uid(), after.gid(), after.mode() & 0o777),
        (before.uid(), before.gid(), 0o600)
    );
    assert!(!is_root || after.uid() == NOBODY);
}
