use proptest::prelude::*;

use super::Class::{Contact, Stranger};
use super::*;
use crate::base::limits::{CARDS, ENVELOPES, PREKEYS};

/// The time since some beginning.
type Instant = Duration;
type Budget = super::Budget<(), Instant>;

/// The beginning is not where the clock begins: it goes back, too.
const BEGUN: Instant = Duration::from_secs(100_000);

/// Every level with a rate of its own, and places.
static ALL: &[Grant] = &[
    rate(Of::Everybody, By::All, 40, 10),
    rate(Of::Contacts, By::Peer, 9, 30),
    rate(Of::Strangers, By::Peer, 4, 20),
    rate(Of::Strangers, By::Address, 7, 25),
    rate(Of::Everybody, By::Network, 12, 15),
    grant(Of::Everybody, By::All, Amount::Places(12)),
    grant(Of::Strangers, By::All, Amount::Places(8)),
    grant(Of::Everybody, By::Peer, Amount::Places(3)),
    grant(Of::Strangers, By::Address, Amount::Places(4)),
    grant(Of::Strangers, By::Network, Amount::Places(5)),
];

/// Strangers, by peer: four, and one in a second.
static PEERS: &[Grant] = &[rate(Of::Strangers, By::Peer, 4, 1_000)];

const fn grant(of: Of, by: By, amount: Amount) -> Grant {
    Grant { of, by, amount }
}

const fn rate(of: Of, by: By, burst: u32, millis: u64) -> Grant {
    grant(of, by, Amount::Rate { burst, nanos: millis * 1_000_000 })
}

fn peer(n: u32) -> PeerId {
    let mut key = [7; 32];
    key[..4].copy_from_slice(&n.to_be_bytes());
    PeerId::from_key_bytes(key)
}

fn who(class: Class, peer_id: u32, address: Option<u8>) -> Who {
    // Three addresses of one network, then the next.
    let address = address.map(|n| Origin::of_ip([192, 0, n / 3, n].into()));
    Who::new(class, Some(peer(peer_id)), address)
}

fn stranger(n: u32) -> Who {
    who(Stranger, n, None)
}

fn granted(budget: &mut Budget, who: &Who, now: Instant, tries: u32) -> u32 {
    (0..tries).filter(|_| budget.take(who, now)).count().try_into().unwrap()
}

/// Somebody of few peers, addresses and networks.
fn anybody() -> impl Strategy<Value = Who> {
    (prop_oneof![Just(Contact), Just(Stranger)], 0..4_u32, prop::option::of(0..8_u8))
        .prop_map(|(class, peer, address)| who(class, peer, address))
}

