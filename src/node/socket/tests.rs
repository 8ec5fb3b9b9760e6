use super::*;

fn place(dir: &Path) -> Place {
    let place =
        Place { elsewhere: vec![dir.join("run/rohrpost")], ..Place::resolve_with("a", Some(dir), &|_| None).unwrap() };
    fs::create_dir_all(&place.dir).unwrap();
    fs::create_dir(dir.join("run")).unwrap();
    place
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn at(place: &Place) -> PathBuf {
    bind(place).unwrap().file.path().to_owned()
}

#[test]
fn it_is_in_the_folder_and_goes_with_the_node() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path());
    let bound = bind(&place).unwrap();
    let path = bound.file.path().to_owned();
    assert_eq!((path.as_path(), mode(&path)), (place.dir.join("node.sock").as_path(), 0o600));
    assert!(bound.file.is_there());
    drop(bound);
    assert!(!path.exists());
}

#[test]
fn what_a_dead_node_left_is_removed_and_a_live_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path());
    let dead = bind(&place).unwrap();
    drop(dead.listener);
    std::mem::forget(dead.file);
    let live = bind(&place).unwrap();
    assert_eq!(live.file.path(), place.dir.join("node.sock"));
    // Somebody who listens there is not sent away.
    let other = bind(&place).unwrap();
    assert!(other.file.path().starts_with(dir.path().join("run/rohrpost")) && live.file.is_there());
}

#[test]
fn a_file_in_the_way_is_not_removed() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path());
    fs::write(place.dir.join("node.sock"), "a novel").unwrap();
    assert!(at(&place).starts_with(dir.path().join("run")));
    std::os::unix::fs::symlink("node.sock", place.dir.join("other")).unwrap();
    assert_eq!(fs::read(place.dir.join("node.sock")).unwrap(), b"a novel");
}

#[test]
fn where_the_path_is_too_long_it_is_elsewhere_for_this_user_only() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("d".repeat(120));
    fs::create_dir_all(&deep).unwrap();
    let place = Place { elsewhere: vec![deep.join("x"), dir.path().join("run")], ..place(&deep) };
    let path = at(&place);
    assert_eq!((path.parent().unwrap(), mode(path.parent().unwrap())), (dir.path().join("run").as_path(), 0o700));
    // The same every time, and another one for another folder.
    assert_eq!(at(&place), path);
    let other = Place { dir: dir.path().join("d".repeat(120)), ..place.clone() };
    assert_ne!(at(&other), path);
    // A folder that was there open to others is tightened.
    fs::set_permissions(dir.path().join("run"), Permissions::from_mode(0o755)).unwrap();
    assert_eq!((at(&place), mode(&dir.path().join("run"))), (path, 0o700));
}

#[test]
fn it_is_never_where_others_could_put_something_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let long = place(&dir.path().join("d".repeat(120)).join("e")).dir;
    let shared = dir.path().join("shared");
    fs::create_dir(&shared).unwrap();
    let place = |elsewhere: PathBuf| Place {
        dir: long.clone(),
        elsewhere: vec![elsewhere],
        ..Place::resolve_with("a", None, &|_| Some("/x".into())).unwrap()
    };
    let refused = |elsewhere: PathBuf, why: &str| {
        let error = bind(&place(elsewhere)).err().unwrap();
        assert!(error.is(Code::Io) && error.message.contains(why), "{error:?}");
    };
    fs::set_permissions(&shared, Permissions::from_mode(0o777)).unwrap();
    refused(shared.join("rohrpost"), "can be changed by others");
    // Where only the owner of a file can move it, as in /tmp.
    fs::set_permissions(&shared, Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(at(&place(shared.join("rohrpost"))).parent().unwrap(), shared.join("rohrpost"));
    std::os::unix::fs::symlink(&shared, shared.join("link")).unwrap();
    refused(shared.join("link"), "is no folder");
    // A link that leads to the folder above is followed before anything is looked at.
    assert_eq!(at(&place(shared.join("link/rohrpost"))).parent().unwrap(), shared.join("rohrpost"));
    fs::write(shared.join("file"), "x").unwrap();
    refused(shared.join("file"), "is no folder");
}

#[test]
fn it_is_noticed_when_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path());
    let mut first = bind(&place).unwrap();
    fs::remove_file(first.file.path()).unwrap();
    assert!(!first.file.is_there());
    first.file.is_gone();
    let second = bind(&place).unwrap();
    assert!(second.file.is_there() && !first.file.is_there());
    // The end of the first is not the end of the second.
    drop(first);
    assert!(second.file.is_there());
}
