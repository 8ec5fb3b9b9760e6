use super::*;
use crate::base::words::State;
use crate::base::{MessageId, Millis};
use crate::messenger::command::{Command, SendCommand};
use crate::messenger::tables::{CardKeysTable, OneTimeTable, SendingChains, Sessions};
use crate::messenger::testing::Office;
use crate::messenger::tx::Tx;
use crate::store::Reader;
use crate::store::testing::Dump;

fn knows(rows: &Reader, id: &MessageId) -> bool {
    rows.contains::<MessageIndex>(&index_key(id)).unwrap()
}

/// Puts somebody's rows in order, as if they had been salvaged.
fn recover(office: &mut Office, who: usize) -> InOrder {
    let now = office.now;
    office.close(who);
    let (me, place) = (office.id(who), &mut office.desks[who].place);
    let store = place.open().unwrap();
    let done = put_in_order(&store, me, true, now, &mut place.rng).unwrap();
    store.close();
    office.open(who);
    done
}

/// A second copy of what was forgotten must not bring it back; a second copy of what was lost must.
#[test]
fn what_was_forgotten_stays_known_and_what_is_lost_does_not() {
    let mut office = Office::pair();
    let deleted = office.say(0, 1, "to be deleted");
    let peer = office.id(0);
    office.command(1, Command::DeleteConversation(peer)).unwrap();
    let vanished = office.whisper(0, 1, "to vanish", Millis::from_secs(60));
    let kept = office.say(0, 1, "to be kept");
    let lost = office.say(0, 1, "to be lost");
    office.pass(Millis::from_hours(2));
    assert_eq!(office.texts(1, 0), ["to be kept", "to be lost"]);
    office.tx(1, |tx| {
        let row = tx.buf.get::<MessageIndex>(&index_key(&lost)).unwrap().unwrap();
        tx.buf.delete::<Messages>(&message_key(&row.room, row.position));
    });

    let done = recover(&mut office, 1);
    assert_eq!((done.conversations, done.messages), (1, 1));
    let rows = office.rows(1);
    assert_eq!([deleted, vanished, kept, lost].map(|id| knows(&rows, &id)), [true, true, true, false]);
    assert_eq!(office.texts(1, 0), ["to be kept"]);
}

/// The row of a conversation is older than its deletion.
#[test]
fn a_conversation_that_was_deleted_stays_deleted_when_an_old_row_is_left() {
    let mut office = Office::pair();
    let deleted = office.say(0, 1, "to be deleted");
    let peer = office.id(0);
    let old = office.rows(1).get::<Conversations>(&room_key(&RoomId::direct(peer))).unwrap().unwrap();
    office.command(1, Command::DeleteConversation(peer)).unwrap();
    office.tx(1, |tx| tx.buf.put::<Conversations>(&room_key(&old.room), &old).unwrap());

    assert_eq!(recover(&mut office, 1).conversations, 0);
    assert!(knows(&office.rows(1), &deleted));
    // Not for ever.
    office.leap(Millis(limits::FORGOTTEN_LIFE.0 + Millis::from_days(1).0));
    office.pass(Millis::from_hours(3));
    assert!(!knows(&office.rows(1), &deleted));
}

/// SES-63: a snapshot has no session, and neither does who comes back from one, or from a damaged database: both begin
/// anew, and what is said afterwards arrives.
#[test]
fn no_session_is_in_a_snapshot_or_comes_back_with_a_recovery() {
    for is_lost in [true, false] {
        let mut office = Office::pair();
        office.say(0, 1, "in the old session");
        office.say(1, 0, "in the old session, too");
        office.take_snapshot(1);
        let old = office.sessions(1, 0).sending().unwrap().id();
        let sessions = [Sessions::ID, SendingChains::ID];
        let state_tables = [sessions, [CardKeysTable::ID, OneTimeTable::ID], [Outbox::ID; 2]].concat();
        let has_state = |rows: &Dump| rows.keys().any(|key| state_tables.contains(&key[0]));
        assert!(has_state(&office.desks[1].place.dump()));
        let snapshots = office.desks[1].place.snapshots();
        assert!(snapshots.len() == 1 && !snapshots[0].is_empty() && !has_state(&snapshots[0]));
        // The ratchet goes on: what the snapshot could have held would be an old state.
        office.say(1, 0, "later");
        office.say(0, 1, "later, too");
        office.pass(Millis::from_secs(60));

        office.recover(1, is_lost);
        assert!(!office.sessions(1, 0).knows_session(&old), "the database is lost: {is_lost}");
        office.say(1, 0, "I am back");
        office.say(0, 1, "welcome");
        office.pass(Millis::from_hours(2));
        let new = office.sessions(1, 0);
        assert!(new.sending().unwrap().id() != old && !new.knows_session(&old) && new.is_confirmed());
        assert_eq!(office.texts(0, 1).iter().rev().take(2).rev().collect::<Vec<_>>(), ["I am back", "welcome"]);
        assert_eq!(office.texts(1, 0).iter().rev().take(2).rev().collect::<Vec<_>>(), ["I am back", "welcome"]);
    }
}