proptest! {
    /// Whoever asks, in whatever order, and wherever the clock jumps: no key has more than its burst and what has come back since
    /// the first token was taken of it. And nobody is refused as long as there is something left of all that binds him.
    #[test]
    fn nobody_has_more_than_is_given_and_nobody_less(
        asked in prop::collection::vec((anybody(), -40..60_i64), 1..300),
    ) {
        let mut budget = Budget::new(ALL);
        // The naive form: when each token of a line was taken, by whom.
        let mut taken: Vec<(Key, usize, Instant)> = Vec::new();
        let begun = BEGUN;
        let (mut clock, mut latest) = (begun + Duration::from_secs(1_000), begun);
        for (who, step) in asked {
            let by = Duration::from_millis(step.unsigned_abs());
            clock = if step < 0 { clock - by } else { clock + by };
            latest = latest.max(clock);
            let lines: Vec<_> = ALL.iter().enumerate().filter_map(|(place, line)| Some((place, line, who.key(line)?))).collect();
            let left = lines.iter().all(|(place, line, key)| {
                let Amount::Rate { burst, nanos } = line.amount else { return true };
                let mut of_key = taken.iter().filter(|(other, at, _)| other == key && at == place);
                // A bucket that fills up, step by step.
                let (mut left, mut since) = (u64::from(burst) * nanos, begun);
                let mut fill = |left: u64, at: Instant| {
                    let come = u64::try_from((at - since).as_nanos()).unwrap();
                    since = at;
                    (left + come).min(u64::from(burst) * nanos)
                };
                for (_, _, at) in &mut of_key {
                    left = fill(left, *at) - nanos;
                }
                fill(left, latest) >= nanos
            });
            prop_assert_eq!(budget.take(&who, clock), left);
            if left {
                taken.extend(lines.into_iter().map(|(place, _, key)| (key, place, latest)));
            }
        }
        for (place, line) in ALL.iter().enumerate() {
            let Amount::Rate { burst, nanos } = line.amount else { continue };
            for (key, at, first) in &taken {
                let same = taken.iter().filter(|(other, line, when)| (other, *line) == (key, place) && when >= first);
                if *at == place {
                    let come = u64::try_from((latest - *first).as_nanos()).unwrap() / nanos;
                    prop_assert!(same.count() as u64 <= u64::from(burst) + come);
                }
            }
        }
    }

    /// Places are neither lost nor made: who holds them is who entered and has not left, no line has more than it gives, and nobody
    /// is refused for whom there is room.
    #[test]
    fn places_are_conserved(steps in prop::collection::vec((any::<bool>(), 0..20_u8, anybody()), 1..300)) {
        let mut budget = super::Budget::<u8, Instant>::new(ALL);
        let mut model: HashMap<u8, Who> = HashMap::new();
        for (enters, name, who) in steps {
            if !enters {
                prop_assert_eq!(budget.leave(&name), model.remove(&name));
                continue;
            }
            if model.contains_key(&name) {
                continue;
            }
            let full = |line: &&Grant| {
                let (Amount::Places(count), Some(key)) = (line.amount, who.key(line)) else { return false };
                model.values().filter(|held| held.key(line) == Some(key)).count() == count
            };
            let expected = ALL.iter().find(full).map_or(Ok(()), |line| Err(line.by));
            prop_assert_eq!(budget.enter(name, who), expected);
            if expected.is_ok() {
                model.insert(name, who);
            }
            prop_assert_eq!(budget.held(), &model);
        }
        for name in 0..20 {
            budget.leave(&name);
        }
        prop_assert!(budget.held().is_empty());
        prop_assert!(budget.enter(1, stranger(1)).is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// However many fresh keys come, each with one token or with all but the last: whoever has none left stays without.
    #[test]
    fn a_flood_of_fresh_keys_lets_nobody_off(
        restricted in prop_oneof![1..500_u32, 9_500..10_001_u32],
        fresh in 10_000..25_000_u32,
        tokens in 1..4_u32,
    ) {
        let (mut budget, now) = (Budget::new(PEERS), BEGUN);
        for n in 0..restricted {
            prop_assert_eq!(granted(&mut budget, &stranger(n), now, 9), 4);
        }
        let soon = now + Duration::from_millis(900);
        for n in 0..fresh {
            granted(&mut budget, &stranger(100_000 + n), soon, tokens);
            prop_assert!(budget.rates[0].full.len() <= MAX_RATED_KEYS);
        }
        for n in 0..restricted {
            prop_assert!(!budget.take(&stranger(n), soon), "{}", n);
        }
        prop_assert!(budget.take(&stranger(0), now + Duration::from_secs(1)), "and has it again when it is due");
    }
}

#[test]
fn when_everybody_is_restricted_newcomers_share_what_one_has() {
    let (mut budget, now) = (Budget::new(PEERS), BEGUN);
    for n in 0..u32::try_from(MAX_RATED_KEYS).unwrap() {
        granted(&mut budget, &stranger(n), now, 4);
    }
    let had = (20_000..20_100).filter(|n| budget.take(&stranger(*n), now)).count();
    assert_eq!(had, 4);
    let later = now + Duration::from_secs(1);
    let had = (20_000..20_100).filter(|n| budget.take(&stranger(*n), later)).count();
    assert!(had >= 90, "there is room again: {had}");
}

#[test]
fn who_has_used_up_his_own_takes_nothing_from_his_neighbours() {
    let (mut budget, now) = (Budget::new(ALL), BEGUN);
    assert_eq!(granted(&mut budget, &who(Stranger, 1, Some(1)), now, 100), 4);
    assert_eq!(granted(&mut budget, &who(Stranger, 2, Some(1)), now, 100), 3, "the rest of the address");
    assert_eq!(granted(&mut budget, &who(Stranger, 3, Some(2)), now, 100), 4);
    assert_eq!(granted(&mut budget, &who(Stranger, 4, Some(2)), now, 100), 1, "the rest of the network");
    // What was refused by network took nothing of the peer, nor of the address.
    let later = now + Duration::from_millis(45);
    assert_eq!(granted(&mut budget, &who(Stranger, 4, Some(2)), later, 100), 3);
}

#[test]
fn a_class_is_counted_for_itself() {
    let (mut budget, now) = (Budget::new(ALL), BEGUN);
    assert_eq!(granted(&mut budget, &stranger(1), now, 100), 4);
    assert_eq!(granted(&mut budget, &who(Contact, 1, None), now, 100), 9, "he is a contact now");
    assert_eq!(granted(&mut budget, &who(Stranger, 1, None), now, 100), 0, "and no longer");
}

/// NET-20.
#[test]
fn a_stranger_has_a_burst_and_then_one_a_second_and_a_contact_far_more() {
    let (mut budget, now) = (Budget::new(ENVELOPES), BEGUN);
    let (one, at) = (stranger(1), |millis| now + Duration::from_millis(millis));
    assert_eq!(granted(&mut budget, &one, now, 200), 60);
    assert_eq!(granted(&mut budget, &one, at(999), 200), 0);
    assert_eq!(granted(&mut budget, &one, at(1_000), 200), 1);
    assert_eq!(granted(&mut budget, &one, at(4_000), 200), 3);
    assert_eq!(granted(&mut budget, &one, at(1_000_000), 200), 60);
    assert_eq!(granted(&mut budget, &stranger(2), at(4_000), 200), 60, "each peer has its own");
    let contact = who(Contact, 3, None);
    assert_eq!(granted(&mut budget, &contact, at(1_000_000), 30_000), 20_000);
    assert_eq!(granted(&mut budget, &contact, at(1_001_000), 30_000), 10_000);
}

/// NET-20: keys are free, addresses are less so.
#[test]
fn strangers_share_what_their_address_and_their_network_have() {
    let of = |network: u8, n: u32, class| {
        let address = Origin::of_ip([150, 0, network, u8::try_from(n % 200).unwrap()].into());
        Who::new(class, Some(peer(n)), Some(address))
    };
    for (lines, address, network) in [(ENVELOPES, 240, 480), (CARDS, 240, 480), (PREKEYS, 24, 48)] {
        let mut budget = Budget::new(lines);
        let had: u32 = (0..400).map(|n| granted(&mut budget, &of(1, 200 * n, Stranger), BEGUN, 6)).sum();
        assert_eq!(had, address, "of one address");
        let had: u32 = (0..4_000).map(|n| granted(&mut budget, &of(1, n, Stranger), BEGUN, 6)).sum();
        assert_eq!(address + had, network, "of one network");
        assert_eq!(granted(&mut budget, &of(2, 9, Stranger), BEGUN, 6), 6, "of another");
        assert_eq!(granted(&mut budget, &of(1, 9_999, Contact), BEGUN, 6), 6, "a contact among them");
    }
}

/// NET-4: within a site all are of few networks, so that nobody pays for his neighbours, but for whoever shares his address.
#[test]
fn within_a_site_nobody_pays_for_his_neighbours() {
    for site in ["10.0.0", "192.168.1", "100.64.7", "127.0.0"] {
        for (lines, address) in [(ENVELOPES, 240), (CARDS, 240), (PREKEYS, 24)] {
            let mut budget = Budget::new(lines);
            for host in 1..=20 {
                let at = Origin::of_ip(format!("{site}.{host}").parse().unwrap());
                let of = |n: u32| Who::new(Stranger, Some(peer(1_000 * host + n)), Some(at));
                let had: u32 = (0..100).map(|n| granted(&mut budget, &of(n), BEGUN, 6)).sum();
                assert_eq!(had, address, "{site}.{host}");
            }
        }
    }
}

/// NET-33, for contacts too.
#[test]
fn prekeys_are_six_and_then_one_in_ten_minutes() {
    for class in [Stranger, Contact] {
        let (mut cards, mut prekeys, now) = (Budget::new(CARDS), Budget::new(PREKEYS), BEGUN);
        let (peer, after) = (who(class, 1, None), Duration::from_secs(600));
        assert_eq!(granted(&mut prekeys, &peer, now, 50), 6);
        assert_eq!(granted(&mut prekeys, &peer, now + after - Duration::from_micros(1), 50), 0);
        assert_eq!(granted(&mut prekeys, &peer, now + after, 50), 1);
        assert!(cards.take(&peer, now), "the card has a rate of its own");
    }
}

#[test]
fn a_clock_that_goes_back_does_no_harm() {
    let (mut budget, now) = (Budget::new(PEERS), BEGUN + Duration::from_secs(1_000));
    assert_eq!(granted(&mut budget, &stranger(1), now, 2), 2);
    let before = now.checked_sub(Duration::from_secs(900)).unwrap();
    assert_eq!(granted(&mut budget, &stranger(1), before, 9), 2, "what was left");
    assert_eq!(granted(&mut budget, &stranger(2), before, 9), 4, "and somebody else has his");
    assert_eq!(granted(&mut budget, &stranger(1), now + Duration::from_secs(1), 9), 1);
}
