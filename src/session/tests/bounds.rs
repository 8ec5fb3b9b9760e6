//! The bounds, at their edges (SES-30 to SES-35).

use super::*;
use crate::base::limits::{
    MAX_ARCHIVED_SESSIONS, MAX_JUMP, MAX_LATE_CHAINS, MAX_RECEIVING_CHAINS, MAX_RETIRED_SKIPPED_KEYS, MAX_SKIPPED_KEYS,
    MAX_USED_CHAIN_MARKS, MAX_VALUE, SKIPPED_KEY_LIFE,
};

/// Many at once. The state of the sender is not the subject: it is not compared and not reloaded in between.
fn send_many(world: &mut World, from: Who, count: usize) -> Vec<Letter> {
    let (now, mut rng) = (world.now, world.rng.clone());
    let texts = (0..count).map(|n| n.to_string().into_bytes());
    let set = world.set(from);
    let letters = texts.map(|text| Letter { from, sealed: set.encrypt(&text, &mut rng, now).unwrap(), text }).collect();
    world.rng = rng;
    letters
}

/// SES-33, in a chain that is known and as the first of a new one.
#[test]
fn a_jump_of_a_thousand_and_not_one_more() {
    both_ways(|world| {
        let jump = MAX_JUMP as usize;
        *world = World::confirmed(20, world.reload);
        let letters = send_many(world, Alice, jump + 2);
        world.refused(&letters[jump + 1], SessionError::TooFarAhead);
        world.arrives(&letters[jump]);
        world.arrives(&letters[jump + 1]);
        world.arrives(&letters[0]);
        world.refused(&letters[0], SessionError::Duplicate);

        world.says(Bob, "turn");
        let letters = send_many(world, Alice, 2 * jump + 3);
        world.refused(&letters[jump + 1], SessionError::TooFarAhead);
        world.arrives(&letters[1]);
        world.refused(&letters[jump + 3], SessionError::TooFarAhead);
        world.arrives(&letters[jump + 1]);
        world.arrives(&letters[2 * jump + 2]);
        world.arrives(&letters[jump]);
    });
}

/// How many keys are kept beside those of a jump.
const BESIDE: usize = MAX_SKIPPED_KEYS - MAX_JUMP as usize;

/// SES-34: of more than are kept the key that was kept longest goes.
#[test]
fn skipped_keys_are_bounded() {
    both_ways(|world| {
        let jump = MAX_JUMP as usize;
        *world = World::confirmed(21, world.reload);
        let letters = send_many(world, Alice, jump + BESIDE + 13);
        world.arrives(&letters[jump]);
        world.arrives(&letters[jump + BESIDE + 1]);
        assert_eq!(world.bob.set.sending().unwrap().sizes().1, MAX_SKIPPED_KEYS);
        world.arrives(&letters[jump + BESIDE + 12]);
        // Ten more were skipped: the first ten are gone.
        assert_eq!(world.bob.set.sending().unwrap().sizes().1, MAX_SKIPPED_KEYS);
        world.refused(&letters[0], SessionError::Forgotten);
        world.refused(&letters[9], SessionError::Forgotten);
        world.arrives(&letters[10]);
        world.refused(&letters[10], SessionError::Duplicate);
        world.arrives(&letters[jump - 1]);
        world.arrives(&letters[jump + 2]);
    });
}

/// SES-34: the key that was kept longest, in whichever chain it is.
#[test]
fn the_older_chain_does_not_lose_its_newer_keys() {
    both_ways(|world| {
        let jump = MAX_JUMP as usize;
        *world = World::confirmed(39, world.reload);
        let older = send_many(world, Alice, BESIDE + 2);
        world.arrives(&older[0]);
        world.says(Bob, "turn");
        let newer = send_many(world, Alice, jump + 12);
        world.arrives(&newer[jump]);
        world.wait(Millis(1));
        world.arrives(&older[BESIDE + 1]);
        assert_eq!(world.bob.set.sending().unwrap().sizes().1, MAX_SKIPPED_KEYS);
        world.arrives(&newer[jump + 11]);
        world.refused(&newer[0], SessionError::Forgotten);
        world.refused(&newer[9], SessionError::Forgotten);
        world.arrives(&newer[10]);
        world.arrives(&older[1]);
    });
}

