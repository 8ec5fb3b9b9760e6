//! A disk keeps everything but one row: whatever row it is, the rest goes on. Nothing else stands still, nothing else is kept
//! from being deleted.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::base::Millis;
use crate::base::words::MailService;
use crate::messenger::command::Command;
use crate::messenger::query;
use crate::messenger::tables::{
    BoxCards, BoxPrekeys, BoxTokens, BoxedPrekeys, Boxes, CardKeysTable, Cards, ClientIdQueue, ClientIds, Clocks,
    Conversations, DepositBodies, DepositMarks, Deposits, EnvelopeMarks, Events, GivenTokens, Hours, KnownPeers, Late,
    MailServices, MailTotals, MarkQueue, MessageIndex, Messages, Offers, OneTimeTable, Outbox, OwnBoxes, Peers,
    PrekeyMarks, Profile, Queues, Reaches, Recent, Requests, SendingChains, Sessions, Slots, States, Strangers, Timed,
    Tombs, VoidTags, every_table, unsound,
};
use crate::messenger::testing::Office;
use crate::store::{Scan, Table};

const ALICE: usize = 0;
/// Contacts of Alice, in the order in which things happen to them.
const CONTACTS: [usize; 3] = [1, 2, 3];
/// Whom she does not know.
const STRANGER: usize = 4;
/// Keeps her mail.
const HOUSE: usize = 5;

/// A profile with something of everything: mail is kept for Alice, and by her.
fn busy() -> Office {
    let mut office = Office::new(6);
    office.command(HOUSE, Command::SetMailService(MailService::Open)).unwrap();
    office.command(ALICE, Command::SetMailService(MailService::Open)).unwrap();
    let (house, alice) = (office.id(HOUSE), office.id(ALICE));
    let addrs = || vec!["/dns/box.example/tcp/1".to_owned()];
    office.command(ALICE, Command::UseMailbox { peer: house, addrs: addrs() }).unwrap();
    for who in CONTACTS {
        office.befriend(ALICE, who);
        office.command(who, Command::UseMailbox { peer: alice, addrs: addrs() }).unwrap();
        for text in ["from Alice", "and another"] {
            office.say(ALICE, who, text);
            office.say(who, ALICE, "to Alice");
        }
        office.whisper(who, ALICE, "not for long", Millis::from_days(3));
        office.whisper(ALICE, who, "ours neither", Millis::from_days(3));
    }
    office.say(STRANGER, ALICE, "may I?");
    office.pass(Millis::from_hours(1));
    // Mail waits for the first two; what Alice writes to the others waits for them.
    office.close(CONTACTS[0]);
    office.close(CONTACTS[1]);
    office.say(CONTACTS[2], CONTACTS[0], "a stranger's, by mailbox");
    office.pass(Millis::from_hours(1));
    office.say(ALICE, CONTACTS[1], "waits");
    (0..office.desks.len()).for_each(|who| office.close(who));
    office
}

/// How many of Alice's contacts hear from her now, and she from them.
fn hear(office: &mut Office, what: &str) -> usize {
    let mut heard = 0;
    for who in CONTACTS {
        let (to, from) = (format!("{what} to {who}"), format!("{what} from {who}"));
        let said = office.send(ALICE, office.text(who, &to)).is_ok();
        office.send(who, office.text(ALICE, &from)).unwrap();
        office.pass(Millis::from_secs(20));
        heard +=
            usize::from(said && office.texts(who, ALICE).contains(&to) && office.texts(ALICE, who).contains(&from));
    }
    heard
}

/// With one row of a table that does not open. What went wrong; `None` also where there is no such row.
fn with_one_spoilt<T: Table>(busy: &Office, last: bool) -> Option<String> {
    let mut office = busy.copy();
    let one = if last { Scan::all().reverse() } else { Scan::all() };
    office.tx(ALICE, |tx| _ = tx.buf.spoil::<T>(&one.limit(1)));
    // Without that row nobody knows who we are.
    if unsound(&office.rows(ALICE)).unwrap().is_empty() || T::ID == Profile::ID {
        return None;
    }
    let mut faults = Vec::new();
    // What a node asks for when it starts, and lists.
    let (rows, wall) = (office.rows(ALICE), office.now.wall);
    let asked = query::known_peers(&rows).map(drop).and(query::mailbox(&rows).map(drop));
    let asked = asked.and(
        query::requests(&rows, wall)
            .map(|all| assert_eq!(all.len(), usize::from(T::ID != Requests::ID), "{}", T::NAME)),
    );
    faults.extend(asked.err().map(|error| format!("at the start: {error}")));
    drop(rows);
    office.open(ALICE);
    // One contact may be lost with his row, not two; with what can be had again, none.
    let may_fail = usize::from(![Cards::ID, KnownPeers::ID, MailTotals::ID, Requests::ID].contains(&T::ID));
    let mut enough = |office: &mut Office, when: &str| {
        let heard = hear(office, when);
        if heard + may_fail < CONTACTS.len() {
            faults.push(format!("{when}: {heard} are heard"));
        }
    };
    enough(&mut office, "at once");
    office.leap(Millis::from_days(40));
    office.pass(Millis::from_hours(1));
    enough(&mut office, "long after");
    // Whatever is deleted goes, but for one.
    let mut failed = Vec::new();
    let (contacts, house) = (CONTACTS.map(|who| office.id(who)), office.id(HOUSE));
    let mut give = |office: &mut Office, command: Command| {
        let name = format!("{command:?}").chars().take_while(|c| c.is_alphanumeric()).collect::<String>();
        if let Err(refusal) = office.command(ALICE, command) {
            failed.push(format!("{name}: {refusal}"));
        }
    };
    for peer in contacts {
        give(&mut office, Command::DeleteConversation(peer));
    }
    let stranger = office.id(STRANGER);
    if query::asks(&office.rows(ALICE), &stranger).unwrap() {
        give(&mut office, Command::DeclineRequest(stranger));
    }
    for peer in contacts {
        give(&mut office, Command::Block(peer));
        give(&mut office, Command::RemoveContact(peer));
    }
    give(&mut office, Command::DropMailbox(house));
    if failed.len() > 3 {
        faults.push(format!("not done: {failed:?}"));
    }
    let kept: Vec<_> = ["from Alice", "to Alice", "not for long", "ours neither", "may I?"]
        .into_iter()
        .filter(|text| office.can_be_had(ALICE, text))
        .collect();
    if !kept.is_empty() {
        faults.push(format!("can still be had: {kept:?}"));
    }
    (!faults.is_empty())
        .then(|| format!("{} ({}): {}", T::NAME, if last { "last" } else { "first" }, faults.join("; ")))
}

#[test]
fn one_row_that_does_not_open_stops_nothing_else() {
    type Trial = fn(&Office, bool) -> Option<String>;
    macro_rules! each {
        ($($table:ident)*) => { [$((<$table as Table>::NAME, with_one_spoilt::<$table> as Trial)),*] };
    }
    let busy = busy();
    // The last row of each table; the first only where there is time.
    let both = std::env::var_os("ROHRPOST_TEST_SCALE").is_some();
    let mut faults = Vec::new();
    for (table, trial) in every_table!(each) {
        for last in [true, false].into_iter().take(if both { 2 } else { 1 }) {
            let tried = catch_unwind(AssertUnwindSafe(|| trial(&busy, last)));
            faults.extend(tried.unwrap_or_else(|_| Some(format!("{table}: panics"))));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
