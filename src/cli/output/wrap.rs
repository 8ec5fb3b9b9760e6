//! Lines that fit the terminal. What does not fit is broken here, between words, and goes on below an indent: a terminal that
//! breaks a line by itself goes on in its first column, where a text of somebody else could pass for a line of ours.
//!
//! Texts are safe already, see [`super::safe`]; of escape sequences they hold at most the colours of [`super::style`], which
//! take no room.

use super::safe;

/// The columns of a stream that is no terminal.
pub(crate) const ENDLESS: usize = usize::MAX;

/// What stands before the further lines of a message: what it quotes of others cannot begin a line of its own.
pub(crate) const HANG: &str = "  ";

/// The text behind `first`, each of its further lines behind `indent`, and no line wider than `columns` as long as there is room
/// for two columns beside the indent. No line ends in blanks.
pub(crate) fn fold(first: &str, text: &str, indent: &str, columns: usize) -> String {
    let room = columns.max(safe::width(indent) + 2);
    let mut page = Page { out: first.to_owned(), indent, room, at: width(first), fresh: true };
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            page.next_line();
        }
        page.paragraph(line);
    }
    page.trim();
    page.out
}

/// The columns of a text with colours.
fn width(text: &str) -> usize {
    units(text).map(|unit| unit.columns).sum()
}

/// What is written.
struct Page<'a> {
    out: String,
    indent: &'a str,
    room: usize,
    /// The column at which this line goes on.
    at: usize,
    /// Nothing of the text is on this line yet.
    fresh: bool,
}

impl Page<'_> {
    fn paragraph(&mut self, line: &str) {
        let mut blanks = 0;
        for piece in pieces(line) {
            if piece.text.trim_matches(' ').is_empty() {
                blanks = piece.columns;
                continue;
            }
            if self.at + blanks + piece.columns <= self.room {
                self.out.extend(std::iter::repeat_n(' ', blanks));
                self.at += blanks;
            } else if !self.fresh || self.fits_below(&piece) {
                self.next_line();
            }
            blanks = 0;
            // A word that is wider than a line is broken where it must be.
            units(piece.text).for_each(|unit| self.unit(&unit));
        }
    }

    fn fits_below(&self, piece: &Piece<'_>) -> bool {
        self.at > safe::width(self.indent) && safe::width(self.indent) + piece.columns <= self.room
    }

    fn unit(&mut self, unit: &Piece<'_>) {
        if self.at + unit.columns > self.room {
            self.next_line();
        }
        self.out.push_str(unit.text);
        self.at += unit.columns;
        self.fresh = false;
    }

    fn next_line(&mut self) {
        self.trim();
        self.out.push('\n');
        self.out.push_str(self.indent);
        self.at = safe::width(self.indent);
        self.fresh = true;
    }

    fn trim(&mut self) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
    }
}

/// A part of a text, and the columns that it takes.
struct Piece<'a> {
    text: &'a str,
    columns: usize,
}

/// Blanks, words, and wide characters each for itself: between those of Chinese, say, there are no blanks.
fn pieces(line: &str) -> impl Iterator<Item = Piece<'_>> {
    let (mut begin, mut at, mut columns) = (0, 0, 0);
    let mut before = None;
    let mut rest = units(line).map(Some).chain(std::iter::once(None));
    std::iter::from_fn(move || {
        for unit in rest.by_ref() {
            let kind = unit.as_ref().map(Kind::of);
            let is_end = before.is_some_and(|before| Some(before) != kind || before == Kind::Wide);
            let done = is_end.then(|| Piece { text: line.get(begin..at).unwrap_or_default(), columns });
            if is_end {
                (begin, columns) = (at, 0);
            }
            before = kind;
            at += unit.as_ref().map_or(0, |unit| unit.text.len());
            columns += unit.as_ref().map_or(0, |unit| unit.columns);
            if done.is_some() {
                return done;
            }
        }
        None
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blank,
    Word,
    Wide,
}

impl Kind {
    fn of(unit: &Piece<'_>) -> Self {
        match unit.columns {
            _ if unit.text == " " => Self::Blank,
            0 | 1 => Self::Word,
            _ => Self::Wide,
        }
    }
}

/// What is never torn: a character with its marks, selectors and what is joined to it; a colour.
fn units(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = unit_end(rest)?;
        let (unit, behind) = rest.split_at(end);
        rest = behind;
        let columns = if unit.starts_with('\x1b') { 0 } else { safe::width(unit) };
        Some(Piece { text: unit, columns })
    })
}