/// SES-34: ten thousand messages are lost, in one chain and over many. What is kept stays within its bounds, what was
/// lost last still opens, and so does all that follows.
#[test]
fn ten_thousand_lost_messages() {
    let jump = MAX_JUMP as usize;
    for chains in [1, 20] {
        let mut world = World::confirmed(29, false);
        world.compare = false;
        let mut last = Vec::new();
        for _ in 0..10_000 / jump * chains {
            last = send_many(&mut world, Alice, jump / chains + 1);
            let arrives = last.pop().unwrap();
            world.arrives(&arrives);
            if chains > 1 {
                world.says(Bob, "turn");
            }
            let (kept, skipped, marks) = world.bob.set.sending().unwrap().sizes();
            assert!(kept <= MAX_RECEIVING_CHAINS + MAX_LATE_CHAINS && marks <= MAX_USED_CHAIN_MARKS);
            assert!(skipped <= MAX_SKIPPED_KEYS, "{skipped}");
        }
        assert!(world.bob.row().len() < MAX_VALUE / 4, "{} bytes", world.bob.row().len());
        world.arrives(&last[0]);
        world.says(Alice, "on");
        world.says(Bob, "and on");
    }
}

/// SES-34: thirty days.
#[test]
fn skipped_keys_grow_old() {
    both_ways(|world| {
        *world = World::confirmed(22, world.reload);
        let letters = send_many(world, Alice, 4);
        world.arrives(&letters[2]);
        world.wait(Millis(1));
        world.arrives(&letters[3]);
        world.wait(Millis(SKIPPED_KEY_LIFE.0 - 2));
        world.arrives(&letters[0]);
        world.wait(Millis(1));
        // Not usable from the very moment, and erased by the next change.
        world.refused(&letters[1], SessionError::Forgotten);
        assert_eq!(world.bob.set.sending().unwrap().sizes().1, 1);
        let mut swept = world.bob.set.clone();
        assert!(swept.prune(world.now) && !swept.prune(world.now));
        world.send(Bob, "a change");
        assert_eq!(world.bob.set.sending().unwrap().sizes().1, 0);
        world.refused(&letters[1], SessionError::Forgotten);
        // What was opened later in the chain is still known as a duplicate.
        world.refused(&letters[3], SessionError::Duplicate);
    });
}

/// SES-34: an ended chain grows old too; the sweep erases it where nothing happens.
#[test]
fn ended_chains_grow_old() {
    both_ways(|world| {
        *world = World::confirmed(23, world.reload);
        let letters = send_many(world, Alice, 4);
        world.arrives(&letters[0]);
        world.says(Bob, "turn");
        world.says(Alice, "turn");
        world.wait(Millis(SKIPPED_KEY_LIFE.0 - 1));
        assert!(!world.bob.set.prune(world.now));
        world.arrives(&letters[1]);
        world.wait(Millis(1));
        world.refused(&letters[2], SessionError::Forgotten);
        assert!(world.bob.set.prune(world.now));
        assert!(!world.bob.set.prune(world.now));
        world.refused(&letters[2], SessionError::Forgotten);
        world.refused(&letters[0], SessionError::Duplicate);
    });
}

