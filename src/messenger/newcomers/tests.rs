//! However many strangers begin sessions: newcomers, the invited and contacts get through.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::base::{Millis, Secret, WallTime};
use crate::content::mimi;
use crate::content::{self, Introduction};
use crate::envelope::{EnvelopeKind, encode};
use crate::identity::{Card, CardIn, IdentityKeypair};
use crate::messenger::command::Command;
use crate::messenger::io::{Event, FrameToken, Input, Order, Output};
use crate::messenger::query;
use crate::messenger::tables::{CardKeysTable, OneTimeTable, PrekeyMarks, Profile};
use crate::messenger::testing::Office;
use crate::session::{RemoteBundle, SessionSet};
use crate::store::{RowKey, Rows, Scan, reads};

/// What somebody is told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Taken,
    Refused(RefuseReason),
}

const TAKEN: Told = Told::Taken;
const UNAVAILABLE: Told = Told::Refused(RefuseReason::Unavailable);
const PREKEY_UNKNOWN: Told = Told::Refused(RefuseReason::PrekeyUnknown);

/// Somebody without a desk, who begins a session with this card and says hello.
fn hello(n: u64, card: &Card, invitation: Option<[u8; 16]>, now: WallTime) -> (PeerId, Vec<u8>) {
    let mut rng = ChaCha20Rng::seed_from_u64(n);
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    let me = IdentityKeypair::from_seed(&Secret::new(seed));
    let mut sessions = SessionSet::default();
    sessions.begin(&me, &RemoteBundle::of_card(card), &mut rng, now).unwrap();
    let (sender, to) = (content::sender_uri(me.peer_id()), card.owner().peer_id());
    let room = content::direct_room_uri(me.peer_id(), to);
    let body = mimi::text([1; 16], &sender, &room, 1, "hello", None).encode();
    let introduction = Introduction { token: invitation, ..Introduction::default() };
    let items = vec![Item::Introduction(introduction), Item::Message { sent_at: now, body }];
    let sealed = sessions.encrypt(&Capsule { items }.encode(), &mut rng, now).unwrap();
    (me.peer_id(), encode(EnvelopeKind::FirstContact, &sealed.payload).unwrap())
}

impl Office {
    fn card(&self, who: usize) -> Card {
        let bytes = self.rows(who).get::<Profile>(&RowKey::new()).unwrap().unwrap().card;
        let owner = crate::identity::IdentityKey::from_peer_id(self.id(who)).unwrap();
        CardIn::decode(&bytes).unwrap().verify(&owner, WallTime(0)).unwrap()
    }

    fn token(&mut self, who: usize) -> [u8; 16] {
        let mut token = [0; 16];
        self.tx(who, |tx| token = *tx.profile().unwrap().token.as_bytes());
        token
    }

    /// Says hello to somebody, from this place.
    fn greets(&mut self, who: usize, (from, bytes): (PeerId, Vec<u8>), origin: Option<Origin>) -> Told {
        let token = FrameToken { stream: u64::MAX, frame: 1 };
        let outputs = self.hand_in(who, vec![Input::Net(Event::Envelope { from, origin, token, bytes })]);
        let told = outputs.iter().find_map(|output| match output {
            Output::Net(Order::Acknowledge(told)) if *told == token => Some(Told::Taken),
            Output::Net(Order::Refuse(told, reason)) if *told == token => Some(Told::Refused(*reason)),
            _ => None,
        });
        told.unwrap()
    }

    /// So many handshakes with a card's prekey are remembered, as if.
    fn count_marks(&mut self, who: usize, card: &Card, count: u64) {
        let prekey = card.prekey_id;
        self.tx(who, |tx| {
            tx.mem.prekey_marks.insert(prekey, count);
        });
    }

    fn marks_of(&self, who: usize, card: &Card) -> u64 {
        let prekey = crate::messenger::tables::numbered(card.prekey_id.0);
        self.rows(who).count::<PrekeyMarks>(&Scan::new(prekey)).unwrap()
    }
}

fn at(network: u8, host: u8) -> Option<Origin> {
    Some(Origin::of_ip([150, 0, network, host].into()))
}

