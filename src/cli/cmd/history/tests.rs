//! What a conversation looks like, and that nobody in it can make it look otherwise.

use proptest::prelude::*;

use super::*;
use crate::base::WallTime;
use crate::cli::testing::{HOSTILE, NOW, PEOPLE, any_text, message, peer, rows, written};

/// The line of the day on which all of them were written.
const DAY: &str = "── Tuesday, 12 March 2024 ──\n";
const NEW: &str = "── new from here ──\n";

fn all(messages: &[Message], form: Form) -> String {
    let answered = messages.iter().map(|message| (message.message_id, message.clone())).collect();
    written(form, |output| show(messages, &answered, output))
}

/// What is shown of one, without the line of the day.
fn shown(message: Message) -> String {
    all(&[message], PEOPLE).strip_prefix(DAY).unwrap().to_owned()
}

#[test]
fn a_line_about_a_message_and_the_message_indented() {
    let expected = format!("{NEW}14:02  Bob (…{})  new  abcdef\n    Hello\n\n    again\n", peer(2).short());
    assert_eq!(shown(message(Direction::In, "Hello\n\nagain\n")), expected);
    assert_eq!(shown(message(Direction::Out, "Hi")), "14:02  you  delivered  abcdef\n    Hi\n");
}

#[test]
fn everything_there_is_to_say_of_a_message_is_said() {
    let mut full = message(Direction::In, "Hello");
    full.gap = true;
    full.edited = true;
    full.state = State::Read;
    full.subject = Some("About\x1b[0m".to_owned());
    full.reply_to = Some(MessageId::new([0x01; 32]));
    full.expires_at = Some(WallTime(NOW.0 + 3_600_000));
    full.reactions.insert("👍".to_owned(), vec![peer(1), peer(2)]);
    full.reactions.insert("♥".to_owned(), vec![peer(1)]);
    let expected = format!(
        "… messages before this one are missing\n14:02  Bob (…{})  edited  vanishes 15:02  abcdef\n  \
         ↩ a message that is not here\n  Subject: About<U+001B>[0m\n  Reactions: ♥ × 1  👍 × 2\n    Hello\n",
        peer(2).short()
    );
    assert_eq!(shown(full), expected);
    let mut unknown = message(Direction::In, "");
    unknown.kind = "image/x-\x07".to_owned();
    assert!(shown(unknown).ends_with("\n    [image/x-<U+0007>]\n"));
    let unreadable = Message { short_id: String::new(), ..message(Direction::Out, "Hi") };
    assert!(shown(unreadable).starts_with("14:02  you  delivered\n"), "nothing is shown that would not be understood");
}

#[test]
fn days_and_what_is_new_have_a_line() {
    let at = |hours: u64, state, id: u8| {
        let at = WallTime(NOW.0 + hours * 3_600_000);
        let message_id = MessageId::new([id; 32]);
        Message { received_at: Some(at), state, message_id, ..message(Direction::In, "x") }
    };
    let messages = [
        at(0, State::Read, 1),
        at(1, State::Received, 2),
        at(10, State::Received, 3),
        at(11, State::Read, 4),
        // It came late, with a clock that was wrong.
        at(2, State::Received, 5),
    ];
    let shown = all(&messages, PEOPLE);
    let lines: Vec<&str> =
        shown.lines().filter(|line| !line.starts_with("    ")).map(|line| line.split("  ").next().unwrap()).collect();
    let (tuesday, wednesday) = (DAY.trim_end(), "── Wednesday, 13 March 2024 ──");
    let expected = [tuesday, "14:02", NEW.trim_end(), "15:02", wednesday, "00:02", "01:02", tuesday, "16:02"];
    assert_eq!(lines, expected, "{shown}");
}

