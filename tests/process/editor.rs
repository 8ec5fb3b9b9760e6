//! A text that is written in an editor, at a terminal.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::node::Watchdog;

use crate::person::{Person, contacts};

/// Where files are in memory, on every Linux.
const MEMORY: &str = "/dev/shm";

/// Runs it at a terminal, with such an editor: a shell script that has the file as `$1`, and writes down first what it is.
fn begin(person: &Person, editor: &str, args: &[&str]) -> Child {
    let script = format!(
        "#!/bin/sh\nstat -c '%a %u' \"$1\" \"$(dirname \"$1\")\" >seen\nstat -f -c %T \"$1\" >>seen\n\
        printf %s \"$1\" >where\necho $PPID >parent\n{editor}\n"
    );
    let path = person.path().join("an editor");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    ["seen", "where", "parent"].iter().for_each(|file| _ = fs::remove_file(person.path().join(file)));
    let plain = person.command(&[]);
    let mut line = vec![plain.get_program().to_str().unwrap(), "--data-dir", "data"];
    line.extend(args);
    let quoted: Vec<String> = line.iter().map(|word| format!("'{word}'")).collect();
    let mut command = Command::new("script");
    command.args(["-qec", &quoted.join(" "), "/dev/null"]).current_dir(person.path()).env_clear();
    let set = plain.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.envs(set).env("PATH", std::env::var_os("PATH").unwrap()).env("XDG_RUNTIME_DIR", MEMORY);
    command.env("EDITOR", format!("'{}'", path.display())).env("VISUAL", "").env("SHELL", "/bin/sh");
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
    for (editor, said) in [
        ("true", "nothing was written, and nothing is sent"),
        ("printf ' \\n\\n' >\"$1\"", "nothing was written, and nothing is sent"),
        ("printf said >\"$1\"; exit 3", "nothing is sent"),
        ("printf '\\377' >\"$1\"", "not UTF-8"),
        ("head -c 70000 /dev/zero | tr '\\0' x >\"$1\"", "longer than"),
    ] {
        let (code, shown) = at_terminal(&alice, editor, &["send", "bob"]);
        assert!(code == Some(1) && shown.contains(said), "{editor}: {code:?} {shown}");
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
