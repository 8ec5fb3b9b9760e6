//! What a hostile text can and cannot do to a terminal.

use proptest::prelude::*;

use super::*;
use crate::cli::testing::any_text;

#[test]
fn ordinary_writing_stays_as_it_is() {
    for text in [
        "Hello, Bob!",
        "Grüße aus Köln",
        "שלום",
        "你好，世界",
        "👍🏽 👩‍💻 ❤️ 1️⃣ 🏳️‍🌈",
        "می‌خواهم",
        "क्‍ष",
        "e\u{301}",
        "a\u{A0}b",
    ] {
        assert_eq!(line(text), text);
        assert_eq!(block(text), text);
    }
}

#[test]
fn escape_sequences_are_shown_and_not_obeyed() {
    assert_eq!(line("a\x1b[2Jb"), "a<U+001B>[2Jb");
    assert_eq!(line("\u{9b}31m"), "<U+009B>31m");
    assert_eq!(line("bell\x07 back\x08 del\x7f"), "bell<U+0007> back<U+0008> del<U+007F>");
    assert_eq!(line("over\rwritten"), "over<U+000D>written");
}

#[test]
fn names_cannot_be_turned_around_or_made_alike_unseen() {
    assert_eq!(line("Alice\u{202E}ecilA"), "Alice<U+202E>ecilA");
    assert_eq!(line("Al\u{200B}ice"), "Al<U+200B>ice");
    assert_eq!(line("Al\u{200D}ice"), "Al<U+200D>ice");
    assert_eq!(line("Bob\u{FE0F}"), "Bob<U+FE0F>");
    assert_eq!(line("Bob\u{3164}"), "Bob<U+3164>");
    assert_eq!(line("Bob\u{E0041}"), "Bob<U+E0041>");
    assert_eq!(line("\u{1FFFE}"), "<U+1FFFE>");
    assert_eq!(line("👍\u{200D}"), "👍<U+200D>", "a joiner with nothing to join");
}

#[test]
fn a_line_is_one_line_and_a_block_is_several() {
    assert_eq!(line("one\ntwo\r\nthree\tx"), "one ⏎ two ⏎ three<U+0009>x");
    assert_eq!(block("one\n\n12:00  Bob\n\tx\n\n"), "one\n\n12:00  Bob\n    x");
}

#[test]
fn marks_do_not_pile_up() {
    let tower = format!("a{}", "\u{301}".repeat(40));
    let shown = line(&tower);
    assert_eq!(shown.matches('\u{301}').count(), MAX_MARKS);
    assert_eq!(shown.matches("<U+0301>").count(), 40 - MAX_MARKS);
}

#[test]
fn widths_are_those_of_a_terminal() {
    assert_eq!(width("abc"), 3);
    assert_eq!(width("你好"), 4);
    assert_eq!(truncate("你好世界", 5), "你好…");
    assert_eq!(truncate("你好世界", 4), "你…");
    assert_eq!(truncate("hello", 5), "hello");
    assert_eq!(truncate("hello", 4), "hel…");
    assert_eq!(truncate("hello", 0), "");
    assert!(width(&truncate("❤️❤️❤️❤️", 4)) <= 4, "a selector makes a heart wider");
    for (text, columns) in [("❤️", 2), ("1️⃣", 2), ("e\u{301}", 1), ("👍🏽", 4), ("👩\u{200D}💻", 4), ("🇩🇪", 4), ("لا", 2)]
    {
        assert_eq!(width(text), columns, "{text}: what the plainest terminal takes for it");
    }
}

proptest! {
    /// Whatever comes in, nothing that a terminal obeys comes out.
    #[test]
    fn no_control_character_survives(text in "\\PC*|[\\x00-\\x{A0}\\x{2000}-\\x{206F}]*|\\p{Any}*") {
        prop_assert!(!line(&text).chars().any(char::is_control));
        prop_assert!(!block(&text).chars().any(|c| c.is_control() && c != '\n'));
        let bidi = |c| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' | '\u{61C}');
        prop_assert!(!line(&text).chars().any(bidi));
    }

    /// Whoever joins more than we do takes less room.
    #[test]
    fn no_terminal_takes_more(text in any_text()) {
        let text = line(&text);
        prop_assert!(width(&text) >= unicode_width::UnicodeWidthStr::width(text.as_str()));
        prop_assert!(width(&text) >= text.chars().filter_map(unicode_width::UnicodeWidthChar::width).sum());
    }

    #[test]
    fn a_cut_text_fits(text in "\\PC{0,40}", columns in 0usize..30) {
        prop_assert!(width(&truncate(&line(&text), columns)) <= columns);
    }
}
