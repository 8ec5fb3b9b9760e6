//! What depositors ask.

use super::*;
use crate::crypto::hash::sha256;
use crate::envelope::mailbox::{Delete, needed_work, search};

const A: Option<Tag> = Some([1; 16]);
const B: Option<Tag> = Some([2; 16]);

/// MBX-21: whether there is no box, or its queue is another, is not told.
#[test]
fn a_deposit_needs_the_queue_of_the_card() {
    let (mut house, mut owner) = House::with_box(1);
    let envelope = owner.sealed(10);
    let queue = owner.queue;
    owner.queue = [0xee; 16];
    let wrong = owner.sealed(10);
    owner.queue = queue;
    let stranger = Owner::new(9);
    let unknown = house.raw(NOBODY, &stranger.deposit(A, Proof::None, &envelope));
    assert_eq!(house.raw(NOBODY, &owner.deposit(None, Proof::None, &wrong)), unknown);
    assert_eq!(house.raw(NOBODY, &owner.deposit(A, Proof::None, &wrong)), unknown);
    assert_eq!(house.raw(NOBODY, &stranger.ask_card(true)), unknown);
    assert_eq!(MailAnswer::decode(&unknown), Ok(MailAnswer::NoBox));
    assert_eq!(house.count::<Deposits>(), 0);
}

/// MBX-4, MBX-27: twice in one commit, in two, after a restart, and with another token or none.
#[test]
fn a_second_copy_is_stored_and_takes_no_room() {
    let (mut house, mut owner) = House::with_box(0);
    let envelope = owner.sealed(10);
    let question = owner.deposit(A, Proof::None, &envelope);
    let answers = house.at_once(vec![(NOBODY, question.clone()), (NOBODY, question.clone())]);
    assert_eq!(MailAnswer::decode(&answers[0]), Ok(MailAnswer::Stored));
    assert_eq!(answers[0], answers[1]);
    assert_eq!(house.raw(NOBODY, &question), answers[0]);
    house.restart();
    assert_eq!(house.raw(NOBODY, &question), answers[0]);
    for tag in [None, B] {
        assert_eq!(house.deposit(&owner, tag, &envelope), MailAnswer::Stored);
    }
    assert_eq!(house.waiting(&owner), std::slice::from_ref(&envelope));
    house.check(&owner);
    assert_eq!(house.totals().bytes, envelope.len() as u64);
    // Also when there is no room for another.
    house.office.tx(0, |tx| {
        let row = tx.box_of(&owner.id()).unwrap().unwrap();
        tx.put_box(&BoxRow { count: limits::BOX_ENVELOPES, ..row }).unwrap();
    });
    assert_eq!(house.deposit(&owner, A, &envelope), MailAnswer::Stored);
    let another = owner.sealed(10);
    assert_eq!(house.deposit(&owner, A, &another), FULL);
}

