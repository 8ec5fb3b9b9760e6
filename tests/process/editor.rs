//! A text that is written in an editor, at a terminal.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::fs::statfs;

use crate::node::Watchdog;
use crate::person::{Person, contacts};
use crate::secrets::is_root;

/// Where files are in memory, on every Linux.
const MEMORY: &str = "/dev/shm";

/// Runs it at a terminal, with such an editor: a shell script that has the file as `$1`, and writes down first what it is.
fn begin(person: &Person, editor: &str, args: &[&str]) -> Child {
    begin_behind(person, editor, &[], MEMORY, args)
}

/// The same, behind other words, and with this for a folder of temporary files.
fn begin_behind(person: &Person, editor: &str, before: &[&str], temporary: &str, args: &[&str]) -> Child {
    let script = format!(
        "#!/bin/sh\nstat -c '%a %u' \"$1\" \"$(dirname \"$1\")\" >seen\nstat -f -c %T \"$1\" >>seen\n\
        printf %s \"$1\" >where\necho $PPID >parent\n{editor}\n"
    );
    let path = person.path().join("an editor");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    ["seen", "where", "parent"].iter().for_each(|file| _ = fs::remove_file(person.path().join(file)));
    let plain = person.command(&[]);
    let program = [plain.get_program().to_str().unwrap(), "--data-dir", "data"];
    let line = [before, &program, args].concat();
    let quoted: Vec<String> = line.iter().map(|word| format!("'{word}'")).collect();
    let mut command = Command::new("script");
    command.args(["-qec", &quoted.join(" "), "/dev/null"]).current_dir(person.path()).env_clear();
    let set = plain.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.envs(set).env("PATH", std::env::var_os("PATH").unwrap()).env("XDG_RUNTIME_DIR", temporary);
    if temporary != MEMORY {
        command.env("TMPDIR", temporary);
    }
    command
        .env("EDITOR", format!("'{}'", path.display()))
        .env("VISUAL", "")
        .env("SHELL", "/bin/sh")
        .env("NO_COLOR", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// To its end: exit code and what the terminal shows.
fn ends(mut child: Child) -> (Option<i32>, String) {
    let guard = Watchdog::over(&child);
    drop(child.stdin.take());
    let mut shown = String::new();
    child.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    let code = child.wait().unwrap().code();
    drop(guard);
    // Wherever lines were broken.
    (code, shown.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn at_terminal(person: &Person, editor: &str, args: &[&str]) -> (Option<i32>, String) {
    ends(begin(person, editor, args))
}

/// Where the editor had its file; none if it was not run.
fn place(person: &Person) -> Option<PathBuf> {
    fs::read_to_string(person.path().join("where")).ok().map(PathBuf::from)
}

/// It was of the owner alone, in memory, and nothing of it is left.
fn was_hidden(person: &Person) {
    let seen = fs::read_to_string(person.path().join("seen")).unwrap();
    let uid = rustix::process::getuid().as_raw();
    assert_eq!(seen, format!("600 {uid}\n700 {uid}\ntmpfs\n"));
    let place = place(person).unwrap();
    assert!(place.starts_with(MEMORY) && !place.parent().unwrap().exists(), "{}", place.display());
}

#[test]
fn what_is_written_in_an_editor_is_sent_and_leaves_nothing() {
    let ((alice, _alice_node), (bob, bob_node)) = contacts(crate::person::TCP);
    let before = alice.texts(&bob).len();
    let write = "printf 'two lines,\\n\\tand \\\\\\n\\n' >\"$1\"; cp \"$1\" \"$1~\"; printf x >\"$TMPDIR/swap\"";
    let (code, shown) = at_terminal(&alice, write, &["send", "bob"]);
    assert_eq!(code, Some(0), "{shown}");
    let arrived = bob_node.arrived("two lines,\n\tand \\\n");
    was_hidden(&alice);

    let (code, shown) = at_terminal(
        &alice,
        "printf 'and more' >\"$1\"",
        &["reply", arrived["message"]["message_id"].as_str().unwrap()],
    );
    assert_eq!(code, Some(0), "{shown}");
    bob_node.arrived("and more");
    was_hidden(&alice);
    let sent = alice.texts(&bob).len();
    assert_eq!(sent, before + 2);

    // Nothing, blanks, a failure, no text, and too much of it.
    let waits = "hint: an editor that goes on by itself must be told to wait, such as EDITOR='code --wait'";
    for (editor, said, hint) in [
        ("true", "error: nothing was written, and nothing is sent", waits),
        ("printf ' \\n\\n' >\"$1\"", "error: nothing was written, and nothing is sent", waits),
        (
            "printf said >\"$1\"; exit 3",
            "ended with exit status: 3; nothing is sent",
            "hint: VISUAL or EDITOR names another",
        ),
        ("printf '\\377' >\"$1\"", "error: what was written is not UTF-8 text", ""),
        (
            "head -c 70000 /dev/zero | tr '\\0' x >\"$1\"",
            "error: the text is longer than 49152 bytes",
            "hint: shorten it",
        ),
    ] {
        let (code, shown) = at_terminal(&alice, editor, &["send", "bob"]);
        assert!(code == Some(1) && shown.contains(said) && shown.contains(hint), "{editor}: {code:?} {shown}");
        was_hidden(&alice);
    }

    // Nobody writes for who is not known.
    for args in [["send", "nobody"], ["reply", "01ab"]] {
        let (code, shown) = at_terminal(&alice, "printf x >\"$1\"", &args);
        assert!(code == Some(6) && place(&alice).is_none(), "{code:?} {shown}");
    }
    assert!(alice.fails(&["send", "bob"], 2)["hint"].as_str().unwrap().contains("`-`"));
    assert_eq!(alice.texts(&bob).len(), sent);
}

/// What is written may be on a disk only with leave.
#[test]
fn where_nothing_lies_in_memory_it_is_asked() {
    let on_disk = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let is_in_memory = statfs(&on_disk).unwrap().f_type == statfs(MEMORY).unwrap().f_type;
    if !is_root() || is_in_memory {
        assert!(std::env::var_os("ROHRPOST_REQUIRE_MOUNTS").is_none_or(|value| value != "1"), "this test needs root");
        return eprintln!("skipped: only root can have no memory for files");
    }
    let alice = Person::new("Alice");
    let folder = tempfile::tempdir_in(&on_disk).unwrap();
    let covered = format!("mount --bind {} {MEMORY} && exec \"$@\"", folder.path().display());
    let before = ["unshare", "--mount", "sh", "-c", &covered, "sh"];
    let answered = |answer: &str| {
        let place = folder.path().to_str().unwrap();
        let mut child = begin_behind(&alice, "printf 'On the disk' >\"$1\"", &before, place, &["send", "me"]);
        child.stdin.as_mut().unwrap().write_all(answer.as_bytes()).unwrap();
        ends(child)
    };
    let (code, shown) = answered("n\n");
    assert!(shown.contains("No file system here lies in memory") && shown.contains("Go on? [y/N]"), "{shown}");
    assert!(shown.contains("error: nothing was written, and nothing is sent"), "{shown}");
    assert!(shown.contains("hint: write the text behind the command, or pipe it in with `-`"), "{shown}");
    assert!(code == Some(1) && place(&alice).is_none(), "{code:?} {shown}");
    let (code, shown) = answered("y\n");
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(alice.texts(&alice), ["On the disk"]);
    assert!(!place(&alice).unwrap().exists() && fs::read_dir(folder.path()).unwrap().next().is_none());
}

/// Whoever ends the program ends the editor, and what was written goes; an interrupt is for the editor.
#[test]
fn what_ends_the_program_leaves_nothing_of_what_is_written() {
    let alice = Person::new("Alice");
    for (signal, code) in [("TERM", 143), ("HUP", 129)] {
        let editor = format!(
            "trap 'exit 0' {signal}; printf secret >\"$1\"; cp \"$1\" \"$1.swp\"; kill -{signal} $PPID; while :; do sleep 1; done"
        );
        let (ended, shown) = at_terminal(&alice, &editor, &["send", "me"]);
        assert_eq!(ended, Some(code), "{shown}");
        was_hidden(&alice);
    }
    let (ended, shown) = at_terminal(&alice, "kill -INT $PPID; printf said >\"$1\"", &["send", "me"]);
    assert_eq!(ended, Some(0), "{shown}");
    was_hidden(&alice);
    assert_eq!(alice.texts(&alice), ["said"]);
}
