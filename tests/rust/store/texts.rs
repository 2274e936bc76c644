//! The text after a change, byte for byte.

use fal::credentials::Credential;
use fal::credentials::store::{Activate, StoreError, Table};

use super::place::{NEW, Place, key};

/// The text after storing a key in the profile `team`. The credential chain has to find the key in
/// it.
fn stored(before: &str) -> String {
    let place = Place::with(before);
    let change = place.put("team").unwrap();
    assert!(change.written);
    assert_eq!(
        place.resolve("team").credential(),
        Some(&Credential::Key(key(NEW))),
        "{}",
        place.resolve("team")
    );
    place.text()
}

/// The text after removing the key of the profile `team`.
fn removed(before: &str) -> String {
    let place = Place::with(before);
    assert!(place.remove("team").unwrap().written);
    assert_eq!(place.resolve("team").credential(), None);
    place.text()
}

#[test]
fn a_key_is_stored_where_it_belongs() {
    let new = r#""new-id:fake-secret-new""#;
    let cases = [
        ("", "[team]\nkey = NEW\n"),
        ("\n", "\n\n[team]\nkey = NEW\n"),
        ("color = true", "color = true\n\n[team]\nkey = NEW\n"),
        ("# only this", "# only this\n\n[team]\nkey = NEW\n"),
        (
            "[other]\nkey = 1\n",
            "[other]\nkey = 1\n\n[team]\nkey = NEW\n",
        ),
        ("[team]", "[team]\nkey = NEW\n"),
        (
            "[team] # mine\nhost='h'\n",
            "[team] # mine\nkey = NEW\nhost='h'\n",
        ),
        ("[ 'team' ]\n[z]\n", "[ 'team' ]\nkey = NEW\n[z]\n"),
        (
            "[team]\nkey = \"old\" # why\n[z]",
            "[team]\nkey = NEW # why\n[z]",
        ),
        (
            "[team]\n  \"key\"='''\nold'''  \n",
            "[team]\n  \"key\"=NEW  \n",
        ),
        ("[team]\nkey = [1,\n 2]\nx=1", "[team]\nkey = NEW\nx=1"),
        ("team = {}\n", "team = { key = NEW }\n"),
        ("team = { }\n", "team = { key = NEW }\n"),
        ("team = {host=\"h\"}\n", "team = { key = NEW,host=\"h\"}\n"),
        (
            "team = { host = 1, key = 'old', z = 2 } # c",
            "team = { host = 1, key = NEW, z = 2 } # c",
        ),
        (
            "team.host = 1\n[z]\n",
            "team.key = NEW\nteam.host = 1\n[z]\n",
        ),
        (" team . key = 'old'\n", " team . key = NEW\n"),
        (
            "[team.sub]\nx = 1\n",
            "[team.sub]\nx = 1\n\n[team]\nkey = NEW\n",
        ),
        (
            "[a]\r\nx = 1\r\n",
            "[a]\r\nx = 1\r\n\r\n[team]\r\nkey = NEW\r\n",
        ),
        (
            "[team]\r\n# c\r\nx = '''a\r\nb'''\r\n",
            "[team]\r\nkey = NEW\r\n# c\r\nx = '''a\r\nb'''\r\n",
        ),
        ("\u{feff}[team]\nkey='o'\n", "\u{feff}[team]\nkey=NEW\n"),
        ("\u{feff}", "\u{feff}[team]\nkey = NEW\n"),
        (
            "a = 1\r\nb = 2\n",
            "a = 1\r\nb = 2\n\r\n[team]\r\nkey = NEW\r\n",
        ),
        (
            "# [team]\ns = \"\"\"\n[team]\nkey = 1\n\"\"\"\n",
            "# [team]\ns = \"\"\"\n[team]\nkey = 1\n\"\"\"\n\n[team]\nkey = NEW\n",
        ),
        (
            "l = [{team = {key = 1}}, [2]]\n",
            "l = [{team = {key = 1}}, [2]]\n\n[team]\nkey = NEW\n",
        ),
    ];
    for (before, after) in cases {
        assert_eq!(stored(before), after.replace("NEW", new), "{before:?}");
    }
}

#[test]
fn a_key_is_removed_and_nothing_else() {
    let cases = [
        ("[team]\nkey = 'o'\n", ""),
        ("[a]\nx = 1\n\n[team]\nkey = 'o'\n", "[a]\nx = 1\n"),
        (
            "[a]\r\nx = 1\r\n\r\n[team]\r\nkey = 'o'\r\n\r\n[b]\r\n",
            "[a]\r\nx = 1\r\n\r\n[b]\r\n",
        ),
        ("[team]\nkey = 'o' # c\nhost = 1\n", "[team]\nhost = 1\n"),
        ("[team] # mine\nkey = 'o'\n", "[team] # mine\n"),
        ("[team]\nkey = 'o'\n# stays\n", "[team]\n# stays\n"),
        ("[team]\nkey = 'o'\n[team.sub]\n", "[team]\n[team.sub]\n"),
        ("[team]\nhost = 1\nkey = '''\no'''", "[team]\nhost = 1\n"),
        ("team = {key='o'}\n", "team = {}\n"),
        ("team = { key = 'o', host = 1 }\n", "team = { host = 1 }\n"),
        ("team = { host = 1, key = 'o' }\n", "team = { host = 1 }\n"),
        (
            "team = { a = 1, key = 'o', z = [{}] }\n",
            "team = { a = 1, z = [{}] }\n",
        ),
        // TOML 1.1, which the official CLI does not read.
        (
            "team = {\n a = 1, # c\n key = 'o' # d\n}\n",
            "team = {\n a = 1 # c\n  # d\n}\n",
        ),
        ("team.key = 'o'\nteam.host = 1\n", "team.host = 1\n"),
    ];
    for (before, after) in cases {
        assert_eq!(removed(before), after, "{before:?}");
    }
}

