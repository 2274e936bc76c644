//! What is proof that an operation has succeeded. Each operation runs against a server that
//! withholds one piece of the evidence and is otherwise in order; DESIGN.md has the table that this
//! prints.

use super::hostile::{client_of, hostile_to};
use super::queue::JOB;
use super::*;
use fal::{Code, Job};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::net::TcpStream;

const DESIGN: &str = include_str!("../../../DESIGN.md");

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Evidence {
    /// The body was given to its end, as its length or its chunks say.
    End,
    /// Its coding was undone to its end.
    Coding,
    /// The status means success for this very question.
    Status,
    /// It has the form that the question asks for.
    Form,
    /// What else fal says does not contradict it.
    Agreement,
}

const EVIDENCE: [Evidence; 5] = [
    Evidence::End,
    Evidence::Coding,
    Evidence::Status,
    Evidence::Form,
    Evidence::Agreement,
];

/// An answer before something of it is withheld.
struct Answer {
    line: &'static str,
    kind: &'static str,
    body: String,
    /// Fewer bytes come than were announced.
    is_cut: bool,
    /// All announced bytes come, but what they unpack to has no end.
    is_cut_in_packing: bool,
}

impl Answer {
    fn of(line: &'static str, kind: &'static str, body: &str) -> Self {
        Answer {
            line,
            kind,
            body: body.to_owned(),
            is_cut: false,
            is_cut_in_packing: false,
        }
    }

    fn write(&self, connection: &mut TcpStream) -> std::io::Result<()> {
        let mut body = self.body.clone().into_bytes();
        let mut coding = "";
        if self.is_cut_in_packing {
            let mut packed = GzEncoder::new(Vec::new(), Compression::best());
            packed.write_all(&body)?;
            body = packed.finish()?;
            // Neither all of the data nor what they are checked with.
            body.truncate(body.len() - 10);
            coding = "content-encoding: gzip\r\n";
        }
        let length = body.len() + if self.is_cut { 7 } else { 0 };
        let (line, kind) = (self.line, self.kind);
        write!(
            connection,
            "HTTP/1.1 {line}\r\ncontent-type: {kind}\r\nx-fal-request-id: r-1\r\n{coding}"
        )?;
        write!(
            connection,
            "content-length: {length}\r\nconnection: close\r\n\r\n"
        )?;
        connection.write_all(&body)
    }
}

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

