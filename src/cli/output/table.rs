//! Tables: aligned and cut to the width of the terminal for people, tab-separated for programs.
//!
//! A cell has two forms, because what a person wants to see (`14:02`, `…Xy12Ab34`) is not what a
//! script wants to work with (`2024-03-12T14:02:11.000Z`, the whole peer ID). The plain form has no
//! header and is never cut. Where a terminal is too narrow for a table, it is told as records.

use super::names::{by_now, quoted_if_odd};
use super::safe;
use super::style::{Paint, Tint};
use super::wrap::{ENDLESS, fold};

/// Blanks between two columns.
const GAP: &str = "  ";
/// A column that may be cut keeps at least so much, and one that goes on below.
const MIN_WIDTH: usize = 8;
const MIN_FOLDED: usize = 24;
/// What stands before the further lines of a value where there is no room for them beside their label.
const INDENT: &str = "    ";

/// How a cell fits into its column; all of a column do alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// It is shown whole, at the left.
    Whole,
    /// It is cut when the terminal is too narrow.
    Cut,
    /// It goes on below when the terminal is too narrow: the last column.
    Folded,
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
    /// It is ours, to be copied: a record does not break it, wherever the terminal does.
    copied: bool,
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

    /// A text for people, of any length: the last of a row.
    pub(crate) fn folded(text: &str) -> Self {
        Self { fit: Fit::Folded, ..Self::text(text) }
    }

    /// What is ours, such as a link or a path: people copy it, and it is never broken.
    pub(crate) fn copied(text: &str) -> Self {
        Self { copied: true, ..Self::text(text) }
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
        Self { shown: safe::line(shown), plain: safe::line(plain), tint: Tint::Plain, fit: Fit::Whole, copied: false }
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

    /// Aligned under a header, at most `columns` wide; how a column fits is told by its first cell. What cannot be so narrow is told
    /// as records.
    pub(crate) fn aligned(&self, columns: usize, paint: Paint) -> String {
        let first = self.rows.first().into_iter().flatten();
        let titles = self.titles.iter().zip(first);
        let header = titles.map(|(title, cell)| Cell { fit: cell.fit, ..Cell::text(title).tint(Tint::Bold) }).collect();
        let widths = self.widths(&header, columns);
        if widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1) > columns {
            return self.records(columns, paint);
        }
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
        // The widest column that may give does, one column of the terminal at a time.
        while widths.iter().sum::<usize>() + gaps > available {
            let may_give = |(width, title): &(&mut usize, &Cell)| match title.fit {
                Fit::Cut => **width > MIN_WIDTH.max(safe::width(&title.shown)),
                Fit::Folded => **width > MIN_FOLDED,
                Fit::Whole | Fit::Right => false,
            };
            match widths.iter_mut().zip(header).filter(may_give).max_by_key(|(width, _)| **width) {
                Some((width, _)) => *width -= 1,
                None => break,
            }
        }
        widths
    }

    /// A record for each row, with a line between them.
    fn records(&self, columns: usize, paint: Paint) -> String {
        let record = |row: &Vec<Cell>| {
            let told = self.titles.iter().zip(row).filter(|(_, cell)| !cell.shown.is_empty());
            Record { rows: told.map(|(title, cell)| (*title, "", cell.clone())).collect() }.aligned(columns, paint)
        };
        self.rows.iter().map(record).collect::<Vec<_>>().join("\n")
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

    /// Values aligned behind their labels, at most `columns` wide, and never cut. Where there is no room beside the labels they are
    /// not aligned.
    pub(crate) fn aligned(&self, columns: usize, paint: Paint) -> String {
        let labels = self.rows.iter().map(|(label, ..)| safe::width(label)).max().unwrap_or(0);
        let is_wide = columns >= labels + GAP.len() + MIN_FOLDED;
        let indent = if is_wide { " ".repeat(labels + GAP.len()) } else { INDENT.to_owned() };
        let mut out = String::new();
        for (label, _, cell) in &self.rows {
            let room = safe::width(&indent).saturating_sub(safe::width(label)).max(GAP.len());
            let first = format!("{}{}", paint.tint(Tint::Dim, label), " ".repeat(room));
            let columns = if cell.copied { ENDLESS } else { columns };
            out.push_str(&fold(&first, &paint.tint(cell.tint, &cell.shown), &indent, columns));
            out.push('\n');
        }
        out
    }
}

