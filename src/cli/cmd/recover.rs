//! `recover`: a new profile of what is left of a damaged one.

use crate::api::Recovery;
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::Output;
use crate::cli::output::style::Tint;
use crate::cli::output::table::{Cell, Record};
use crate::client;

/// Recover a profile whose store is damaged
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What can be read in the damaged database is taken from there, the rest from the
newest of the automatic snapshots. The damaged folder is kept beside the new one.
You stay who you are. Sessions are made anew, so contacts' next messages may take
a moment, and a message that you cannot see may be marked as missing.

No node may be running: `rohrpost stop` ends it.")]
pub(crate) struct RecoverArgs {}

/// Recovers, and tells what was saved and what was lost.
pub(crate) fn run(_: RecoverArgs, context: &mut Context) -> Result<()> {
    let recovery = context.unlocked(client::recover)?;
    show(&recovery, &mut context.output)
}

fn show(recovery: &Recovery, output: &mut Output) -> Result<()> {
    let mut record = Record::default();
    record.row("peer ID", "peer_id", Cell::copied(&recovery.peer_id.to_string()));
    record.row("name", "name", Cell::text(&recovery.name));
    record.row("damage", "damage", Cell::text(&recovery.damage));
    record.row("contacts", "contacts", Cell::number(recovery.contacts));
    record.row("conversations", "conversations", Cell::number(recovery.conversations));
    record.row("messages", "messages", Cell::number(recovery.messages));
    record.row("requests", "requests", Cell::number(recovery.requests));
    record.row("sent again", "queued", Cell::number(recovery.queued));
    if output.is_plain() {
        record.row("", "from_database", Cell::number(recovery.from_database));
        record.row("", "from_snapshot", Cell::number(recovery.from_snapshot));
    } else {
        let rows = format!("{} rows of the database, {} of a snapshot", recovery.from_database, recovery.from_snapshot);
        record.row("made of", "", Cell::text(&rows));
    }
    record.rows("lost", "lost", recovery.lost.iter().map(|lost| Cell::text(lost).tint(Tint::Yellow)));
    record.row("kept", "kept", Cell::copied(&recovery.kept.display().to_string()));
    output.record(recovery, &record)?;
    output.note("Look whether everything is there that you need. Then remove the damaged folder:")?;
    output.note("what you delete from now on is not deleted in it.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Form;
    use crate::cli::testing::{HOSTILE, NOW, PEOPLE, peer, written};

    #[test]
    fn it_tells_what_was_saved_and_what_was_lost() {
        let recovery = Recovery {
            peer_id: peer(1),
            name: HOSTILE.to_owned(),
            damage: "its database is missing".to_owned(),
            kept: "/data/default.damaged-1".into(),
            from_database: 0,
            from_snapshot: 7,
            snapshot: Some(NOW),
            contacts: 2,
            conversations: 1,
            messages: 3,
            requests: 0,
            queued: 1,
            lost: vec!["some".to_owned(), "more".to_owned()],
        };
        let shown = written(PEOPLE, |output| show(&recovery, output));
        assert!(shown.contains("made of        0 rows of the database, 7 of a snapshot\n"), "{shown}");
        assert!(shown.contains("lost           some\n               more\n") && !shown.contains('\x1b'), "{shown}");
        let plain = written(Form::Plain, |output| show(&recovery, output));
        assert!(
            plain.contains("contacts\t2\n")
                && plain.contains("from_database\t0\nfrom_snapshot\t7\n")
                && plain.contains("kept\t/data/default.damaged-1\n"),
            "{plain}"
        );
    }
}