/// ID-32, SES-18: when very many have begun a session with a card's own prekey, another card takes its place at once, and
/// whoever has the old one is heard for a day, or told to look for the new one.
#[test]
fn a_crowded_card_is_made_anew_at_once() {
    let mut office = Office::new(1);
    let old = office.card(0);
    office.count_marks(0, &old, limits::MAX_CARD_PREKEY_MARKS - 1);
    assert_eq!(office.greets(0, hello(1, &old, None, office.now.wall), at(1, 1)), TAKEN);
    let new = office.card(0);
    assert!(new.prekey_id != old.prekey_id && new.sequence > old.sequence);
    // There is no room for more of the old one; there is for who looks again.
    assert_eq!(office.greets(0, hello(2, &old, None, office.now.wall), at(2, 1)), PREKEY_UNKNOWN);
    assert_eq!(office.greets(0, hello(2, &new, None, office.now.wall), at(2, 1)), TAKEN);
    // Those who had room keep it for a day; a copy is none.
    office.count_marks(0, &old, 7);
    assert_eq!(office.greets(0, hello(1, &old, None, office.now.wall), at(1, 1)), TAKEN);
    assert_eq!(office.greets(0, hello(3, &old, None, office.now.wall), at(3, 1)), TAKEN);
    assert_eq!(office.marks_of(0, &old), 2);
    // Within the hour there is no third one: it is *unavailable* that is said, which makes the sender come again.
    office.count_marks(0, &new, limits::MAX_CARD_PREKEY_MARKS);
    assert_eq!(office.greets(0, hello(4, &new, None, office.now.wall), at(4, 1)), UNAVAILABLE);
    assert_eq!(office.card(0).prekey_id, new.prekey_id);
    office.forward(limits::CROWDED_CARD_PAUSE);
    assert_eq!(office.greets(0, hello(4, &new, None, office.now.wall), at(4, 1)), PREKEY_UNKNOWN);
    let newest = office.card(0);
    assert_eq!(office.greets(0, hello(4, &newest, None, office.now.wall), at(4, 1)), TAKEN);
    // A day later the old prekey begins nothing, and its marks are gone; the secrets are there for one-time prekeys.
    office.pass(limits::CROWDED_CARD_GRACE);
    office.pass(Millis::from_hours(1));
    assert_eq!(office.greets(0, hello(5, &old, None, office.now.wall), at(5, 1)), PREKEY_UNKNOWN);
    assert_eq!(office.greets(0, hello(1, &old, None, office.now.wall), at(1, 1)), TAKEN, "its session knows it");
    assert_eq!((office.marks_of(0, &old), office.rows(0).count::<CardKeysTable>(&Scan::all()).unwrap()), (0, 3));
    office.close(0);
    office.open(0);
    assert_eq!(office.card(0).prekey_id, newest.prekey_id);
    assert_eq!(office.greets(0, hello(5, &newest, None, office.now.wall), at(5, 1)), TAKEN);
}

/// Where there is no room the secrets of all cards are looked through once.
#[test]
fn a_stranger_for_whom_there_is_no_room_costs_one_look_at_the_keys_of_all_cards() {
    let mut office = Office::new(1);
    for _ in 0..9 {
        let card = office.card(0);
        office.tx(0, |tx| assert!(!tx.card_is_crowded(card.prekey_id).unwrap()));
        office.forward(limits::CROWDED_CARD_PAUSE);
    }
    let card = office.card(0);
    office.tx(0, |tx| assert!(!tx.card_is_crowded(card.prekey_id).unwrap()));
    let card = office.card(0);
    office.count_marks(0, &card, limits::MAX_CARD_PREKEY_MARKS);
    office.tx(0, |tx| {
        let before = reads();
        assert_eq!(tx.card_keys().unwrap().len(), 11);
        let once = reads() - before;
        let told = tx.room_for_session(Newcomer::Stranger, Way::Stream(None), Some(card.prekey_id)).unwrap();
        assert_eq!(told, Some(RefuseReason::Unavailable));
        let cost = reads() - before - once;
        assert!((once..once + 4).contains(&cost), "{cost}, and {once} for one look");
    });
}

/// A card that says something else names the present keys, not those of a crowded card.
#[test]
fn a_card_is_issued_anew_with_the_present_keys() {
    let mut office = Office::new(1);
    let old = office.card(0);
    office.tx(0, |tx| assert!(!tx.card_is_crowded(old.prekey_id).unwrap()));
    let new = office.card(0);
    office.tx(0, |tx| {
        let mut profile = tx.profile().unwrap();
        tx.reissue_card(&mut profile).unwrap();
        tx.put_profile(&profile).unwrap();
    });
    let again = office.card(0);
    assert!(again.sequence > new.sequence && again.prekey_id == new.prekey_id && new.prekey_id != old.prekey_id);
}

