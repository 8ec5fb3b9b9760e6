//! What must stay in the process: modes of files, core dumps, `/proc`, and what a log may say.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rohrpost::identity::Link;
use rustix::process::Signal;

use crate::node::{Node, Talker, Watchdog, becomes};
use crate::person::{Person, TCP};

/// Some user who is not the one of the tests.
pub const NOBODY: u32 = 65_534;

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Everything under a folder, with what it is and its mode.
fn modes(folder: &Path, into: &mut BTreeMap<PathBuf, (char, u32)>) {
    let kind = |found: &fs::Metadata| match found.file_type() {
        kind if kind.is_dir() => 'd',
        kind if kind.is_socket() => 's',
        kind if kind.is_file() => 'f',
        kind => panic!("{kind:?}"),
    };
    let found = fs::symlink_metadata(folder).unwrap();
    into.insert(folder.to_owned(), (kind(&found), found.mode() & 0o7777));
    if found.is_dir() {
        fs::read_dir(folder).unwrap().for_each(|entry| modes(&entry.unwrap().path(), into));
    }
}

/// The program under a file mode creation mask, in the place of the shell that sets it.
fn under(mask: &str, person: &Person, args: &[&str]) -> Command {
    behind(&format!("umask {mask}; ulimit -c unlimited"), person, args)
}

/// The program in the place of a shell that does something first.
fn behind(first: &str, person: &Person, args: &[&str]) -> Command {
    let plain = person.command(args);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{first}; exec \"$@\""), "sh"]);
    command.arg(plain.get_program()).args(plain.get_args()).current_dir(person.path()).env_clear();
    command.envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?)))).stdin(Stdio::null());
    command
}

/// Every file, folder and socket belongs to its owner alone, whatever mask the program is started under.
#[test]
fn nothing_is_open_to_others_under_any_mask() {
    for mask in ["000", "022", "077", "777"] {
        let alice = Person::homeless();
        let init = under(mask, &alice, &["init", "--no-passphrase", "--name", "Alice"]).output().unwrap();
        assert!(init.status.success(), "umask {mask}: {init:?}");
        // A folder made by hand is tightened.
        let run = ["run", "--listen", TCP, "--no-mdns", "--no-upnp"];
        let mut node = Talker::of(under(mask, &alice, &run), alice.new_log());
        node.event("ready", |_| true);
        let socket: PathBuf = alice.status()["socket"].as_str().unwrap().into();
        assert_eq!(alice.status()["running"], true);
        let mut found = BTreeMap::new();
        modes(&alice.path().join("data/default"), &mut found);
        assert_eq!(found[&socket], ('s', 0o600));
        let kinds = |wanted| found.values().filter(|(kind, _)| *kind == wanted).count();
        assert!(kinds('f') >= 5 && kinds('d') >= 2, "umask {mask}: {found:#?}");
        for (path, (kind, mode)) in &found {
            let wanted = if *kind == 'd' { 0o700 } else { 0o600 };
            assert_eq!(*mode, wanted, "umask {mask}: {} has {mode:o}", path.display());
        }
        node.signal(Signal::TERM);
        assert_eq!(node.ended().code(), Some(0));
    }
}

fn limit_of_core(pid: u32) -> Vec<String> {
    limit_of(pid, "Max core file size")
}

fn limit_of(pid: u32, what: &str) -> Vec<String> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix(what));
    line.unwrap_or_default().split_whitespace().take(2).map(str::to_owned).collect()
}

/// To whom the kernel gives what is about a process: to root, when it is not dumpable.
fn owner_in_proc(pid: u32) -> Option<u32> {
    fs::metadata(format!("/proc/{pid}/environ")).ok().map(|found| found.uid())
}

