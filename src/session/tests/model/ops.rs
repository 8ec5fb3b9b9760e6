//! What happens in a conversation: steps, drawn at random, and what the attacker puts into a header.

use proptest::prelude::*;

use crate::base::limits::MAX_JUMP;
use crate::session::tests::hostile::{LOW_ORDER, low_order};
use crate::session::tests::*;

/// What happens next; numbers choose among what is there.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Send(Who, usize),
    /// Something is sealed, and the process dies before it is written and leaves.
    Die(Who),
    Deliver(usize),
    Copy(usize),
    Lose(usize),
    Tamper(usize, usize),
    Patch(usize, Field, u8),
    Strip(usize, u8),
    Reflect(usize),
    DeliverAll,
    Begin(Who),
    Wait(u64),
    Reload,
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let who = || prop_oneof![Just(Alice), Just(Bob)];
    prop_oneof![
        12 => (who(), 1..4usize).prop_map(|(who, count)| Op::Send(who, count)),
        1 => (who(), 600..1600usize).prop_map(|(who, count)| Op::Send(who, count)),
        2 => who().prop_map(Op::Die),
        14 => any::<usize>().prop_map(Op::Deliver),
        3 => any::<usize>().prop_map(Op::Copy),
        2 => any::<usize>().prop_map(Op::Lose),
        2 => any::<(usize, usize)>().prop_map(|(which, place)| Op::Tamper(which, place)),
        3 => (any::<usize>(), field(), any::<u8>()).prop_map(|(which, field, value)| Op::Patch(which, field, value)),
        1 => any::<(usize, u8)>().prop_map(|(which, flags)| Op::Strip(which, flags)),
        1 => any::<usize>().prop_map(Op::Reflect),
        1 => Just(Op::DeliverAll),
        1 => who().prop_map(Op::Begin),
        2 => (1..24 * 20u64).prop_map(Op::Wait),
        3 => Just(Op::Reload),
    ]
}

/// A field of a header, which the attacker gives a value of his own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    RatchetKey,
    Previous,
    Number,
    KemId,
    Version,
    Initiator,
    Ephemeral,
}

fn field() -> impl Strategy<Value = Field> {
    use Field::{Ephemeral, Initiator, KemId, Number, Previous, RatchetKey, Version};
    prop::sample::select(vec![RatchetKey, Previous, Number, KemId, Version, Initiator, Ephemeral])
}

impl Field {
    /// Where it stands in a message, or `None` for a message that has no such field.
    pub(super) fn place(self, letter: &Letter) -> Option<std::ops::Range<usize>> {
        let (start, first) = (letter.start(), letter.sealed.kind == SealedKind::First);
        match self {
            Self::RatchetKey => Some(start + 16..start + 48),
            Self::Previous => Some(start + 48..start + 52),
            Self::Number => Some(start + 52..start + 56),
            Self::KemId => (letter.has_offer() || letter.has_answer()).then_some(start + 73..start + 77),
            Self::Version => first.then_some(0..1),
            Self::Initiator => first.then_some(2..34),
            Self::Ephemeral => first.then_some(34..66),
        }
    }

    /// A point of low order, a counter at its end or far ahead, another version.
    pub(super) fn value(self, choice: u8) -> Vec<u8> {
        let choice = usize::from(choice);
        match self {
            Self::RatchetKey | Self::Initiator | Self::Ephemeral => {
                low_order().nth(choice % LOW_ORDER.len()).unwrap().to_vec()
            }
            Self::Previous | Self::Number | Self::KemId => {
                let counters = [0, 1, MAX_JUMP, MAX_JUMP + 1, 10_000, u32::MAX - 1, u32::MAX];
                counters[choice % counters.len()].to_be_bytes().to_vec()
            }
            Self::Version => vec![[0, 2, u8::MAX][choice % 3]],
        }
    }
}