fn unit_end(text: &str) -> Option<usize> {
    let mut chars = text.char_indices();
    let (_, first) = chars.next()?;
    if first == '\x1b' {
        return Some(text.find('m').map_or(text.len(), |end| end + 1));
    }
    // What a text begins with does not join the blank before it, which is ours.
    if first == ' ' {
        return Some(1);
    }
    let mut before = first;
    let end = chars.find(|&(_, c)| {
        let goes_on = c != '\x1b' && (safe::is_mark(c) || before == '\u{200D}');
        before = c;
        !goes_on
    });
    Some(end.map_or(text.len(), |(at, _)| at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cli::testing::{any_text, rows};

    #[test]
    fn a_mark_does_not_join_the_blank_before_it() {
        let all: Vec<_> = units(" \u{301}a").map(|piece| piece.text).collect();
        assert_eq!(all, [" ", "\u{301}", "a"]);
    }

    #[test]
    fn lines_are_broken_between_words() {
        for (text, columns, expected) in [
            ("one two three", 80, "one two three"),
            ("one two three", 9, "one two\n  three"),
            ("one two three", 7, "one two\n  three"),
            ("one  two", 6, "one\n  two"),
            ("one\n\ntwo", 80, "one\n\n  two"),
            ("a_word_that_is_too_long", 12, "a_word_that_\n  is_too_lon\n  g"),
            ("so a_word_that_is_too_long", 12, "so\n  a_word_tha\n  t_is_too_l\n  ong"),
            ("你好世界再见", 8, "你好世界\n  再见"),
            ("so 你好世界", 8, "so 你好\n  世界"),
            ("    code\n  x", 80, "    code\n    x"),
            ("ends in blanks   ", 80, "ends in blanks"),
            ("                 far", 10, "far"),
            ("", 80, ""),
        ] {
            assert_eq!(fold("", text, "  ", columns), expected, "{text} {columns}");
        }
    }

    #[test]
    fn what_stands_before_the_text_takes_room() {
        assert_eq!(fold("label  ", "one two", "    ", 10), "label  one\n    two");
        assert_eq!(fold("label  ", "longer", "  ", 10), "label\n  longer");
        assert_eq!(
            fold("\x1b[1mlabel\x1b[0m  ", "\x1b[2mone two\x1b[0m", "  ", 10),
            "\x1b[1mlabel\x1b[0m  \x1b[2mone\n  two\x1b[0m"
        );
    }

    #[test]
    fn what_belongs_together_is_not_torn() {
        let family = "👩\u{200D}💻";
        assert_eq!(
            units(&format!("a{family}e\u{301}")).map(|unit| unit.text).collect::<Vec<_>>(),
            ["a", family, "e\u{301}"]
        );
        assert_eq!(
            fold("", "❤\u{FE0F}❤\u{FE0F}❤\u{FE0F}", "", 4),
            "❤\u{FE0F}❤\u{FE0F}\n❤\u{FE0F}",
            "a selector makes a heart wider"
        );
    }

    proptest! {
        /// Whatever comes in, a terminal has nothing to break, and nothing but blanks is lost.
        #[test]
        fn every_line_fits_and_all_is_there(text in any_text(), columns in 8_usize..200) {
            let text = safe::block(&text);
            let folded = fold("", &text, "    ", columns);
            prop_assert_eq!(rows(&folded, columns).len(), folded.split('\n').count(), "{}", folded);
            for line in folded.split('\n').skip(1) {
                prop_assert!(line.is_empty() || line.starts_with("    "), "{}", folded);
                prop_assert!(!line.ends_with(' '), "{}", folded);
            }
            let bare = |text: &str| text.replace([' ', '\n'], "");
            prop_assert_eq!(bare(&folded), bare(&text));
        }
    }
}
