//! A client whose key is replaced while its operations are under way: each of their requests
//! carries the key that they began with. Also, a key that changes where it was found.

use super::queue::{job_of, queue};
use super::*;
use fal::Code;
use fal::credentials::Options;
use fal_emulator::{QueueSettings, Scope};

fn id(key: &str) -> String {
    key.split(':').next().unwrap().to_owned()
}

/// The key of each request, in order of arrival.
fn keys(emulator: &Emulator) -> Vec<String> {
    let key = |arrival: fal_emulator::Arrival| arrival.authorization.unwrap().key_id.unwrap();
    emulator.arrivals().into_iter().map(key).collect()
}

/// An emulator, a client with a key of one account, and the key of another account.
fn two_accounts() -> (Emulator, Client, String, String) {
    let emulator = queue(QueueSettings::default());
    let (ours, theirs) = (
        emulator.create_key(Scope::Api, "acme"),
        emulator.create_key(Scope::Api, "globex"),
    );
    let client = builder_with(&emulator, &ours).build().unwrap();
    (emulator, client, ours, theirs)
}

#[test]
fn a_job_is_waited_for_with_the_key_that_submitted_it() {
    let (emulator, client, ours, theirs) = two_accounts();
    let op = client.subscribe_start(job_of(json!({"ms": 600}))).unwrap();
    emulator.wait_for_arrivals(1, PATIENCE).unwrap();
    client.set_credentials(Options::new().key(theirs.as_str()));
    op.wait(None).unwrap();
    op.take().unwrap().unwrap();
    let used = keys(&emulator);
    assert!(
        used.len() >= 3 && used.iter().all(|key| *key == id(&ours)),
        "{used:?}"
    );
    assert_eq!(
        echo(&client).unwrap().get_str("/key_id").unwrap(),
        id(&theirs)
    );
}

#[test]
fn a_job_is_cancelled_with_the_key_that_submitted_it() {
    let (emulator, client, ours, theirs) = two_accounts();
    let op = client
        .subscribe_start(job_of(json!({"ms": 3_600_000})))
        .unwrap();
    emulator.wait_for_arrivals(2, PATIENCE).unwrap();
    client.set_credentials(Options::new().key(theirs.as_str()));
    op.cancel();
    op.wait(None).unwrap();
    assert_eq!(op.take().unwrap().unwrap_err().code(), Code::Cancelled);
    let began = std::time::Instant::now();
    let cancellation = || {
        emulator
            .arrivals()
            .into_iter()
            .find(|arrival| arrival.path.ends_with("/cancel"))
    };
    while cancellation().is_none_or(|arrival| arrival.outcome == fal_emulator::Outcome::Pending) {
        assert!(began.elapsed() < PATIENCE, "the job goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(keys(&emulator).iter().all(|key| *key == id(&ours)));
}

#[test]
fn an_operation_keeps_the_key_that_the_client_had_when_it_started() {
    let (_emulator, client, ours, theirs) = two_accounts();
    // The operation has not sent its first request yet.
    for _ in 0..20 {
        client.set_credentials(Options::new().key(ours.as_str()));
        let op = client
            .run_start(Request::run("emulator/echo").unwrap())
            .unwrap();
        client.set_credentials(Options::new().key(theirs.as_str()));
        op.wait(None).unwrap();
        assert_eq!(
            op.take().unwrap().unwrap().get_str("/key_id").unwrap(),
            id(&ours)
        );
    }
}

#[test]
fn the_pages_of_a_list_are_all_of_one_account() {
    let emulator = Emulator::start().unwrap();
    let admin = |account: &str| emulator.create_key(Scope::Admin, account);
    let (ours, theirs) = (admin("acme"), admin("globex"));
    (0..5).for_each(|_| drop(emulator.create_key(Scope::Api, "acme")));
    let client = builder_with(&emulator, &ours).build().unwrap();
    let op = client
        .platform_list_start("keys.list", json!({"limit": 2}))
        .unwrap();
    emulator.wait_for_arrivals(1, PATIENCE).unwrap();
    client.set_credentials(Options::new().key(theirs.as_str()));
    op.discard_events();
    op.wait(None).unwrap();
    op.take().unwrap().unwrap();
    let used = keys(&emulator);
    assert!(
        used.len() >= 3 && used.iter().all(|key| *key == id(&ours)),
        "{used:?}"
    );
}

/// A client whose key comes from a file, and a function that writes another key into the file.
fn with_key_file(emulator: &Emulator) -> (tempfile::TempDir, Client, impl Fn(&str)) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key");
    let variables = [
        ("FAL_EMULATOR_HOST", emulator.host()),
        ("HOME", home.path().to_str().unwrap().to_owned()),
        ("FAL_KEY_FILE", path.to_str().unwrap().to_owned()),
    ];
    let client = crate::logged::builder()
        .environment(Environment::from_variables(variables))
        .build()
        .unwrap();
    (home, client, move |key| std::fs::write(&path, key).unwrap())
}

/// A plug-in keeps running while its user corrects the file.
#[test]
fn a_key_that_fal_refuses_is_looked_for_again_where_it_was() {
    let emulator = Emulator::start().unwrap();
    let (first, second) = (
        emulator.create_key(Scope::Api, "acme"),
        emulator.create_key(Scope::Api, "acme"),
    );
    let (_home, client, write) = with_key_file(&emulator);
    write(&first);
    echo(&client).unwrap();
    emulator.revoke_key(&id(&first));
    // While the key is unchanged, it is not sent again.
    emulator.clear_arrivals();
    assert_eq!(echo(&client).unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(keys(&emulator), [id(&first)]);
    for useless in ["", "fake-secret-half"] {
        write(useless);
        let error = echo(&client).unwrap_err();
        assert_eq!(error.code(), Code::Unauthenticated, "{error}");
        assert!(!format!("{error}").contains("fake-secret"), "{error}");
    }
    write(&second);
    emulator.clear_arrivals();
    echo(&client).unwrap();
    assert_eq!(keys(&emulator), [id(&first), id(&second)]);
    echo(&client).unwrap();
    assert_eq!(keys(&emulator)[2..], [id(&second)]);
    assert_eq!(emulator.executions().values().sum::<u64>(), 3);
}

#[test]
fn an_explanation_says_if_calls_go_on_with_a_key_found_before() {
    let emulator = Emulator::start().unwrap();
    let (first, second) = (
        emulator.create_key(Scope::Api, "acme"),
        emulator.create_key(Scope::Api, "acme"),
    );
    let (_home, client, write) = with_key_file(&emulator);
    let note = format!(
        "calls keep using key {}, which was found earlier",
        id(&first)
    );
    let says_so = || {
        client
            .explain()
            .used()
            .is_some_and(|used| used.notes.contains(&note))
    };
    write(&first);
    echo(&client).unwrap();
    assert!(!says_so(), "{}", client.explain());
    write(&second);
    assert_eq!(client.explain().used().unwrap().key_id, Some(id(&second)));
    assert!(says_so(), "{}", client.explain());
    assert_eq!(
        echo(&client).unwrap().get_str("/key_id").unwrap(),
        id(&first)
    );
    client.set_credentials(Options::new());
    assert!(!says_so(), "{}", client.explain());
    assert_eq!(
        echo(&client).unwrap().get_str("/key_id").unwrap(),
        id(&second)
    );
    // With the file empty no source is in use that could report this.
    write("");
    let explained = client.explain();
    assert!(
        explained
            .to_string()
            .contains(&format!("calls keep using key {}", id(&second))),
        "{explained}"
    );
}
