//! One command's results in the three forms.

use proptest::prelude::*;

use super::table::Cell;
use super::*;
use crate::cli::testing::{NOW, PEOPLE, any_text, begun, output};

fn table(rows: usize) -> Table {
    let mut table = Table::new(["NAME"]);
    (0..rows).for_each(|i| table.row([Cell::text(&format!("name {i}"))]));
    table
}

#[test]
fn an_empty_table_is_a_remark_to_people_and_nothing_to_programs() {
    let (mut people, out, err) = output(PEOPLE);
    people.table(&table(0), "nobody here").unwrap();
    assert_eq!((out.text().as_str(), err.text().as_str()), ("", "nobody here\n"));
    let (mut plain, out, err) = output(Form::Plain);
    plain.table(&table(0), "nobody here").unwrap();
    assert_eq!((out.text(), err.text()), (String::new(), String::new()));
    plain.table(&table(1), "nobody here").unwrap();
    assert_eq!(out.text(), "name 0\n");
}

#[test]
fn quiet_silences_notes_and_not_warnings() {
    let (mut quiet, _, err) = output(Form::Plain);
    quiet.quiet = true;
    quiet.note("a note").unwrap();
    assert_eq!(err.text(), "");
    quiet.warn("careful\n\x1b[2J").unwrap();
    assert_eq!(err.text(), "warning: careful\n  <U+001B>[2J\n");
}

proptest! {
    #[test]
    fn no_width_lets_a_remark_begin_a_second_line(text in any_text(), columns in 20_usize..=200) {
        let (mut output, _, err) = output(PEOPLE);
        output.columns_err = columns;
        output.note(&format!("a note of {text}")).unwrap();
        output.warn(&text).unwrap();
        let begun = begun(&err.text(), columns);
        prop_assert_eq!(begun.len(), 2, "{}", err.text());
        prop_assert!(begun[0].starts_with("a note") && begun[1].starts_with("warning:"), "{}", err.text());
    }
}

#[test]
fn times_are_short_for_people_and_whole_for_programs() {
    assert_eq!(output(PEOPLE).0.time(NOW), "14:02");
    assert_eq!(output(Form::Plain).0.time(NOW), "2024-03-12T14:02:11.042Z");
}

#[test]
fn a_name_never_stands_without_a_part_of_the_peer_id() {
    let peer = PeerId::from_key_bytes([7; 32]);
    assert_eq!(name_and_peer("Bob", &peer), format!("Bob (…{})", peer.short()));
    assert_eq!(name_and_peer("  ", &peer), format!("…{}", peer.short()));
}
