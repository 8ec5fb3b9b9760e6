use std::collections::BTreeSet;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

const fn id(number: u64) -> KeyId {
    KeyId(7 << 32 | number)
}

fn entry(role: Role) -> Entry {
    Entry { key: Secret::random(&mut rng()), role }
}

const fn state(made: u64) -> Role {
    Role::State { made: WallTime(made) }
}

/// A renewal was interrupted: 2 is the older State key. 1 and 4 were named.
fn keyring() -> Keyring {
    let entries = [(1, Role::Given), (2, state(20)), (3, state(30)), (4, Role::Given)];
    let entries = entries.map(|(number, role)| (id(number), entry(role))).into();
    Keyring::new(Secret::new([9; 32]), entries, id(5)).unwrap()
}

#[test]
fn a_keyring_knows_its_keys() {
    let keys = keyring();
    assert!(keys.get(KeyId::ROOT) == Some(&Secret::new([9; 32])));
    assert!(keys.get(id(1)) == Some(&entry(Role::Given).key) && keys.get(id(5)).is_none());
    let given = |keys: &Keyring| (0..6).filter(|number| keys.is_given(id(*number))).collect::<Vec<_>>();
    assert_eq!((given(&keys), keys.entries().len()), (vec![1, 4], 4));
    assert!(!keys.is_given(KeyId::ROOT));
    let unwritten = |number| keys.is_unwritten(id(number));
    assert_eq!([unwritten(4), unwritten(5), unwritten(6)], [false, true, true]);
    // Of another store: it was written with the rows that name it.
    assert!(!keys.is_unwritten(KeyId(8 << 32 | 9)));
    let none = Keyring::new(Secret::new([9; 32]), [(id(1), entry(Role::Given))].into(), id(2));
    assert!(matches!(none, Err(StoreError::Damaged { .. })));
}

#[test]
fn the_newest_state_key_seals_until_another_takes_over() {
    let mut keys = keyring();
    assert_eq!((keys.state, &keys.old_states[..], keys.oldest_state()), (id(3), &[id(2)][..], Some(WallTime(20))));
    let new = keys.renew_state(WallTime(10), &mut rng());
    assert_eq!((new, keys.state, &keys.old_states[..]), (id(5), id(5), &[id(2), id(3)][..]));
    assert_eq!(keys.oldest_state(), Some(WallTime(10)), "by the clock, which went back");
    assert!(!keys.is_given(new));
    keys.destroy(id(2));
    assert_eq!((&keys.old_states[..], keys.get(id(2)).is_none()), (&[id(3)][..], true));
    // One that a caller had named.
    keys.destroy(id(1));
    assert_eq!((&keys.old_states[..], keys.is_given(id(1)), keys.is_given(id(4))), (&[id(3)][..], false, true));
    keys.destroy(id(3));
    assert_eq!((keys.old_states.len(), keys.oldest_state()), (0, Some(WallTime(10))));
    // A file of keys says the same.
    let again = Keyring::new(Secret::new([9; 32]), keys.entries().clone(), id(400)).unwrap();
    assert_eq!((again.state, again.old_states.len(), again.oldest_state()), (id(5), 0, Some(WallTime(10))));
}

#[test]
fn keys_are_made_ahead_and_taken_in_their_order() {
    let (mut keys, mut rng) = (keyring(), rng());
    assert!(keys.is_low());
    keys.stock(&mut rng);
    assert!(!keys.is_low() && !keys.is_given(id(5)), "nobody has taken it");
    assert_eq!((keys.next, keys.entries().len()), (id(5 + STOCK as u64), 4 + STOCK));
    let all: BTreeSet<_> = keys.entries().values().map(|entry| *entry.key.expose()).collect();
    assert!(all.len() >= STOCK, "each is another");
    for number in 0..STOCK as u64 {
        let is_low = STOCK as u64 - number < LOW as u64;
        assert_eq!((keys.is_low(), keys.take(&mut rng)), (is_low, id(5 + number)));
        assert!(keys.is_given(id(5 + number)));
    }
    // What was taken and not used comes again, the last one first.
    keys.give_back(id(9));
    keys.give_back(id(8));
    assert!(!keys.is_given(id(8)));
    assert_eq!([keys.take(&mut rng), keys.take(&mut rng)], [id(8), id(9)]);
    // Without any more are made.
    assert_eq!(keys.take(&mut rng), id(5 + STOCK as u64));
    assert_eq!(keys.next, id(5 + 2 * STOCK as u64));
}

#[test]
fn keys_of_another_store_keep_their_names() {
    let mut keys = keyring();
    let other = KeyId(8 << 32 | 1);
    keys.adopt([(other, entry(Role::Given))].into());
    assert!(keys.is_given(other) && keys.is_given(id(1)));
    assert_eq!((keys.state, keys.take(&mut rng())), (id(3), id(5)));
}

#[test]
fn names_of_keys_are_numbered_within_their_store() {
    let first = KeyId::first(&mut rng());
    assert!(first.0 >> 32 != 0 && first.0 & 0xffff_ffff == 0 && first != KeyId::ROOT);
    assert_eq!(first.next(), KeyId(first.0 + 1));
    assert!(first.next().is_from(first) && first.is_from(first) && !first.is_from(first.next()));
    assert!(!KeyId(8 << 32 | 5).is_from(id(1)) && !id(5).is_from(KeyId(8 << 32 | 1)));
}
