//! The two forms of a report.

use super::world::{GOOD, World};

#[test]
fn the_report_for_programs() {
    let world = World::new()
        .set("FAL_KEY", GOOD)
        .set("FAL_KEY_ID", "fake-id");
    let mut json = world.resolve().to_json();
    for (index, path) in [(8, "~/.fal/config.toml"), (10, "~/.fal/auth0_token")] {
        let place = json["sources"][index]["location"].take();
        assert_eq!(world.without_home(place.as_str().unwrap()), path);
    }
    let absent = |name: &str| serde_json::json!({"source": name, "state": "absent", "location": null, "key_id": null, "notes": []});
    let expected = serde_json::json!({
        "used": {"source": "FAL_KEY", "location": "FAL_KEY", "key_id": "fake-id"},
        "sources": [
            absent("explicit key"),
            absent("explicit token"),
            absent("explicit profile"),
            absent("explicit callback"),
            {"source": "FAL_KEY", "state": "used", "location": "FAL_KEY", "key_id": "fake-id", "notes": []},
            {"source": "FAL_KEY_ID + FAL_KEY_SECRET", "state": "shadowed", "location": "FAL_KEY_ID", "key_id": null,
             "notes": ["could not be used: half a key: FAL_KEY_SECRET is not set"]},
            absent("FAL_KEY_FILE"),
            absent("FAL_KEY_COMMAND"),
            {"source": "profile", "state": "absent", "location": null, "key_id": null,
             "notes": ["there is no configuration file"]},
            {"source": "keyring", "state": "absent", "location": null, "key_id": null,
             "notes": ["read only with FAL_KEYRING=1"]},
            absent("login"),
        ],
        "problem": null,
    });
    assert_eq!(json, expected);
    let problem = World::new()
        .set("FAL_KEY", "fake-secret")
        .resolve()
        .to_json()["problem"]
        .take();
    let expected = serde_json::json!({
        "kind": "malformed", "source": "FAL_KEY", "location": "FAL_KEY",
        "message": "FAL_KEY: half a key: no `:` in it, a key is `<key id>:<key secret>`",
        "remedy": "Correct this source, or remove it so that the next one is used.",
    });
    assert_eq!(problem, expected);
    let nothing = World::new().resolve().to_json();
    assert_eq!(nothing["used"], serde_json::Value::Null);
    assert_eq!(nothing["problem"]["kind"], "not_found");
}

#[test]
fn the_report_for_people() {
    let world = World::new()
        .set("FAL_KEY", "fake-a:fake-secret-a\n")
        .set("FAL_KEY_FILE", "~/key.txt");
    let world = world.file("key.txt", "fake-longer-id:fake-secret");
    let expected = "\
SOURCE                       STATE     KEY ID          LOCATION
explicit key                 absent    -               -
explicit token               absent    -               -
explicit profile             absent    -               -
explicit callback            absent    -               -
FAL_KEY                      used      fake-a          FAL_KEY
    surrounding white space was dropped
    FAL_KEY_FILE holds another key
FAL_KEY_ID + FAL_KEY_SECRET  absent    -               -
FAL_KEY_FILE                 shadowed  fake-longer-id  ~/key.txt:1
    another key than the one in use
FAL_KEY_COMMAND              absent    -               -
profile                      absent    -               ~/.fal/config.toml
    there is no configuration file
keyring                      absent    -               -
    read only with FAL_KEYRING=1
login                        absent    -               ~/.fal/auth0_token
using FAL_KEY";
    assert_eq!(world.without_home(&world.resolve().to_string()), expected);
    let nothing = World::new().resolve().to_string();
    assert!(nothing.ends_with("\nno fal key found"), "{nothing}");
}
