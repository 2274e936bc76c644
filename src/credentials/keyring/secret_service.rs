//! The Secret Service of freedesktop.org, over the session bus.
//!
//! Each call runs in a runtime of its own on the calling thread, so that no thread and no
//! connection outlives the call. Closing the connection also dismisses a prompt to the user.

use std::collections::HashMap;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::str::FromStr;

use secret_service::{EncryptionType, Item, SecretService};
use zbus::Address;
use zbus::address::Transport;
use zbus::address::transport::{Unix, UnixSocket};
use zeroize::Zeroizing;

use super::{KeyringProblem, Limits, SERVICE, TICK};
use crate::credentials::{Environment, Variable};

const ADDRESS_VARIABLE: &str = "DBUS_SESSION_BUS_ADDRESS";

pub(super) fn read(
    environment: &Environment,
    account: &str,
    limits: Limits<'_>,
) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringProblem> {
    let session = Session::of(environment)?;
    limited(limits, async {
        let service = session.open().await?;
        match session.find(&service, account).await? {
            Some(item) => item
                .get_secret()
                .await
                .map(|secret| Some(Zeroizing::new(secret)))
                .map_err(problem),
            None => Ok(None),
        }
    })
}

pub(super) fn write(
    environment: &Environment,
    account: &str,
    secret: Zeroizing<String>,
    limits: Limits<'_>,
) -> Result<(), KeyringProblem> {
    let session = Session::of(environment)?;
    limited(limits, async {
        let service = session.open().await?;
        if let Some(item) = session.find(&service, account).await? {
            return item
                .set_secret(secret.as_bytes(), CONTENT_TYPE)
                .await
                .map_err(problem);
        }
        let collection = service.get_default_collection().await.map_err(problem)?;
        if collection.is_locked().await.map_err(problem)? {
            session.can_prompt()?;
            collection.unlock().await.map_err(problem)?;
        }
        let mut attributes = attributes(account);
        attributes.insert("application", "libfal");
        let label = format!("fal.ai key ({account})");
        collection
            .create_item(&label, attributes, secret.as_bytes(), true, CONTENT_TYPE)
            .await
            .map_err(problem)?;
        Ok(())
    })
}

pub(super) fn remove(
    environment: &Environment,
    account: &str,
    limits: Limits<'_>,
) -> Result<bool, KeyringProblem> {
    let session = Session::of(environment)?;
    limited(limits, async {
        let service = session.open().await?;
        let mut removed = false;
        // Another program may have stored a second entry with additional attributes.
        while let Some(item) = session.find(&service, account).await? {
            item.delete().await.map_err(problem)?;
            removed = true;
        }
        Ok(removed)
    })
}

const CONTENT_TYPE: &str = "text/plain";

/// Returns the attributes that identify an entry.
fn attributes(account: &str) -> HashMap<&str, &str> {
    HashMap::from([("service", SERVICE), ("username", account)])
}

/// The user's session, as far as the environment describes it.
struct Session {
    bus: Address,
    /// Whether the keyring can show a prompt.
    has_display: bool,
}

impl Session {
    fn of(environment: &Environment) -> Result<Self, KeyringProblem> {
        let is_set = |name| matches!(environment.variable(name), Variable::Set(_));
        let has_display = is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
        Ok(Self {
            bus: bus(environment)?,
            has_display,
        })
    }

    async fn open(&self) -> Result<SecretService<'static>, KeyringProblem> {
        let builder = zbus::connection::Builder::address(self.bus.clone())
            .map_err(|error| bus_problem(&error))?;
        let connection = builder.build().await.map_err(|error| bus_problem(&error))?;
        // Encrypted, so that neither this process nor the bus has the secret in a buffer of the
        // connection.
        SecretService::connect_with_existing(EncryptionType::Dh, connection)
            .await
            .map_err(problem)
    }

    /// Returns the entry of the account. Prompts the user if it is locked.
    async fn find<'s>(
        &self,
        service: &'s SecretService<'_>,
        account: &str,
    ) -> Result<Option<Item<'s>>, KeyringProblem> {
        let found = service
            .search_items(attributes(account))
            .await
            .map_err(problem)?;
        if let Some(item) = found.unlocked.into_iter().next() {
            return Ok(Some(item));
        }
        let Some(item) = found.locked.into_iter().next() else {
            return Ok(None);
        };
        self.can_prompt()?;
        item.unlock().await.map_err(problem)?;
        Ok(Some(item))
    }

    /// Fails if the keyring cannot show a prompt.
    fn can_prompt(&self) -> Result<(), KeyringProblem> {
        if self.has_display {
            Ok(())
        } else {
            Err(KeyringProblem::Locked)
        }
    }
}

