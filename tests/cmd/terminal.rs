//! What is different on a terminal: one of util-linux' `script`, of 80 columns and 10 lines.

use std::process::Stdio;

use super::errors::steps_of;
use super::{Home, PROGRAM, sessions};

/// What the terminal shows of a command line, without its carriage returns, and the exit code.
fn shown(home: &Home, environment: &[(&str, &str)], line: &str) -> (String, Option<i32>) {
    shown_at(80, home, environment, &format!("$ROHRPOST {line}"))
}

/// The same of a command of the shell, at a terminal of so many columns.
fn shown_at(columns: usize, home: &Home, environment: &[(&str, &str)], line: &str) -> (String, Option<i32>) {
    let output = home
        .command("script")
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm")
        .env("ROHRPOST", PROGRAM)
        .envs(environment.iter().copied())
        .args(["-qec", &format!("stty cols {columns} rows 10; {line}"), "/dev/null"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap().replace('\r', ""), output.status.code())
}

/// A profile with so many notes to oneself, the first of which would be wider than the terminal.
fn with_notes(count: usize) -> Home {
    let home = Home::new();
    home.succeed(&["init", "--no-passphrase", "--name", "Alice"]);
    for n in 1..=count {
        home.succeed(&["send", "me", &format!("note {n}"), &"x ".repeat(60)]);
    }
    home
}

#[test]
fn lists_go_through_a_pager_on_a_terminal() {
    let home = with_notes(8);
    let marked = ("ROHRPOST_PAGER", "sed s/^/:/");
    let through = |environment: &[_], line: &str| {
        let (shown, code) = shown(&home, environment, line);
        assert_eq!(code, Some(0), "{shown}");
        assert!(shown.contains("note 8"), "{shown}");
        let marked = shown.lines().filter(|line| line.starts_with(':')).count();
        assert!(marked == 0 || marked == shown.lines().count(), "{shown}");
        marked > 0
    };
    assert!(through(&[marked], "history me"));
    assert!(through(&[marked], "inbox"));
    assert!(through(&[("PAGER", marked.1)], "conversation me"));
    assert!(!through(&[marked], "--no-pager history me"));
    assert!(!through(&[marked], "--json history me"));
    assert!(!through(&[marked], "history me | cat"), "there is no terminal");
    assert!(!through(&[marked], "--color always history me | cat"));
    assert!(!through(&[("ROHRPOST_PAGER", "exec /none/such")], "history me"), "what is missing is none");
    // The usual one, or none if the machine has it not; all fits, and it ends by itself.
    assert!(!through(&[], "history me -n 1"));
}

#[test]
fn a_pager_changes_no_exit_code() {
    let home = with_notes(40);
    for (pager, line, exit) in [
        ("true", "history me", 0),
        ("exit 3", "history me", 0),
        ("head -n 1", "--color always history me", 0),
        ("cat", "history nobody", 6),
        ("cat", "contacts", 0),
    ] {
        let (shown, code) = shown(&home, &[("ROHRPOST_PAGER", pager)], line);
        assert_eq!(code, Some(exit), "{pager} {line}: {shown}");
        assert_eq!(shown.contains("error:"), exit != 0, "{pager} {line}: {shown}");
    }
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let home = with_notes(1);
    for line in ["history me", "inbox", "contacts", "doctor", "status", "send me hello"] {
        let (shown, _) = shown(&home, &[], &format!("--no-pager --color never {line}"));
        let is_ours = |line: &&str| line.contains("12D3KooW") || line.contains('/');
        let wide: Vec<_> = shown.lines().filter(|line| !is_ours(line) && line.chars().count() > 80).collect();
        assert!(wide.is_empty() && !shown.is_empty(), "{line}: {wide:?}");
    }
    let (history, _) = shown(&home, &[], "--no-pager --color never history me");
    assert_eq!(history.lines().filter(|line| line.starts_with("    ")).count(), 3, "{history}");
}

#[test]
fn a_code_that_does_not_fit_says_so() {
    let home = with_notes(0);
    let (shown, code) = shown_at(30, &home, &[], "$ROHRPOST --color never id qr");
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("columns, the terminal has 30"), "{shown}");
    assert!(shown.contains("hint: make the window wider or the letters smaller") && code == Some(1), "{shown}");
}

/// All errors of the session `plain/errors`, played once more: the same words, broken at the margin, and indented below it.
#[test]
fn errors_are_the_same_at_a_terminal_and_fit() {
    let home = Home::new();
    let (mut told, mut broken) = (0, 0);
    for step in steps_of(&sessions().into_iter().find(|path| path.ends_with("plain/errors.trycmd")).unwrap()) {
        if step.line.contains("--json") {
            continue;
        }
        let line = step.line.strip_prefix("rohrpost").unwrap();
        let (shown, code) =
            shown_at(80, &home, &[("NO_COLOR", "1"), ("ROHRPOST_PAGER", "cat")], &format!("$ROHRPOST {line}"));
        assert_eq!(code, Some(i32::from(step.exit)), "{line}: {shown}");
        // What was said of the wait has been wiped away.
        let left: Vec<_> = shown.lines().filter_map(|line| line.rsplit("\x1b[K").next()).collect();
        let shown = left.join("\n");
        // Wherever the lines are broken.
        let error = |lines: Vec<&str>| -> String {
            let from = lines.iter().position(|line| line.starts_with("error: ")).unwrap_or(lines.len());
            lines[from..].join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let expected = error(step.lines.iter().map(String::as_str).collect());
        if expected.is_empty() {
            continue;
        }
        let found = error(shown.lines().collect());
        let left = expected.split("[..]").try_fold(found.as_str(), |left, part| Some(left.split_once(part)?.1));
        assert!(left.is_some_and(str::is_empty), "{line}:\n{shown}");
        told += 1;
        let ours = shown.lines().skip_while(|line| !line.starts_with("error: "));
        for part in ours {
            assert!(part.chars().count() <= 80 || !part.trim().contains(' '), "{line}: {part}");
            let is_begin = part.starts_with("error: ") || part.starts_with("hint: ");
            assert!(is_begin || part.starts_with("  "), "{line}: {part}");
            broken += usize::from(!is_begin);
        }
    }
    assert!(told > 30 && broken > 4, "{told} errors, {broken} lines that go on");
}
