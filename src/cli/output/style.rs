//! The few colours there are, and when they are used.

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

/// `--color`: when to write colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorWhen {
    /// Decides for one stream. `no_color`: the variable is set and not empty (no-color.org);
    /// `dumb`: the terminal says that it knows no escape sequences.
    pub(crate) const fn paint(self, is_terminal: bool, no_color: bool, dumb: bool) -> Paint {
        Paint {
            on: match self {
                Self::Always => true,
                Self::Never => false,
                Self::Auto => is_terminal && !no_color && !dumb,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flag_beats_no_color_beats_terminal() {
        assert!(ColorWhen::Always.paint(false, true, true).on);
        assert!(!ColorWhen::Never.paint(true, false, false).on);
        assert!(ColorWhen::Auto.paint(true, false, false).on);
        assert!(!ColorWhen::Auto.paint(true, true, false).on);
        assert!(!ColorWhen::Auto.paint(true, false, true).on);
        assert!(!ColorWhen::Auto.paint(false, false, false).on);
    }

    #[test]
    fn nothing_is_written_when_off() {
        assert_eq!(Paint { on: false }.tint(Tint::Red, "x"), "x");
        assert_eq!(Paint { on: true }.tint(Tint::Plain, "x"), "x");
        assert_eq!(Paint { on: true }.tint(Tint::Red, ""), "");
        assert_eq!(Paint { on: true }.tint(Tint::Red, "x"), "\x1b[31mx\x1b[0m");
    }
}
