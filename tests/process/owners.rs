//! Whose a profile is, and what its path may be made of.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::found::as_there;
use crate::node::Watchdog;
use crate::person::{Person, TCP};
use crate::secrets::{NOBODY, is_root};

/// Every command that wants a profile, each with arguments that it understands.
const COMMANDS: &[&[&str]] = &[
    &["init", "--no-passphrase"],
    &["id"],
    &["id", "link"],
    &["id", "qr"],
    &["id", "name", "New"],
    &["id", "rotate"],
    &["id", "passphrase", "--no-passphrase"],
    &["run", "--listen", TCP, "--no-mdns", "--no-upnp"],
    &["status"],
    &["stop"],
    &["doctor"],
    &["doctor", "bob"],
    &["doctor", "--clock"],
    &["recover"],
    &["send", "me", "A note"],
    &["send", "bob", "Hello"],
    &["reply", "01", "Hello"],
    &["inbox"],
    &["history", "bob"],
    &["read", "bob"],
    &["conversation", "delete", "bob", "--yes"],
    &["listen", "--since", "0"],
    &["requests"],
    &["policy"],
    &["policy", "set", "nobody"],
    &["mailbox"],
    &["peers"],
    &["contacts"],
    &["whoami"],
    &["accept", "bob"],
    &["block", "bob"],
    &["rpc", "inbox"],
];