/// MBX-23, MBX-24: who has no token has the slot, and no more; others have more.
#[test]
fn strangers_share_a_small_slot() {
    let (mut house, mut owner) = House::with_box(0);
    let mut left = [0, 0];
    let proven = |house: &House, owner: &mut Owner, invited: bool| {
        let (envelope, day, to) = (owner.sealed(10), day_of(house.now()), owner.id());
        let hash = sha256(&[&envelope]);
        let proof = match invited {
            true => Proof::invitation(&owner.invitation(), &to, day, &hash),
            false => {
                let level = needed_work(0, house.row(owner).slot_count.min(8));
                let nonce = search(&to, day, &hash, level, 0, 1 << 24).unwrap();
                Proof::Work { day, nonce }
            }
        };
        (envelope.len(), owner.deposit(None, proof, &envelope))
    };
    for invited in [true, false] {
        // As many as may come before much work is asked for; the rest is made up.
        for n in 0..12 {
            let (len, question) = proven(&house, &mut owner, invited);
            assert_eq!(house.ask(NOBODY, &question), MailAnswer::Stored, "{n}");
            left[usize::from(invited)] += len as u64;
        }
        house.check(&owner);
        let row = house.row(&owner);
        assert_eq!([row.slot_bytes, row.invited_bytes], left);
        let full = |count: &mut u32| *count = limits::SLOT_ENVELOPES / 2;
        house.office.tx(0, |tx| {
            let mut row = row.clone();
            full(if invited { &mut row.invited_count } else { &mut row.slot_count });
            tx.put_box(&row).unwrap();
        });
        let (_, question) = proven(&house, &mut owner, invited);
        let answer = house.raw(NOBODY, &question);
        assert_eq!(MailAnswer::decode(&answer), Ok(MailAnswer::Full { retry_after: 3_600 }));
        // The other half is nobody else's, and a token has room of its own.
        house.office.tx(0, |tx| tx.put_box(&row).unwrap());
    }
    let envelope = owner.sealed(10);
    assert_eq!(house.deposit(&owner, A, &envelope), MailAnswer::Stored);
    // When the owner has taken one there is room for one.
    assert_eq!(house.delete(&owner, Delete::These(vec![7, 17])), MailAnswer::Done);
    assert_eq!((house.row(&owner).invited_count, house.row(&owner).slot_count), (11, 11));
    house.check(&owner);
}

/// What somebody who has the link leaves, or somebody who has not.
fn letter(house: &House, owner: &mut Owner, on: Room, bytes: usize) -> Vec<u8> {
    let (envelope, day) = (owner.sealed(bytes), day_of(house.now()));
    let hash = sha256(&[&envelope]);
    let proof = match on {
        Room::Invited => Proof::invitation(&owner.invitation(), &owner.id(), day, &hash),
        _ => Proof::None,
    };
    owner.deposit(None, proof, &envelope)
}

/// MBX-23: who has no link leaves as many as may wait, and the invited come all the same; and the other way round.
#[test]
fn half_of_the_slot_is_for_the_invited() {
    for (flood, later) in [(Room::Strangers, Room::Invited), (Room::Invited, Room::Strangers)] {
        let (mut house, mut owner) = House::with_box(0);
        house.office.tx(0, |tx| {
            let row = tx.box_of(&owner.id()).unwrap().unwrap();
            let full = limits::SLOT_ENVELOPES;
            let row = match flood {
                Room::Strangers => BoxRow { slot_count: full, ..row },
                _ => BoxRow { invited_count: full, ..row },
            };
            tx.put_box(&row).unwrap();
        });
        let late = letter(&house, &mut owner, flood, 10);
        assert_eq!(house.ask(NOBODY, &late), FULL);
        let other = letter(&house, &mut owner, later, 10);
        assert_eq!(house.ask(NOBODY, &other), MailAnswer::Stored);
    }
}

/// MBX-23, MBX-25: bytes are counted, too, and one stranger's letter is no parcel.
#[test]
fn the_slot_is_bounded_in_bytes_and_so_is_a_letter() {
    let (mut house, mut owner) = House::with_box(0);
    let parcel = owner.sealed(limits::MAX_SLOT_DEPOSIT);
    assert_eq!(house.deposit(&owner, None, &parcel), MailAnswer::TooLarge);
    assert_eq!(house.deposit(&owner, A, &parcel), MailAnswer::Stored);
    let letter = owner.sealed(14_000);
    let (size, max) = (letter.len() as u64, limits::MAX_SLOT_DEPOSIT as u64);
    assert!(size <= max && size > max - 2_000, "{size}");
    let fits = usize::try_from(limits::SLOT_BYTES / 2 / size).unwrap();
    assert!(fits >= 8);
    // Room is left for all but one byte of the last, or for all of it.
    for on in [Room::Strangers, Room::Invited] {
        for (over, answer) in [(1, FULL), (0, MailAnswer::Stored)] {
            house.office.tx(0, |tx| {
                let mut row = tx.box_of(&owner.id()).unwrap().unwrap();
                let bytes = if on == Room::Invited { &mut row.invited_bytes } else { &mut row.slot_bytes };
                *bytes = limits::SLOT_BYTES / 2 - size + over;
                tx.put_box(&row).unwrap();
            });
            let question = self::letter(&house, &mut owner, on, 14_000);
            assert_eq!(house.ask(NOBODY, &question), answer, "{on:?}");
        }
    }
}

