//! One command's results in the three forms.

use std::sync::{Arc, Mutex};

use super::table::{Cell, Column};
use super::*;

/// A stream that can be read afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn output(form: Form) -> (Output, Shared, Shared) {
    let (out, err) = (Shared::default(), Shared::default());
    let output = Output {
        form,
        paint: Paint { on: false },
        paint_err: Paint { on: false },
        quiet: false,
        now: WallTime(1_710_252_131_042),
        zone: TimeZone::UTC,
        out: Box::new(out.clone()),
        err: Box::new(err.clone()),
    };
    (output, out, err)
}

fn table(rows: usize) -> Table {
    let mut table = Table::new(&[Column::new("NAME")]);
    (0..rows).for_each(|i| table.row([Cell::text(&format!("name {i}"))]));
    table
}

#[test]
fn an_empty_table_is_a_remark_to_people_and_nothing_to_programs() {
    let (mut people, out, err) = output(Form::People { columns: 80 });
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

#[test]
fn times_are_short_for_people_and_whole_for_programs() {
    let at = WallTime(1_710_252_131_042);
    assert_eq!(output(Form::People { columns: 80 }).0.time(at), "14:02");
    assert_eq!(output(Form::Plain).0.time(at), "2024-03-12T14:02:11.042Z");
}

#[test]
fn a_name_never_stands_without_a_part_of_the_peer_id() {
    let peer = PeerId::from_key_bytes([7; 32]);
    assert_eq!(name_and_peer("Bob", &peer), format!("Bob (…{})", peer.short()));
    assert_eq!(name_and_peer("  ", &peer), format!("…{}", peer.short()));
}
