//! Runs real scripts. Every secret contains `fake-secret`, and every text that a run returns is
//! searched for it.

// clippy.toml allows these in test functions, but not in helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::time::{Instant, UNIX_EPOCH};

use tempfile::TempDir;

use super::process::{Exit, MAX_OUTPUT};
use super::words;
use std::process::Command;

use super::*;
use crate::credentials::credential::Credential;
use crate::credentials::environment::{Environment, Platform};
use crate::credentials::process_tests::{again, is_alone, plainly};
use crate::key::Note;

/// Longer than any command here takes.
const PATIENCE: Duration = DEFAULT_TIMEOUT;

fn never() -> bool {
    false
}

macro_rules! assert_is {
    ($outcome:expr, $pattern:pat) => {{
        let outcome = $outcome;
        assert!(matches!(outcome, $pattern), "{outcome:?}");
    }};
}

fn assert_within(begun: Instant, limit: Duration) {
    let taken = begun.elapsed();
    assert!(taken < limit, "{taken:?}");
}

/// Creates an executable file `key` with this text in a new directory.
fn script(text: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let (draft, path) = (directory.path().join("draft"), directory.path().join("key"));
    fs::write(&draft, text).unwrap();
    // Another process writes the file, because a file that a fork of this process holds open for
    // writing cannot be executed.
    let installed = Command::new("install")
        .args(["-m", "755"])
        .args([&draft, &path])
        .status()
        .unwrap();
    assert!(installed.success());
    directory
}

fn path_of(directory: &TempDir) -> String {
    directory.path().join("key").to_str().unwrap().to_owned()
}

fn words(words: &[&str]) -> KeyCommand {
    let words = words.iter().map(|word| Zeroizing::new((*word).to_owned()));
    KeyCommand::from_words(words, &Environment::process()).unwrap()
}

fn run(command: &KeyCommand) -> Result<CommandOutput, CommandProblem> {
    checked(command.run(PATIENCE, &never))
}

fn run_script(text: &str) -> Result<CommandOutput, CommandProblem> {
    let directory = script(&format!("#!/bin/sh\n{text}\n"));
    run(&words(&[&path_of(&directory)]))
}

/// Asserts that the outcome shows no secret.
fn checked(
    outcome: Result<CommandOutput, CommandProblem>,
) -> Result<CommandOutput, CommandProblem> {
    let mut shown = format!("{outcome:?}");
    if let Err(problem) = &outcome {
        shown += &problem.to_string();
    }
    assert!(!shown.contains("fake-secret"), "{shown}");
    outcome
}

fn secret(output: &CommandOutput) -> &str {
    output.credential.secret().unwrap()
}

fn problem(text: &str) -> CommandProblem {
    run_script(text).unwrap_err()
}

fn output_problem(text: &str) -> String {
    match problem(text) {
        CommandProblem::Output {
            problem,
            exit: Exit::Code(0),
            ..
        } => problem,
        other => panic!("{other:?}"),
    }
}

fn assert_ends(problem: &CommandProblem, end: &str) {
    let text = problem.to_string();
    assert!(text.ends_with(end), "{text}");
}

/// Returns the ids of the processes, without zombies, whose command line contains `text`.
#[cfg(target_os = "linux")]
fn processes(text: &str) -> Vec<u32> {
    let ids = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let runs = |id: &u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line)
            .replace('\0', " ")
            .contains(text)
    };
    ids.filter(runs).collect()
}