/// MBX-23, MBX-24: each token has its own quota, in envelopes and in bytes; the answer is the same as for the slot.
#[test]
fn a_token_cannot_fill_a_box() {
    let (mut house, mut owner) = House::with_box(0);
    let answers = house.fill(&mut owner, A, 520, 10);
    let stored = answers.iter().filter(|answer| **answer == MailAnswer::Stored).count();
    assert_eq!(stored, 512);
    assert!(answers[512..].iter().all(|answer| *answer == FULL));
    assert_eq!(house.fill(&mut owner, B, 1, 10), [MailAnswer::Stored]);
    house.check(&owner);
    // 4 MiB in the largest envelopes.
    let large = owner.sealed(limits::MAX_PAYLOAD).len() as u64;
    let fit = usize::try_from(limits::TOKEN_BYTES / large).unwrap();
    let answers = house.fill(&mut owner, Some([3; 16]), fit + 1, limits::MAX_PAYLOAD);
    assert_eq!(answers.iter().filter(|answer| **answer == MailAnswer::Stored).count(), fit);
    assert_eq!(answers.last(), Some(&FULL));
    // All is fetched, in pages within their bounds, and deleted.
    let all = house.waiting(&owner);
    assert_eq!(all.len(), 513 + fit);
    assert_eq!(house.delete(&owner, Delete::UpTo(u64::MAX)), MailAnswer::Done);
    house.check(&owner);
    assert_eq!((house.totals().bytes, house.count::<BoxTokens>(), house.count::<DepositMarks>()), (0, 0, 0));
}

/// MBX-15, MBX-23, MBX-26: a box ends at 4,096 envelopes, 32 MiB, or what all boxes may have; it is fetched page by page.
#[test]
fn a_box_has_an_end() {
    let (mut house, mut owner) = House::with_box(0);
    for token in 0..8 {
        assert_eq!(house.fill(&mut owner, Some([token; 16]), 512, 10).last(), Some(&MailAnswer::Stored));
    }
    assert_eq!(house.fill(&mut owner, Some([9; 16]), 1, 10), [FULL]);
    assert_eq!(house.fill(&mut owner, None, 1, 10), [FULL], "the slot is in the box");
    let (mut after, mut pages) = (0, 0);
    loop {
        let (more, items) = house.page(&owner, after);
        assert_eq!(items.len(), limits::MAX_BOX_PAGE);
        assert!(items.iter().zip(after + 1..).all(|(item, number)| item.number == number));
        (after, pages) = (items.last().unwrap().number, pages + 1);
        if !more {
            break;
        }
    }
    assert_eq!((after, pages), (4_096, 16));
    assert_eq!(house.delete(&owner, Delete::UpTo(4_000)), MailAnswer::Done);
    house.check(&owner);
    // The bounds in bytes.
    let size = owner.sealed(10).len() as u64;
    // A stranger's box has a sixteenth of what is free of three quarters of what others have beyond the least, if that is less.
    let pool = limits::MAX_MAIL_BEYOND / 4 * 3;
    let sure = limits::BOX_SURE_BYTES;
    assert!(sure + pool / limits::MAIL_SHARE < limits::BOX_BYTES);
    let full = pool - 5 * size * limits::MAIL_SHARE;
    for (in_box, in_all) in
        [(sure + pool / limits::MAIL_SHARE, 0), (sure + 5 * size, full), (sure, pool), (sure, u64::MAX)]
    {
        for (spare, answer) in [(size - 1, FULL), (size, MailAnswer::Stored)] {
            house.office.tx(0, |tx| {
                let mut row = tx.box_of(&owner.id()).unwrap().unwrap();
                row.bytes = in_box - spare;
                tx.put_box(&row).unwrap();
                let totals = TotalsRow { beyond: in_all, ..tx.mail_totals().unwrap() };
                tx.put_mail_totals(&totals).unwrap();
            });
            assert_eq!(house.fill(&mut owner, Some([9; 16]), 1, 10), [answer]);
        }
    }
}

