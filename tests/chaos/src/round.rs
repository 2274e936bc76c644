//! One round: an emulator, faulty connections to it, and processes that use it. The audit follows.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fal_emulator::{Arrival, Emulator, Outcome};
use serde_json::json;

use crate::audit::{Books, Findings, audit};
use crate::between::Between;
use crate::dice::Dice;
use crate::plan::{Round, Size, WORKERS};
use crate::secrets::Secrets;
use crate::worker::{WITNESS, sabotage};

/// A process that takes longer counts as hung.
const LIMIT: Duration = Duration::from_secs(900);
/// Time for the emulator to finish all requests.
const QUIET: Duration = Duration::from_secs(60);

/// The result of a round.
pub(crate) struct Came {
    pub(crate) findings: Findings,
    pub(crate) connections: u64,
}

/// Plays a round, and keeps its files in this folder.
pub(crate) fn play(round: &Round, folder: &Path, sabotage: Option<&str>) -> io::Result<Came> {
    let emulator = Emulator::builder()
        .settings(round.settings.clone())
        .start()?;
    round
        .faults
        .iter()
        .for_each(|fault| emulator.inject(fault.clone()));
    let between = Between::start(emulator.addr(), round.seed, round.number)?;
    let login = emulator.create_login("acme", 60);
    write(
        folder,
        "auth0_token",
        &format!("{}\n{}", login.refresh_token, login.access_token),
    )?;
    write(folder, "key", emulator.api_key())?;
    write(folder, "ca.pem", emulator.ca_pem())?;
    let world = json!({
        "seed": round.seed, "round": round.number, "small": round.size == Size::Small, "host": between.address.to_string(), "emulator": emulator.host(),
        "api_key": emulator.api_key(), "admin_key": emulator.admin_key(),
    });
    write(folder, "world.json", &world.to_string())?;
    let workers = (0..WORKERS)
        .map(|worker| worker_of(folder, &worker.to_string(), sabotage))
        .collect::<io::Result<_>>()?;
    let mut findings = Findings::default();
    watch(Some((round, &emulator)), workers, &mut findings);
    let connections = between.connections();
    drop(between);
    findings.struck = emulator.struck();
    emulator.clear_faults();
    let is_lost =
        |arrival: &Arrival| matches!(arrival.outcome, Outcome::Reset | Outcome::ClosedByFault);
    let struck = emulator
        .arrivals()
        .iter()
        .any(|arrival| arrival.host == "auth.fal.ai" && is_lost(arrival));
    let witness = if struck {
        None
    } else {
        Some(worker_of(folder, WITNESS, None)?)
    };
    // Time does not jump here: a token that expires between its renewal and its use would prove
    // nothing.
    watch(None, witness.into_iter().collect(), &mut findings);
    let arrivals = settled(&emulator, &mut findings);
    let files = emulator.files();
    let books = Books {
        round,
        arrivals: &arrivals,
        files: &files,
    };
    let secrets = Secrets::new(&[
        ("the API key", half(emulator.api_key())),
        ("the ADMIN key", half(emulator.admin_key())),
    ]);
    let witness = (!struck).then(|| WITNESS.to_owned());
    for worker in (0..WORKERS).map(|worker| worker.to_string()).chain(witness) {
        findings.read(
            &std::fs::read_to_string(folder.join(format!("ledger-{worker}")))?,
            &secrets,
        );
        for output in ["stdout", "stderr"] {
            findings.silent(
                &std::fs::read_to_string(folder.join(format!("{output}-{worker}")))?,
                &secrets,
            );
        }
    }
    audit(&books, &mut findings);
    Ok(Came {
        findings,
        connections,
    })
}

fn half(key: &str) -> &str {
    key.split_once(':').map_or(key, |(_, secret)| secret)
}

fn write(folder: &Path, name: &str, content: &str) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let path = match name {
        "auth0_token" => folder.join(".fal").join(name),
        _ => folder.join(name),
    };
    std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
    std::fs::write(&path, content)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
}

fn worker_of(folder: &Path, worker: &str, sabotage: Option<&str>) -> io::Result<Child> {
    let output = |name: &str| std::fs::File::create(folder.join(format!("{name}-{worker}")));
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("--worker")
        .arg(worker)
        .arg(folder)
        .stdin(Stdio::null());
    command.stdout(output("stdout")?).stderr(output("stderr")?);
    // The clients see no variable of the machine.
    command
        .env_clear()
        .env("TMPDIR", folder)
        .envs(sabotage.map(|what| (sabotage::VARIABLE, what)));
    command.spawn()
}

/// Waits until the processes have ended. Meanwhile the clock of the emulator jumps.
fn watch(jumps: Option<(&Round, &Emulator)>, mut workers: Vec<Child>, findings: &mut Findings) {
    let mut jumps = jumps.map(|(round, emulator)| {
        (
            Dice::of(round.seed, &[round.number, 4]),
            round.jump_bits,
            emulator,
        )
    });
    let began = Instant::now();
    let mut jump = Instant::now();
    while !workers.is_empty() {
        std::thread::sleep(Duration::from_millis(20));
        if let Some((dice, bits, emulator)) = jumps.as_mut().filter(|_| jump <= Instant::now()) {
            jump = Instant::now() + Duration::from_millis(dice.within(50..1500));
            emulator.advance(Duration::from_millis(dice.scaled(*bits)));
        }
        workers.retain_mut(|worker| match worker.try_wait() {
            Ok(None) if began.elapsed() > LIMIT => {
                findings.wrong(format!("a process hangs: {} s", LIMIT.as_secs()));
                // The process may end at this moment, so the results do not matter.
                let _ = (worker.kill(), worker.wait());
                false
            }
            Ok(None) => true,
            Ok(Some(status)) if status.success() => false,
            Ok(Some(status)) => {
                findings.wrong(format!("a process ended with {status}"));
                false
            }
            Err(error) => {
                findings.wrong(format!("a process: {error}"));
                false
            }
        });
    }
}

/// Waits until the emulator is idle. Returns the requests that it received.
fn settled(emulator: &Emulator, findings: &mut Findings) -> Vec<Arrival> {
    let end = Instant::now() + QUIET;
    let mut before = emulator.executions();
    loop {
        // Ends the jobs that no process waits for.
        emulator.advance(Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(100));
        let arrivals = emulator.arrivals();
        let executions = emulator.executions();
        let pending = arrivals
            .iter()
            .filter(|arrival| arrival.outcome == Outcome::Pending)
            .count();
        if pending == 0 && executions == before {
            return arrivals;
        }
        if Instant::now() > end {
            findings.wrong(format!("{pending} requests are under way for ever"));
            return arrivals;
        }
        before = executions;
    }
}
