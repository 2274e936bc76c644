//! Compares the records of the processes with those of the emulator.

use std::collections::{BTreeMap, HashMap};

use fal_emulator::{Arrival, ArrivedBody, Outcome, StoredFile};
use serde_json::Value;

use crate::ledger;
use crate::plan::{Act, Round, What};
use crate::secrets::Secrets;

pub(crate) struct Books<'a> {
    pub(crate) round: &'a Round,
    pub(crate) arrivals: &'a [Arrival],
    pub(crate) files: &'a [StoredFile],
}

/// The faults that were found, and the counts of the round.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) wrong: Vec<String>,
    /// The number of operations for each kind of end.
    pub(crate) ends: BTreeMap<String, u64>,
    pub(crate) requests: u64,
    pub(crate) executions: u64,
    pub(crate) lines: u64,
    /// The number of requests that each kind of fault struck.
    pub(crate) struck: BTreeMap<String, u64>,
    entries: HashMap<String, Vec<Value>>,
}

/// The emulator's records about one operation.
#[derive(Default)]
struct Seen {
    executed: u64,
    made: u64,
    /// The statuses of the responses to executed requests.
    answers: Vec<u16>,
    /// Such a response was cut, but its status may have arrived.
    cut: bool,
    request_ids: Vec<String>,
}

impl Findings {
    pub(crate) fn wrong(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// Reads the records of a process.
    pub(crate) fn read(&mut self, text: &str, secrets: &Secrets) {
        let mut done = false;
        for (kind, text) in ledger::lines(text) {
            self.lines += 1;
            if let Some(what) = secrets.in_text(&text) {
                let around: String = secrets.masked(&text).chars().take(100).collect();
                self.wrong(format!("a line holds {what}: {around}"));
            }
            match kind {
                "ended" => match serde_json::from_str::<Value>(&text) {
                    Ok(entry) => {
                        let mark = entry["mark"].as_str().unwrap_or_default().to_owned();
                        self.entries.entry(mark).or_default().push(entry);
                    }
                    Err(error) => self.wrong(format!("an entry: {error}")),
                },
                "wrong" => self.wrong(secrets.masked(&text)),
                "count" => done |= text == "done",
                _ => {}
            }
        }
        if !done {
            self.wrong("a process did not come to its end".into());
        }
    }

    /// Checks that a process printed nothing: the library never prints, and the program only on
    /// failure.
    pub(crate) fn silent(&mut self, output: &str, secrets: &Secrets) {
        if !output.is_empty() {
            self.wrong(format!("a process printed: {}", secrets.masked(output)));
        }
    }
}

pub(crate) fn audit(books: &Books, findings: &mut Findings) {
    let seen = seen(books.arrivals);
    findings.requests = books.arrivals.len() as u64;
    findings.executions = seen.values().map(|seen| seen.executed + seen.made).sum();
    for (mark, seen) in seen
        .iter()
        .filter(|(mark, _)| !books.round.acts().any(|act| act.mark == **mark))
    {
        if seen.executed > 1 || seen.made > 1 {
            findings.wrong(format!("{mark}: executed {} times", seen.executed));
        }
    }
    let entries = std::mem::take(&mut findings.entries);
    let nothing = Seen::default();
    let mut early = books
        .arrivals
        .iter()
        .filter(|arrival| is_early(arrival))
        .count();
    for act in books.round.acts() {
        let name = format!("{} {:?} {:?} {:?}", act.mark, act.what, act.way, act.end);
        let seen = seen.get(&act.mark).unwrap_or(&nothing);
        let said = match entries.get(&act.mark).map(Vec::as_slice) {
            Some([said]) => said,
            Some(all) => return findings.wrong(format!("{name}: it ended {} times", all.len())),
            None => {
                findings.wrong(format!("{name}: it never ended"));
                continue;
            }
        };
        let end = said["code"]
            .as_str()
            .unwrap_or_else(|| said["end"].as_str().unwrap_or("?"));
        *findings.ends.entry(end.to_owned()).or_default() += 1;
        for what in balance(act, said, seen, books) {
            if what == NOT_THERE && early > 0 {
                early -= 1;
                continue;
            }
            findings.wrong(format!(
                "{name}: {what}: {said}, executed {}, made {}, answers {:?}",
                seen.executed, seen.made, seen.answers
            ));
        }
    }
}

/// Returns what is wrong with one operation.
fn balance(act: &Act, said: &Value, seen: &Seen, books: &Books) -> Vec<&'static str> {
    let mut wrong = Vec::new();
    let Some(times) = act.what.times(seen) else {
        return files(act, said, books);
    };
    // The service executes a request again once it has forgotten the idempotency key.
    let forgot = act.what.is_idempotent() && !books.round.is_calm();
    if times > 1 && !forgot {
        wrong.push("what was asked for once was done more than once");
    }
    let refused = matches!(said["end"].as_str(), Some("error" | "refused"));
    if said["end"] == "ok" && times == 0 && said["nonsense"] != true {
        wrong.push("it succeeded, and was not executed");
    }
    if refused && said["may"] == false && times > 0 && !told(act, said, seen, books) {
        wrong.push("its error says that nothing was done, and it was");
    }
    wrong.extend(files(act, said, books));
    wrong
}

