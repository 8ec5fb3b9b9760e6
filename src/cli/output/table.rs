//! Tables: aligned and cut to the width of the terminal for people, tab-separated for programs.
//!
//! A cell has two forms, because what a person wants to see (`14:02`, `…Xy12Ab34`) is not what a
//! script wants to work with (`2024-03-12T14:02:11.000Z`, the whole peer ID). The plain form has no
//! header and is never cut.

use super::names::{by_now, quoted_if_odd};
use super::safe;
use super::style::{Paint, Tint};

/// Blanks between two columns.
const GAP: &str = "  ";
/// A column that may be cut keeps at least so much.
const MIN_WIDTH: usize = 8;

/// How a cell fits into its column; all of a column do alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// It is shown whole, at the left.
    Whole,
    /// It is cut when the terminal is too narrow.
    Cut,
    /// It is shown whole, at the right.
    Right,
}

/// One cell, already safe.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    shown: String,
    plain: String,
    tint: Tint,
    fit: Fit,
}

impl Cell {
    /// The same for people and programs. Anybody may have written the text.
    pub(crate) fn text(text: &str) -> Self {
        Self::two(text, text)
    }

    /// The same, of any length: in a table it is cut when the terminal is too narrow.
    pub(crate) fn long(text: &str) -> Self {
        Self { fit: Fit::Cut, ..Self::text(text) }
    }

    /// What somebody is called, and what he calls himself by now if that is something else. Programs get the name as it is.
    pub(crate) fn name(name: &str, calls_himself: Option<&str>) -> Self {
        Self { fit: Fit::Cut, ..Self::two(&by_now(quoted_if_odd(name), calls_himself), name) }.tint(Tint::Cyan)
    }

    /// A number.
    pub(crate) fn number(number: impl Into<u64>) -> Self {
        Self { fit: Fit::Right, ..Self::text(&number.into().to_string()) }
    }

    /// Whether something is so: people are told when it is.
    pub(crate) fn flag(is: bool) -> Self {
        Self::two(if is { "yes" } else { "" }, &is.to_string())
    }

    /// One form for people, one for programs. Anybody may have written them.
    pub(crate) fn two(shown: &str, plain: &str) -> Self {
        Self { shown: safe::line(shown), plain: safe::line(plain), tint: Tint::Plain, fit: Fit::Whole }
    }

    /// In a colour, on a terminal.
    pub(crate) const fn tint(mut self, tint: Tint) -> Self {
        self.tint = tint;
        self
    }
}

/// Rows under titles.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    titles: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(titles: impl Into<Vec<&'static str>>) -> Self {
        Self { titles: titles.into(), rows: Vec::new() }
    }

    /// Adds a row; one cell for each column.
    pub(crate) fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        let cells = cells.into();
        debug_assert_eq!(cells.len(), self.titles.len(), "one cell for each column");
        self.rows.push(cells);
    }

    /// Whether there are no rows.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Tab-separated, no header.
    pub(crate) fn plain(&self) -> String {
        let mut out = String::new();
        for row in &self.rows {
            let cells: Vec<&str> = row.iter().map(|cell| cell.plain.as_str()).collect();
            out.push_str(&cells.join("\t"));
            out.push('\n');
        }
        out
    }

    /// Aligned under a header, at most `columns` wide where cutting the columns of long cells allows it; how a column fits is told by its first cell.
    pub(crate) fn aligned(&self, columns: usize, paint: Paint) -> String {
        let first = self.rows.first().into_iter().flatten();
        let titles = self.titles.iter().zip(first);
        let header = titles.map(|(title, cell)| Cell { fit: cell.fit, ..Cell::text(title).tint(Tint::Bold) }).collect();
        let widths = self.widths(&header, columns);
        let mut out = String::new();
        std::iter::once(&header).chain(&self.rows).for_each(|row| push_row(&mut out, row, &widths, paint));
        out
    }

    fn widths(&self, header: &Vec<Cell>, available: usize) -> Vec<usize> {
        let mut widths = vec![0; header.len()];
        for row in std::iter::once(header).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = safe::width(&cell.shown).max(*width);
            }
        }
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        // The widest column of long cells gives, one column of the terminal at a time.
        while widths.iter().sum::<usize>() + gaps > available {
            let widest = widths
                .iter_mut()
                .zip(header)
                .filter(|(width, title)| title.fit == Fit::Cut && **width > MIN_WIDTH.max(safe::width(&title.shown)))
                .max_by_key(|(width, _)| **width);
            match widest {
                Some((width, _)) => *width -= 1,
                None => break,
            }
        }
        widths
    }
}

/// The properties of one thing: a label for people, a field name for programs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    rows: Vec<(&'static str, &'static str, Cell)>,
}