/// Waits until no process with `text` in its command line is left.
#[cfg(target_os = "linux")]
fn wait_until_gone(text: &str) {
    let deadline = Instant::now() + Duration::from_secs(2);
    while !processes(text).is_empty() {
        assert!(
            Instant::now() < deadline,
            "left behind: {:?}",
            processes(text)
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_key_is_read() {
    let plain = run_script("echo fake-id:fake-secret-1").unwrap();
    assert_eq!(secret(&plain), "fake-secret-1");
    // A line end gives no remark.
    assert_eq!((plain.expires_at, plain.notes), (None, vec![]));
    assert_eq!(
        run_script("echo '\"fake-id:fake-secret-1\"'")
            .unwrap()
            .notes,
        [Note::Quotes]
    );
    let json =
        run_script(r#"echo '{"key": "fake-id:fake-secret-2", "expires_in": 600, "other": [1]}'"#)
            .unwrap();
    assert_eq!(secret(&json), "fake-secret-2");
    let left = json
        .expires_at
        .unwrap()
        .duration_since(SystemTime::now())
        .unwrap();
    assert!(
        left > Duration::from_secs(590) && left <= Duration::from_secs(600),
        "{left:?}"
    );
    let bearer =
        run_script(r#"printf '{"token":\n"fake-secret-3","expires_at":"2999-01-01T00:00:00Z"}'"#)
            .unwrap();
    assert!(matches!(bearer.credential, Credential::Bearer(_)));
    assert_eq!(secret(&bearer), "fake-secret-3");
    assert_eq!(
        bearer.expires_at,
        Some(UNIX_EPOCH + Duration::from_secs(32_472_144_000))
    );
}

#[test]
fn other_output_is_refused() {
    let outputs = [
        ("true", "nothing was printed"),
        ("printf ' \\n\\n'", "nothing was printed"),
        (
            "printf 'fake-id:fake-secret-1\\nfake-id:fake-secret-2\\n'",
            "2 lines instead of one",
        ),
        ("echo fake-secret-1", "half a key"),
        ("printf 'fake-secret\\377:fake-secret'", "not UTF-8 text"),
        ("echo '{fake-secret-1}'", "not valid JSON"),
        (r#"echo '{"key": "fake-secret-1'"#, "not valid JSON"),
        (r#"echo '{}'"#, "either `key` or `token`"),
        (
            r#"echo '{"key": "fake-id:fake-secret-1", "token": "fake-secret-2"}'"#,
            "either `key` or `token`",
        ),
        (
            r#"echo '{"key": ["fake-id:fake-secret-1"]}'"#,
            "`key` is not a string",
        ),
        (r#"echo '{"key": "fake-secret-1"}'"#, "half a key"),
        (
            r#"echo '{"token": "fake-secret 1"}'"#,
            "character that is not allowed",
        ),
        (r#"echo '{"token": ""}'"#, "the token is empty"),
        (
            r#"echo '{"token": "fake-secret", "expires_in": "600"}'"#,
            "not a number of seconds",
        ),
        (
            r#"echo '{"token": "fake-secret", "expires_in": -1}'"#,
            "not a number of seconds",
        ),
        (
            r#"echo '{"token": "fake-secret", "expires_in": 1e300}'"#,
            "not a number of seconds",
        ),
        (
            r#"echo '{"token": "fake-secret", "expires_in": 0}'"#,
            "already expired",
        ),
        (
            r#"echo '{"token": "fake-secret", "expires_at": "2020-01-01T00:00:00Z"}'"#,
            "already expired",
        ),
        (
            r#"echo '{"token": "fake-secret", "expires_at": "tomorrow"}'"#,
            "`expires_at` is not a time",
        ),
        (
            r#"echo '{"token": "fake-secret", "expires_at": "2999-01-01T00:00:00Z", "expires_in": 1}'"#,
            "both `expires_at` and",
        ),
    ];
    for (text, expected) in outputs {
        let problem = output_problem(text);
        assert!(problem.contains(expected), "{text}: {problem}");
    }
}

#[test]
fn a_failure_carries_the_code_and_what_was_said() {
    let failed = problem(
        "echo fake-id:fake-secret-1\nprintf 'no such item:\\n\\033[31mwork\\n' >&2\nexit 3",
    );
    assert_ends(
        &failed,
        "/key` failed: exit code 3; it said: no such item: \u{fffd}[31mwork",
    );
    assert_ends(&problem("kill -TERM $$"), "ended by signal 15");
    let output = problem("echo 'the vault is locked' >&2");
    assert_ends(&output, "nothing was printed; it said: the vault is locked");
}

#[test]
fn what_was_said_shows_no_secret() {
    let said = [
        ("using fake-id:fake-secret-1 for it", "using **** for it"),
        ("+ KEY=fake-id:fake-secret-1", "+ KEY=****"),
        (
            r#"got {"key": "fake-id:fake-secret-1"}"#,
            r#"got {"key": "****"}"#,
        ),
        ("https://user:fake-secret@host/", "****"),
        (
            "Authorization: Bearer fake-secret-1 x",
            "Authorization: Bearer **** x",
        ),
        ("token fake-secret-0123456789-abcdefghijk", "token ****"),
        ("a fake-secret-half", "a ****"),
        (
            "see https://fal.ai/keys and /etc/op/config.toml:12: no",
            "see https://fal.ai/keys and /etc/op/config.toml:12: no",
        ),
        (
            "error: std: at 12:34:56 not found",
            "error: std: at 12:34:56 not found",
        ),
    ];
    for (written, shown) in said {
        // The command also prints a word that must not appear.
        let text = format!("echo fake-secret-half\ncat >&2 <<'END'\n{written}\nEND\nexit 1");
        let CommandProblem::Failed { stderr, .. } = problem(&text) else {
            panic!("{written}")
        };
        assert_eq!(stderr, shown);
    }
}

#[test]
fn much_of_what_was_said_is_cut() {
    let CommandProblem::Failed { stderr, .. } = problem("seq 1 9999 >&2\necho the end >&2\nexit 1")
    else {
        panic!()
    };
    assert_eq!(stderr.chars().count(), 1000);
    assert!(
        stderr.starts_with('…') && stderr.ends_with("9999 the end"),
        "{stderr}"
    );
    // The buffer ends within the secret, and the part before its end does not look like a secret.
    let line = format!(
        "{} fake-id:",
        "x".repeat(MAX_OUTPUT - "x fake-id:fake-s".len())
    );
    let cut = format!("printf '%s%s %s' {line:?} fake-secret more >&2\nexit 1");
    let CommandProblem::Failed { stderr, .. } = problem(&cut) else {
        panic!()
    };
    assert!(!stderr.contains("fake"), "{stderr}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_command_that_hangs_is_killed_with_what_it_started() {
    let marker = format!("7{}.25", std::process::id());
    let directory = script(&format!(
        "#!/bin/sh\necho waiting for you >&2\nsleep {marker} &\nsh -c 'trap \"\" TERM HUP INT; sleep {marker}; true' &\nwait\n"
    ));
    let begun = Instant::now();
    let outcome = checked(words(&[&path_of(&directory)]).run(Duration::from_millis(400), &never));
    let taken = begun.elapsed();
    assert!(
        taken >= Duration::from_millis(400) && taken < Duration::from_millis(900),
        "{taken:?}"
    );
    let end = "did not end within 0.4 s and was killed; it said: waiting for you";
    assert_ends(&outcome.unwrap_err(), end);
    wait_until_gone(&marker);
    wait_until_gone(directory.path().to_str().unwrap());
}

#[test]
#[cfg(target_os = "linux")]
fn a_cancelled_command_is_killed() {
    let marker = format!("7{}.5", std::process::id());
    let begun = Instant::now();
    // The program has closed its pipes.
    let command = KeyCommand::from_shell(&format!("exec >&- 2>&-; sleep {marker}; true")).unwrap();
    let outcome = command.run(PATIENCE, &|| begun.elapsed() > Duration::from_millis(200));
    assert_is!(outcome, Err(CommandProblem::Cancelled));
    assert_within(begun, Duration::from_millis(700));
    wait_until_gone(&marker);
    assert_is!(
        command.run(PATIENCE, &|| true),
        Err(CommandProblem::Cancelled)
    );
}

#[test]
#[cfg(target_os = "linux")]
fn what_a_command_leaves_running_is_neither_waited_for_nor_killed() {
    let marker = format!("1.{}", std::process::id());
    let begun = Instant::now();
    let output = run_script(&format!("echo fake-id:fake-secret-1\nsleep {marker} &")).unwrap();
    assert_eq!(secret(&output), "fake-secret-1");
    assert_within(begun, Duration::from_millis(800));
    assert_eq!(processes(&marker).len(), 1);
    wait_until_gone(&marker);
}

#[test]
#[cfg(target_os = "linux")]
fn endless_output_is_stopped() {
    let marker = format!("fake-secret-{}", std::process::id());
    let begun = Instant::now();
    let outcome = problem(&format!("yes {marker}"));
    assert_is!(outcome, CommandProblem::TooMuchOutput { .. });
    assert_within(begun, Duration::from_secs(2));
    wait_until_gone(&marker);
    // Endless stderr ends with the timeout.
    let marker = format!("complaint-{}", std::process::id());
    let outcome = checked(
        words(&["sh", "-c", &format!("yes {marker} >&2")]).run(Duration::from_millis(300), &never),
    );
    assert_is!(outcome, Err(CommandProblem::TimedOut { .. }));
    wait_until_gone(&marker);
}

#[test]
fn the_whole_bound_may_be_used() {
    let key = "fake-id:fake-secret-1";
    let pad = |size: usize| format!("printf '%{}s' {key}", size);
    assert_eq!(
        secret(&run_script(&pad(MAX_OUTPUT)).unwrap()),
        "fake-secret-1"
    );
    assert_is!(
        problem(&pad(MAX_OUTPUT + 1)),
        CommandProblem::TooMuchOutput { .. }
    );
}

#[test]
fn a_program_that_cannot_be_started_is_named() {
    let directory = script("#!/does/not/exist\n");
    let put = |name: &str, text: &[u8], mode: u32| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let causes = [
        ("fal-no-such-program".to_owned(), "not found in PATH"),
        (
            format!("{}/missing", directory.path().display()),
            "not found",
        ),
        (
            path_of(&directory),
            "the interpreter in the first line of the script was not found",
        ),
        (
            directory.path().display().to_string(),
            "a directory, not a program",
        ),
        (put("closed", b"#!/bin/sh\n", 0o600), "permission denied"),
        (
            put("text", b"fake-id:fake-secret-1\n", 0o700),
            "not a program for this system",
        ),
    ];
    for (program, expected) in causes {
        let outcome = run(&words(&[&program])).unwrap_err();
        let CommandProblem::NotStarted { cause, .. } = &outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(cause.split(" (").next(), Some(expected), "{program}");
        let start = format!("cannot start the command `{program}`: ");
        assert!(outcome.to_string().starts_with(&start), "{outcome}");
    }
    // A key instead of a command.
    let outcome = run(&words(&["fake-id:fake-secret-1"])).unwrap_err();
    let start = "cannot start the command `****`: not found";
    assert!(outcome.to_string().starts_with(start), "{outcome}");
}

#[test]
fn arguments_are_not_shown() {
    let command = words(&["vault", "--token", "fake-secret-1"]);
    let shown = format!("{command:?}");
    assert_eq!(shown, "KeyCommand(`vault` and 2 arguments)");
    let command = KeyCommand::from_shell("echo fake-secret-1").unwrap();
    let shown = format!("{command:?}");
    assert_eq!(shown, "KeyCommand(`sh -c` and 1 arguments)");
    checked(command.run(PATIENCE, &never)).unwrap_err();
}

#[test]
fn words_are_those_of_a_shell() {
    let texts = [
        "op read op://work/fal/key",
        "  a\tb   c ",
        r#"'/path with/spaces' "double quoted" mid'dle'"s""#,
        r#"a\ b "q\"q\\q\x" 'single\q "x"' \'"#,
        r#""\$HOME" '$HOME|;&' \$HOME a\;b"#,
        r#"'' "" x''y"#,
        "a#b ümlaut '# x'",
        "a=b ~ -x=~/y {a,b} !",
    ];
    for text in texts {
        let shell = Command::new("sh")
            .args(["-c", &format!("HOME='~'; printf '%s\\0' {text}")])
            .output()
            .unwrap();
        let mut split = String::new();
        for word in words::split(text, Platform::Unix).unwrap() {
            split += &format!("{}\0", *word);
        }
        assert_eq!(split, String::from_utf8(shell.stdout).unwrap(), "{text}");
    }
}

#[test]
fn shell_syntax_is_refused() {
    let texts = [
        ("a | b", '|'),
        ("a; b", ';'),
        ("a && b", '&'),
        ("a > b", '>'),
        ("a < b", '<'),
        ("a $HOME", '$'),
        ("a \"$HOME\"", '$'),
        ("a `b`", '`'),
        ("a \"`b`\"", '`'),
        ("(a)", '('),
        ("a\nb", '\n'),
        ("a *.txt", '*'),
        ("a # b", '#'),
    ];
    let refused = |text: &str| KeyCommand::from_text(text, &Environment::process()).unwrap_err();
    for (text, character) in texts {
        let problem = refused(text);
        let start = match character {
            '\n' => "a line break needs a shell".to_owned(),
            _ => format!("`{character}` needs a shell"),
        };
        assert!(problem.starts_with(&start), "{text}: {problem}");
        assert!(problem.contains("key_command_shell = true"), "{problem}");
    }
    for (text, quote) in [("a 'b", '\''), ("a \"b", '"'), ("a \"b\\", '"')] {
        let expected = format!("the quote {quote} is never closed");
        assert_eq!(refused(text), expected, "{text}");
    }
    for text in ["", "  ", "''", "\"\" x"] {
        assert_eq!(refused(text), "the command is empty", "{text}");
    }
    let refused = |text: &str| KeyCommand::from_shell(text).unwrap_err();
    assert_eq!(refused(" \n"), "the command is empty");
    assert_eq!(refused("a\0b"), "the command contains a NUL character");
}

#[test]
fn windows_paths_are_words() {
    for (text, expected) in [
        (
            r#""C:\Program Files\op\op.exe" read C:\keys\a 'x y'"#,
            [r"C:\Program Files\op\op.exe", "read", r"C:\keys\a", "x y"],
        ),
        (
            r#"C:\O'Brien\k.exe "C:\me$\a" b$ `c"#,
            [r"C:\O'Brien\k.exe", r"C:\me$\a", "b$", "`c"],
        ),
    ] {
        let split = words::split(text, Platform::Windows).unwrap();
        let split: Vec<_> = split.iter().map(|word| word.as_str()).collect();
        assert_eq!(split, expected);
    }
    let percent = words::split(r"%USERPROFILE%\key.exe", Platform::Windows);
    assert!(percent.unwrap_err().starts_with("`%` needs a shell"));
}

#[test]
fn a_tilde_is_the_home_directory() {
    let directory = script("#!/bin/sh\necho \"$1\"\n");
    let home = Environment::from_variables([("HOME", directory.path())]);
    let command = KeyCommand::from_text("~/key fake-id:fake-secret-~", &home).unwrap();
    assert_eq!(secret(&run(&command).unwrap()), "fake-secret-~");
    let homeless = Environment::from_variables([("X", "")]);
    assert_eq!(
        KeyCommand::from_text("~/key", &homeless).unwrap_err(),
        "the command starts with `~`, and the home directory is unknown"
    );
}

#[test]
fn a_shell_is_used_if_asked() {
    let command = KeyCommand::from_shell("K=fake-secret-1; echo \"fake-id:$K\" | cat").unwrap();
    assert_eq!(secret(&run(&command).unwrap()), "fake-secret-1");
}

#[test]
fn a_command_has_no_input_and_no_part_in_our_group() {
    let output = run_script(
        "cat\nid=$(ps -o pgid= -p $$ | tr -d ' ')\n[ \"$id\" = $$ ] && echo fake-id:fake-secret-1",
    );
    assert_eq!(secret(&output.unwrap()), "fake-secret-1");
}

#[test]
fn a_command_inside_a_command_is_refused() {
    if is_alone() {
        // The error of the inner run is the stderr of the outer one.
        let inner = run(&KeyCommand::from_shell("echo fake-id:fake-secret-1").unwrap());
        if std::env::var_os(RUNNING_VARIABLE).is_some() {
            eprintln!("{}", inner.unwrap_err());
            std::process::exit(7);
        }
        assert_eq!(secret(&inner.unwrap()), "fake-secret-1");
        let exe = std::env::current_exe().unwrap();
        let arguments: Vec<_> = std::env::args().skip(1).collect();
        let command: Vec<_> = [exe.to_str().unwrap()]
            .into_iter()
            .chain(arguments.iter().map(String::as_str))
            .collect();
        let text = run(&words(&command)).unwrap_err().to_string();
        assert!(
            text.contains("exit code 7; it said: cannot run a key command in"),
            "{text}"
        );
        return;
    }
    again(
        module_path!(),
        "a_command_inside_a_command_is_refused",
        plainly,
    );
}

#[test]
#[allow(unsafe_code)]
fn a_host_may_ignore_its_children() {
    if is_alone() {
        let run_script = |text: &str| run(&KeyCommand::from_shell(text).unwrap());
        // SAFETY: no other test runs in this process.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        // The command can still wait for its own children.
        #[cfg(target_os = "linux")]
        {
            // Signal 17, in hexadecimal digits.
            let program = r#"/SigIgn/ {print substr($2, 12, 1) ~ /[13579bdf]/ ? "ignored" : "fake-id:fake-secret-1"}"#;
            let output = run(&words(&["awk", program, "/proc/self/status"])).unwrap();
            assert_eq!(secret(&output), "fake-secret-1");
        }
        let output =
            run_script("sh -c 'exit 5'; [ $? = 5 ] && echo fake-id:fake-secret-1").unwrap();
        assert_eq!(secret(&output), "fake-secret-1");
        let failed = run_script("echo locked >&2; exit 3")
            .unwrap_err()
            .to_string();
        assert!(
            failed.contains("nothing was printed (its exit code is unknown"),
            "{failed}"
        );
        assert!(failed.ends_with("it said: locked"), "{failed}");
        let begun = Instant::now();
        let outcome = KeyCommand::from_shell("sleep 30; true")
            .unwrap()
            .run(Duration::from_millis(200), &never);
        assert_is!(outcome, Err(CommandProblem::TimedOut { .. }));
        assert_within(begun, Duration::from_secs(1));
        return;
    }
    again(module_path!(), "a_host_may_ignore_its_children", plainly);
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_left_in_the_host() {
    if is_alone() {
        let count = |what: &str| fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
        let before = (count("task"), count("fd"));
        for text in [
            "echo fake-id:fake-secret-1",
            "exit 1",
            "sleep 0.7 & sleep 30",
            "yes fake-secret",
        ] {
            let command = KeyCommand::from_shell(text).unwrap();
            let _ = checked(command.run(Duration::from_millis(100), &never));
            assert_eq!((count("task"), count("fd")), before, "{text}");
        }
        let mut status = 0;
        #[allow(unsafe_code)]
        // SAFETY: `status` is valid for writes.
        let left = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        assert_eq!(
            (left, std::io::Error::last_os_error().raw_os_error()),
            (-1, Some(libc::ECHILD))
        );
        return;
    }
    again(module_path!(), "nothing_is_left_in_the_host", plainly);
}

#[test]
fn a_command_that_wants_the_terminal_does_not_wait_for_it() {
    if is_alone() {
        let begun = Instant::now();
        let outcome = problem("echo password: >&2; read password < /dev/tty");
        assert_is!(outcome, CommandProblem::WantsTerminal { .. });
        assert_within(begun, Duration::from_secs(2));
        return;
    }
    // `script` gives the test a terminal.
    let output = again(
        module_path!(),
        "a_command_that_wants_the_terminal_does_not_wait_for_it",
        |program, arguments| {
            let mut command = Command::new("script");
            command.args([
                "-qec",
                &format!("{} {}", program.display(), arguments.join(" ")),
                "/dev/null",
            ]);
            command.stdin(std::process::Stdio::null());
            command
        },
    );
    assert_eq!(output.status.signal(), None);
}
