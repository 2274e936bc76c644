//! Folders, permissions and links.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use super::place::{Place, mode, set_mode};

#[test]
fn a_new_file_is_for_its_owner_only() {
    let place = Place::empty();
    let change = place.put("team").unwrap();
    assert_eq!(change.tightened_from, None);
    assert_eq!((mode(place.folder()), mode(&place.file)), (0o700, 0o600));
    assert_eq!(place.names(), ["config.toml", "config.toml.lock"]);
    assert_eq!(mode(&place.folder().join("config.toml.lock")), 0o600);
}

#[test]
fn a_loose_file_is_tightened_and_that_is_said() {
    let place = Place::with("[a]\n");
    set_mode(&place.file, 0o644);
    set_mode(place.folder(), 0o755);
    assert_eq!(place.put("team").unwrap().tightened_from, Some(0o644));
    assert_eq!((mode(place.folder()), mode(&place.file)), (0o755, 0o600));
    assert_eq!(place.put("team").unwrap().tightened_from, None);
    // Even if the text does not change.
    set_mode(&place.file, 0o660);
    let change = place.put("team").unwrap();
    assert_eq!((change.written, change.tightened_from), (true, Some(0o660)));
    assert_eq!(mode(&place.file), 0o600);
}

#[test]
fn links_are_followed_and_stay() {
    let place = Place::with("[a]\n");
    let real = place.folder().join("dotfiles/fal.toml");
    fs::create_dir(real.parent().unwrap()).unwrap();
    fs::rename(&place.file, &real).unwrap();
    symlink("dotfiles/link.toml", &place.file).unwrap();
    symlink("fal.toml", real.with_file_name("link.toml")).unwrap();
    place.put("team").unwrap();
    assert!(fs::symlink_metadata(&place.file).unwrap().is_symlink());
    assert!(fs::symlink_metadata(&real).unwrap().is_file());
    assert!(
        fs::read_to_string(&real)
            .unwrap()
            .starts_with("[a]\n\n[team]\n")
    );
    assert_eq!(place.names(), ["config.toml", "dotfiles"]);
}

#[test]
fn what_a_killed_program_left_behind_goes_away() {
    let place = Place::with("[a]\n");
    let left = place.folder().join("config.toml.tmp");
    let victim = place.folder().join("victim");
    fs::write(&victim, "stays").unwrap();
    symlink(&victim, &left).unwrap();
    place.put("team").unwrap();
    assert_eq!(place.names(), ["config.toml", "config.toml.lock", "victim"]);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "stays");
}

#[test]
fn the_old_file_is_replaced_not_rewritten() {
    let place = Place::with("[a]\n");
    let open = fs::File::open(&place.file).unwrap();
    place.put("team").unwrap();
    // A reader that has the old file open still reads all of it.
    assert_eq!(std::io::read_to_string(open).unwrap(), "[a]\n");
}

#[test]
fn root_leaves_the_file_to_its_owner() {
    let place = Place::with("[a]\n");
    if std::os::unix::fs::chown(&place.file, Some(65534), Some(65534)).is_err() {
        eprintln!("not root: nothing to see");
        return;
    }
    place.put("team").unwrap();
    let metadata = fs::metadata(&place.file).unwrap();
    assert_eq!(
        (metadata.uid(), metadata.gid(), mode(&place.file)),
        (65534, 65534, 0o600)
    );
}

/// The file may be a link into a folder of dotfiles that another program manages.
#[test]
fn a_file_that_nobody_may_write_stays() {
    use fal::credentials::store::StoreError;
    let place = Place::with("[team]\nkey = 'fake-id:fake-secret-1'\n");
    for mode_before in [0o400, 0o444] {
        set_mode(&place.file, mode_before);
        let error = place.put("team").unwrap_err();
        assert!(
            matches!(
                &error,
                StoreError::Io {
                    action: "write",
                    ..
                }
            ),
            "{error:?}"
        );
        assert_eq!(
            place.without_home(&error),
            "cannot write ~/.fal/config.toml: permission denied"
        );
        assert!(matches!(place.remove("team"), Err(StoreError::Io { .. })));
        assert_eq!(
            (place.text().as_str(), mode(&place.file)),
            ("[team]\nkey = 'fake-id:fake-secret-1'\n", mode_before)
        );
        assert_eq!(place.names(), ["config.toml", "config.toml.lock"]);
    }
}