/// Returns the address of the session bus, which must be an existing Unix socket. Other kinds of
/// address would start a program or use the network.
fn bus(environment: &Environment) -> Result<Address, KeyringProblem> {
    use KeyringProblem::NoSessionBus;
    match environment.variable(ADDRESS_VARIABLE) {
        Variable::Set(text) => text
            .split(';')
            .filter_map(|address| Address::from_str(address.trim()).ok())
            .find(is_present)
            .ok_or(NoSessionBus(
                "DBUS_SESSION_BUS_ADDRESS names no socket that exists",
            )),
        Variable::NotUnicode => Err(NoSessionBus(
            "DBUS_SESSION_BUS_ADDRESS is not valid Unicode",
        )),
        Variable::Unset | Variable::Blank => {
            let Variable::Set(directory) = environment.variable("XDG_RUNTIME_DIR") else {
                return Err(NoSessionBus(
                    "neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set",
                ));
            };
            let path = Path::new(directory.as_str()).join("bus");
            if !is_socket(&path) {
                return Err(NoSessionBus(
                    "DBUS_SESSION_BUS_ADDRESS is not set, and XDG_RUNTIME_DIR has no socket `bus`",
                ));
            }
            let socket = Unix::new(UnixSocket::File(path));
            Ok(Address::new(Transport::Unix(socket)))
        }
    }
}

fn is_present(address: &Address) -> bool {
    let Transport::Unix(unix) = address.transport() else {
        return false;
    };
    match unix.path() {
        UnixSocket::File(path) => is_socket(path),
        UnixSocket::Abstract(_) => true,
        _ => false,
    }
}

fn is_socket(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// Runs `call` until it returns, the timeout expires, or the caller cancels.
fn limited<T>(
    limits: Limits<'_>,
    call: impl Future<Output = Result<T, KeyringProblem>>,
) -> Result<T, KeyringProblem> {
    if (limits.cancelled)() {
        return Err(KeyringProblem::Cancelled);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| KeyringProblem::Failed(error.kind().to_string()))?;
    let cancelled = async {
        while !(limits.cancelled)() {
            tokio::time::sleep(TICK).await;
        }
    };
    runtime.block_on(async {
        tokio::select! {
            biased;
            outcome = call => outcome,
            () = cancelled => Err(KeyringProblem::Cancelled),
            () = tokio::time::sleep(limits.timeout) => Err(KeyringProblem::TimedOut(limits.timeout)),
        }
    })
}

fn problem(error: secret_service::Error) -> KeyringProblem {
    use secret_service::Error;
    match error {
        Error::Zbus(error) => service_problem(&error),
        Error::ZbusFdo(error) => fdo_problem(&error),
        Error::Unavailable => KeyringProblem::NoService,
        Error::Locked => KeyringProblem::Locked,
        Error::NoResult => KeyringProblem::NoCollection,
        Error::Prompt | Error::PromptDisconnected => KeyringProblem::Dismissed,
        Error::Crypto(what) => KeyringProblem::Failed(what.to_owned()),
        // The error's own text may contain anything that the service sent.
        _ => KeyringProblem::Failed("a response that violates the protocol".to_owned()),
    }
}

fn service_problem(error: &zbus::Error) -> KeyringProblem {
    match error {
        zbus::Error::MethodError(name, ..) => match name.as_str() {
            "org.freedesktop.DBus.Error.ServiceUnknown"
            | "org.freedesktop.DBus.Error.NameHasNoOwner"
            | "org.freedesktop.DBus.Error.Spawn.ExecFailed"
            | "org.freedesktop.DBus.Error.Spawn.ChildExited" => KeyringProblem::NoService,
            "org.freedesktop.Secret.Error.IsLocked" => KeyringProblem::Locked,
            name => KeyringProblem::Failed(name.to_owned()),
        },
        zbus::Error::FDO(error) => fdo_problem(error),
        _ => bus_problem(error),
    }
}

fn fdo_problem(error: &zbus::fdo::Error) -> KeyringProblem {
    use zbus::fdo::Error;
    match error {
        Error::ZBus(error) => service_problem(error),
        Error::ServiceUnknown(_) | Error::NameHasNoOwner(_) => KeyringProblem::NoService,
        _ => KeyringProblem::Failed("an error of the bus".to_owned()),
    }
}

fn bus_problem(error: &zbus::Error) -> KeyringProblem {
    match error {
        zbus::Error::InputOutput(error) | zbus::Error::Connection(error, _) => {
            KeyringProblem::Bus(error.kind())
        }
        zbus::Error::Handshake(_) => KeyringProblem::Bus(std::io::ErrorKind::PermissionDenied),
        _ => KeyringProblem::Failed("a response that violates the protocol".to_owned()),
    }
}