/// All that is below a folder: what it is, whose, when it was changed, and what is in it.
fn picture(folder: &Path) -> BTreeMap<PathBuf, (u32, u32, i64, i64, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(path) = folders.pop() {
        let about = fs::symlink_metadata(&path).unwrap();
        let bytes = if about.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if about.is_dir() {
            folders.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        all.insert(path, (about.mode(), about.uid(), about.ctime(), about.ctime_nsec(), bytes));
    }
    all
}

/// A command to its end: its exit code, and the last line of its errors.
fn end(mut command: Command) -> (Option<i32>, String, Value) {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let guard = Watchdog::over(&child);
    let output = child.wait_with_output().unwrap();
    drop(guard);
    let errors = String::from_utf8(output.stderr).unwrap();
    let last = errors.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    (output.status.code(), String::from_utf8(output.stdout).unwrap(), last)
}

fn needs_root() -> bool {
    if !is_root() {
        assert!(std::env::var_os("ROHRPOST_REQUIRE_NETNS").is_none_or(|value| value != "1"), "this test needs root");
        eprintln!("skipped: only root can be two users");
    }
    is_root()
}

/// The program as root has it, for the folder of somebody else.
fn as_root(alice: &Person, args: &[&str]) -> Command {
    let plain = alice.command(args);
    let mut command = Command::new(plain.get_program());
    command.args(plain.get_args());
    as_there(&plain, &mut command);
    command
}

/// F14, M16: one command as root, and the owner was locked out.
#[test]
fn root_leaves_the_profile_of_another_user_alone_and_says_whose_it_is() {
    if !needs_root() {
        return;
    }
    let alice = Person::of_user(NOBODY).named("Alice");
    let before = picture(&alice.path().join("data"));
    let refused = |args: &[&str]| {
        let (code, out, error) = end(as_root(&alice, args));
        let error = &error["error"];
        assert_eq!((code, out.as_str(), &error["code"]), (Some(1), "", &"other_user".into()), "{args:?}: {error}");
        assert!(error["message"].as_str().unwrap().ends_with("data/default belongs to the user nobody"), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("`sudo -u nobody rohrpost …`"), "{error}");
    };
    for args in COMMANDS {
        refused(args);
        assert!(picture(&alice.path().join("data")) == before, "{args:?} has left a trace");
    }
    // Nor is a new one made in a folder of his.
    let (code, _, error) = end(as_root(&alice, &["-P", "other", "init", "--no-passphrase"]));
    assert_eq!((code, &error["error"]["code"]), (Some(1), &"other_user".into()), "{error}");
    assert!(picture(&alice.path().join("data")) == before);
    // While his node runs it is the same.
    let node = alice.on();
    for args in [&["status"][..], &["stop"], &["doctor"], &["inbox"]] {
        refused(args);
    }
    node.off();
    assert_eq!(alice.status()["running"], false);
    assert!(alice.all(&["inbox"]).is_empty());
}

/// What root left in a profile of somebody, and what came to it when root put a copy back: each file by itself, and all of them.
#[test]
fn a_file_of_another_user_in_ones_own_profile_is_told_with_what_gives_it_back() {
    if !needs_root() {
        return;
    }
    let alice = Person::of_user(NOBODY).named("Alice");
    alice.on().off();
    alice.one(&["send", "me", "A note"]);
    let profile = alice.path().join("data/default");
    let files = || -> Vec<PathBuf> { picture(&profile).into_keys().filter(|path| *path != profile).collect() };
    let give = |paths: &[PathBuf], to: u32| {
        for path in paths.iter().filter(|path| path.exists()) {
            std::os::unix::fs::chown(path, Some(to), Some(to)).unwrap();
        }
    };
    let commands: [&[&str]; 7] = [
        &["inbox"],
        &["id"],
        &["status"],
        &["send", "me", "Another"],
        &["listen", "--since", "0"],
        &["recover"],
        // It ends at once if it could begin: another one listens there.
        &["run", "--listen", "/ip4/192.0.2.1/tcp/1", "--no-mdns", "--no-upnp"],
    ];
    // What is his own and closed is told as it is.
    let key = profile.join("key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o000)).unwrap();
    let (code, _, error) = end(alice.command(&["inbox"]));
    assert_eq!((code, &error["error"]["code"]), (Some(3), &"io".into()));
    let (message, hint) = (error["error"]["message"].as_str().unwrap(), error["error"]["hint"].as_str().unwrap());
    assert!(message.starts_with("no permission for ") && message.ends_with("default/key"), "{error}");
    assert_eq!(hint, "the profile folder must belong to you and be writable");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let all = files();
    assert!(all.len() > 6, "{all:?}");
    let mut in_the_way = 0;
    for left in all.iter().map(|path| vec![path.clone()]).chain([all.clone()]) {
        give(&left, 0);
        let before = in_the_way;
        for args in commands {
            let (code, _, error) = end(alice.command(args));
            let error = &error["error"];
            // What is not needed for it is in nobody's way.
            if code == Some(0) || ["sound", "network"].contains(&error["code"].as_str().unwrap()) {
                continue;
            }
            assert_eq!((code, &error["code"]), (Some(1), &"other_user".into()), "{left:?} {args:?}: {error}");
            let (named, user) = error["message"].as_str().unwrap().split_once(" belongs to the user ").unwrap();
            assert!(user == "root" && left.contains(&alice.path().join(named)), "{left:?} {args:?}: {error}");
            let hint = error["hint"].as_str().unwrap();
            assert!(
                hint.contains("`sudo chown -R nobody ") && hint.contains("data/default` gives"),
                "{args:?}: {error}"
            );
            in_the_way += 1;
        }
        assert!(in_the_way > before || left[0].to_string_lossy().contains("/db/snap."), "{left:?} is in nobody's way");
        // Who asks what is wrong is told, whatever it is in the way of.
        let (code, out, error) = end(alice.command(&["doctor"]));
        let told = format!("{out} {error}");
        if picture(&profile).into_values().any(|(_, uid, ..)| uid == 0) {
            assert!(code == Some(1) && told.contains("belongs to the user root"), "{left:?}: {told}");
            assert!(told.contains("sudo chown -R nobody") && !told.contains("Permission denied"), "{left:?}: {told}");
        }
        // What it says helps.
        give(&files(), NOBODY);
        assert_eq!(alice.one(&["id"])["name"], "Alice");
    }
    assert!(in_the_way > all.len(), "{in_the_way} of {all:?}");
}

/// F22: the name of a folder is bytes.
#[test]
fn a_folder_whose_name_is_no_text_is_as_good_as_any() {
    let alice = Person::homeless();
    let folder = alice.path().join(OsStr::from_bytes(b"d\xff"));
    let command = |args: &[&str]| {
        let plain = alice.command(&[]);
        let mut command = Command::new(plain.get_program());
        command.arg("--json").arg("--data-dir").arg(&folder).args(args);
        as_there(&plain, &mut command);
        command
    };
    let shown = folder.to_string_lossy().into_owned();
    let run = ["run", "--listen", TCP, "--no-mdns", "--no-upnp"];
    assert_eq!(end(command(&["init", "--no-passphrase", "--name", "Alice"])).0, Some(0));
    let mut node = crate::node::Talker::of(command(&run), alice.new_log());
    assert!(node.event("ready", |_| true)["socket"].as_str().unwrap().starts_with(&shown));
    for args in [&["status"][..], &["id"], &["doctor"], &["inbox"], &["send", "me", "A note"], &["stop"]] {
        let (code, out, error) = end(command(args));
        assert_eq!(code, Some(0), "{args:?}: {error}");
        if args == ["status"] {
            let status: Value = serde_json::from_str(&out).unwrap();
            assert!(status["data_dir"].as_str().unwrap().starts_with(&shown), "{status}");
        }
    }
    assert_eq!(node.ended().code(), Some(0));
    for args in [&["status"][..], &["doctor"], &["history", "me"], &["listen", "--since", "0"]] {
        let (code, _, error) = end(command(args));
        assert_eq!(code, Some(0), "{args:?}: {error}");
    }
    // So is that of a file.
    let file = alice.path().join(OsStr::from_bytes(b"p\xff"));
    fs::write(&file, "correct horse\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut change = command(&["id", "passphrase", "--new-passphrase-file"]);
    change.arg(&file);
    assert_eq!(end(change).0, Some(0));
    let mut look = command(&[]);
    look.arg("--passphrase-file").arg(&file).arg("inbox");
    assert_eq!(end(look).0, Some(0));
}

/// L6: a file where a folder is meant.
#[test]
fn a_file_is_not_a_folder() {
    let alice = Person::homeless();
    alice.write("file", "a novel");
    for args in COMMANDS {
        let mut words = vec!["--data-dir", "file"];
        words.extend(*args);
        let plain = alice.command(&[]);
        let mut command = Command::new(plain.get_program());
        command.arg("--json").args(&words);
        as_there(&plain, &mut command);
        let (code, _, error) = end(command);
        let error = &error["error"];
        assert_eq!((code, &error["code"]), (Some(1), &"config".into()), "{args:?}: {error}");
        assert!(error["message"].as_str().unwrap().ends_with("/file is not a folder"), "{args:?}: {error}");
    }
    assert_eq!(fs::read(alice.path().join("file")).unwrap(), b"a novel");
}
