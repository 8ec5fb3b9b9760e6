//! Mailboxes, the hash table and the network answer anything, in any order: nothing panics, nothing grows without bound, and
//! in the end everything arrives once.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::base::words::MailService;
use crate::base::{Millis, PeerId, limits};
use crate::envelope::mailbox::{Answer, PageItem};
use crate::envelope::seal::seal;
use crate::identity::CardIn;
use crate::messenger::command::Command;
use crate::messenger::io::{Event, Input, Order, Output};
use crate::messenger::keys::MAX_ONE_TIME;
use crate::messenger::mailing::House;
use crate::messenger::testing::Office;

const ALICE: usize = 0;
const BOB: usize = 1;
const NORTH: usize = 2;
const SOUTH: usize = 3;

/// What Alice waits for.
#[derive(Default)]
struct Waiting {
    mail: Vec<(PeerId, u64)>,
    cards: Vec<(PeerId, u64)>,
}

impl Waiting {
    fn note(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Net(Order::AskMailbox { mailbox, ticket, .. }) => self.mail.push((mailbox, ticket)),
                Output::Net(Order::FindCard { peer, ticket }) => self.cards.push((peer, ticket)),
                _ => {}
            }
        }
    }
}

/// A real envelope under a good seal, one in which a bit is wrong, and one that says nothing.
fn letters(office: &mut Office, from: PeerId, envelope: &[u8]) -> Vec<Vec<u8>> {
    let mut letters = Vec::new();
    office.tx(ALICE, |tx| {
        let card = tx.profile().unwrap().card;
        let card = CardIn::decode(&card).unwrap().verify(tx.me.public(), crate::base::WallTime(0)).unwrap();
        for at in [0, 100] {
            let mut envelope = envelope.to_vec();
            envelope[at] ^= u8::from(at > 0);
            letters.push(seal(&card.queue, card.seal_id, &card.seal, from, &envelope, &mut *tx.rng).unwrap());
        }
    });
    letters.push(vec![1; 400]);
    letters
}

/// Any answer there is.
fn any_answer(rng: &mut ChaCha20Rng, letters: &[Vec<u8>], card: &[u8]) -> Vec<u8> {
    let dice = rng.next_u32();
    let answer = match dice % 14 {
        0 => Answer::Done,
        1 => Answer::Kept { prekeys: u16::try_from(rng.next_u32() % 101).unwrap() },
        2..=4 => {
            let count = u64::from(rng.next_u32() % 4);
            let first = rng.next_u64() >> (rng.next_u32() % 60);
            let pick = |rng: &mut ChaCha20Rng| letters[rng.next_u32() as usize % letters.len()].clone();
            let items = (0..count).map(|n| PageItem { number: first.saturating_add(n), sealed: pick(rng) }).collect();
            Answer::Page { more: dice & 0x100 != 0, prekeys: 0, items }
        }
        5 => Answer::Stored,
        6 => Answer::Card { card: card.to_vec(), prekey: Some(card.to_vec()) },
        7 => Answer::NoBox,
        8 => Answer::Full { retry_after: rng.next_u32() },
        9 => Answer::TooLarge,
        10 => Answer::Refused,
        11 => Answer::Work { level: u8::try_from(1 + rng.next_u32() % 24).unwrap() },
        12 => Answer::Unavailable,
        _ => {
            let mut noise = vec![0; 20];
            rng.fill_bytes(&mut noise);
            return noise;
        }
    };
    // A page whose numbers do not ascend has no form.
    answer.encode().unwrap_or_else(|_| Answer::Malformed.encode().unwrap())
}

fn bounds_hold(office: &mut Office) {
    office.tx(ALICE, |tx| {
        let (mail, asks) = (&tx.mem.mail, &tx.mem.asks);
        assert!(asks.asked.len() <= limits::MAX_DEPOSITS + limits::MAX_MAILBOXES + limits::MAX_SEEKS);
        assert!(asks.works.len() <= limits::MAX_WORKS);
        assert!(tx.mem.out.totals.kept <= limits::MAX_SEALED_PER_PEER + 3 * limits::MAX_ENVELOPE);
        assert!(asks.houses.len() <= limits::MAX_HOUSES && mail.own.len() <= limits::MAX_MAILBOXES);
        assert!(tx.mem.one_time_total <= MAX_ONE_TIME + limits::ONE_TIME_BATCH);
        assert!(mail.own.values().all(|own| own.done.len() <= 2 * limits::MAX_BOX_PAGE));
    });
}