/// The key of an hour was renewed after the snapshot was made, because something of that hour was forgotten: the row
/// names a key that is gone.
#[test]
fn an_hour_whose_key_is_gone_begins_anew() {
    let mut office = Office::new(3);
    office.befriend(0, 1);
    office.befriend(2, 1);
    let minutes = |minutes: u64| Millis::from_secs(60 * minutes);
    // All in one hour of the clock.
    office.forward(Millis(minutes(60).0 - office.now.wall.0 % minutes(60).0));
    office.whisper(0, 1, "to be deleted", minutes(50));
    office.whisper(2, 1, "under the next key", minutes(50));
    office.take_snapshot(1);
    let peer = office.id(0);
    office.command(1, Command::DeleteConversation(peer)).unwrap();
    assert_eq!(office.texts(1, 2).last().unwrap(), "under the next key");
    office.recover(1, true);
    assert_eq!(office.texts(1, 2), ["hello", "hello"], "its new key came after the snapshot");
    office.pass(minutes(5));
    office.whisper(1, 2, "of the same hour", minutes(30));
    office.whisper(2, 1, "so is this", minutes(30));
    assert_eq!(office.texts(1, 2), ["hello", "hello", "of the same hour", "so is this"]);
    office.pass(minutes(60));
    assert_eq!(office.texts(1, 2), ["hello", "hello"]);
    assert_eq!(office.rows(1).count::<Hours>(&Scan::all()).unwrap(), 0);
}

/// It vanished after the snapshot was made, and what was remembered of it is lost with the database.
#[test]
fn what_vanished_since_the_snapshot_does_not_come_again() {
    let mut office = Office::pair();
    let vanished = office.whisper(0, 1, "to vanish", Millis::from_secs(60));
    office.take_snapshot(1);
    office.pass(Millis::from_hours(2));
    office.recover(1, true);
    assert!(knows(&office.rows(1), &vanished));
    office.leap(Millis(limits::FORGOTTEN_LIFE.0 + Millis::from_days(1).0));
    office.pass(Millis::from_hours(3));
    assert!(!knows(&office.rows(1), &vanished), "not for ever");
}

/// The clocks of all stand elsewhere, while nobody is there.
fn set_clocks(office: &mut Office, wall: WallTime) {
    let all = 0..office.desks.len();
    all.clone().for_each(|who| office.close(who));
    office.now.wall = wall;
    all.for_each(|who| office.open(who));
}

/// For an hour the clocks stand years ahead; then they are right, for longer than anything waits. So the profile's time is years
/// ahead of them.
fn clocks_ahead_once(office: &mut Office) {
    let years = Millis::from_days(5_000);
    set_clocks(office, office.now.wall + years);
    office.pass(Millis::from_hours(1));
    set_clocks(office, office.now.wall - years);
    office.pass(Millis(limits::UNDELIVERED_AFTER.0 + Millis::from_days(1).0));
}

/// NET-93: what waits is as old as it is.
#[test]
fn after_a_clock_was_ahead_what_waits_is_not_given_up_with_a_recovery() {
    let mut office = Office::pair();
    clocks_ahead_once(&mut office);
    office.online = false;
    office.say(1, 0, "it waits");
    office.forward(Millis::from_days(10));
    assert_eq!(recover(&mut office, 1).queued, 1);
    office.pass(Millis::from_hours(2));
    assert_eq!(office.undelivered(1), 1);
    office.forward(Millis::from_days(21));
    office.pass(Millis::from_hours(2));
    assert_eq!(office.undelivered(1), 0, "nor does it wait anew");
}

/// The counters of a conversation begin at the profile's time, so messages that are lost have such.
#[test]
fn after_a_clock_was_ahead_no_counter_is_used_twice_with_a_recovery() {
    let mut office = Office::new(2);
    clocks_ahead_once(&mut office);
    office.befriend(0, 1);
    office.take_snapshot(1);
    (0..3).for_each(|_| _ = office.say(1, 0, "it will be lost here"));
    office.pass(Millis::from_secs(1));
    office.recover(1, true);
    office.say(1, 0, "I am back");
    office.pass(Millis::from_hours(2));
    assert_eq!(office.texts(0, 1).last().unwrap(), "I am back");
    let rows = office.rows(0).scan::<Messages>(&Scan::new(room_key(&RoomId::direct(office.id(1))))).unwrap();
    let his: Vec<u64> =
        rows.into_iter().filter(|(_, row)| row.author == office.id(1)).map(|(_, row)| row.counter).collect();
    assert_eq!(his.len(), 5);
    assert!(his.is_sorted_by(|one, next| one < next), "{his:?}");
}