/// SES-34: an older chain is opened by its own chain key, however much of it is outstanding.
#[test]
fn five_receiving_chains() {
    both_ways(|world| {
        let jump = MAX_JUMP as usize;
        *world = World::confirmed(24, world.reload);
        let letters = send_many(world, Alice, 2 * jump + 5);
        world.arrives(&letters[0]);
        for turn in 0..MAX_RECEIVING_CHAINS - 1 {
            world.says(Bob, format!("{turn}"));
            world.says(Alice, format!("{turn}"));
        }
        // The chain is the fifth now, and goes on.
        world.refused(&letters[jump + 3], SessionError::TooFarAhead);
        world.arrives(&letters[2]);
        // It becomes the sixth: its next thousand keys are taken out, the rest is forgotten.
        world.says(Bob, "one more turn");
        world.says(Alice, "one more turn");
        let (_, skipped, _) = world.bob.set.sending().unwrap().sizes();
        assert_eq!(skipped, jump + 1);
        world.arrives(&letters[1]);
        world.arrives(&letters[3]);
        world.arrives(&letters[jump + 2]);
        world.refused(&letters[jump + 3], SessionError::Forgotten);
        world.refused(&letters[2 * jump + 4], SessionError::Forgotten);
        world.refused(&letters[3], SessionError::Duplicate);
    });
}

/// SES-34: of chains older than the five newest, at most 64 keep skipped keys.
#[test]
fn sixty_four_late_chains() {
    both_ways(|world| {
        let reload = std::mem::replace(&mut world.reload, false);
        *world = World::confirmed(28, false);
        let mut late = Vec::new();
        for turn in 0..MAX_RECEIVING_CHAINS + MAX_LATE_CHAINS + 2 {
            late.push(world.send(Alice, format!("late {turn}")));
            world.says(Alice, format!("{turn}"));
            world.says(Bob, format!("{turn}"));
        }
        world.reload = reload;
        let (chains, skipped, _) = world.bob.set.sending().unwrap().sizes();
        assert_eq!((chains, skipped), (MAX_RECEIVING_CHAINS + MAX_LATE_CHAINS, MAX_RECEIVING_CHAINS + MAX_LATE_CHAINS));
        world.refused(&late[0], SessionError::Authentication);
        world.refused(&late[1], SessionError::Authentication);
        late[2..].iter().for_each(|letter| world.arrives(letter));
    });
}

/// SES-35: a late copy of anything out of the last chains is a duplicate, and no failure.
#[test]
fn duplicates_of_long_ago() {
    both_ways(|world| {
        let reload = std::mem::replace(&mut world.reload, false);
        *world = World::confirmed(25, false);
        let mut letters = Vec::new();
        for turn in 0..MAX_USED_CHAIN_MARKS + MAX_RECEIVING_CHAINS + 3 {
            letters.push(world.says(Alice, format!("{turn}")));
            letters.push(world.says(Bob, format!("{turn}")));
        }
        world.reload = reload;
        let alices = letters.iter().filter(|letter| letter.from == Alice).collect::<Vec<_>>();
        let known = alices.len() - (MAX_USED_CHAIN_MARKS + MAX_RECEIVING_CHAINS);
        for letter in &alices[known..] {
            world.refused(letter, SessionError::Duplicate);
        }
        // Beyond the bound it is only known not to open.
        world.refused(alices[0], SessionError::Authentication);
        world.says(Alice, "on");
    });
}

/// SES-35: an ended chain whose last message comes late is used up by it like any other.
#[test]
fn a_late_last_message_uses_its_chain_up() {
    both_ways(|world| {
        *world = World::confirmed(40, world.reload);
        let letters = send_many(world, Alice, 2);
        world.arrives(&letters[0]);
        world.says(Bob, "turn");
        world.says(Alice, "turn");
        world.arrives(&letters[1]);
        for turn in 0..=MAX_RECEIVING_CHAINS {
            world.says(Bob, format!("{turn}"));
            world.says(Alice, format!("{turn}"));
        }
        let (chains, skipped, _) = world.bob.set.sending().unwrap().sizes();
        assert_eq!((chains, skipped), (MAX_RECEIVING_CHAINS, 0));
        letters.iter().for_each(|letter| world.refused(letter, SessionError::Duplicate));
    });
}

