//! QR codes in the terminal, two modules in one character.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use super::error::{CliError, Result};

/// Modules of light border that a reader needs around the code.
const QUIET: usize = 4;

/// A QR code of the text, in lines of half blocks.
///
/// Light modules are drawn and dark ones left out, so that it can be read from a terminal with a
/// dark background, which most have; with `colours` both are set, and it can be read from any.
///
/// # Errors
/// When the text is too long for a code, or the code too wide for `columns`.
pub(crate) fn render(text: &str, columns: Option<usize>, colours: bool) -> Result<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).map_err(|_| {
        CliError::mendable("qr_too_long", "the text is too long for a QR code").hint("hand the text itself over")
    })?;
    let modules = code.width();
    let side = modules + 2 * QUIET;
    if columns.is_some_and(|columns| columns < side) {
        return Err(CliError::mendable(
            "qr_too_wide",
            format!("the QR code needs {side} columns, the terminal has {}", columns.unwrap_or_default()),
        )
        .hint("make the window wider or the letters smaller"));
    }
    let mut image = code.render();
    let drawn = image.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    let (set, reset) = if colours { ("\x1b[38;5;231;48;5;16m", "\x1b[0m") } else { ("", "") };
    Ok(drawn.lines().map(|line| format!("{set}{line}{reset}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the modules back from the half blocks.
    fn modules(drawn: &str) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in drawn.lines() {
            rows.push(line.chars().map(|c| matches!(c, ' ' | '▄')).collect());
            rows.push(line.chars().map(|c| matches!(c, ' ' | '▀')).collect());
        }
        rows
    }

    #[test]
    fn what_is_drawn_is_the_code_within_a_light_border() {
        let text = "rohrpost:12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5?t=abc";
        let code = QrCode::with_error_correction_level(text, EcLevel::L).unwrap();
        let drawn = modules(&render(text, None, false).unwrap());
        let side = code.width() + 2 * QUIET;
        for (y, row) in drawn.iter().take(side).enumerate() {
            assert_eq!(row.len(), side);
            for (x, &is_dark) in row.iter().enumerate() {
                let inside = (QUIET..side - QUIET).contains(&x) && (QUIET..side - QUIET).contains(&y);
                let expected = inside && code[(x - QUIET, y - QUIET)] == qrcode::Color::Dark;
                assert_eq!(is_dark, expected, "module {x},{y}");
            }
        }
    }

    #[test]
    fn colours_are_set_for_each_line_and_reset() {
        let drawn = render("x", None, true).unwrap();
        assert!(drawn.lines().all(|line| line.starts_with("\x1b[38;5;231;48;5;16m") && line.ends_with("\x1b[0m")));
    }

    #[test]
    fn too_wide_and_too_long_are_said_with_a_way_out() {
        assert_eq!(render("x", Some(29), false).unwrap().lines().count(), 15);
        assert_eq!(render("x", Some(28), false).unwrap_err().exit(), 1);
        assert_eq!(render(&"x".repeat(5000), None, false).unwrap_err().exit(), 1);
    }
}
