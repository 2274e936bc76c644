//! Tests that need a process of their own, for its environment and for files without read
//! permission.

#[cfg(unix)]
use std::path::Path;
use std::process::Command;

use fal::credentials::{Environment, Options, resolve};
use serde_json::Value;

use super::world::{GOOD, SECRET, World};

/// Resolves in the environment of this process, and prints the report. Only `report_of` runs this.
#[test]
#[ignore = "the child process of the other tests"]
fn child() {
    println!(
        "{}",
        resolve(&Options::new(), &Environment::process()).to_json()
    );
}

/// Returns the report of a child process with these variables only.
fn report_of(command: &mut Command, variables: &[(&str, &str)]) -> Value {
    let command = command.env_clear().envs(variables.iter().copied());
    let output = command
        .args(["--exact", "process::child", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(!text.contains(SECRET), "a secret is shown: {text}");
    let (_, from_report) = text.split_once('{').unwrap();
    let (report, _) = from_report.rsplit_once('}').unwrap();
    serde_json::from_str(&format!("{{{report}}}")).unwrap()
}

fn this_program() -> Command {
    Command::new(std::env::current_exe().unwrap())
}

#[test]
fn the_environment_of_the_process() {
    let world = World::new().config("[a]\nkey = 'fake-a:fake-secret'\n");
    let home = world.path("");
    let home = home.to_str().unwrap();
    let variables = [
        ("FAL_KEY", GOOD),
        ("HOME", home),
        ("USERPROFILE", home),
        ("FAL_PROFILE", "a"),
    ];
    let report = report_of(&mut this_program(), &variables);
    assert_eq!(report["used"]["source"], "FAL_KEY");
    assert_eq!(report["used"]["key_id"], "fake-id");
    assert_eq!(report["sources"][8]["key_id"], "fake-a");
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read() {
    let world = World::new()
        .file("key.txt", GOOD)
        .config("[a]\nkey = 'fake-a:fake-secret'\n");
    for (name, mode) in [
        ("", 0o755),
        (".fal", 0o755),
        ("key.txt", 0o000),
        (".fal/config.toml", 0o000),
    ] {
        super::world::set_mode(&world.path(name), mode);
    }
    let program = world.path("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let path = world.path("key.txt");
    let report = report_of(
        &mut powerless(&program),
        &[("FAL_KEY_FILE", path.to_str().unwrap())],
    );
    assert_eq!(
        report["problem"]["message"],
        format!("FAL_KEY_FILE ({}): permission denied", path.display())
    );
    let path = world.path(".fal/config.toml");
    let variables = [("HOME", world.path("")), ("FAL_PROFILE", "a".into())];
    let variables = variables
        .each_ref()
        .map(|(name, value)| (*name, value.to_str().unwrap()));
    let report = report_of(&mut powerless(&program), &variables);
    assert_eq!(
        report["problem"]["message"],
        format!("profile ({}): permission denied", path.display())
    );
}

/// Root may read every file, so it runs the program as a user that may not.
#[cfg(unix)]
fn powerless(program: &Path) -> Command {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65534;
    let mut command = Command::new(program);
    if program.metadata().unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}