/// SES-19: what is for the invited and for contacts strangers cannot take.
#[test]
fn the_invited_and_contacts_get_through_when_strangers_do_not() {
    let mut office = Office::pair();
    let (card, token) = (office.card(0), office.token(0));
    // There was a new card within the hour: it cannot be helped.
    office.tx(0, |tx| assert!(!tx.card_is_crowded(card.prekey_id).unwrap()));
    let card = office.card(0);
    office.count_marks(0, &card, limits::MAX_CARD_PREKEY_MARKS);
    let now = office.now.wall;
    assert_eq!(office.greets(0, hello(1, &card, None, now), at(1, 1)), UNAVAILABLE);
    assert_eq!(office.greets(0, hello(2, &card, Some([0; 16]), now), at(1, 1)), UNAVAILABLE, "of another link");
    assert_eq!(office.greets(0, hello(3, &card, Some(token), now), at(1, 1)), TAKEN);
    assert_eq!(query::requests(&office.rows(0), office.now.wall).unwrap().len(), 1);
    office.count_marks(0, &card, limits::MAX_INVITED_PREKEY_MARKS);
    assert_eq!(office.greets(0, hello(4, &card, Some(token), now), at(1, 1)), UNAVAILABLE);
    let room = |office: &mut Office, who| {
        let mut room = None;
        office.tx(0, |tx| room = tx.room_for_session(who, Way::Stream(at(1, 1)), Some(card.prekey_id)).unwrap());
        room
    };
    assert_eq!(room(&mut office, Newcomer::Contact), None);
    office.count_marks(0, &card, limits::MAX_CONTACT_PREKEY_MARKS);
    assert_eq!(room(&mut office, Newcomer::Contact), Some(RefuseReason::Unavailable), "they have an end, too");
    // A contact who has lost his sessions begins anew.
    let contact = office.id(0);
    office.tx(1, |tx| tx.drop_sessions(&contact).unwrap());
    office.say(1, 0, "it is me");
    assert_eq!(office.texts(0, 1).last().map(String::as_str), Some("it is me"));
}

/// SES-19: peer IDs are free: strangers at one address, and in one network, have a share of what there is.
#[test]
fn sessions_are_begun_by_address_and_by_network() {
    let mut office = Office::new(1);
    let (card, token, now) = (office.card(0), office.token(0), office.now.wall);
    let mut n = 0;
    let mut taken = |office: &mut Office, invitation, network: u8, host: u8, tries: u64| {
        (0..tries)
            .filter(|_| {
                n += 1;
                let told = office.greets(0, hello(n, &card, invitation, now), at(network, host));
                assert!(told == TAKEN || told == UNAVAILABLE);
                told == TAKEN
            })
            .count()
    };
    assert_eq!(taken(&mut office, None, 1, 1, 250), 240, "of one address");
    assert_eq!(taken(&mut office, None, 1, 2, 5), 5, "its neighbour");
    assert_eq!(taken(&mut office, None, 2, 1, 5), 5, "another network");
    assert_eq!(taken(&mut office, Some(token), 1, 1, 62), 60, "the invited have a share of their own");
    office.forward(Millis::from_secs(16));
    assert_eq!(taken(&mut office, None, 1, 1, 3), 1);
}

/// SES-19: as many as a network, or one mailbox, have in all; the invited have theirs besides, and contacts need none.
#[test]
fn networks_and_mailboxes_have_a_share() {
    let mut office = Office::new(1);
    let mailbox = PeerId::from_key_bytes([9; 32]);
    let mut taken = |who, way: &dyn Fn(u8) -> Way| {
        let mut taken = 0;
        office.tx(0, |tx| {
            let rooms = (0..200).flat_map(|host| [host; 5]);
            taken = rooms.filter(|host| tx.room_for_session(who, way(*host), None).unwrap().is_none()).count();
        });
        taken
    };
    for (who, share) in [(Newcomer::Stranger, 480), (Newcomer::Invited, 120), (Newcomer::Contact, 1_000)] {
        assert_eq!(taken(who, &|host| Way::Stream(at(1, host))), share, "{who:?}, by network");
        assert_eq!(taken(who, &|host| Way::Stream(at(2 + host, 1))), 1_000, "{who:?}, of many networks");
        assert_eq!(taken(who, &|_| Way::Sealed(mailbox)), share, "{who:?}, by mailbox");
    }
}

/// SES-19: what a mailbox brings has a share, too; what there is no room for stays there.
#[test]
fn what_a_mailbox_brings_waits_there_when_there_is_no_room() {
    let mut office = Office::new(1);
    let (card, token, now) = (office.card(0), office.token(0), office.now.wall);
    let mailbox = PeerId::from_key_bytes([9; 32]);
    let fate = |office: &mut Office, n, invitation, mailbox| {
        let (from, bytes) = hello(n, &card, invitation, now);
        let mut fate = None;
        office.tx(0, |tx| fate = Some(tx.receive_sealed(from, mailbox, &bytes).unwrap()));
        fate.unwrap()
    };
    use crate::messenger::receive::Fate;
    office.tx(0, |tx| assert!(!tx.card_is_crowded(card.prekey_id).unwrap()));
    for n in 0..480 {
        let mut room = None;
        office.tx(0, |tx| room = tx.room_for_session(Newcomer::Stranger, Way::Sealed(mailbox), None).unwrap());
        assert_eq!(room, None, "{n}");
    }
    assert_eq!(fate(&mut office, 1, None, mailbox), Fate::Left);
    assert_eq!(fate(&mut office, 1, None, PeerId::from_key_bytes([8; 32])), Fate::Taken);
    assert_eq!(fate(&mut office, 2, Some(token), mailbox), Fate::Taken);
    office.forward(Millis::from_secs(8));
    assert_eq!(fate(&mut office, 3, None, mailbox), Fate::Taken);
}

