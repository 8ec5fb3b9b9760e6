//! QR codes: in the terminal, two modules in one character, and as pictures.

use std::iter;

use qrcode::render::svg;
use qrcode::render::unicode::Dense1x2;
use qrcode::{Color, EcLevel, QrCode};

use super::error::{CliError, Result};
use super::output::wrap::fold;

/// Modules of light border that a reader needs around the code.
const QUIET: usize = 4;
/// Modules of the smallest code, and how many more each next version has.
const SMALLEST: usize = 17;
const MORE: usize = 4;
/// Bytes that the versions hold with the least correction (ISO/IEC 18004, table 7): more than that is in no terminal.
const BYTES: [usize; 15] = [17, 32, 53, 78, 106, 134, 154, 192, 230, 271, 321, 367, 425, 458, 520];
/// Lines of a terminal that does not say how many it has.
const USUAL_LINES: usize = 24;
/// What a text beside the code needs, in columns, and how far it stands from the code.
const NARROWEST: usize = 20;
const GAP: usize = 2;
/// Pixels of a module in a picture.
const PIXELS: usize = 8;

/// How many lines the terminal has.
pub(crate) fn lines() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).map(|size| usize::from(size.ws_row));
    size.ok().filter(|&lines| lines > 0).unwrap_or(USUAL_LINES)
}

/// The longest text whose code fits so many columns and lines, in bytes; one line is left for the prompt.
pub(crate) fn holds(columns: usize, lines: usize) -> usize {
    let modules = columns.min(2 * lines.saturating_sub(1)).saturating_sub(2 * QUIET);
    let version = modules.saturating_sub(SMALLEST) / MORE;
    version.checked_sub(1).and_then(|at| BYTES.get(at.min(BYTES.len() - 1))).copied().unwrap_or_default()
}

/// The code with a text beside it, or below it where there is no room.
pub(crate) fn beside(code: &str, text: &str, columns: usize) -> String {
    // Colours have no columns.
    let side = code.lines().next().map_or(0, |line| line.chars().filter(|c| " █▀▄".contains(*c)).count());
    let room = columns.saturating_sub(side + GAP);
    let wrapped = fold("", text, "", if room < NARROWEST { columns } else { room });
    if room < NARROWEST {
        return format!("{code}{wrapped}\n");
    }
    let notes = iter::once("").chain(wrapped.lines()).chain(iter::repeat(""));
    let line = |(line, note): (&str, &str)| match note {
        "" => format!("{line}\n"),
        note => format!("{line}{}{note}\n", " ".repeat(GAP)),
    };
    code.lines().zip(notes).map(line).collect()
}

/// The code as a picture in PNG.
///
/// # Errors
/// When the text is too long for a code.
pub(crate) fn png(text: &str) -> Result<Vec<u8>> {
    let code = encode(text)?;
    let side = (code.width() + 2 * QUIET) * PIXELS;
    let light = |x: usize, y: usize| {
        let module = (x / PIXELS).checked_sub(QUIET).zip((y / PIXELS).checked_sub(QUIET));
        module.is_none_or(|(x, y)| x >= code.width() || y >= code.width() || code[(x, y)] == Color::Light)
    };
    // Eight pixels in a byte: a module, or its part, and the row ends with a whole byte.
    let row = |y: usize| {
        (0..side / 8).map(move |byte| (0..8).fold(0, |bits, bit| bits << 1 | u8::from(light(8 * byte + bit, y))))
    };
    let pixels: Vec<u8> = (0..side).flat_map(row).collect();
    let mut file = Vec::new();
    let side = u32::try_from(side).unwrap_or(u32::MAX);
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().map_err(|error| not_drawn(&error))?;
    writer.write_image_data(&pixels).map_err(|error| not_drawn(&error))?;
    writer.finish().map_err(|error| not_drawn(&error))?;
    Ok(file)
}

fn not_drawn(error: &png::EncodingError) -> CliError {
    CliError::mendable("qr_not_drawn", format!("the picture cannot be made: {error}"))
}

/// The code as a picture in SVG.
///
/// # Errors
/// When the text is too long for a code.
pub(crate) fn svg(text: &str) -> Result<String> {
    let pixels = u32::try_from(PIXELS).unwrap_or_default();
    Ok(encode(text)?.render::<svg::Color<'_>>().module_dimensions(pixels, pixels).build())
}

fn encode(text: &str) -> Result<QrCode> {
    QrCode::with_error_correction_level(text, EcLevel::L).map_err(|_| {
        CliError::mendable("qr_too_long", "the text is too long for a QR code").hint("hand the text itself over")
    })
}

/// A QR code of the text, in lines of half blocks.
///
/// Light modules are drawn and dark ones left out, so that it can be read from a terminal with a
/// dark background, which most have; with `colours` both are set, and it can be read from any.
///
/// # Errors
/// When the text is too long for a code, or the code too wide for `columns`.
pub(crate) fn render(text: &str, columns: Option<usize>, colours: bool) -> Result<String> {
    let code = encode(text)?;
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

    /// The table is right: so many bytes fit a version, and one more does not.
    #[test]
    fn what_a_terminal_holds_is_drawn_in_it() {
        for (version, &bytes) in (1..).zip(&BYTES) {
            let side = |len: usize| encode(&"x".repeat(len)).unwrap().width();
            assert_eq!((side(bytes), side(bytes + 1)), (SMALLEST + MORE * version, SMALLEST + MORE * (version + 1)));
        }
        assert_eq!(holds(80, 24), 106);
        assert_eq!((holds(28, 24), holds(29, 24), holds(80, 15), holds(80, 16)), (0, 17, 0, 17));
        assert_eq!(holds(1000, 1000), 520);
        for (columns, lines) in [(80, 24), (80, 40), (60, 60), (29, 24)] {
            let drawn = render(&"x".repeat(holds(columns, lines)), Some(columns), false).unwrap();
            assert!(drawn.lines().count() < lines, "{columns} x {lines}");
        }
    }

    #[test]
    fn a_text_stands_beside_the_code_or_below() {
        let code = render("x", None, false).unwrap();
        let wide = beside(&code, "one two three four five six", 29 + GAP + 20);
        assert_eq!(wide.lines().count(), code.lines().count());
        assert!(
            wide.lines().nth(1).unwrap().ends_with("  one two three four")
                && wide.lines().nth(2).unwrap().ends_with("  five six")
        );
        let narrow = beside(&code, "one two three four five six", 29 + GAP + 19);
        assert_eq!(narrow, format!("{code}one two three four five six\n"));
    }

    #[test]
    fn pictures_are_the_code_within_a_light_border() {
        let text = "rohrpost:12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5/abc";
        let code = encode(text).unwrap();
        let file = png(text).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let side = (code.width() + 2 * QUIET) * PIXELS;
        assert_eq!((info.width as usize, info.height as usize, info.bit_depth), (side, side, png::BitDepth::One));
        for (y, row) in pixels.chunks(info.line_size).enumerate() {
            for x in 0..side {
                let is_dark = row[x / 8] >> (7 - x % 8) & 1 == 0;
                let (x, y) = (x / PIXELS, y / PIXELS);
                let inside = (QUIET..QUIET + code.width()).contains(&x) && (QUIET..QUIET + code.width()).contains(&y);
                assert_eq!(is_dark, inside && code[(x - QUIET, y - QUIET)] == Color::Dark, "{x},{y}");
            }
        }
        let svg = svg(text).unwrap();
        assert!(svg.contains("<svg") && svg.contains(&format!("width=\"{side}\"")), "{svg:.300}");
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
