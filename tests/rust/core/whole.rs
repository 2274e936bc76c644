//! The evidence for the success of each operation. Each operation runs against a server that
//! withholds one piece of evidence and is otherwise correct. The page contains the table that this
//! test prints.

mod calls;
mod files;
mod server;
mod sockets;

use self::server::{FILE, REFRESH, Withhold, World};
use super::*;
use fal::Code;

/// The page with the table.
const PAGE: &str = include_str!("../../../docs/guarantees.md");

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Evidence {
    /// The server read the whole request before it responded.
    Taken,
    /// The response is complete according to its length or its chunks.
    End,
    /// The response's coding is decoded to its end.
    Coding,
    /// The status means success for this request.
    Status,
    /// The body has the form that the request expects.
    Form,
    /// Nothing else that fal returns contradicts it.
    Agreement,
    /// The disk has what was sent, or stores what was received.
    Disk,
}

const COLUMNS: [(Evidence, &str); 7] = [
    (Evidence::Taken, "taken to its end"),
    (Evidence::End, "given to its end"),
    (Evidence::Coding, "decoded to its end"),
    (Evidence::Status, "its status"),
    (Evidence::Form, "its form"),
    (Evidence::Agreement, "in agreement"),
    (Evidence::Disk, "on the disk"),
];

/// A response whose status says that it has no content.
const NO_OUTPUT: &str = "a 202, 204, 205 or 206";

type Came = Result<Response, Error>;

/// The result of an operation without a piece of evidence.
#[derive(Clone, Copy)]
enum Then {
    Error {
        code: Code,
        may_have_executed: bool,
    },
    /// The operation restarts and succeeds.
    Anew,
}

#[derive(Clone, Copy)]
struct Cell {
    evidence: Evidence,
    /// The words for it in the table.
    told: &'static str,
    /// The request whose response lacks the evidence.
    request: &'static str,
    withhold: Withhold,
    then: Then,
    /// The size of the file.
    size: u64,
    /// This is the operation's last request.
    is_last: bool,
}

/// A row of the table, and the request whose response lacks the evidence.
struct Row {
    operation: &'static str,
    start: fn(&World) -> Came,
    cells: Vec<Cell>,
    request: &'static str,
    may_have_executed: bool,
    size: u64,
}

const CUT: (Evidence, &str, Withhold) = (Evidence::End, "", |answer| {
    // The announced length is larger than the body.
    answer.body.extend_from_slice(b"1234567");
    answer.lacks = 7;
});
const CUT_IN_PACKING: (Evidence, &str, Withhold) = (Evidence::Coding, "", |answer| {
    answer.is_cut_in_packing = true
});

impl Row {
    fn of(operation: &'static str, start: fn(&World) -> Came) -> Self {
        let (cells, request, may_have_executed) = (Vec::new(), "", false);
        Row {
            operation,
            start,
            cells,
            request,
            may_have_executed,
            size: 1000,
        }
    }

    /// Selects the request whose response lacks the next pieces of evidence, and whether it may
    /// have been executed then.
    fn of_request(self, request: &'static str, may_have_executed: bool) -> Self {
        Row {
            request,
            may_have_executed,
            ..self
        }
    }

    /// Like `of_request`, and adds the two pieces of evidence that every exchange needs. Without
    /// them no response is accepted.
    fn exchange(self, request: &'static str, may_have_executed: bool) -> Self {
        self.of_request(request, may_have_executed)
            .all(&[CUT], Code::ConnectionLost)
            .all(&[CUT_IN_PACKING], Code::Protocol)
    }

