//! What a shell is told that asks what can stand at the cursor.

use std::process::{Command, Stdio};

use crate::person::{Person, TCP, contacts};

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