#[test]
fn storing_and_removing_leaves_the_text_as_it_was() {
    for before in [
        "",
        "# c\n\n[a]\nkey = 'x'\n",
        "\u{feff}a = 1\r\n",
        "[__internal__]\nprofile = \"a\"\n\n[a]\n",
    ] {
        let place = Place::with(before);
        place.put("team").unwrap();
        assert_eq!(place.remove("team").unwrap().table, Table::Removed);
        assert_eq!(place.text(), before);
    }
}

#[test]
fn the_active_profile_is_changed() {
    let place = Place::with("[a]\nkey = 'fake-id:fake-secret'\n");
    let store = place.store();
    let change = store.store_key("team", &key(NEW), Activate::Yes).unwrap();
    assert_eq!(
        (change.table, change.active.as_deref()),
        (Table::Created, Some("team"))
    );
    assert!(
        place
            .text()
            .ends_with("\n\n[__internal__]\nprofile = \"team\"\n"),
        "{}",
        place.text()
    );
    assert_eq!(
        store.set_active(Some("a")).unwrap().active.as_deref(),
        Some("a")
    );
    assert!(
        place
            .text()
            .ends_with("\n\n[__internal__]\nprofile = \"a\"\n"),
        "{}",
        place.text()
    );
    assert_eq!(store.set_active(None).unwrap().active, None);
    assert!(
        place.text().ends_with("\n\n[__internal__]\n"),
        "{}",
        place.text()
    );
    let missing = store.set_active(Some("nobody"));
    assert_eq!(
        missing,
        Err(StoreError::NoSuchProfile {
            profile: "nobody".to_owned()
        })
    );
}

#[test]
fn a_profile_that_goes_is_no_longer_the_active_one() {
    let place =
        Place::with("[__internal__]\nprofile = \"team\"\nteam = \"t\"\n\n[team]\nkey = \"x\"\n");
    assert_eq!(place.remove("team").unwrap().active, None);
    assert_eq!(place.text(), "[__internal__]\nteam = \"t\"\n");
    // A profile that still has other entries stays the active one.
    let text = "[__internal__]\nprofile = \"team\"\n\n[team]\nhost = \"h\"\n";
    let place = Place::with(text.to_owned() + "key = \"x\"\n");
    assert_eq!(
        place.remove("team").unwrap().active.as_deref(),
        Some("team")
    );
    assert_eq!(place.text(), text);
}

#[test]
fn what_is_as_wished_is_not_written() {
    let place = Place::with("[team]\nkey='new-id:fake-secret-new'\n[z]\n");
    let before = std::fs::metadata(&place.file).unwrap().modified().unwrap();
    let change = place.put("team").unwrap();
    assert!(!change.written);
    assert_eq!(change.previous_key_id.as_deref(), Some("new-id"));
    assert!(!place.remove("z").unwrap().written);
    assert_eq!(
        std::fs::metadata(&place.file).unwrap().modified().unwrap(),
        before
    );
}

#[test]
fn texts_that_cannot_be_changed_stay() {
    let cases = [
        (
            "team = 1\n",
            "team is a global setting in the configuration file, not a profile",
        ),
        (
            "[[team]]\nx = 1\n",
            "team is a global setting in the configuration file, not a profile",
        ),
        (
            "[team.key]\nx = 1\n",
            "cannot use ~/.fal/config.toml: [team] has a table where a string belongs; nothing was changed",
        ),
        (
            "team.key.x = 1\n",
            "cannot use ~/.fal/config.toml: [team] has a table where a string belongs; nothing was changed",
        ),
        (
            "[team]\nkey = fake-secret\n",
            "cannot use ~/.fal/config.toml:2:7: not valid TOML at line 2, column 7 (a value is quoted and set once: key = \"…\"); \
             nothing was changed",
        ),
        (
            "[team]\nkey = 'a'\nkey = 'fake-secret'\n",
            "cannot use ~/.fal/config.toml:3:1: not valid TOML at line 3, column 1 (a value is quoted and set once: key = \"…\"); \
             nothing was changed",
        ),
    ];
    for (text, message) in cases {
        let place = Place::with(text);
        let error = place.put("team").unwrap_err();
        assert_eq!(place.without_home(&error), message);
        assert_eq!(place.text(), text);
    }
}

#[test]
fn any_key_and_name_is_read_back_as_it_was_stored() {
    let place = Place::with("");
    let names = [
        "a.b",
        "größe",
        "with \"quotes\" and \\",
        "'",
        "[x]",
        "# no comment",
        "123",
        "k=v",
        "key",
        "emoji 🦀",
        " ",
    ];
    for (index, name) in names.iter().enumerate() {
        let key = key(&format!("id-{index}:fake-secret\\{{}}#=&;,[]-{index}"));
        place.store().store_key(name, &key, Activate::Yes).unwrap();
        assert_eq!(
            place.resolve(name).credential(),
            Some(&Credential::Key(key)),
            "{}",
            place.text()
        );
    }
    let listed = place.store().profiles().unwrap();
    assert_eq!(
        listed
            .iter()
            .map(|profile| profile.name.as_str())
            .collect::<Vec<_>>(),
        names
    );
    assert_eq!(
        listed
            .iter()
            .filter(|profile| profile.active)
            .map(|p| p.name.as_str())
            .collect::<Vec<_>>(),
        [" "]
    );
    for name in names {
        assert_eq!(place.remove(name).unwrap().table, Table::Removed, "{name}");
    }
    assert_eq!(place.text(), "[__internal__]\n");
}