    fn all(mut self, withheld: &[(Evidence, &'static str, Withhold)], code: Code) -> Self {
        for (evidence, told, withhold) in withheld {
            let then = Then::Error {
                code,
                may_have_executed: self.may_have_executed,
            };
            self.withheld(*evidence, told, *withhold, then);
        }
        self
    }

    fn and(self, evidence: Evidence, told: &'static str, withhold: Withhold, code: Code) -> Self {
        self.all(&[(evidence, told, withhold)], code)
    }

    fn anew(mut self, evidence: Evidence, told: &'static str, withhold: Withhold) -> Self {
        self.withheld(evidence, told, withhold, Then::Anew);
        self
    }

    fn withheld(&mut self, evidence: Evidence, told: &'static str, withhold: Withhold, then: Then) {
        let (request, size) = (self.request, self.size);
        self.cells.push(Cell {
            evidence,
            told,
            request,
            withhold,
            then,
            size,
            is_last: false,
        });
    }

    /// For a response with an output or other content that the caller needs.
    fn without_output(self, code: Code) -> Self {
        let withheld: [Withhold; 4] = [
            |answer| answer.line = "202 Accepted",
            |answer| answer.empty("204 No Content"),
            |answer| answer.empty("205 Reset Content"),
            |answer| answer.line = "206 Partial Content",
        ];
        self.all(
            &withheld.map(|withhold| (Evidence::Status, NO_OUTPUT, withhold)),
            code,
        )
    }

    fn without_content(self) -> Self {
        self.without_output(Code::Protocol)
    }

    /// For a confirmation, whose body may be empty.
    fn undone(self) -> Self {
        let withheld: [Withhold; 2] = [
            |answer| answer.line = "202 Accepted",
            |answer| answer.line = "206 Partial Content",
        ];
        let withheld = withheld.map(|withhold| (Evidence::Status, "a 202 or 206", withhold));
        self.all(&withheld, Code::Protocol)
    }

    fn empty(self) -> Self {
        let withhold: Withhold = |answer| answer.empty("204 No Content");
        self.all(&[(Evidence::Status, "a 204", withhold)], Code::Protocol)
    }

    /// Sets the size of the file.
    fn sized(self, size: u64) -> Self {
        Row { size, ..self }
    }

    fn ends(mut self) -> Self {
        self.cells.iter_mut().for_each(|cell| cell.is_last = true);
        self
    }
}

/// Waits for an operation and returns its outcome.
fn ended(op: &Op) -> Came {
    op.discard_events();
    assert!(
        op.wait(Some(Duration::from_secs(120))).unwrap(),
        "it does not end"
    );
    op.take().unwrap()
}

/// Requests that may be sent twice: the second one replaces the first, is recognized by its key, or
/// leaves only something unused.
fn may_come_again(line: &str) -> bool {
    let harmless = [
        "/storage/",
        "/tokens/",
        "/files/upload/multipart",
        "rest.fal.ai/g/1",
    ];
    line.starts_with("GET ")
        || line.starts_with("PUT ")
        || line.ends_with(" with a key")
        || harmless.iter().any(|part| line.contains(part))
}

/// Runs a cell, checks its result, and returns the words for the table.
fn outcome(operation: &str, start: fn(&World) -> Came, cell: Cell) -> String {
    let world = World::new(cell.size, Some((cell.request, cell.withhold)));
    let came = start(&world);
    let what = format!("{operation}, {:?} {}", cell.evidence, cell.told);
    let seen = world.seen();
    for line in &seen {
        let times = seen.iter().filter(|other| *other == line).count();
        let is_token = operation == "a token for apps" && line.contains("/tokens/");
        let once = is_token || !may_come_again(line);
        assert!(times == 1 || !once, "{what}: {line} came {times} times");
    }
    let asked = |line: &String| line.strip_suffix(" with a key").unwrap_or(line) == cell.request;
    assert!(
        seen.iter().any(asked),
        "{what}: {} was not asked for: {seen:?}",
        cell.request
    );
    assert!(
        !cell.is_last || seen.last().is_some_and(asked),
        "{what}: {seen:?}"
    );
    let said = match cell.then {
        Then::Error {
            code,
            may_have_executed,
        } => {
            let error = came.expect_err(&what);
            let got = (error.code(), error.may_have_executed());
            assert_eq!(got, (code, may_have_executed), "{what}: {error}");
            format!("{code}{}", if may_have_executed { "*" } else { "" })
        }
        Then::Anew => {
            let answer = came.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(answer.body(), FILE, "{what}");
            "anew".to_owned()
        }
    };
    if cell.told.is_empty() {
        said
    } else {
        format!("{}: {said}", cell.told)
    }
}

#[test]
fn without_a_piece_of_evidence_nothing_has_succeeded() {
    let rows = calls::rows()
        .into_iter()
        .chain(files::rows())
        .chain(sockets::rows());
    let rows: Vec<_> = rows
        .map(
            |Row {
                 operation,
                 start,
                 cells,
                 ..
             }| {
                let whole = std::thread::spawn(move || {
                    let whole = start(&World::new(1000, None));
                    assert!(whole.is_ok(), "{operation}, nothing withheld: {whole:?}");
                });
                // Starts all cells before it waits for one, because some retry for seconds.
                let cells: Vec<_> = cells
                    .into_iter()
                    .map(|cell| {
                        (
                            cell,
                            std::thread::spawn(move || outcome(operation, start, cell)),
                        )
                    })
                    .collect();
                (operation, whole, cells)
            },
        )
        .collect();
    let mut wrong = 0;
    let mut table = vec![
        format!(
            "| Operation | {} |",
            COLUMNS.map(|(_, name)| name).join(" | ")
        ),
        format!("|---|{}", "---|".repeat(COLUMNS.len())),
    ];
    for (operation, whole, cells) in rows {
        wrong += usize::from(whole.join().is_err());
        let mut said = COLUMNS.map(|_| Vec::new());
        for (cell, hand) in cells {
            let Ok(came) = hand.join() else {
                wrong += 1;
                continue;
            };
            let column = COLUMNS
                .iter()
                .position(|(evidence, _)| *evidence == cell.evidence);
            let said = &mut said[column.unwrap()];
            if !said.contains(&came) {
                said.push(came);
            }
        }
        let said = said.map(|said| {
            if said.is_empty() {
                "–".to_owned()
            } else {
                said.join("; ")
            }
        });
        table.push(format!("| {operation} | {} |", said.join(" | ")));
    }
    println!("{}", table.join("\n"));
    assert_eq!(wrong, 0, "so many cells are not what they should be");
    // Compares line by line, so that a failure shows the difference.
    let page = PAGE
        .lines()
        .skip_while(|line| !line.starts_with("| Operation | taken "))
        .take_while(|line| line.starts_with('|'));
    for (line, (page, made)) in page.clone().zip(table.iter()).enumerate() {
        assert_eq!(page, made, "line {line} of the page's table");
    }
    assert_eq!(page.count(), table.len(), "the page's table has other rows");
}
