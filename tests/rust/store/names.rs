//! Names of profiles, and the list of profiles.

use fal::credentials::Options;
use fal::credentials::store::{NameProblem, StoreError};

use super::place::{Place, assert_no_secret};

#[test]
fn names_that_no_profile_may_have() {
    let place = Place::empty();
    let long = "é".repeat(129);
    let cases = [
        ("", NameProblem::Empty),
        ("__internal__", NameProblem::Reserved),
        ("a\nb", NameProblem::ControlCharacter),
        ("a\u{7f}", NameProblem::ControlCharacter),
        ("\u{85}", NameProblem::ControlCharacter),
        (long.as_str(), NameProblem::TooLong),
        ("fake-id:fake-secret-1", NameProblem::LooksLikeKey),
        (
            "0123456789abcdef0123456789abcdef",
            NameProblem::LooksLikeKey,
        ),
    ];
    for (name, problem) in cases {
        assert_eq!(place.put(name), Err(StoreError::Name(problem)), "{name:?}");
        assert_eq!(
            place.store().set_active(Some(name)),
            Err(StoreError::Name(problem)),
            "{name:?}"
        );
    }
    assert!(!place.folder().exists());
    for name in [
        "team:b",
        &"é".repeat(128),
        "01234567-89ab-cdef-0123-456789abcdef",
    ] {
        assert!(place.put(name).unwrap().written, "{name:?}");
    }
}

#[test]
fn profiles_are_listed_without_secrets() {
    let place = Place::with(
        "theme = 'dark'\n[good]\nkey = 'fake-id:fake-secret-1'\nhost = 'api.alpha.fal.ai:443'\n[half]\nkey = \
         'fake-secret-2'\n[number]\nkey = 1\n[none]\nhost = 'fake-id:fake-secret-3'\n['fake-id:fake-secret-4']\n\
         key = ''\n[__internal__]\nprofile = 'half'\n",
    );
    let listed = place.store().profiles().unwrap();
    assert_no_secret(&format!("{listed:?}"));
    let rows = listed.iter().map(|profile| {
        let text = |text: &Option<String>| text.as_deref().unwrap_or("-").to_owned();
        let (key, problem, host) = (
            text(&profile.key_id),
            text(&profile.problem),
            text(&profile.host),
        );
        format!(
            "{} {} {key} | {problem} | {host} | {}",
            profile.line, profile.name, profile.active
        )
    });
    let expected = [
        "2 good fake-id | - | api.alpha.fal.ai:443 | false",
        "5 half - | half a key: no `:` in it, a key is `<key id>:<key secret>` | - | true",
        "7 number - | the key of the profile is not a string | - | false",
        "9 none - | - | (host not shown) | false",
        "11 (name not shown) - | the key of the profile is empty | - | false",
    ];
    assert_eq!(rows.collect::<Vec<_>>(), expected);
}

#[test]
fn without_a_file_there_are_no_profiles() {
    let place = Place::empty();
    assert_eq!(place.store().profiles(), Ok(Vec::new()));
    let none = Err(StoreError::NoSuchProfile {
        profile: "team".to_owned(),
    });
    assert_eq!(place.remove("team"), none);
    assert_eq!(place.store().set_active(Some("team")), none);
    assert!(!place.store().set_active(None).unwrap().written);
    assert!(!place.folder().exists());
}

#[test]
fn the_file_is_the_one_that_the_chain_reads() {
    use fal::credentials::Environment;
    use fal::credentials::store::Store;
    let place = Place::empty();
    let path = |options: Options, variables: &[(&str, &str)]| {
        let environment = Environment::from_variables(variables.iter().copied());
        let path = Store::open(&options, &environment).map(|store| store.path());
        path.map(|path| {
            if cfg!(windows) {
                path.replace('\\', "/")
            } else {
                path
            }
        })
    };
    let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    let variables = [(home, "/home/u"), ("FAL_CONFIG_PATH", " ~/other.toml ")];
    assert_eq!(
        path(Options::new().config_path("/mine.toml"), &variables).unwrap(),
        "/mine.toml"
    );
    assert_eq!(
        path(Options::new(), &variables).unwrap(),
        "/home/u/other.toml"
    );
    assert_eq!(
        path(Options::new(), &variables[..1]).unwrap(),
        "/home/u/.fal/config.toml"
    );
    let unknown = path(Options::new(), &[]).unwrap_err().to_string();
    assert_eq!(
        unknown,
        "cannot locate the configuration file: the home directory is unknown"
    );
    let unknown = path(Options::new(), &variables[1..])
        .unwrap_err()
        .to_string();
    assert_eq!(
        unknown,
        "cannot locate the configuration file: FAL_CONFIG_PATH starts with `~`, and the home directory is unknown"
    );
    drop(place);
}