/// REQ-6: one stranger does not fill the slot of a mailbox for good: what he leaves there beyond four sessions a day is dropped.
#[test]
fn a_strangers_fifth_session_of_a_day_is_not_left_in_the_mailbox() {
    use crate::messenger::receive::Fate;
    let mut office = Office::new(3);
    let mailbox = PeerId::from_key_bytes([9; 32]);
    let fate = |office: &mut Office, from, n| {
        let (peer, bytes) = (office.id(from), office.first_contact(from, 0, n, "hello"));
        let mut fate = None;
        office.tx(0, |tx| fate = Some(tx.receive_sealed(peer, mailbox, &bytes).unwrap()));
        fate.unwrap()
    };
    for n in 0..limits::MAX_STRANGER_SESSIONS_A_DAY as u64 {
        assert_eq!(fate(&mut office, 1, n), Fate::Taken, "{n}");
    }
    assert_eq!(fate(&mut office, 1, 4), Fate::Dropped);
    assert_eq!(fate(&mut office, 2, 5), Fate::Taken, "another's");
    // On a stream he is told, and may come again.
    let sent = (office.id(1), office.first_contact(1, 0, 4, "hello"));
    assert_eq!(office.greets(0, sent.clone(), None), UNAVAILABLE);
    office.forward(Millis::from_hours(24));
    assert_eq!(office.greets(0, sent, None), TAKEN);
}

/// REQ-1, REQ-6: of who is no contact any more counts what he began within a day, as if he had never been one.
#[test]
fn who_was_a_contact_for_a_while_begins_as_many_sessions_a_day_as_others() {
    type Act = fn(PeerId) -> Command;
    let ends: [&[Act]; 4] = [
        &[],
        &[Command::Block],
        &[Command::AcceptRequest, Command::Block],
        &[Command::AcceptRequest, Command::RemoveContact],
    ];
    for acts in ends {
        let mut office = Office::new(2);
        let peer = office.id(1);
        let fate = |office: &mut Office, n| {
            let sent = (office.id(1), office.first_contact(1, 0, n, "hello"));
            office.greets(0, sent, None)
        };
        assert_eq!(fate(&mut office, 0), TAKEN);
        for act in acts {
            office.command(0, act(peer)).unwrap();
        }
        for n in 1..limits::MAX_STRANGER_SESSIONS_A_DAY as u64 {
            assert_eq!(fate(&mut office, n), TAKEN, "{} acts: {n}", acts.len());
        }
        assert_eq!(fate(&mut office, 9), UNAVAILABLE, "{} acts", acts.len());
    }
}

/// ID-31: one-time prekeys that were taken and not used make room after an hour, those of mailboxes stay.
#[test]
fn prekeys_that_nobody_uses_make_room() {
    let mut office = Office::new(1);
    let count = |office: &Office| office.rows(0).count::<OneTimeTable>(&Scan::all()).unwrap();
    let take = |office: &mut Office, count: u64| -> usize {
        let from = PeerId::from_key_bytes([3; 32]);
        let asked = |request| Input::Net(Event::BundleRequested { from, request, want_prekey: true });
        let outputs = office.hand_in(0, (0..count).map(asked).collect());
        let given = |output: &&Output| matches!(output, Output::Net(Order::AnswerBundle { prekey: Some(_), .. }));
        outputs.iter().filter(given).count()
    };
    // Those that mailboxes have are besides.
    office.tx(0, |tx| {
        tx.mem.mail.boxed.insert(PeerId::from_key_bytes([4; 32]), 300);
        tx.mem.one_time_total += 300;
    });
    assert_eq!(take(&mut office, 2_000), limits::MAX_OWN_ONE_TIME, "who asks for all of them has them all");
    assert_eq!(count(&office), limits::MAX_OWN_ONE_TIME as u64);
    office.forward(Millis(limits::ONE_TIME_HANDED_LIFE.0 - 1));
    assert_eq!(take(&mut office, 10), 0);
    office.close(0);
    office.open(0);
    office.forward(Millis(1));
    assert_eq!(take(&mut office, 10), 10, "an hour later there are others");
    assert_eq!(count(&office), limits::MAX_OWN_ONE_TIME as u64);
}