/// A process of the same user as those of the person, that does nothing about itself.
fn careless(uid: u32) -> Child {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new("cat");
    if is_root() {
        command.uid(uid).gid(uid);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Every command that opens a key does so in a process that leaves no core dump and that its own user cannot look
/// into. Seen while it waits for the passphrase: before there is a key.
#[test]
fn no_command_lets_anybody_look_into_it() {
    let user = if is_root() { NOBODY } else { rustix::process::geteuid().as_raw() };
    // What this test looks at tells the two apart.
    let mut control = careless(user);
    becomes("a process without secrets", || owner_in_proc(control.id()) == Some(user));
    control.kill().unwrap();
    control.wait().unwrap();

    let alice = if is_root() { Person::of_user(user) } else { Person::homeless() };
    for args in [
        &["init", "--name", "Alice"][..],
        &["run", "--listen", TCP, "--no-mdns", "--no-upnp"],
        &["id"],
        &["id", "passphrase", "--new-passphrase-file", "-"],
        &["inbox"],
        &["send", "bob", "Hello"],
        &["history", "bob"],
        &["requests"],
        &["contacts"],
        &["rpc", "status"],
    ] {
        let args = [&["--passphrase-file", "-"], args].concat();
        let mut child =
            alice.command(&args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let _guard = Watchdog::over(&child);
        // It has shut its door before it asks for anything, so before it ends, too.
        becomes("the limit", || limit_of_core(child.id()) == ["0", "0"]);
        becomes("the end of looking", || owner_in_proc(child.id()) == Some(0));
        assert!(child.try_wait().unwrap().is_none(), "{args:?} has not waited for the passphrase");
        let mut stdin = child.stdin.take().unwrap();
        if args.contains(&"init") {
            writeln!(stdin, "correct horse").unwrap();
            drop(stdin);
            assert!(child.wait().unwrap().success());
        } else {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// Connections are files: of these a node takes as many as it needs and may have.
#[test]
fn a_node_has_room_for_its_connections() {
    let alice = Person::new("Alice");
    for (limits, soft) in [("ulimit -Sn 300; ulimit -Hn 9000", "4096"), ("ulimit -Sn 300; ulimit -Hn 700", "700")] {
        let run = ["run", "--listen", TCP, "--no-mdns", "--no-upnp"];
        let mut node = Talker::of(behind(limits, &alice, &run), alice.new_log());
        node.event("ready", |_| true);
        assert_eq!(limit_of(node.pid(), "Max open files")[0], soft, "{limits}");
        node.signal(Signal::TERM);
        node.ended();
    }
}

/// Even where dumps are wanted, a node that dies leaves none.
#[test]
fn a_node_that_dies_leaves_no_core_dump() {
    let alice = Person::new("Alice");
    let run = ["run", "--listen", TCP, "--no-mdns", "--no-upnp"];
    let mut node = Talker::of(under("022", &alice, &run), alice.new_log());
    node.event("ready", |_| true);
    node.signal(Signal::ABORT);
    let status = node.ended();
    assert_eq!((status.signal(), status.core_dumped()), (Some(Signal::ABORT.as_raw()), false));
}

/// What a service manager writes down of a node outlives what the store forgets.
#[test]
fn what_is_no_terminal_is_told_no_text_and_no_name() {
    for (flag, is_told) in [(None, false), (Some("--texts"), true)] {
        let (alice, bob, eve) = (Person::new("Alicia"), Person::new("Bob"), Person::new("Evelyn"));
        let told = bob.path().join("told");
        let args = [&["run", "--listen", TCP, "--no-mdns", "--no-upnp"], flag.as_slice()].concat();
        let mut child = bob.command(&args).stdout(fs::File::create(&told).unwrap()).spawn().unwrap();
        let _guard = Watchdog::over(&child);
        becomes("a node", || bob.status()["running"] == true);
        let (alice_node, eve_node) = (alice.on(), eve.on());
        bob.one(&["contacts", "add", &alice.link(), "--name", "Alicia"]);
        let message = alice.send(&bob.link(), "the plan is off", "delivered");
        eve.send(&bob.link(), "do you know me", "sent");
        becomes("a request", || !bob.all(&["requests"]).is_empty());
        bob.one(&["stop"]);
        assert!(child.wait().unwrap().success());
        let told = fs::read_to_string(&told).unwrap();
        for shown in ["the plan is off", "do you know me", "Alicia", "Evelyn"] {
            assert_eq!(told.contains(shown), is_told, "{shown}:\n{told}");
        }
        for shown in ["ready", "message.new", "request.new", message.as_str(), eve.peer()] {
            assert!(told.contains(shown), "{shown}:\n{told}");
        }
        drop((alice_node, eve_node));
    }
}

/// The forms in which bytes could be written down, by whoever writes a log line without thinking.
fn spelled(name: &str, bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = |bytes: &[u8]| bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    vec![
        (format!("{name}, as it is"), bytes.to_vec()),
        (format!("{name} in hexadecimal"), hex.clone().into_bytes()),
        (format!("{name} in upper-case hexadecimal"), hex.to_uppercase().into_bytes()),
        (format!("{name} as a list"), list(bytes.get(..8).unwrap_or(bytes)).into_bytes()),
    ]
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    let mut bytes = Vec::new();
    fs::File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// Neither logs at their most talkative, nor arguments, nor the environment say what is secret: passphrase, keys, and
/// what is said. Peers appear with the end of their IDs.
#[test]
fn logs_arguments_and_environment_tell_no_secret() {
    const PASSPHRASE: &str = "correct horse battery staple";
    const TEXTS: [&str; 3] = ["a request that nobody else reads", "an answer in confidence", "Betreff im Vertrauen"];
    let (alice, bob) = (Person::homeless(), Person::new("Bob"));
    alice.write("secret", &format!("{PASSPHRASE}\n"));
    let peer = alice.one(&["-vv", "--passphrase-file", "secret", "init", "--name", "Alice"])["peer_id"].clone();
    let alice_node = Node::with(&alice, &["-vv", "--passphrase-file", "secret"], TCP, &[]);
    let bob_node = Node::with(&bob, &["-vv"], TCP, &[]);
    let subject = ["-vv", "send", &bob.link(), "-", "--subject", TEXTS[2], "--wait", "sent", "--timeout", "2m"];
    let mut send = alice.command(&subject).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let send = send.as_mut().unwrap();
    send.stdin.take().unwrap().write_all(TEXTS[0].as_bytes()).unwrap();
    let mut said = String::new();
    send.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(send.wait().unwrap().success(), "{said}");
    bob_node.event("request.new", |_| true);
    bob.one(&["requests", "accept", "alice"]);
    bob.send("alice", TEXTS[1], "delivered");
    alice_node.arrived(TEXTS[1]);
    // Also what goes wrong is told: a node that cannot be dialled, and one that is somebody else's.
    let carol = Person::new("Carol");
    let wrong = Link { addrs: vec![bob_node.addr()], ..carol.link().parse().unwrap() };
    alice.one(&["send", &wrong.to_string(), "Hello"]);
    alice_node.says("dial failed");

    let key_file = read(alice.path().join("data/default/key"));
    let passphrase = rohrpost::crypto::password::Passphrase::new(PASSPHRASE.to_owned());
    let keys = rohrpost::identity::open_key_file(&key_file, Some(&passphrase)).unwrap();
    let others = rohrpost::identity::open_key_file(&read(bob.path().join("data/default/key")), None).unwrap();
    let mut secrets = vec![("the passphrase".to_owned(), PASSPHRASE.as_bytes().to_vec())];
    secrets.extend(TEXTS.map(|text| (text.to_owned(), text.as_bytes().to_vec())));
    for (name, keys) in [("Alice's", &keys), ("Bob's", &others)] {
        secrets.extend(spelled(&format!("{name} seed"), keys.identity_seed.expose()));
        secrets.extend(spelled(&format!("{name} store key"), keys.store_key.expose()));
    }
    let pids = [alice_node.pid(), bob_node.pid()];
    let proc: Vec<_> =
        pids.iter().flat_map(|pid| ["cmdline", "environ"].map(|file| read(format!("/proc/{pid}/{file}")))).collect();
    let logs = [alice_node.log(), bob_node.log(), said.into_bytes()];
    assert!(logs[..2].iter().all(|log| contains(log, b"DEBUG")), "the logs are not talkative");
    for (name, secret) in &secrets {
        assert!(!logs.iter().any(|log| contains(log, secret)), "{name} is in a log");
        assert!(!proc.iter().any(|file| contains(file, secret)), "{name} is in an argument or a variable");
    }
    for whole in [peer.as_str().unwrap(), bob.peer(), carol.peer()] {
        let lines = |log: &Vec<u8>| String::from_utf8_lossy(log).into_owned();
        let told: Vec<String> =
            logs.iter().map(lines).flat_map(|log| log.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        assert!(told.iter().any(|line| line.contains(&whole[whole.len() - 8..])), "the logs tell of nobody");
        let whole: Vec<_> = told.iter().filter(|line| line.contains(whole)).collect();
        assert!(whole.is_empty(), "a whole peer ID is in a log: {whole:#?}");
    }
}

/// There is no way to give a passphrase that others see.
#[test]
fn a_passphrase_is_taken_from_neither_arguments_nor_environment() {
    let alice = Person::homeless();
    alice.write("secret", "correct horse\n");
    alice.one(&["--passphrase-file", "secret", "init", "--name", "Alice"]);
    assert_eq!(alice.fails(&["--passphrase", "correct horse", "id"], 2)["code"], "usage");
    let tried = alice.command(&["id"]).env("ROHRPOST_PASSPHRASE", "correct horse").output().unwrap();
    assert_eq!(tried.status.code(), Some(8), "{tried:?}");
}
