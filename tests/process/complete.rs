//! What a shell is told that asks what can stand at the cursor.

use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::found::as_there;
use crate::node::Node;
use crate::person::{Person, TCP, contacts};
use crate::terminal::Terminal;

/// What a shell is answered that takes a word a line.
fn asked(person: &Person, words: &[&str]) -> Vec<String> {
    let plain = person.command(&[]);
    let mut command = Command::new(plain.get_program());
    command.current_dir(person.path()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("ROHRPOST_COMPLETE", "fish");
    command.args(["--", "rohrpost", "--data-dir", "data"]).args(words);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let words = lines.lines().map(|line| line.split('\t').next().unwrap());
    // Options stand behind what is asked about.
    words.filter(|word| !word.starts_with("--")).map(str::to_owned).collect()
}

#[test]
fn a_shell_is_told_names_profiles_methods_and_states() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    let stranger = Person::new("Stranger");
    stranger.say(&["send", &alice.link(), "May I?", "--wait", "sent"]);
    alice_node.event("request.new", |_| true);
    alice.one(&["contacts", "rename", "bob", "Bob Smith"]);
    assert_eq!(asked(&alice, &["send", "bo"]), ["Bob Smith"]);
    assert_eq!(asked(&alice, &["send", "me,B"]), ["me,Bob Smith"]);
    assert_eq!(asked(&alice, &["requests", "accept", ""])[0], "Stranger");
    assert!(
        !asked(&alice, &["send", ""]).contains(&"Stranger".to_owned()),
        "text of strangers stands where requests are"
    );
    assert_eq!(asked(&alice, &["-P", "def"]), ["default"]);
    assert_eq!(asked(&alice, &["rpc", "contacts.l"]), ["contacts.list"]);
    assert_eq!(asked(&alice, &["send", "--wait", "del"]), ["delivered"]);
    assert_eq!(asked(&alice, &["policy", "set", "c"]), ["contacts"]);
    assert!(asked(&alice, &["con"]).contains(&"contacts".to_owned()));

    // What a shell would act on comes into no command line.
    alice.one(&["contacts", "rename", "Bob Smith", "$(reboot)"]);
    let end_of_bob = format!("…{}", &bob.peer()[bob.peer().len() - 8..]);
    assert_eq!(asked(&alice, &["send", ""]), [end_of_bob]);
    alice.one(&["contacts", "rename", "$(reboot)", "Bob Smith"]);

    // As bash asks, and what it would write.
    let script = "source <(\"$1\" completions bash); rohrpost() { \"$program\" \"$@\"; }; program=$1; \
        COMP_WORDS=(rohrpost --data-dir data send bo); COMP_CWORD=4 COMP_TYPE=9; _clap_complete_rohrpost rohrpost bo send; \
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let plain = alice.command(&[]);
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", script, "bash"]).arg(plain.get_program()).current_dir(alice.path()).env_clear();
    bash.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", std::env::var_os("PATH").unwrap());
    let output = bash.output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "Bob\\ Smith\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    // Nobody is asked, and nothing is begun, for it: nor is a node waited for that says nothing.
    alice_node.off();
    assert_eq!(asked(&alice, &["send", "bo"]), [""; 0]);
    drop(bob_node);
}

/// Whether there is such a shell here.
fn has(shell: &str) -> bool {
    let is_there = Command::new(shell).arg("--version").stdout(Stdio::null()).stdin(Stdio::null()).status().is_ok();
    if !is_there {
        assert!(std::env::var_os("ROHRPOST_REQUIRE_SHELLS").is_none_or(|value| value != "1"), "{shell} is not here");
        eprintln!("skipped: {shell} is not here");
    }
    is_there
}

/// Somebody whose node runs, who knows a Bob Smith, and in whose folder `bin` the program is.
fn who_knows_bob() -> (Person, Node) {
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    alice.one(&["contacts", "add", bob.peer(), "--name", "Bob Smith"]);
    let plain = alice.command(&[]);
    std::fs::create_dir(alice.path().join("bin")).unwrap();
    symlink(plain.get_program(), alice.path().join("bin/rohrpost")).unwrap();
    let node = alice.on();
    (alice, node)
}

/// What is typed behind `rohrpost --data-dir data`, and the last word that comes of it.
const TYPED: &[(&str, &str)] = &[
    ("send bo", "Bob Smith"),
    ("send me,bo", "me,Bob Smith"),
    ("contacts verify BO", "Bob Smith"),
    ("send --wait del", "delivered"),
    ("requests acc", "accept"),
    ("-P def", "default"),
    ("rpc contacts.l", "contacts.list"),
    ("rpc CONTACTS.L", "contacts.list"),
];

#[test]
fn fish_completes_names_as_words() {
    if !has("fish") {
        return;
    }
    let (alice, node) = who_knows_bob();
    // As it would stand on the line, and what comes of that as words.
    let script = "set -p PATH $HOME/bin; rohrpost completions fish | source; \
        for line in $argv; set -l found (complete --escape -C \"rohrpost --data-dir data $line\" | string split -f 1 \\t)[1]; \
        eval set -l words $found; count $words; echo $words; end";
    let mut fish = Command::new("fish");
    fish.args(["--no-config", "-c", script]).args(TYPED.iter().map(|(typed, _)| typed));
    as_there(&alice.command(&[]), &mut fish);
    fish.env("PATH", std::env::var_os("PATH").unwrap()).stdin(Stdio::null());
    let output = fish.output().unwrap();
    let expected: String = TYPED.iter().map(|(_, word)| format!("1\n{word}\n")).collect();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{}", String::from_utf8_lossy(&output.stderr));
    node.off();
}

#[test]
fn zsh_completes_names_as_words() {
    if !has("zsh") {
        return;
    }
    let (alice, node) = who_knows_bob();
    let mut command = alice.command(&[]);
    command.env("TERM", "dumb").env("PS1", "> ");
    let mut terminal = Terminal::new();
    let mut zsh = terminal.start(&command, &["zsh", "-f", "-i"]);
    let begin = "bindkey -e; path=(~/bin $path); autoload -Uz compinit && compinit -D -u; \
        source <(rohrpost completions zsh); print re''ady\n";
    terminal.types(begin.as_bytes());
    terminal.shows("\nready\r\n", 1);
    for (typed, word) in TYPED {
        let times = terminal.count(&format!("\n{word}\r\n"));
        terminal.types(format!("rohrpost --data-dir data {typed}\t").as_bytes());
        // To the beginning of the line: what is there is printed, a word a line.
        terminal.types(b"\x01print -rl -- \n");
        terminal.shows(&format!("\n{word}\r\n"), times + 1);
    }
    terminal.types(b"exit\n");
    assert!(zsh.wait().unwrap().success());
    node.off();
}