impl Record {
    /// Adds a property. An empty label continues the one before.
    pub(crate) fn row(&mut self, label: &'static str, field: &'static str, cell: Cell) {
        self.rows.push((label, field, cell));
    }

    /// Adds a property with several values, the label before the first.
    pub(crate) fn rows(&mut self, label: &'static str, field: &'static str, cells: impl IntoIterator<Item = Cell>) {
        let labels = std::iter::once(label).chain(std::iter::repeat(""));
        self.rows.extend(labels.zip(cells).map(|(label, cell)| (label, field, cell)));
    }

    /// Field and value, tab-separated.
    pub(crate) fn plain(&self) -> String {
        self.rows.iter().map(|(_, field, cell)| format!("{field}\t{}\n", cell.plain)).collect()
    }

    /// Values aligned behind their labels; never cut.
    pub(crate) fn aligned(&self, paint: Paint) -> String {
        let labels = self.rows.iter().map(|(label, ..)| safe::width(label)).max().unwrap_or(0);
        let mut out = String::new();
        for (label, _, cell) in &self.rows {
            let blanks = " ".repeat(labels - safe::width(label));
            let line = format!("{}{blanks}{GAP}{}", paint.tint(Tint::Dim, label), paint.tint(cell.tint, &cell.shown));
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

fn push_row(out: &mut String, row: &[Cell], widths: &[usize], paint: Paint) {
    // Blanks are written only when something follows, so that no line ends in them.
    let mut owed = 0;
    for (i, (cell, &width)) in row.iter().zip(widths).enumerate() {
        let text = safe::truncate(&cell.shown, width);
        let rest = width - safe::width(&text);
        let (before, after) = if cell.fit == Fit::Right { (rest, 0) } else { (0, rest) };
        owed += before + if i > 0 { GAP.len() } else { 0 };
        if !text.is_empty() {
            out.extend(std::iter::repeat_n(' ', owed));
            out.push_str(&paint.tint(cell.tint, &text));
            owed = 0;
        }
        owed += after;
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Paint = Paint { on: false };

    fn people() -> Table {
        let mut table = Table::new(["NAME", "UNREAD", "LAST"]);
        table.row([Cell::text("你好"), Cell::number(12_u32), Cell::long("see you there, I bring the cake")]);
        table.row([Cell::text("Bob\x1b[2J"), Cell::number(3_u32), Cell::long("")]);
        table.row([Cell::text(""), Cell::text(""), Cell::long("line\nline\ttab")]);
        table
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let expected = "\
NAME            UNREAD  LAST
你好                12  see you there, I bring the cake
Bob<U+001B>[2J       3
                        line ⏎ line<U+0009>tab
";
        assert_eq!(people().aligned(80, PLAIN), expected);
    }

    #[test]
    fn only_flexible_columns_are_cut_and_only_to_a_point() {
        let cut = people().aligned(40, PLAIN);
        assert!(cut.lines().all(|line| safe::width(line) <= 40), "{cut}");
        assert!(cut.contains("see you there, …"), "{cut}");
        let narrow = people().aligned(10, PLAIN);
        assert!(narrow.contains("see you…") && narrow.contains("Bob<U+001B>[2J"), "{narrow}");
    }

    #[test]
    fn colours_do_not_move_columns() {
        let mut table = Table::new(["A", "B"]);
        table.row([Cell::text("x").tint(Tint::Red), Cell::text("y")]);
        assert_eq!(table.aligned(80, Paint { on: true }), "\x1b[1mA\x1b[0m  \x1b[1mB\x1b[0m\n\x1b[31mx\x1b[0m  y\n");
    }

    #[test]
    fn a_record_has_labels_for_people_and_fields_for_programs() {
        let mut record = Record::default();
        record.row("peer ID", "peer_id", Cell::text("12D3"));
        record.row("node", "running", Cell::two("not running", "false"));
        record.row("", "addr", Cell::text("/ip4/1.2.3.4"));
        assert_eq!(record.aligned(PLAIN), "peer ID  12D3\nnode     not running\n         /ip4/1.2.3.4\n");
        assert_eq!(record.plain(), "peer_id\t12D3\nrunning\tfalse\naddr\t/ip4/1.2.3.4\n");
    }

    #[test]
    fn piped_cells_are_separated_by_tabs_that_nobody_can_forge() {
        let mut table = Table::new(["A", "B"]);
        table.row([Cell::two("14:02", "2024-03-12T14:02:11.000Z"), Cell::text("a\tb\nc")]);
        assert_eq!(table.plain(), "2024-03-12T14:02:11.000Z\ta<U+0009>b ⏎ c\n");
    }
}
