//! Data that does not fit into memory is an error, and does not end the host: an allocation without
//! a check for failure would abort.

use super::costs::{zipped, zipped_answer};
use super::hostile::{answered, client_of, hostile_to};
use super::*;
use fal::Code;

/// Tells a child process of a test the host of its server.
const CHILD: &str = "FAL_TEST_SCARCE_HOST";

/// Runs `attempt` in a child process with more and more memory, up to `most` MiB. Every attempt
/// must succeed or return an error, and at least one must fail. `before` runs without a limit.
fn with_little_memory<T>(
    (name, most): (&str, u64),
    host: impl FnOnce() -> String,
    before: impl Fn(&Client) -> T,
    attempt: impl Fn(&Client, T) -> Result<(), Error>,
) {
    let Ok(host) = std::env::var(CHILD) else {
        let logs = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child
            .args([&format!("scarce::{name}"), "--exact"])
            .env(CHILD, host());
        let output = child
            .env("MALLOC_ARENA_MAX", "1")
            .env("TEST_LOGS", logs.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let wrong = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{:?}\n{said}\n{wrong}",
            output.status
        );
        return assert!(said.contains("1 passed"), "{said}");
    };
    let client = client_of(&host).build().unwrap();
    run(&client, "emulator/other", json!({})).unwrap();
    let pid = std::process::id().to_string();
    let limit = |most: &str| {
        let limited = std::process::Command::new("prlimit")
            .args(["--pid", &pid, &format!("--as={most}:unlimited")])
            .status();
        assert!(limited.unwrap().success());
    };
    let (mut refused, mut done) = (0, 0);
    // The amount needed depends on the allocator.
    for room in (4..=most).step_by(most as usize / 24) {
        let made = before(&client);
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let there = statm.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096;
        limit(&(there + (room << 20)).to_string());
        let outcome = attempt(&client, made);
        // A failed assertion needs memory to be reported.
        limit("unlimited");
        match outcome {
            Ok(()) => done += 1,
            Err(error) => {
                assert!(
                    error.code() == Code::Io && error.message().contains("out of memory"),
                    "{error}"
                );
                refused += 1;
            }
        }
    }
    assert!(refused > 0 && done > 0, "{refused} refused, {done} done");
    run(&client, "emulator/other", json!({})).unwrap();
}

fn serving(kind: &'static str, parts: &[(&[u8], usize)]) -> String {
    let body = zipped(parts);
    hostile_to(move |head, connection| match head.contains("/hostile") {
        true => zipped_answer(connection, kind, &body),
        false => answered(connection, "200 OK", "x-fal-request-id: r-2\r\n", "{}"),
    })
}

fn of_hostile(client: &Client) -> Response {
    run(client, "emulator/hostile", json!({})).unwrap()
}

/// A long string with an escape is copied.
#[test]
fn an_item_with_an_escape() {
    with_little_memory(
        ("an_item_with_an_escape", 200),
        || {
            serving(
                "text/event-stream",
                &[(b"data: \"\\n", 1), (b"x", 30 << 20), (b"\"\n\n", 1)],
            )
        },
        |_| (),
        |client, ()| {
            Op::finish(|| client.stream_start(Request::run("emulator/hostile").unwrap())).map(drop)
        },
    );
}

/// The lines of an event are joined with line feeds, and each of these may exceed the memory.
#[test]
fn an_item_of_two_lines() {
    with_little_memory(
        ("an_item_of_two_lines", 200),
        || {
            serving(
                "text/event-stream",
                &[(b"data: ", 1), (b"x", 32 << 20), (b"\ndata:\n\n", 1)],
            )
        },
        |_| (),
        |client, ()| {
            Op::finish(|| client.stream_start(Request::run("emulator/hostile").unwrap())).map(drop)
        },
    );
}

/// More than 60 MiB from a text of 800 KiB.
#[test]
fn a_tree_of_objects() {
    with_little_memory(
        ("a_tree_of_objects", 130),
        || {
            serving(
                "application/json",
                &[(b"[", 1), (b"{\"\":0},", 100_000), (b"0]", 1)],
            )
        },
        of_hostile,
        |_, response| {
            response
                .get("/99999")
                .map(|found| assert_eq!(*found, json!({"": 0})))
        },
    );
}

#[test]
fn a_tree_of_numbers() {
    with_little_memory(
        ("a_tree_of_numbers", 150),
        || {
            serving(
                "application/json",
                &[(b"[", 1), (b"0,", 1 << 20), (b"0]", 1)],
            )
        },
        of_hostile,
        |_, response| response.json().map(drop),
    );
}

#[test]
fn a_tree_of_strings() {
    with_little_memory(
        ("a_tree_of_strings", 130),
        || {
            serving(
                "application/json",
                &[
                    (b"{\"a\":[", 1),
                    (b"\"x\",", 1 << 19),
                    (b"0], \"b\":\"", 1),
                    (b"y", 8 << 20),
                    (b"\"}", 1),
                ],
            )
        },
        of_hostile,
        |_, response| response.get("/a/7").map(|found| assert_eq!(*found, "x")),
    );
}

/// The value is itself a slice of the body.
#[test]
fn the_text_of_a_value() {
    with_little_memory(
        ("the_text_of_a_value", 150),
        || {
            serving(
                "application/json",
                &[(b"{\"a\":[", 1), (b"0,", 1 << 20), (b"7]}", 1)],
            )
        },
        of_hostile,
        |_, response| {
            let last = response.get_raw(&format!("/a/{}", 1 << 20))?;
            assert_eq!(last, "7");
            Ok(())
        },
    );
}

/// The body is read, becomes text, and the text becomes a part of a longer one.
#[test]
fn a_file_within_an_input() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bin");
    std::fs::File::create(&path)
        .unwrap()
        .set_len(16 << 20)
        .unwrap();
    with_little_memory(
        ("a_file_within_an_input", 130),
        || serving("application/json", &[(b"{}", 1)]),
        |_| {
            let mut request = Request::run("emulator/hostile").unwrap();
            request.set_inline_files(u64::MAX);
            request.set_file("one", &path).unwrap();
            request
        },
        |client, request| {
            // With this clone the request is copied instead of changed in place.
            let _shared = request.clone();
            Op::finish(|| client.run_start(request)).map(drop)
        },
    );
}
