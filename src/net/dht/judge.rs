//! What is believed of a record: it is judged when it is to be held, and when it was found.

use libp2p::kad::RecordKey;

use tokio::time::Instant;

use super::super::budget::{Budget, Who};
use crate::base::limits::{DHT_CHECKS, DHT_PUTS, MAX_CARD};
use crate::base::{PeerId, WallTime};
use crate::envelope::directory::card_key;
use crate::identity::{CardIn, IdentityKey, is_ahead};

/// Why a record is not taken. Nobody is told: an answer to a put is kind in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No card, or not of the key.
    NoCard,
    /// Not newer than the one that is held.
    Old,
    /// Not signed by the owner, or over.
    Unsound,
    /// The sender, his network or everybody together has put too much.
    TooMany,
}

/// A card that is what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sound {
    pub(super) owner: PeerId,
    pub(super) sequence: u64,
    pub(super) expires: WallTime,
}

/// A card that is what it claims to be, as far as can be seen without its signature.
pub(super) struct Claimed(CardIn, PeerId);

impl Claimed {
    /// NET-52: the size first, then what it says, then whether that belongs under this key.
    pub(super) fn read(key: &[u8], value: &[u8]) -> Result<Self, Refused> {
        if value.len() > MAX_CARD {
            return Err(Refused::NoCard);
        }
        let card = CardIn::decode(value).map_err(|_| Refused::NoCard)?;
        let owner = card.claimed_owner();
        if card_key(&owner) != key {
            return Err(Refused::NoCard);
        }
        Ok(Self(card, owner))
    }

    /// Looks at the signature, and the time.
    pub(super) fn verify(self, now: WallTime) -> Result<Sound, Refused> {
        let Self(card, owner) = self;
        let key = IdentityKey::from_peer_id(owner).map_err(|_| Refused::Unsound)?;
        let card = card.verify(&key, now).map_err(|_| Refused::Unsound)?;
        Ok(Sound { owner, sequence: card.sequence, expires: card.expires })
    }
}

/// Judges what was found under the key of this peer.
pub(super) fn found(owner: &PeerId, value: &[u8], now: WallTime) -> Option<Sound> {
    Claimed::read(&card_key(owner), value).and_then(|claimed| claimed.verify(now)).ok()
}

/// Judges what is to be held, within the rates of those who put.
#[derive(Debug)]
pub(super) struct Judge {
    puts: Budget,
    checks: Budget,
}

impl Default for Judge {
    fn default() -> Self {
        Self { puts: Budget::new(DHT_PUTS), checks: Budget::new(DHT_CHECKS) }
    }
}

/// What is put, by whom, and what is held already.
pub(super) struct Put<'a> {
    pub(super) source: Who,
    pub(super) key: &'a RecordKey,
    pub(super) value: &'a [u8],
    pub(super) held: Option<(u64, &'a [u8])>,
}

impl Judge {
    /// Whether this peer may put anything now.
    pub(super) fn is_due(&mut self, source: &Who, at: Instant) -> bool {
        self.puts.take(source, at)
    }

    /// NET-53: a card is held if it belongs under its key, is newer than the one that is held, or the same, and its owner
    /// has signed it. What costs most is looked at last, and its rate is bounded for everybody together (NET-55).
    pub(super) fn put(&mut self, put: &Put<'_>, now: WallTime, at: Instant) -> Result<Sound, Refused> {
        if !self.is_due(&put.source, at) {
            return Err(Refused::TooMany);
        }
        let claimed = Claimed::read(put.key.as_ref(), put.value)?;
        if let Some((sequence, value)) = put.held {
            // The same again needs no second look but at the clock.
            let expires = claimed.0.claimed_expires();
            if value == put.value && expires > now {
                return Ok(Sound { owner: claimed.1, sequence, expires });
            }
            if claimed.0.claimed_sequence() <= sequence {
                return Err(Refused::Old);
            }
        }
        if is_ahead(claimed.0.claimed_issued(), now) {
            return Err(Refused::Unsound);
        }
        if !self.checks.take(&put.source, at) {
            return Err(Refused::TooMany);
        }
        claimed.verify(now)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::origin::Origin;
    use super::super::super::tests::dht::card;
    use super::super::super::wall_now;
    use std::time::Duration;

    use super::*;
    use crate::envelope::border::Class;
    use crate::net::convert::peer;

    fn who(n: u32, network: u32) -> Who {
        Who::new(
            Class::Stranger,
            Some(peer(n.into())),
            Origin::of(&format!("/ip4/150.0.{}.1/tcp/1", network % 250).parse().unwrap()),
        )
    }

    /// How many of so many puts are not too many.
    fn looked_at(
        judge: &mut Judge,
        tries: u32,
        card: &[u8],
        held: bool,
        from: impl Fn(u32) -> Who,
        at: Instant,
    ) -> u32 {
        let owner = CardIn::decode(card).unwrap().claimed_owner();
        let (key, now) = (RecordKey::new(&card_key(&owner)), wall_now());
        let one = |n: &u32| {
            let held = held.then_some((7, card));
            let put = Put { source: from(*n), key: &key, value: card, held };
            judge.put(&put, now, at) != Err(Refused::TooMany)
        };
        (0..tries).filter(one).count().try_into().unwrap()
    }

    /// NET-55: what comes from thirty networks that put rubbish, as fast as they may, keeps no honest card out.
    #[test]
    fn rubbish_from_some_networks_keeps_no_others_out() {
        let (mut judge, card, now) = (Judge::default(), card(51, 7), Instant::now());
        let mut honest = 0;
        for second in 0..600 {
            let at = now + Duration::from_secs(second);
            looked_at(&mut judge, 30 * 40, &card, false, |n| who(n, n % 30), at);
            honest += looked_at(&mut judge, 1, &card, false, |_| who(9_999, 100), at);
        }
        assert_eq!(honest, 600);
    }

    /// NET-55
    #[test]
    fn what_is_put_is_bounded_by_peer_by_network_and_in_all() {
        let (mut judge, card, now) = (Judge::default(), card(50, 7), Instant::now());
        let later = now + Duration::from_secs(1);
        assert_eq!(looked_at(&mut judge, 3_000, &card, true, |_| who(0, 0), now), 512);
        assert_eq!(looked_at(&mut judge, 3_000, &card, true, |_| who(0, 0), later), 8);
        assert_eq!(looked_at(&mut judge, 9, &card, true, |_| who(1, 1), later), 9, "somebody else");

        let mut judge = Judge::default();
        assert_eq!(looked_at(&mut judge, 3_000, &card, true, |n| who(n, 0), now), 2_048);
        assert_eq!(looked_at(&mut judge, 3_000, &card, true, |n| who(n, 0), later), 32);

        // What is not held already costs a look at its signature.
        let mut judge = Judge::default();
        assert_eq!(looked_at(&mut judge, 3_000, &card, false, |n| who(n, 0), now), 50);
        assert_eq!(looked_at(&mut judge, 3_000, &card, false, |n| who(n, 0), later), 5);
        let mut judge = Judge::default();
        assert_eq!(looked_at(&mut judge, 3_000, &card, false, |n| who(n, n), now), 2_000);
        assert_eq!(looked_at(&mut judge, 3_000, &card, false, |n| who(n, n), later), 200);
        assert_eq!(looked_at(&mut judge, 9, &card, true, |n| who(n, n), later), 9, "the same again");
    }
}