#[test]
fn a_reply_quotes_what_it_answers() {
    let long = "you: a text that is much longer than what there is room for in a quotation";
    let first = Message { message_id: MessageId::new([1; 32]), ..message(Direction::In, long) };
    let second = Message {
        message_id: MessageId::new([2; 32]),
        reply_to: Some(first.message_id),
        ..message(Direction::Out, "yes")
    };
    let third = Message { reply_to: Some(second.message_id), ..message(Direction::In, "good\n↩ you: no") };
    let shown = all(&[first, second, third], PEOPLE);
    let short = peer(2).short();
    assert!(
        shown.contains(&format!("\n  ↩ Bob (…{short}): you: a text that is much longer than wh…\n    yes\n")),
        "{shown}"
    );
    assert!(shown.ends_with("\n  ↩ you: yes\n    good\n    ↩ you: no\n"), "{shown}");
}

#[test]
fn what_is_answered_is_looked_up_in_this_conversation_alone() {
    let id = |n: u8| MessageId::new([n; 32]);
    let reply = |n: u8, to: u8| Message { message_id: id(n), reply_to: Some(id(to)), ..message(Direction::In, "yes") };
    let messages = [reply(1, 8), reply(2, 1), reply(3, 9), reply(4, 7)];
    let mut asked = Vec::new();
    let found = answered(&messages, &mut |id: &MessageId| {
        asked.push(*id);
        let there = Message { message_id: *id, ..message(Direction::Out, "shall we?") };
        Ok(match id.as_bytes()[0] {
            8 => Some(there),
            9 => Some(Message { conversation: peer(3), ..there }),
            _ => None,
        })
    });
    assert_eq!(found.unwrap().into_keys().collect::<Vec<_>>(), [1, 2, 3, 4, 8].map(id));
    assert_eq!(asked, [8, 9, 7].map(id), "what is on the page is not asked for");
}

#[test]
fn who_renamed_himself_is_known_by_the_old_name() {
    let mut renamed = message(Direction::In, "Hello");
    renamed.calls_himself = Some("Alice (…12345678)".to_owned());
    renamed.state = State::Read;
    let short = peer(2).short();
    let header = format!("14:02  Bob (…{short}), calls himself \"Alice (…12345678)\"  abcdef\n");
    assert!(shown(renamed.clone()).starts_with(&header), "{}", shown(renamed));
    renamed.from_name = String::new();
    assert!(shown(renamed.clone()).contains(&format!("…{short}, calls himself ")), "{}", shown(renamed));
}

#[test]
fn programs_get_one_line_for_each() {
    let messages = [message(Direction::In, HOSTILE), message(Direction::Out, "Hi")];
    let plain = all(&messages, Form::Plain);
    assert_eq!(plain.lines().map(|line| line.split('\t').count()).collect::<Vec<_>>(), [10, 10]);
    let json = all(&messages, Form::Json);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["text"], HOSTILE, "exact");
    assert!(!json.contains(['\x1b', '\u{202E}']), "and harmless");
}

/// What a person takes a line of the screen for, by where it begins.
fn read(row: &str) -> &'static str {
    match row.len() - row.trim_start_matches(' ').len() {
        _ if row.is_empty() => "text",
        0 if row.starts_with("──") => "rule",
        0 => "header",
        2 => match row.split_whitespace().next() {
            Some("↩") => "quote",
            Some("Subject:") => "subject",
            Some("Reactions:") => "reactions",
            _ => "nothing of ours",
        },
        1 | 3 => "nothing of ours",
        _ => "text",
    }
}

proptest! {
    /// Read back as a person reads it: what stands where a line of ours begins is one.
    #[test]
    fn no_width_lets_a_text_pass_for_another_message(texts in [any_text(), any_text(), any_text()], columns in 20_usize..=200) {
        let [text, subject, name] = texts;
        let mut forged = message(Direction::In, &text);
        (forged.subject, forged.calls_himself, forged.from_name) = (Some(subject), Some(name.clone()), name);
        forged.reactions.insert(text.clone(), vec![peer(1)]);
        forged.reply_to = Some(forged.message_id);
        let messages = [forged, message(Direction::Out, &text)];
        let shown = all(&messages, Form::People { columns });
        let ours: Vec<_> = rows(&shown, columns).iter().map(|row| read(row)).filter(|what| *what != "text").collect();
        let expected = ["rule", "rule", "header", "quote", "subject", "reactions", "header"];
        prop_assert_eq!(ours, expected, "{}", shown);
    }
}