/// A chain of which something was lost leaves no mark: its messages are failures, so that healing sends them again.
#[test]
fn what_was_lost_is_no_duplicate() {
    both_ways(|world| {
        *world = World::confirmed(26, world.reload);
        let letters = send_many(world, Alice, 3);
        world.arrives(&letters[2]);
        world.says(Bob, "turn");
        world.says(Alice, "turn");
        world.wait(SKIPPED_KEY_LIFE);
        for turn in 0..MAX_RECEIVING_CHAINS + 1 {
            world.says(Bob, format!("{turn}"));
            world.says(Alice, format!("{turn}"));
        }
        world.refused(&letters[0], SessionError::Authentication);
    });
}

/// SES-34, SES-54, SES-65: of sessions as large as a peer can make them none is a large row; and a small message of his,
/// the worst that he can, writes the row of its session and no other.
#[test]
fn the_largest_rows() {
    let mut world = World::new(27, false);
    world.now = WallTime(u64::from(u32::MAX) * 1000);
    let per_chain = MAX_SKIPPED_KEYS / (MAX_LATE_CHAINS + MAX_RECEIVING_CHAINS) + 2;
    let (mut late, mut alices) = (Vec::new(), Vec::new());
    for _ in 0..=MAX_ARCHIVED_SESSIONS {
        world.begin(Alice);
        let mut letters = Vec::new();
        for _ in 0..MAX_LATE_CHAINS + 2 * MAX_RECEIVING_CHAINS {
            letters = send_many(&mut world, Alice, per_chain);
            let last = letters.pop().unwrap();
            match last.sealed.kind {
                SealedKind::First => world.open_first(Bob, &last.sealed.payload).unwrap(),
                SealedKind::Session => world.open_session(Bob, &last.sealed.payload).unwrap(),
            };
            let reply = send_many(&mut world, Bob, 1);
            world.open_session(Alice, &reply[0].sealed.payload).unwrap();
        }
        let (chains, skipped, _) = world.bob.set.sending().unwrap().sizes();
        assert_eq!(skipped, MAX_SKIPPED_KEYS);
        assert!(chains + 2 >= MAX_LATE_CHAINS + MAX_RECEIVING_CHAINS, "{chains}");
        late.push(letters.swap_remove(0));
        alices.push(world.alice.set.clone());
    }
    let sizes = |world: &World| -> Vec<usize> {
        world.bob.set.rows().map(|row| postcard::to_allocvec(row).unwrap().len()).collect()
    };
    let (sends, retire) = (sizes(&world)[0], sizes(&world)[1..].to_vec());
    assert!((48_000..64 * 1024).contains(&sends), "{sends} bytes");
    assert_eq!(retire.len(), MAX_ARCHIVED_SESSIONS);
    // Marks and chains are the rest.
    assert!(retire.iter().all(|len| (8_000..20_000).contains(len)), "{retire:?}");

    world.reload = true;
    world.compare = false;
    for (session, letter) in late.iter().rev().enumerate() {
        world.arrives(letter);
        let written = world.bob.disk.written;
        let (row, most) = (sizes(&world)[session], if session == 0 { 64 * 1024 } else { 20_000 });
        assert!(written == row && row < most, "{written} bytes for the message of session {session}, of {row}");
    }
    // A retired one that is made to skip more keeps no more.
    let old = late[MAX_ARCHIVED_SESSIONS - 1].message().header.session;
    let place = world.bob.set.rows().position(|row| row.id() == old).unwrap();
    // Another program would go on sending in it.
    world.alice.set = alices.swap_remove(MAX_ARCHIVED_SESSIONS - 1);
    let jump = send_many(&mut world, Alice, MAX_JUMP as usize).pop().unwrap();
    world.arrives(&jump);
    assert_eq!(world.bob.set.rows().nth(place).unwrap().sizes().1, MAX_RETIRED_SKIPPED_KEYS);
    assert!(sizes(&world)[place] < 20_000, "{} bytes", sizes(&world)[place]);
}
