//! Whether what is seen is what a page shows: what differs from run to run is matched by what it looks like.

use regex::Regex;

/// In base58.
const END: &str = "…[1-9A-HJ-NP-Za-km-z]{8}(?-u:\\b)";
/// What differs, as it looks: on the page an example, and another one at each run.
const DIFFERS: &[&str] = &[
    END,
    "12D3KooW[1-9A-HJ-NP-Za-km-z]{44}",
    "/ip[46]/[^ \n]+",
    "(?-u:\\b)[0-9]{1,2}:[0-9]{2}(?-u:\\b)",
    "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, [0-9]{1,2} [A-Z][a-z]+ [0-9]{4}",
    "(?-u:\\b)[0-9]{5}(?-u:\\b)",
    "process [0-9]+",
    MESSAGE,
];
const MESSAGE: &str = "(?-u:\\b)[0-9a-f]{6,}(?-u:\\b)";
/// How far a message came by the time that its sender looks; of one that has not left yet more is told.
const STATES: &str = "^(?:queued|sent|delivered)(?-u:\\b)";
/// As few as fit.
const ANY_LINES: &str = "(?:[^\n]*\n)*?";

/// `…` on a page is anything within a line, and any lines when it stands alone. `further`: more may come.
pub(super) fn is_as_shown(shown: &[String], seen: &[String], states_differ: bool, further: bool) -> bool {
    let pattern: String = shown.iter().map(|line| line_pattern(line.trim_end(), states_differ)).collect();
    let end = if further { "" } else { "\\z" };
    let seen: String = seen.iter().map(|line| format!("{}\n", line.trim_end())).collect();
    Regex::new(&format!("\\A{pattern}{end}")).unwrap().is_match(&seen)
}

fn line_pattern(line: &str, states_differ: bool) -> String {
    if line == "…" {
        return ANY_LINES.to_owned();
    }
    let looks: Vec<&str> = DIFFERS.iter().copied().chain(states_differ.then_some(STATES)).chain(["…"]).collect();
    let finder = looks.iter().map(|look| format!("({look})")).collect::<Vec<_>>().join("|");
    let (mut pattern, mut rest, mut end) = (String::new(), 0, "\n".to_owned());
    for found in Regex::new(&finder).unwrap().captures_iter(line) {
        let whole = found.get(0).unwrap();
        let look = looks[(1..found.len()).find(|group| found.get(*group).is_some()).unwrap() - 1];
        pattern += &regex::escape(&line[rest..whole.start()]);
        pattern += &match look {
            // A word of letters only is a word.
            MESSAGE if !whole.as_str().contains(|c: char| c.is_ascii_digit()) => regex::escape(whole.as_str()),
            "…" => "[^\n]*".to_owned(),
            STATES => {
                end += ANY_LINES;
                STATES.trim_start_matches('^').to_owned()
            }
            look => look.to_owned(),
        };
        rest = whole.end();
    }
    pattern + &regex::escape(&line[rest..]) + &end
}

#[test]
fn what_differs_is_known_by_its_look() {
    let is = |shown: &str, seen: &str| {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        is_as_shown(&lines(shown), &lines(seen), false, false)
    };
    for (shown, seen) in [
        ("sent  to Bob (…Mo8oENfd)  a68916", "sent  to Bob (…ABCDEFGH)  00000000"),
        ("── Monday, 30 November 2026 ──", "── Tuesday, 1 May 2029 ──"),
        ("14:58  you  read  ea2625\n    Hello!", "9:01  you  read  abcdef\n    Hello!"),
        ("link  rohrpost:12D3KooW…/…", "link  rohrpost:12D3KooWCSRT8WZy/_-"),
        ("…\nready\n…", "a\nb\nready"),
        ("  /ip4/192.0.2.7/udp/1/p2p/12D3KooW…", "  /ip6/::1/tcp/9"),
        ("46831 94656", "00000 11111"),
    ] {
        assert!(is(shown, seen), "{shown:?} {seen:?}");
        for other in [format!("{seen}\nmore"), format!("more{seen}"), seen.to_uppercase(), String::new()] {
            assert!(shown.starts_with('…') || other == seen || !is(shown, &other), "{shown:?} {other:?}");
        }
    }
    for (shown, seen) in
        [("facade", "decade"), ("read  1 message", "read  2 messages"), ("…, sent", "Bob, read"), ("a.c", "abc")]
    {
        assert!(!is(shown, seen), "{shown:?} {seen:?}");
    }
}
