//! A client that shall use the system keyring where there is none.

use fal::credentials::{Environment, remove_from_keyring, store_in_keyring};
use fal::{Code, Key, Op, Request};
use fal_emulator::Emulator;

/// Without a session bus, as on a server, the keyring is listed and not accessed.
#[test]
fn a_keyring_that_is_asked_for_and_not_there_is_a_clear_error() {
    let emulator = Emulator::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let variables = [
        ("HOME", home.path().as_os_str().to_owned()),
        ("USERPROFILE", home.path().as_os_str().to_owned()),
        ("FAL_EMULATOR_HOST", emulator.host().into()),
        ("FAL_KEYRING", "1".into()),
    ];
    let client = crate::logged::builder()
        .environment(Environment::from_variables(variables))
        .build()
        .unwrap();
    let error = Op::finish(|| client.run_start(Request::run("emulator/echo")?)).unwrap_err();
    let (code, part) = match cfg!(feature = "keyring") {
        true => (Code::CredentialsFailed, "headless: no session bus"),
        false => (Code::MalformedCredentials, "cargo feature `keyring`"),
    };
    assert_eq!(error.code(), code, "{error}");
    assert!(
        error.message().contains("keyring") && error.message().contains(part),
        "{error}"
    );
    let key = Key::parse("fake-id:fake-secret-for-the-keyring").unwrap().0;
    let nowhere = Environment::from_variables([("HOME", home.path())]);
    let error = store_in_keyring(&nowhere, "default", &key).unwrap_err();
    assert!(error.message().contains(part), "{error}");
    assert!(remove_from_keyring(&nowhere, "default").is_err());
}
