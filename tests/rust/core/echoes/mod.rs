//! A service that repeats the request's secrets in every place that can hold text: no secret leaves
//! the library.

mod operations;
mod seen;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fal::{Level, SocketOptions, Target};
use fal_emulator::{EchoPlace, Fault};

use self::operations::{OPERATIONS, Operation};
use self::seen::Seen;
use super::hostile::{answered, client_of, hostile_to};
use super::hostile_sockets::accept;
use super::*;

/// The columns of the table: the title, the place of the echo, and the status of the response.
fn columns() -> Vec<(String, EchoPlace, u16)> {
    let name = |place: EchoPlace| {
        serde_json::to_value(place)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    let mut columns: Vec<_> = EchoPlace::ALL
        .into_iter()
        .map(|place| (name(place), place, 400))
        .collect();
    columns.extend([
        ("401".to_owned(), EchoPlace::Detail, 401),
        ("503".to_owned(), EchoPlace::Escaped, 503),
    ]);
    columns
}

/// Runs one operation against an echo in one place, and returns what the host can see.
fn cell(emulator: &Emulator, operation: &Operation, place: EchoPlace, status: u16) -> Seen {
    emulator.clear_faults();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let write = move |level: Level, _: Target, line: &str| {
        sink.lock().unwrap().push(format!("{level:?} {line}"))
    };
    let fault = operation.met(Fault::echo(place, status)).always();
    let mut seen = operation.run(emulator, fault, write);
    let lines = std::mem::take(&mut *lines.lock().unwrap());
    lines.iter().for_each(|line| seen.text("log", line));
    seen
}

/// Runs all rows. They mostly wait, so several run concurrently, each with an emulator of its own.
fn rows(columns: &[(String, EchoPlace, u16)]) -> Vec<Vec<Seen>> {
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        while let Some((number, operation)) = OPERATIONS
            .iter()
            .enumerate()
            .nth(next.fetch_add(1, Ordering::Relaxed))
        {
            let emulator = Emulator::start().unwrap();
            let row = columns
                .iter()
                .map(|(_, place, status)| cell(&emulator, operation, *place, *status))
                .collect();
            rows.lock().unwrap().insert(number, row);
        }
    };
    std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(work))));
    rows.into_inner().unwrap().into_values().collect()
}

#[test]
fn no_place_of_no_operation_shows_a_secret() {
    let (mut table, mut leaks) = (String::new(), Vec::new());
    let columns = columns();
    let mut masked_in = vec![0; columns.len()];
    writeln!(
        table,
        "**** the secret was there and is masked, - the place shows nothing here, LEAK\n"
    )
    .unwrap();
    let names: Vec<_> = columns
        .iter()
        .map(|(name, ..)| format!("{name:>11}"))
        .collect();
    writeln!(table, "{:<24}{}", "", names.concat()).unwrap();
    for (operation, row) in OPERATIONS.iter().zip(rows(&columns)) {
        write!(table, "{:<24}", operation.name).unwrap();
        let mut masked_by = 0;
        for (index, ((name, ..), seen)) in columns.iter().zip(row).enumerate() {
            let told = match (seen.leaks.is_empty(), seen.masked) {
                (false, _) => "LEAK",
                (true, true) => "****",
                (true, false) => "-",
            };
            write!(table, "{told:>11}").unwrap();
            masked_by += u32::from(seen.masked);
            masked_in[index] += u32::from(seen.masked);
            leaks.extend(
                seen.leaks
                    .iter()
                    .map(|at| format!("{}, {name}: {at}", operation.name)),
            );
        }
        writeln!(table).unwrap();
        if masked_by == 0 && operation.carries {
            leaks.push(format!(
                "{}: nothing was ever repeated, so nothing is proven",
                operation.name
            ));
        }
    }
    println!("{table}");
    // libfal does not read a reason phrase, and drops a header whose name is a secret.
    let silent = [EchoPlace::Reason, EchoPlace::HeaderName];
    let vain = columns
        .iter()
        .zip(masked_in)
        .filter(|(column, masked)| *masked == 0 && !silent.contains(&column.1));
    let vain: Vec<_> = vain.map(|(column, _)| &column.0).collect();
    assert!(
        leaks.is_empty(),
        "{} leaks:\n{}",
        leaks.len(),
        leaks.join("\n")
    );
    assert!(
        vain.is_empty(),
        "never seen at all, so nothing is proven: {vain:?}"
    );
}

/// The response of a session is made by libfal. It has the headers of the last handshake, which may
/// repeat the request's secrets.
#[test]
fn the_answer_of_a_session_shows_no_secret() {
    let host = hostile_to(|head, connection| {
        if !head.contains("sec-websocket-key") {
            return answered(connection, "200 OK", "", "\"fake-secret-token-of-the-app\"");
        }
        let lines = head.lines().map(|line| line.replace(": ", "="));
        let told: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
        accept(head, connection, &format!("x-told: {}\r\n", told.join(";")))?;
        connection.write_all(b"\x81\x02{}\x88\x02\x03\xe8")
    });
    let client = client_of(&host).build().unwrap();
    for (header, language) in [
        (true, "realtime"),
        (false, "realtime"),
        (true, "websocket"),
        (false, "websocket"),
    ] {
        let options = SocketOptions::new().use_header(header);
        let request = Request::run("emulator/realtime").unwrap();
        let (op, _held): (Op, Box<dyn std::any::Any>) = match language {
            "realtime" => {
                let session = client.realtime_start(request, options).unwrap();
                (session.op().clone(), Box::new(session))
            }
            _ => {
                let socket = client.websocket_start(request, options).unwrap();
                (socket.op().clone(), Box::new(socket))
            }
        };
        op.discard_events();
        assert!(op.wait(Some(PATIENCE)).unwrap());
        let answer = op.take().unwrap().unwrap();
        let mut seen = Seen::default();
        answer
            .headers()
            .for_each(|(name, value)| seen.text(name, value));
        assert!(
            seen.leaks.is_empty() && seen.masked,
            "{language}, {header}: {:?}",
            answer.header("x-told")
        );
        assert!(
            answer
                .header("x-told")
                .unwrap()
                .contains("sec-websocket-version=13")
        );
    }
}
