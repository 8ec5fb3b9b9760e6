//! The few colours there are, and when they are used.

use clap::ColorChoice;

/// What a piece of text is to look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tint {
    /// As the terminal writes.
    #[default]
    Plain,
    /// Headings and what is unread.
    Bold,
    /// What is there if one looks for it: identifiers, times.
    Dim,
    /// It is well.
    Green,
    /// It wants attention.
    Yellow,
    /// It is wrong.
    Red,
    /// Somebody's name.
    Cyan,
}

/// Whether to paint at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint {
    /// Escape sequences are written.
    pub(crate) on: bool,
}

impl Paint {
    /// Decides for one stream. `no_color`: the variable is set and not empty (no-color.org);
    /// `dumb`: the terminal says that it knows no escape sequences.
    pub(crate) const fn when(color: ColorChoice, is_terminal: bool, no_color: bool, dumb: bool) -> Self {
        let on = match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => is_terminal && !no_color && !dumb,
        };
        Self { on }
    }

    /// The text in that tint; no escape sequences when painting is off.
    pub(crate) fn tint(self, tint: Tint, text: &str) -> String {
        let code = match tint {
            _ if !self.on || text.is_empty() => return text.to_owned(),
            Tint::Plain => return text.to_owned(),
            Tint::Bold => "1",
            Tint::Dim => "2",
            Tint::Green => "32",
            Tint::Yellow => "33",
            Tint::Red => "31",
            Tint::Cyan => "36",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flag_beats_no_color_beats_terminal() {
        assert!(Paint::when(ColorChoice::Always, false, true, true).on);
        assert!(!Paint::when(ColorChoice::Never, true, false, false).on);
        assert!(Paint::when(ColorChoice::Auto, true, false, false).on);
        assert!(!Paint::when(ColorChoice::Auto, true, true, false).on);
        assert!(!Paint::when(ColorChoice::Auto, true, false, true).on);
        assert!(!Paint::when(ColorChoice::Auto, false, false, false).on);
    }

    #[test]
    fn nothing_is_written_when_off() {
        assert_eq!(Paint { on: false }.tint(Tint::Red, "x"), "x");
        assert_eq!(Paint { on: true }.tint(Tint::Plain, "x"), "x");
        assert_eq!(Paint { on: true }.tint(Tint::Red, ""), "");
        assert_eq!(Paint { on: true }.tint(Tint::Red, "x"), "\x1b[31mx\x1b[0m");
    }
}
