//! Makes a client for each way to reach fal and to get a credential.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use fal::credentials::{Callback, Environment, Options};
use fal::{Client, ClientBuilder, Level};

use crate::ledger;
use crate::plan::Way;

/// The addresses of the emulator, and its credentials.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) host: String,
    /// The emulator itself, without the faulty connections.
    pub(crate) emulator: String,
    /// Keys of the scopes API and ADMIN.
    pub(crate) keys: [String; 2],
    /// The folder of the certificate, the key and the login.
    pub(crate) folder: PathBuf,
}

pub(crate) struct Clients(HashMap<Way, Client>);

impl Clients {
    pub(crate) fn new(world: &World) -> Self {
        Clients(Way::ALL.map(|way| (way, client(world, way))).into())
    }

    pub(crate) fn of(&self, way: Way) -> &Client {
        &self.0[&way]
    }
}

fn client(world: &World, way: Way) -> Client {
    let [key, admin] = &world.keys;
    let emulator = ("FAL_EMULATOR_HOST", world.host.clone());
    let home = ("HOME", world.folder.display().to_string());
    let with = |variables: &[(&str, String)]| {
        let variables = variables.iter().cloned().chain([emulator.clone()]);
        base().environment(Environment::from_variables(variables))
    };
    let builder = match way {
        Way::Key => with(&[("FAL_KEY", key.clone())]),
        Way::Admin => with(&[]).credentials(Options::new().key(admin.clone())),
        Way::Callback => with(&[]).credentials(Options::new().callback(asked(key.clone()))),
        Way::Command => with(&[
            (
                "FAL_KEY_COMMAND",
                format!("cat {}", world.folder.join("key").display()),
            ),
            ("PATH", "/usr/bin:/bin".to_owned()),
        ]),
        // Connects directly: only a fault of the emulator, which records it, or the client itself
        // can lose a renewal.
        Way::Login => base().environment(Environment::from_variables([
            home,
            ("FAL_EMULATOR_HOST", world.emulator.clone()),
        ])),
        Way::Tls => {
            let pem = std::fs::read(world.folder.join("ca.pem")).unwrap();
            let variables = [
                ("FAL_KEY", key.clone()),
                ("HTTPS_PROXY", format!("http://{}", world.host)),
            ];
            base()
                .environment(Environment::from_variables(variables))
                .add_root_certificates(&pem)
                .unwrap()
        }
        Way::Proxy => with(&[])
            .proxy(&format!("http://{}/api/fal/proxy", world.host))
            .unwrap(),
        Way::Nowhere => {
            let variables = [
                ("FAL_KEY", key.clone()),
                ("FAL_EMULATOR_HOST", "127.0.0.1:9".to_owned()),
            ];
            base().environment(Environment::from_variables(variables))
        }
    };
    builder.build().unwrap()
}

fn base() -> ClientBuilder {
    let builder = Client::builder().log(Level::Debug, |level, _, line| {
        ledger::said(&format!("{level:?} {line}"))
    });
    builder
        .max_attempts(4)
        .unwrap()
        .timeout(Duration::from_secs(8))
}

/// Returns a credential callback whose key expires soon. It sometimes answers later from another
/// thread, and sometimes fails.
fn asked(key: String) -> Callback {
    let times = std::sync::atomic::AtomicU64::new(0);
    Callback::new(move |answer| {
        let time = times.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let lasting = Some(Duration::from_millis(50));
        match time % 5 {
            3 => answer.fail("the host has no key at the moment"),
            1 => {
                let key = key.clone();
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(20));
                    // The call may have ended, so the answer may fail.
                    let _ = answer.key(&key, lasting);
                });
            }
            _ => answer.key(&key, lasting).unwrap(),
        }
    })
}