/// MBX-20, MBX-22: a token that is forged is none; under one that is void everything is answered as under a good one.
#[test]
fn a_void_token_is_none_and_nobody_is_told() {
    let (mut house, mut owner) = House::with_box(0);
    let mut stranger = Owner::new(1);
    stranger.key = QueueKey::from_bytes([0xaa; 32]);
    let (one, two) = (owner.sealed(10), owner.sealed(10));
    let good = house.raw(NOBODY, &owner.deposit(A, Proof::None, &one));
    let forged = house.raw(NOBODY, &stranger.deposit(A, Proof::None, &two));
    assert_eq!(good, forged);
    assert_eq!(house.row(&owner).slot_count, 1, "the forged one is in the slot");
    assert_eq!(house.renew(&mut owner, &[[1; 16]], 0), MailAnswer::Kept { prekeys: 0 });
    house.check(&owner);
    let three = owner.sealed(10);
    assert_eq!(house.raw(NOBODY, &owner.deposit(A, Proof::None, &three)), good);
    let row = house.row(&owner);
    assert_eq!(
        (row.slot_count, row.void_count, row.hidden),
        (1, 1, 0),
        "what comes under a void one has a share of its own"
    );
    // What is too large for that, or comes when it is full and wants work, is answered as under a good one, and given to nobody.
    let parcel = owner.sealed(limits::MAX_SLOT_DEPOSIT);
    assert_eq!(house.raw(NOBODY, &owner.deposit(None, Proof::None, &parcel)), MailAnswer::TooLarge.encode().unwrap());
    assert_eq!(house.raw(NOBODY, &owner.deposit(A, Proof::None, &parcel)), good);
    let row = house.row(&owner);
    assert_eq!((row.count, row.void_count, row.hidden), (4, 1, 1));
    assert_eq!(house.waiting(&owner), [one, two, three]);
    assert_eq!(house.deposit(&owner, B, &parcel), MailAnswer::Stored, "others are as good as before");
    // It stays void when nothing waits under it any more, and after a second register with the same key.
    assert_eq!(house.delete(&owner, Delete::UpTo(u64::MAX)), MailAnswer::Done);
    assert_eq!(house.register(&mut owner, 0), MailAnswer::Kept { prekeys: 0 });
    house.restart();
    assert_eq!(house.raw(NOBODY, &owner.deposit(A, Proof::None, &parcel)), good);
    assert_eq!(house.waiting(&owner).len(), 0);
    // Nor is it told by another key of the queue, of which tokens that were not void are as good as none.
    let before = owner.key.clone();
    let renewed = QueueKey::from_bytes([0x99; 32]);
    owner.key = renewed.clone();
    assert_eq!(house.register(&mut owner, 0), MailAnswer::Kept { prekeys: 0 });
    owner.key = before;
    let other = owner.sealed(limits::MAX_SLOT_DEPOSIT);
    assert_eq!(house.raw(NOBODY, &owner.deposit(A, Proof::None, &other)), good);
    assert_eq!(house.deposit(&owner, B, &other), MailAnswer::Stored, "a copy, whatever is with it");
    let another = owner.sealed(limits::MAX_SLOT_DEPOSIT);
    assert_eq!(house.deposit(&owner, B, &another), MailAnswer::TooLarge);
    owner.key = renewed;
    assert_eq!(house.deposit(&owner, B, &another), MailAnswer::Stored);
}