/// What fal answers, everything in order.
fn good(request: &str) -> Answer {
    let ok = |body| Answer::of("200 OK", JSON, body);
    match request {
        "POST queue.fal.run/emulator/job" => ok(r#"{"request_id": "r-1"}"#),
        "GET queue.fal.run/emulator/job/requests/r-1/status/stream" => {
            Answer::of("404 Not Found", JSON, "{}")
        }
        "GET queue.fal.run/emulator/job/requests/r-1/status" => ok(r#"{"status": "COMPLETED"}"#),
        "GET queue.fal.run/emulator/job/requests/r-1" => ok(r#"{"x": 1}"#),
        "PUT queue.fal.run/emulator/job/requests/r-1/cancel" => {
            ok(r#"{"status": "CANCELLATION_REQUESTED"}"#)
        }
        "POST fal.run/emulator/echo" => ok(r#"{"x": 1}"#),
        "POST fal.run/emulator/stream/stream" | LOGS => {
            Answer::of("200 OK", EVENTS, "data: {\"x\": 1}\n\n")
        }
        "POST fal.run/workflows/me/flow/stream" => Answer::of(
            "200 OK",
            EVENTS,
            "data: {\"type\": \"output\", \"output\": {\"x\": 1}}\n\n",
        ),
        "GET api.fal.ai/v1/keys" => ok(r#"{"keys": [1], "next_cursor": null, "has_more": false}"#),
        "GET api.fal.ai/v1/assets/collections" => ok(r#"{"collections": []}"#),
        "GET api.fal.ai/v1/assets/tags" => ok(r#"{"tags": [1]}"#),
        other => panic!("nobody should ask for {other}"),
    }
}

/// The request of a head: method, host and path.
fn request_of(head: &str) -> String {
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap_or_default());
    let host = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("host: ")
            .map(str::to_owned)
    });
    format!(
        "{method} {}{}",
        host.unwrap_or_default().trim(),
        path.split('?').next().unwrap()
    )
}

type Withhold = fn(&mut Answer);

/// What an operation comes to without a piece of evidence.
#[derive(Clone, Copy)]
struct Cell {
    evidence: Evidence,
    /// What the table says of it.
    told: &'static str,
    /// Of which request.
    request: &'static str,
    withhold: Withhold,
    code: Code,
    may_have_executed: bool,
}

struct Row {
    operation: &'static str,
    start: fn(&Client) -> Op,
    cells: Vec<Cell>,
}

/// The two pieces that every exchange needs: without them nothing that came is believed.
fn exchange(request: &'static str, may_have_executed: bool) -> Vec<Cell> {
    let cell = |evidence, withhold, code| Cell {
        evidence,
        told: "",
        request,
        withhold,
        code,
        may_have_executed,
    };
    vec![
        cell(
            Evidence::End,
            |answer| answer.is_cut = true,
            Code::ConnectionLost,
        ),
        cell(
            Evidence::Coding,
            |answer| answer.is_cut_in_packing = true,
            Code::Protocol,
        ),
    ]
}

const STATUS: &str = "GET queue.fal.run/emulator/job/requests/r-1/status";
const RESULT: &str = "GET queue.fal.run/emulator/job/requests/r-1";
const LOGS: &str = "POST api.fal.ai/v1/serverless/logs/stream";
const FAILED: &str =
    r#"data: {"type": "error", "node_id": "n", "error": {"status": 500, "body": {}}}"#;

fn job() -> Job {
    Job::new(JOB, "r-1").unwrap()
}

fn rows() -> Vec<Row> {
    let with = |mut cells: Vec<Cell>,
                request,
                unknown,
                more: &[(Evidence, &'static str, Withhold, Code)]| {
        cells.extend(more.iter().map(|(evidence, told, withhold, code)| Cell {
            evidence: *evidence,
            told,
            request,
            withhold: *withhold,
            code: *code,
            may_have_executed: unknown,
        }));
        cells
    };
    let row =
        |operation, start, request, unknown, more: &[(Evidence, &'static str, Withhold, Code)]| {
            Row {
                operation,
                start,
                cells: with(exchange(request, unknown), request, unknown, more),
            }
        };
    let without_output = |code| {
        const TOLD: &str = "a 202, 204, 205 or 206";
        let withheld: [Withhold; 4] = [
            |answer| answer.line = "202 Accepted",
            |answer| (answer.line, answer.body) = ("204 No Content", String::new()),
            |answer| (answer.line, answer.body) = ("205 Reset Content", String::new()),
            |answer| answer.line = "206 Partial Content",
        ];
        withheld.map(|withhold| (Evidence::Status, TOLD, withhold, code))
    };
    let no_output = without_output(Code::Protocol);
    let gone: (Evidence, &'static str, Withhold, Code) = (
        Evidence::Agreement,
        "404 of a job that has ended",
        |answer| answer.line = "404 Not Found",
        Code::NotFound,
    );
    let result = &[&without_output(Code::ServiceUnavailable)[..], &[gone]].concat();
    let empty: (Evidence, &'static str, Withhold, Code) = (
        Evidence::Status,
        "a 204",
        |answer| (answer.line, answer.body) = ("204 No Content", String::new()),
        Code::Protocol,
    );
    let torn: (Evidence, &'static str, Withhold, Code) = (
        Evidence::Form,
        "an event without its end",
        |answer| answer.body.push_str("data: {\"x\":"),
        Code::ConnectionLost,
    );
    let failed: (Evidence, &'static str, Withhold, Code) = (
        Evidence::Agreement,
        "a failed step and no output",
        |answer| answer.body = format!("{FAILED}\n\n"),
        Code::ServiceFailed,
    );
    vec![
        row(
            "run",
            |client| start_run(client, "emulator/echo"),
            "POST fal.run/emulator/echo",
            true,
            &no_output,
        ),
        row(
            "submit",
            |client| client.submit_start(Request::run(JOB).unwrap()).unwrap(),
            "POST queue.fal.run/emulator/job",
            true,
            &[
                empty,
                (
                    Evidence::Form,
                    "no request id",
                    |answer| answer.body = "{}".into(),
                    Code::Protocol,
                ),
            ],
        ),
        row(
            "status",
            |client| client.status_start(&job()).unwrap(),
            STATUS,
            false,
            &[
                empty,
                (
                    Evidence::Form,
                    "no state",
                    |answer| answer.body = "{}".into(),
                    Code::Protocol,
                ),
            ],
        ),
        row(
            "result",
            |client| client.result_start(&job()).unwrap(),
            RESULT,
            true,
            result,
        ),
        row(
            "subscribe",
            |client| client.subscribe_start(Request::run(JOB).unwrap()).unwrap(),
            RESULT,
            true,
            result,
        ),
        row(
            "attach",
            |client| client.attach_start(&job()).unwrap(),
            RESULT,
            true,
            result,
        ),
        row(
            "cancel",
            |client| client.cancel_start(&job()).unwrap(),
            "PUT queue.fal.run/emulator/job/requests/r-1/cancel",
            false,
            &[(
                Evidence::Agreement,
                "success is false",
                |answer| answer.body = r#"{"success": false}"#.into(),
                Code::InvalidInput,
            )],
        ),
        row(
            "stream",
            |client| start_stream(client, "emulator/stream"),
            "POST fal.run/emulator/stream/stream",
            true,
            &[&no_output[..], &[torn]].concat(),
        ),
        row(
            "stream of a workflow",
            |client| start_stream(client, "workflows/me/flow"),
            "POST fal.run/workflows/me/flow/stream",
            true,
            &[&no_output[..], &[torn, failed]].concat(),
        ),
        row(
            "list by cursor",
            |client| start_list(client, "keys.list"),
            "GET api.fal.ai/v1/keys",
            false,
            &[
                empty,
                (
                    Evidence::Form,
                    "no list",
                    |answer| answer.body = "{}".into(),
                    Code::Protocol,
                ),
                (
                    Evidence::Agreement,
                    "more and no cursor",
                    |answer| answer.body = answer.body.replace("false", "true"),
                    Code::Protocol,
                ),
            ],
        ),
        row(
            "list by offset",
            |client| start_list(client, "assets.collections.list"),
            "GET api.fal.ai/v1/assets/collections",
            false,
            &[
                empty,
                (
                    Evidence::Form,
                    "no list",
                    |answer| answer.body = "{}".into(),
                    Code::Protocol,
                ),
                (
                    Evidence::Agreement,
                    "an end before the total",
                    |answer| answer.body = r#"{"collections": [], "total": 3}"#.into(),
                    Code::Protocol,
                ),
            ],
        ),
        row(
            "list in one piece",
            |client| start_list(client, "assets.tags.list"),
            "GET api.fal.ai/v1/assets/tags",
            false,
            &[
                empty,
                (
                    Evidence::Form,
                    "no list",
                    |answer| answer.body = "{}".into(),
                    Code::Protocol,
                ),
                (
                    Evidence::Agreement,
                    "more",
                    |answer| answer.body = r#"{"tags": [1], "has_more": true}"#.into(),
                    Code::Protocol,
                ),
            ],
        ),
        row(
            "live log",
            |client| start_list(client, "serverless.logs.stream"),
            LOGS,
            true,
            &[&no_output[..], &[torn]].concat(),
        ),
    ]
}

fn start_run(client: &Client, endpoint: &str) -> Op {
    client.run_start(Request::run(endpoint).unwrap()).unwrap()
}

fn start_stream(client: &Client, endpoint: &str) -> Op {
    client
        .stream_start(Request::run(endpoint).unwrap())
        .unwrap()
}

fn start_list(client: &Client, name: &str) -> Op {
    client.platform_list_start(name, json!({})).unwrap()
}

/// What the operation comes to at a server that withholds this, or nothing.
fn outcome(start: fn(&Client) -> Op, cell: Option<Cell>) -> Result<Response, Error> {
    let host = hostile_to(move |head, connection| {
        let request = request_of(head);
        let mut answer = good(&request);
        if let Some(cell) = cell.filter(|cell| cell.request == request) {
            (cell.withhold)(&mut answer);
        }
        answer.write(connection)
    });
    let op = start(
        &client_of(&host)
            .timeout(Duration::from_secs(120))
            .build()
            .unwrap(),
    );
    op.discard_events();
    op.wait(None).unwrap();
    op.take().unwrap()
}

#[test]
fn without_a_piece_of_evidence_nothing_has_succeeded() {
    let mut table = vec![
        "| Operation | given to its end | decoded to its end | its status | its form | in agreement |".to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ];
    let checked: Vec<_> = rows()
        .into_iter()
        .map(|row| {
            std::thread::spawn(move || {
                let whole = outcome(row.start, None);
                assert!(
                    whole.is_ok(),
                    "{}, nothing withheld: {whole:?}",
                    row.operation
                );
                let start = row.start;
                let cells = row.cells.iter().map(|cell| {
                    (
                        *cell,
                        std::thread::spawn({
                            let cell = *cell;
                            move || outcome(start, Some(cell))
                        }),
                    )
                });
                // All of them begin before one is waited for: some are asked for again for seconds.
                let cells: Vec<_> = cells.collect();
                let cells: Vec<_> = cells
                    .into_iter()
                    .map(|(cell, hand)| (cell, hand.join().unwrap()))
                    .collect();
                (row.operation, cells)
            })
        })
        .collect();
    for row in checked {
        let (operation, cells) = row.join().unwrap();
        let mut line = format!("| {operation} |");
        for evidence in EVIDENCE {
            let mut said = cells
                .iter()
                .filter(|(cell, _)| cell.evidence == evidence)
                .map(|(cell, outcome)| {
                    let error = outcome
                        .as_ref()
                        .err()
                        .unwrap_or_else(|| panic!("{operation}, {evidence:?}: a success"));
                    let got = (error.code(), error.may_have_executed());
                    assert_eq!(
                        got,
                        (cell.code, cell.may_have_executed),
                        "{operation}, {evidence:?}: {error}"
                    );
                    let told = if cell.told.is_empty() {
                        String::new()
                    } else {
                        format!("{}: ", cell.told)
                    };
                    format!("{told}{}{}", error.code(), if got.1 { "*" } else { "" })
                });
            let first = said.next().unwrap_or_else(|| "–".into());
            said.for_each(|other| {
                assert_eq!(
                    other, first,
                    "{operation}: what the table says once is the same"
                )
            });
            line.push_str(&format!(" {first} |"));
        }
        table.push(line);
    }
    let table = table.join("\n");
    println!("{table}");
    assert!(DESIGN.contains(&table), "DESIGN.md has another table");
}