fn push_row(out: &mut String, row: &[Cell], widths: &[usize], paint: Paint) {
    // Blanks are written only when something follows, so that no line ends in them.
    let mut owed = 0;
    let mut start = 0;
    for (i, (cell, &width)) in row.iter().zip(widths).enumerate() {
        if cell.fit == Fit::Folded && !cell.shown.is_empty() {
            let indent = " ".repeat(start);
            out.extend(std::iter::repeat_n(' ', owed + if i > 0 { GAP.len() } else { 0 }));
            let line = fold(&indent, &paint.tint(cell.tint, &cell.shown), &indent, start + width);
            out.push_str(line.strip_prefix(&indent).unwrap_or_default());
            continue;
        }
        start += width + GAP.len();
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
    fn only_flexible_columns_are_cut_and_where_that_is_not_enough_there_are_records() {
        let cut = people().aligned(40, PLAIN);
        assert!(cut.lines().all(|line| safe::width(line) <= 40), "{cut}");
        assert!(cut.contains("see you there, …"), "{cut}");
        let expected = "\
NAME  你好
UNREAD  12
LAST  see you there,
    I bring the cake

NAME  Bob<U+001B>[2J
UNREAD  3

LAST  line ⏎
    line<U+0009>tab
";
        assert_eq!(people().aligned(20, PLAIN), expected);
    }

    #[test]
    fn colours_do_not_move_columns() {
        let mut table = Table::new(["A", "B"]);
        table.row([Cell::text("x").tint(Tint::Red), Cell::text("y")]);
        assert_eq!(table.aligned(80, Paint { on: true }), "\x1b[1mA\x1b[0m  \x1b[1mB\x1b[0m\n\x1b[31mx\x1b[0m  y\n");
    }

    #[test]
    fn the_last_column_goes_on_below() {
        let mut table = Table::new(["A", ""]);
        table.row([Cell::text("x"), Cell::folded("a text of more than one line, told whole").tint(Tint::Dim)]);
        table.row([Cell::text("y"), Cell::folded("")]);
        assert_eq!(table.aligned(80, PLAIN), "A\nx  a text of more than one line, told whole\ny\n");
        assert_eq!(table.aligned(30, PLAIN), "A\nx  a text of more than one\n   line, told whole\ny\n");
        assert_eq!(
            table.aligned(20, PLAIN),
            "A   x\n    a text of more\n    than one line,\n    told whole\n\nA   y\n"
        );
    }

    #[test]
    fn a_record_goes_on_behind_its_labels_or_below_them() {
        let mut record = Record::default();
        record.row("from", "from", Cell::text("somebody with many words"));
        record.row("link", "link", Cell::copied("rohrpost:a_link_that_is_to_be_copied"));
        assert_eq!(
            record.aligned(40, PLAIN),
            "from  somebody with many words\nlink  rohrpost:a_link_that_is_to_be_copied\n"
        );
        assert_eq!(
            record.aligned(30, PLAIN),
            "from  somebody with many words\nlink  rohrpost:a_link_that_is_to_be_copied\n"
        );
        assert_eq!(
            record.aligned(20, PLAIN),
            "from  somebody with\n    many words\nlink  rohrpost:a_link_that_is_to_be_copied\n"
        );
    }

    #[test]
    fn a_record_has_labels_for_people_and_fields_for_programs() {
        let mut record = Record::default();
        record.row("peer ID", "peer_id", Cell::text("12D3"));
        record.row("node", "running", Cell::two("not running", "false"));
        record.row("", "addr", Cell::text("/ip4/1.2.3.4"));
        assert_eq!(record.aligned(80, PLAIN), "peer ID  12D3\nnode     not running\n         /ip4/1.2.3.4\n");
        assert_eq!(record.plain(), "peer_id\t12D3\nrunning\tfalse\naddr\t/ip4/1.2.3.4\n");
    }

    #[test]
    fn piped_cells_are_separated_by_tabs_that_nobody_can_forge() {
        let mut table = Table::new(["A", "B"]);
        table.row([Cell::two("14:02", "2024-03-12T14:02:11.000Z"), Cell::text("a\tb\nc")]);
        assert_eq!(table.plain(), "2024-03-12T14:02:11.000Z\ta<U+0009>b ⏎ c\n");
    }
}