/// MBX-22, MBX-23, MBX-27: the same deposits under a good token and a void one, and the same answers: until it is full, copies, and when the
/// owner was there, or is.
#[test]
fn a_void_token_has_the_bounds_of_a_good_one() {
    let (mut house, mut owner) = House::with_box(0);
    house.renew(&mut owner, &[[1; 16]], 0);
    let step = |house: &mut House, owner: &mut Owner, size: usize, times: usize| {
        for n in 0..times {
            let envelope = owner.sealed(size);
            let other = owner.sealed(size);
            let void = house.raw(NOBODY, &owner.deposit(A, Proof::None, &envelope));
            let good = house.raw(NOBODY, &owner.deposit(B, Proof::None, &other));
            assert_eq!(void, good, "{n} of {size}");
            assert_eq!(house.raw(NOBODY, &owner.deposit(A, Proof::None, &envelope)), void, "a copy");
            assert_eq!(house.raw(NOBODY, &owner.deposit(B, Proof::None, &other)), good, "a copy");
            if n == times - 1 {
                return void;
            }
        }
        Vec::new()
    };
    let stored = MailAnswer::Stored.encode().unwrap();
    assert_eq!(step(&mut house, &mut owner, 60_000, 20), stored);
    let full = step(&mut house, &mut owner, 60_000, 60);
    assert_ne!(full, stored);
    // He comes, takes what there is, and leaves.
    house.waiting(&owner);
    assert_eq!(house.delete(&owner, Delete::UpTo(u64::MAX)), MailAnswer::Done);
    assert_eq!(step(&mut house, &mut owner, 60_000, 20), stored);
    assert_eq!(house.row(&owner).slot_count, 0, "nothing of it is kept");
}

/// MBX-14.
#[test]
fn void_tags_are_bounded() {
    let (mut house, mut owner) = House::with_box(0);
    let tags = |from: u16, count: u16| -> Vec<Tag> {
        (from..from + count)
            .map(|n| {
                let mut tag = [0; 16];
                tag[..2].copy_from_slice(&n.to_be_bytes());
                tag
            })
            .collect()
    };
    for n in 0..4 {
        assert_eq!(house.renew(&mut owner, &tags(n * 256, 256), 0), MailAnswer::Kept { prekeys: 0 });
    }
    let batch = house.row(&owner).batch;
    assert_eq!(house.renew(&mut owner, &tags(1_024, 1), 3), FULL);
    let row = house.row(&owner);
    assert_eq!((row.revoked, row.prekeys, row.batch), (1_024, 0, batch), "nothing of it was taken");
    let twice = [tags(5, 2), tags(5, 2)].concat();
    assert_eq!(house.renew(&mut owner, &twice, 0), MailAnswer::Kept { prekeys: 0 }, "those are void already");
    assert_eq!(house.row(&owner).revoked, 1_024);
    // A new key of the queue makes all tokens void.
    owner.key = QueueKey::from_bytes([0x99; 32]);
    assert_eq!(house.register(&mut owner, 0), MailAnswer::Kept { prekeys: 0 });
    assert_eq!((house.row(&owner).revoked, house.count::<BoxTokens>()), (0, 1_024), "and knows which were void");
    owner.key = QueueKey::from_bytes([0x98; 32]);
    assert_eq!(house.register(&mut owner, 0), MailAnswer::Kept { prekeys: 0 });
    assert_eq!((house.row(&owner).revoked, house.count::<BoxTokens>()), (0, 0));
}