#[test]
fn whatever_is_answered_nothing_panics_or_grows() {
    for seed in 0..2 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut office = Office::new(4);
        let houses = [NORTH, SOUTH].map(|house| {
            office.command(house, Command::SetMailService(MailService::Open)).unwrap();
            office.id(house)
        });
        for who in [ALICE, BOB] {
            for peer in houses {
                office.command(who, Command::UseMailbox { peer, addrs: Vec::new() }).unwrap();
            }
        }
        office.pass(Millis::from_secs(60));
        office.befriend(ALICE, BOB);
        (office.online, office.mail) = (false, false);
        office.open(BOB);
        office.open(ALICE);
        let bob = office.id(BOB);
        let envelope = office.envelopes[&BOB].clone();
        let letters = letters(&mut office, bob, &envelope);
        let mut card = Vec::new();
        office.tx(BOB, |tx| card = tx.profile().unwrap().card);
        let (mut waiting, mut said) = (Waiting::default(), 0);
        for _ in 0..800 {
            office.forward(Millis(rng.next_u64() % (1 << (rng.next_u32() % 22))));
            let input = match rng.next_u32() % 12 {
                0..=5 if !waiting.mail.is_empty() => {
                    let at = rng.next_u32() as usize % waiting.mail.len();
                    let (mailbox, ticket) = waiting.mail.swap_remove(at);
                    Input::Net(match rng.next_u32() % 6 {
                        0 => Event::MailFailed { mailbox, ticket },
                        _ => Event::MailAnswered { mailbox, ticket, answer: any_answer(&mut rng, &letters, &card) },
                    })
                }
                6 if !waiting.cards.is_empty() => {
                    let (peer, ticket) = waiting.cards.swap_remove(0);
                    Input::Net(match rng.next_u32() % 3 {
                        0 => Event::CardNotFound { peer, ticket, asked: rng.next_u32() },
                        1 => Event::CardFound { peer, ticket, card: card.clone() },
                        _ => Event::CardFound { peer, ticket, card: letters[0].clone() },
                    })
                }
                7 if said < 60 => {
                    said += 1;
                    Input::Command(1, Command::Send(office.text(BOB, &format!("m{said}"))))
                }
                8 => Input::Net(Event::Connected(houses[rng.next_u32() as usize % 2])),
                9 => Input::Net(Event::Unreachable(bob)),
                // A ticket that nobody gave.
                10 => {
                    let (mailbox, ticket) = (houses[0], rng.next_u64() % 500);
                    Input::Net(Event::MailAnswered { mailbox, ticket, answer: Answer::Stored.encode().unwrap() })
                }
                _ => Input::Timer,
            };
            // That number may be one that is waited for.
            if let Input::Net(Event::MailAnswered { mailbox, ticket, .. }) = &input {
                waiting.mail.retain(|asked| asked != &(*mailbox, *ticket));
            }
            waiting.note(office.hand_in(ALICE, vec![input]));
            bounds_hold(&mut office);
        }
        // Then all is well again: nothing was lost, nothing is there twice.
        (office.online, office.mail) = (true, true);
        office.open(BOB);
        office.open(ALICE);
        office.pass(Millis::from_secs(2_400));
        let heard = office.texts(BOB, ALICE);
        let expected: Vec<String> = (1..=said).map(|n| format!("m{n}")).collect();
        let heard: Vec<_> = heard.into_iter().filter(|text| text.starts_with('m')).collect();
        assert_eq!(heard, expected, "seed {seed}");
    }
}

/// MBX-62: a mailbox that fails and comes again does not begin anew.
#[test]
fn a_connection_ends_the_pause_of_a_mailbox_that_has_failed_twice_at_most() {
    let mut office = Office::new(2);
    let (bob, now) = (office.id(BOB), office.now.mono);
    // The first after there was none ends all of them.
    office.hand_in(ALICE, vec![Input::Net(Event::Connected(bob))]);
    let until = now + limits::DEPOSIT_RETRY_MAX;
    for failures in 1..6 {
        office.tx(ALICE, |tx| _ = tx.mem.asks.houses.insert(bob, House { failures, until }));
        office.hand_in(ALICE, vec![Input::Net(Event::Disconnected(bob)), Input::Net(Event::Connected(bob))]);
        office.tx(ALICE, |tx| {
            let house = tx.mem.asks.houses.get(&bob).expect("how often is counted on");
            let is_over = failures <= limits::RETRY_FORGIVEN;
            assert_eq!((house.failures, house.until), (failures, if is_over { now } else { until }));
        });
    }
}