/// What is lost may come again; whether its time is over, a clock that nobody has confirmed does not say.
#[test]
fn what_is_lost_has_vanished_by_a_clock_that_is_confirmed() {
    for is_confirmed in [false, true] {
        let mut office = Office::pair();
        let lost = office.whisper(0, 1, "for two days", Millis::from_days(2));
        office.tx(1, |tx| {
            let row = tx.buf.get::<MessageIndex>(&index_key(&lost)).unwrap().unwrap();
            tx.buf.delete::<Messages>(&message_key(&row.room, row.position));
        });
        office.close(1);
        office.now.wall = office.now.wall + Millis::from_days(5_000);
        let store = office.desks[1].place.open().unwrap();
        if is_confirmed {
            let mut buf = store.begin();
            let mut clock = buf.get::<Clocks>(&RowKey::new()).unwrap().unwrap().at(office.now.wall);
            clock.confirm();
            buf.put::<Clocks>(&RowKey::new(), &clock).unwrap();
            store.commit(buf, &mut office.desks[1].place.rng).unwrap();
        }
        store.close();
        drop(store);
        recover(&mut office, 1);
        assert_eq!(knows(&office.rows(1), &lost), is_confirmed);
    }
}

/// Names what a process of its own opens, how, and with which seed.
const ORDER: &str = "ROHRPOST_TEST_MEMORY";

/// What it costs to have a store open: the figures in docs/store.md. `ROHRPOST_TEST_SCALE=100` makes them of 200,000
/// messages.
#[test]
fn what_an_open_store_takes_of_memory() {
    if let Ok(order) = std::env::var(ORDER) {
        return open_and_tell(&order);
    }
    let scale = std::env::var("ROHRPOST_TEST_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1);
    let mut office = Office::pair();
    for _ in 0..4 * scale {
        office.receive(1, 0, &"a text as it comes ".repeat(5), None, 500);
    }
    let rows = office.desks[1].place.dump().len() as u64;
    office.close(1);
    let path = office.desks[1].place.path().to_owned();
    let told = |how: &str| -> u64 {
        let order = format!("{} {how}", path.display());
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "messenger::recovery::tests::what_an_open_store_takes_of_memory", "--nocapture"]);
        let said = child.env(ORDER, order).output().unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        let number = text.split("KiB: ").nth(1).and_then(|rest| rest.split_whitespace().next());
        number.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&said.stderr))).parse().unwrap()
    };
    let nothing = told("nothing");
    let [open, read, frozen] = ["open", "read", "frozen"].map(|how| told(how).saturating_sub(nothing));
    let messages = 2000 * scale;
    eprintln!("{messages} messages, {rows} rows: {open} KiB open, {read} KiB and every row read, {frozen} KiB frozen");
    // A bound for each row, beside the buffers of reading, and the program itself.
    assert!(frozen * 1024 <= 300 * rows + (24 << 20), "{frozen} KiB for {rows} rows");
}

/// Opens a store, and prints the largest resident memory of this process, without what it maps of files.
fn open_and_tell(order: &str) {
    let (path, how) = order.split_once(' ').unwrap();
    let (path, mut place) = (std::path::Path::new(path), crate::store::testing::Place::new(2));
    let store = match how {
        "nothing" => None,
        "frozen" => Some(Store::open_frozen(path, &place.key, StoreError::Full).unwrap()),
        _ => Some(Store::open_existing(path, &place.key, &mut place.rng, place.now).unwrap()),
    };
    if let Some(store) = store.filter(|_| how != "open") {
        assert!(store.reader().count::<Messages>(&Scan::all()).unwrap() > 0);
        // The node counts the rows when it has opened a large store.
        while how == "read" && !store.check(4096).unwrap() {}
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    // How much of the program's own file the system maps is its own affair.
    println!("KiB: {}", kib("VmHWM:").saturating_sub(kib("RssFile:")));
}

/// Nobody waits for what one writes to oneself, not even when all that is left of it is the notes.
#[test]
fn notes_to_oneself_come_back_and_are_not_sent() {
    let mut office = Office::pair();
    let me = office.id(0);
    office.command(0, Command::Send(SendCommand::text(me, "milk"))).unwrap();
    for is_lost in [false, true] {
        let lose = |tx: &mut Tx<'_>| tx.buf.delete::<Conversations>(&room_key(&RoomId::direct(me)));
        office.tx(0, |tx| {
            if is_lost {
                lose(tx);
            }
        });
        assert_eq!(recover(&mut office, 0).queued, 0);
        assert_eq!(office.texts(0, 0), ["milk"]);
        assert_eq!(office.history(0, 0)[0].state, State::Read);
        assert_eq!(office.undelivered(0), 0);
    }
}
