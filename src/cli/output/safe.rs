//! Text that somebody else wrote, made fit for a terminal.
//!
//! A name or a message may hold anything: an escape sequence that clears the screen or forges a
//! line, a bidirectional override that turns a name around, zero-width characters that make two
//! names look the same. All of it is made visible as `<U+202E>`; nothing is dropped, so that a
//! person sees that there was something. What ordinary writing needs (emoji sequences, joiners
//! between Arabic or Indic letters, a few combining marks) stays as it is.
//!
//! Owns no layout: [`super::table`] and [`super::wrap`] do that. JSON does not pass through here, see [`super::json`].

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

use crate::base::names::is_invisible;

/// Combining marks in a row that are shown; more would reach into the lines above and below.
const MAX_MARKS: usize = 6;

/// What a line break looks like where there is only one line.
const BREAK: &str = " ⏎ ";

/// One line: line breaks and tabs are made visible, too.
pub(crate) fn line(text: &str) -> String {
    let normal = text.replace("\r\n", "\n");
    let mut out = String::with_capacity(normal.len());
    for (i, part) in normal.split('\n').enumerate() {
        if i > 0 {
            out.push_str(BREAK);
        }
        push_visible(&mut out, part);
    }
    out
}

/// Several lines, which [`super::wrap`] indents. Tabs become four blanks.
pub(crate) fn block(text: &str) -> String {
    let normal = text.replace("\r\n", "\n").replace('\t', "    ");
    let mut out = String::with_capacity(normal.len());
    for (i, part) in normal.trim_end_matches('\n').split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        push_visible(&mut out, part);
    }
    out
}

/// How many columns of a terminal a safe text takes at most. Terminals differ in what they join (families of emoji, skin tones,
/// ligatures of Arabic): one that joins leaves a gap then, and one that does not has no line that is too long.
pub(crate) fn width(text: &str) -> usize {
    let mut before = 0;
    let columns = text.chars().map(|c| {
        let columns = match c {
            // The selector makes a picture of what was a sign.
            '\u{FE0F}' if before == 1 => 1,
            '\u{1F000}'..='\u{1FAFF}' => 2,
            c => UnicodeWidthChar::width(c).unwrap_or_default(),
        };
        before = columns;
        columns
    });
    columns.sum()
}

/// Whether a character belongs to the one before it: marks, joiners, selectors.
pub(crate) fn is_mark(c: char) -> bool {
    UnicodeWidthChar::width(c) == Some(0)
}

/// Cuts a safe text to so many columns; what was cut ends in `…`.
pub(crate) fn truncate(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        out.push(c);
        // A selector can make the character before it wider, so the whole is measured.
        if width(&out) + 1 > columns {
            out.pop();
            break;
        }
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// Whether a terminal could act on this character, or a reader could not see it. Used for JSON,
/// where the neighbours do not matter because the escape means the same character.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

fn push_visible(out: &mut String, text: &str) {
    let mut before: Option<char> = None;
    let mut marks = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        let keep = !is_hidden(c) || joins(before, c, next);
        // The joiners and selectors just kept are of no width either, but only marks pile up.
        let is_mark = keep && !is_hidden(c) && UnicodeWidthChar::width(c) == Some(0);
        marks = if is_mark { marks + 1 } else { 0 };
        if keep && marks <= MAX_MARKS {
            out.push(c);
        } else {
            push_code(out, c);
        }
        before = Some(c);
    }
}

fn push_code(out: &mut String, c: char) {
    // Writing to a string does not fail.
    let _ = write!(out, "<U+{:04X}>", u32::from(c));
}

/// Joiners and selectors where writing needs them, between the characters that give them a meaning.
fn joins(before: Option<char>, c: char, next: Option<char>) -> bool {
    match (before, c, next) {
        // ZWJ inside an emoji sequence; the one before may carry a selector or a skin tone.
        (Some(b), '\u{200D}', Some(n)) if (is_pictograph(b) || b == '\u{FE0F}') && is_pictograph(n) => true,
        // ZWNJ and ZWJ between letters of scripts that join or stack.
        (Some(b), '\u{200C}' | '\u{200D}', Some(n)) => is_joining_script(b) && is_joining_script(n),
        // Text or emoji form of a pictograph; keycaps are a digit, the selector and U+20E3.
        (Some(b), '\u{FE0E}' | '\u{FE0F}', n) => {
            is_pictograph(b) || (matches!(b, '0'..='9' | '#' | '*') && n == Some('\u{20E3}'))
        }
        _ => false,
    }
}

/// Characters that people send as pictures. Not exact: it only decides where a joiner may stand.
const fn is_pictograph(c: char) -> bool {
    matches!(c as u32,
        0xA9 | 0xAE | 0x203C | 0x2049 | 0x2122 | 0x2139 | 0x2194..=0x21AA | 0x231A..=0x23FF | 0x24C2
        | 0x25AA..=0x27BF | 0x2934..=0x2935 | 0x2B05..=0x2B55 | 0x3030 | 0x303D | 0x3297 | 0x3299
        | 0x1F000..=0x1FAFF)
}

/// Arabic, Syriac, the Indic scripts, Tibetan, Myanmar, Khmer, Mongolian: joiners mean something there.
const fn is_joining_script(c: char) -> bool {
    matches!(c as u32, 0x0620..=0x08FF | 0x0900..=0x0DFF | 0x0F00..=0x109F | 0x1780..=0x17DD | 0x1820..=0x18AA)
}

#[cfg(test)]
mod tests;