/// MBX-30 to MBX-33: strangers show work when the card asks for it or the slot fills; contacts never.
#[test]
fn strangers_work_under_load() {
    let (mut house, mut owner) = (House::new(MailService::Open), Owner::new(1));
    owner.work = 6;
    assert_eq!(house.register(&mut owner, 0), MailAnswer::Kept { prekeys: 0 });
    let (today, to) = (day_of(house.now()), owner.id());
    let envelope = owner.sealed(10);
    assert_eq!(house.deposit(&owner, None, &envelope), MailAnswer::Work { level: 6 });
    assert_eq!((house.count::<Deposits>(), house.count::<DepositMarks>()), (0, 0), "before anything is written");
    let hash = sha256(&[&envelope]);
    let nonce = search(&to, today, &hash, 6, 0, 10_000).unwrap();
    let work = |day| Proof::Work { day, nonce };
    let stale = owner.deposit(None, work(today - 2), &envelope);
    assert_eq!(house.ask(NOBODY, &stale), MailAnswer::Work { level: 6 });
    assert_eq!(house.ask(NOBODY, &owner.deposit(None, work(today), &envelope)), MailAnswer::Stored);
    let letter = owner.sealed(10);
    assert_eq!(house.deposit(&owner, A, &letter), MailAnswer::Stored, "a token needs none");
    // With their half of the slot half full, and with a newer card that asks for nothing.
    owner.work = 0;
    assert_eq!(house.renew(&mut owner, &[], 0), MailAnswer::Kept { prekeys: 0 });
    let answers = house.fill(&mut owner, None, 9, 10);
    assert!(answers[..7].iter().all(|answer| *answer == MailAnswer::Stored), "{answers:?}");
    assert_eq!(answers[7..], [MailAnswer::Work { level: 16 }, MailAnswer::Work { level: 16 }]);
    // MBX-22: nor is any asked for under a token that is void.
    assert_eq!(house.renew(&mut owner, &[[1; 16]], 0), MailAnswer::Kept { prekeys: 0 });
    let waiting = house.waiting(&owner).len();
    assert!(house.fill(&mut owner, A, 9, 10).iter().all(|answer| *answer == MailAnswer::Stored));
    let row = house.row(&owner);
    assert_eq!((row.void_count, row.hidden), (8, 1));
    assert_eq!(house.waiting(&owner).len(), waiting + 8, "what would have to be worked for is given to nobody");
    // An invitation stands for it, until the owner has another link.
    let envelope = owner.sealed(10);
    let hash = sha256(&[&envelope]);
    let invited = Proof::invitation(&owner.invitation(), &to, today, &hash);
    let question = owner.deposit(None, invited, &envelope);
    owner.link = RequestToken::from_bytes([0xbb; 16]);
    assert_eq!(house.renew(&mut owner, &[], 0), MailAnswer::Kept { prekeys: 0 });
    assert_eq!(house.ask(NOBODY, &question), MailAnswer::Work { level: 16 });
    let invited = Proof::invitation(&owner.invitation(), &to, today, &hash);
    assert_eq!(house.ask(NOBODY, &owner.deposit(None, invited, &envelope)), MailAnswer::Stored);
}

/// MBX-28, MBX-40: whoever asks, what is kept is the same, and names nobody.
#[test]
fn nothing_that_is_kept_names_a_depositor() {
    let (mut house, mut owner) = House::with_box(0);
    let sender = PeerId::from_key_bytes(*b"SENDER-SENDER-SENDER-SENDER-SEND");
    let envelope = owner.sealed(10);
    let question = owner.deposit(A, Proof::None, &envelope);
    assert_eq!(house.ask(sender, &question), MailAnswer::Stored);
    let text = "SENDER-SENDER";
    assert!(!house.office.can_be_had(0, text) && !house.office.can_be_seen(0, text));
    // A row tells the day and no more.
    let rows = house.office.rows(0).scan::<Deposits>(&Scan::all()).unwrap();
    assert_eq!(rows[0].1.day, day_of(house.now()));
    assert_eq!(rows[0].1.on, Room::Token([1; 16]));
}