/// Whether the error is the response to an executed request, so that its outcome is known.
fn told(act: &Act, said: &Value, seen: &Seen, books: &Books) -> bool {
    let Some(status) = said["status"].as_u64() else {
        return false;
    };
    if act.what != What::Subscribe {
        return seen.cut
            || seen
                .answers
                .iter()
                .any(|answer| u64::from(*answer) == status);
    }
    let of_job = |arrival: &&Arrival| {
        seen.request_ids
            .iter()
            .any(|id| arrival.path.contains(id.as_str()))
    };
    let answers = books
        .arrivals
        .iter()
        .filter(of_job)
        .map(|arrival| arrival.outcome);
    answers.into_iter().any(|outcome| match outcome {
        Outcome::Status(answer) => u64::from(answer) == status,
        // The response was cut, but its status may have arrived.
        Outcome::ClosedByFault | Outcome::ClientClosed => true,
        Outcome::Pending | Outcome::Reset => false,
    })
}

const NOT_THERE: &str = "its file is missing";

/// Whether a store confirmed a file that it had not read. The client cannot tell bytes that were
/// read from bytes in the connection's buffers, so each such request excuses one missing file.
fn is_early(arrival: &Arrival) -> bool {
    let announced = arrival
        .headers
        .get("content-length")
        .is_some_and(|length| length != "0");
    announced && arrival.body_length == 0 && arrival.outcome == Outcome::Status(200)
}

/// Checks that an uploaded file is stored once, with its content.
fn files(act: &Act, said: &Value, books: &Books) -> Vec<&'static str> {
    let Some(sha) = said["sha"].as_str() else {
        return Vec::new();
    };
    let mut wrong = Vec::new();
    let of_content: Vec<_> = books
        .files
        .iter()
        .filter(|file| file.sha256 == sha)
        .collect();
    if of_content.len() > 1 {
        wrong.push("its file is there more than once");
    }
    if let (What::Upload(_), Some(url)) = (act.what, said["url"].as_str())
        && !of_content.iter().any(|file| name(&file.url) == name(url))
    {
        wrong.push(NOT_THERE);
    }
    wrong
}

/// Returns the name of a file. Two hosts serve the same file, so URLs differ.
fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

impl What {
    /// Whether the request has an idempotency key.
    fn is_idempotent(self) -> bool {
        matches!(
            self,
            What::CreateCollection | What::CreateCharacter | What::CreateTag | What::CreateInstance
        )
    }

    /// Returns how often the emulator executed this operation, or `None` if a repetition does no
    /// harm.
    fn times(self, seen: &Seen) -> Option<u64> {
        match self {
            What::Run
            | What::Picture
            | What::Failing
            | What::Post
            | What::Stream
            | What::Channel => Some(seen.executed),
            What::RunWithFile(_) | What::DownloadOfAnswer => Some(seen.executed),
            What::Submit | What::Subscribe | What::Token | What::CreateKey => Some(seen.made),
            creation if creation.is_idempotent() => Some(seen.made),
            _ => None,
        }
    }
}

/// Returns the emulator's records about each mark.
fn seen(arrivals: &[Arrival]) -> HashMap<String, Seen> {
    let mut all: HashMap<String, Seen> = HashMap::new();
    for arrival in arrivals {
        let Some(mark) = mark(arrival) else { continue };
        let seen = all.entry(mark).or_default();
        seen.executed += u64::from(arrival.executed);
        seen.made += u64::from(arrival.made);
        seen.request_ids.extend(arrival.request_id.clone());
        match arrival.outcome {
            Outcome::Status(status) if arrival.executed => seen.answers.push(status),
            _ => seen.cut |= arrival.executed,
        }
    }
    all
}

/// Returns the mark in the body or URL of a request.
fn mark(arrival: &Arrival) -> Option<String> {
    let body = match &arrival.body {
        ArrivedBody::Empty => String::new(),
        ArrivedBody::Json(value) => value.to_string(),
        ArrivedBody::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    };
    in_text(&body)
        .or_else(|| in_text(&arrival.path))
        .map(str::to_owned)
}

fn in_text(text: &str) -> Option<&str> {
    text.match_indices("mk").find_map(|(at, _)| {
        let mark = text.get(at..at + 18)?;
        mark[2..]
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then_some(mark)
    })
}
