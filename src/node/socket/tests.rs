use super::*;

fn place(dir: &Path) -> Place {
    Place::resolve_with("a", Some(dir), &|_| None).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn only_the_owner_may_use_it() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path());
    fs::create_dir(&place.dir).unwrap();
    fs::set_permissions(&place.dir, Permissions::from_mode(0o755)).unwrap();
    let bound = bind(&place).unwrap();
    assert_eq!((mode(&place.socket), mode(&place.dir)), (0o600, 0o700));
    drop(bound);
    assert!(!place.socket.exists());
}

#[test]
fn what_a_dead_node_left_is_removed_and_a_live_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path());
    let dead = bind(&place).unwrap();
    drop(dead.listener);
    std::mem::forget(dead.file);
    assert!(place.socket.exists());

    let live = bind(&place).unwrap();
    let error = bind(&place).err().unwrap();
    assert!(error.is(Code::NodeRunning) && error.message.contains("another data folder"), "{error:?}");
    assert!(place.socket.exists());
    drop(live);
}

#[test]
fn a_file_in_the_way_is_not_removed() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path());
    fs::create_dir(&place.dir).unwrap();
    fs::write(&place.socket, "a novel").unwrap();
    assert!(bind(&place).err().unwrap().is(Code::Config));
    assert_eq!(fs::read(&place.socket).unwrap(), b"a novel");
}

#[test]
fn the_socket_of_another_folder_is_not_ours() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path());
    let _bound = bind(&place).unwrap();
    // Somebody listens, but nobody holds the profile.
    assert!(connect(&place).unwrap().is_none());
    let _lock = ProfileLock::acquire(&place.dir).unwrap();
    assert!(connect(&place).unwrap().is_some());
}

#[test]
fn nobody_there_is_not_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path());
    assert!(connect(&place).unwrap().is_none());
    let dead = bind(&place).unwrap();
    drop(dead.listener);
    assert!(connect(&place).unwrap().is_none());
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_of_any_length_can_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("d".repeat(120)).join("e".repeat(120));
    let place = place(&deep);
    let bound = bind(&place).unwrap();
    let _lock = ProfileLock::acquire(&place.dir).unwrap();
    assert!(connect(&place).unwrap().is_some());
    drop(bound);
    assert!(!place.socket.exists());
}
