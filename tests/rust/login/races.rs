//! Many threads and processes with one expired token, and processes that die.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use fal::credentials::login::{AUTH_HOST, Begun, LoginFile, TOKEN_PATH};
use fal_emulator::{Emulator, Settings};

use super::home::{Home, REFRESH, access_token, patient};

const FOLDER: &str = "TEST_FAL_HOME";
const EMULATOR: &str = "TEST_FAL_EMULATOR";
const THREADS: &str = "TEST_THREADS";

/// This program as a child, which runs an ignored test of this file. Its standard output is piped.
fn child(test: &str, home: &Home) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        &format!("races::{test}"),
        "--ignored",
        "--nocapture",
    ]);
    command
        .env(FOLDER, home.folder())
        .stdout(Stdio::piped())
        .stdin(Stdio::piped());
    command
}

fn folder() -> String {
    std::env::var(FOLDER).unwrap()
}

/// Returns the access token, renewed if necessary, as a program gets it.
pub(crate) fn token(login: &LoginFile, emulator: &str) -> String {
    match login.begin(SystemTime::now(), None, patient()).unwrap() {
        Begun::Fresh(access) => access.expose().to_owned(),
        Begun::Refresh(refresh) => {
            let (status, body) = post(emulator, &refresh.form());
            if status == 200 {
                let renewed = refresh.complete(&body, SystemTime::now()).unwrap();
                assert_eq!(renewed.not_stored, None);
                renewed.access.expose().to_owned()
            } else {
                refresh
                    .failed(status, &body, SystemTime::now(), patient())
                    .unwrap()
                    .expose()
                    .to_owned()
            }
        }
    }
}

fn post(emulator: &str, form: &str) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(emulator).unwrap();
    write!(
        stream,
        "POST {TOKEN_PATH} HTTP/1.1\r\nHost: {AUTH_HOST}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        form.len()
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap()
        + 4;
    let status = std::str::from_utf8(&answer[9..12])
        .unwrap()
        .parse()
        .unwrap();
    (status, answer[end..].to_vec())
}

#[test]
#[ignore = "the child process of the other tests"]
fn renewing_child() {
    let threads: usize = std::env::var(THREADS).unwrap().parse().unwrap();
    let emulator = std::env::var(EMULATOR).unwrap();
    let login = LoginFile::in_folder(folder());
    let mut go = String::new();
    println!("ready");
    std::io::stdin().read_line(&mut go).unwrap();
    std::thread::scope(|scope| {
        let work = || println!("token {}", token(&login, &emulator));
        (0..threads).for_each(|_| {
            scope.spawn(work);
        });
    });
}

#[test]
fn threads_and_processes_at_once_make_one_request() {
    // A second use of the refresh token ends the login.
    let settings = Settings {
        reuse_ends_login: true,
        access_token_seconds: Some(3600),
        ..Settings::default()
    };
    let emulator = Emulator::builder().settings(settings).start().unwrap();
    let login = emulator.create_login("acme", 0);
    let home = Home::of(&login);
    let crowd = std::iter::once(50).chain(std::iter::repeat_n(1, 150));
    let mut children: Vec<Child> = crowd
        .map(|threads: usize| {
            let mut command = child("renewing_child", &home);
            command
                .env(EMULATOR, emulator.host())
                .env(THREADS, threads.to_string())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut outputs: Vec<_> = children
        .iter_mut()
        .map(|child| BufReader::new(child.stdout.take().unwrap()))
        .collect();
    for output in &mut outputs {
        let ready = output
            .lines()
            .map_while(Result::ok)
            .any(|line| line.ends_with("ready"));
        assert!(ready);
    }
    for child in &mut children {
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    let mut tokens = Vec::new();
    for output in outputs {
        let lines = output.lines().map_while(Result::ok);
        tokens.extend(
            lines.filter_map(|line| line.split_once("token ").map(|(_, token)| token.to_owned())),
        );
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let requests = emulator.arrivals();
    assert_eq!((requests.len(), tokens.len()), (1, 200));
    let (_, stored) = home
        .content()
        .split_once('\n')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    assert!(tokens.iter().all(|token| *token == stored));
    assert_eq!(home.files(), ["auth0_token"]);
}

#[test]
#[ignore = "the child process of the other tests"]
fn writing_child() {
    let login = LoginFile::in_folder(folder());
    println!("ready");
    for round in 0.. {
        let Begun::Refresh(refresh) = login.begin(SystemTime::now(), None, patient()).unwrap()
        else {
            panic!("its tokens are never fresh");
        };
        let access = access_token(-1);
        let padding = "a".repeat(round % 8000);
        let body = format!(
            r#"{{"access_token":"{access}{padding}","refresh_token":"{REFRESH}-{padding}-end"}}"#
        );
        refresh
            .complete(body.as_bytes(), SystemTime::now())
            .unwrap();
    }
}

#[test]
fn a_process_killed_while_it_writes_leaves_a_whole_file() {
    let home = Home::with(format!("{REFRESH}-{}-end", ""));
    for round in 0..40 {
        let mut writer = child("writing_child", &home).spawn().unwrap();
        let mut output = BufReader::new(writer.stdout.take().unwrap());
        assert!(
            output
                .by_ref()
                .lines()
                .map_while(Result::ok)
                .any(|line| line.ends_with("ready"))
        );
        std::thread::sleep(Duration::from_micros(1000 + 737 * round));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let content = home.content();
        let refresh_token = content.lines().next().unwrap();
        assert!(
            refresh_token.starts_with(REFRESH) && refresh_token.ends_with("-end"),
            "{content:?}"
        );
        // The lock was released when its holder died.
        let started = Instant::now();
        drop(home.refresh());
        assert!(started.elapsed() < Duration::from_secs(2));
    }
    let left = home.files().len() - 1;
    assert!(left > 0, "no process was hit while it wrote");
    // Only temporary files of libfal are left, which a later renewal removes.
    assert!(
        home.files()
            .iter()
            .all(|name| name == "auth0_token" || name.ends_with(".libfal"))
    );
    assert!(fs::metadata(home.path()).unwrap().is_file());
}
