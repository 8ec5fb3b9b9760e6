//! What a message costs in rows.

use std::collections::BTreeMap;

use crate::messenger::command::Command;
use crate::messenger::io::Input;
use crate::messenger::testing::Office;

const TEXTS: u64 = 200;

/// Rows that each of two puts and deletes while so many texts are sent and delivered, by table; all of them in one commit, or one
/// after the other.
fn written(together: bool) -> [BTreeMap<u8, u64>; 2] {
    let mut office = Office::pair();
    office.say(0, 1, "so that the sessions are at rest");
    office.in_commits(0, Vec::new());
    let before = [0, 1].map(|who| office.written(who));
    let texts: Vec<Input> =
        (0..TEXTS).map(|i| Input::Command(i, Command::Send(office.text(1, &format!("{i:0>200}"))))).collect();
    let each = if together { texts.len() } else { 1 };
    texts.chunks(each).for_each(|texts| office.in_commits(0, texts.to_vec()));
    let delivered = office.history(0, 1).iter().filter(|m| m.state == crate::base::words::State::Delivered).count();
    assert_eq!(delivered as u64, TEXTS + 2);
    [0, 1].map(|who| {
        let mut after = office.written(who);
        after.iter_mut().for_each(|(table, rows)| *rows -= before[who].get(table).copied().unwrap_or_default());
        after.retain(|_, rows| *rows > 0);
        after
    })
}

#[test]
fn a_delivered_text_writes_few_rows() {
    // In one commit there is what is written once for all of them.
    for (together, bounds, once) in [(true, [6, 2], 16), (false, [12, 8], 0)] {
        let written = written(together);
        let rows = [0, 1].map(|who| written[who].values().sum::<u64>());
        let over = [0, 1].map(|who| rows[who] > bounds[who] * TEXTS + once);
        eprintln!("{together} {rows:?}, by table: {written:?}");
        assert_eq!(over, [false, false], "together: {together}, {rows:?}, by table: {written:?}");
    }
}
