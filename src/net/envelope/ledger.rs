//! What came on one inbound stream and how it was answered.
//!
//! The node answers in any order; on the wire answers are cumulative, so an answer is held back
//! until all before it are there (NET-16).

use std::collections::VecDeque;

use crate::base::limits::MAX_IN_FLIGHT;
use crate::envelope::frame::{RefuseReason, put_ack, put_refusal};

/// The answer to one envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Verdict {
    /// Stored.
    Stored,
    /// Refused.
    Refused(RefuseReason),
}

/// The envelopes of one stream that have no answer on the wire yet, in order.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Every envelope up to this one is answered on the wire.
    settled: u64,
    /// The envelopes after it; at most `MAX_IN_FLIGHT`.
    open: VecDeque<Option<Verdict>>,
}

impl Ledger {
    /// Whether one more envelope may be taken.
    pub(super) fn has_room(&self) -> bool {
        self.open.len() < MAX_IN_FLIGHT
    }

    /// Whether every envelope is answered on the wire.
    pub(super) fn is_settled(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes an envelope; `false` when it is not the next one (NET-11).
    #[must_use]
    pub(super) fn take(&mut self, seq: u64) -> bool {
        let next = self.settled + self.open.len() as u64 + 1;
        if seq == next {
            self.open.push_back(None);
        }
        seq == next
    }

    /// Notes the answer to an envelope; a second one, or one to an unknown envelope, changes nothing.
    pub(super) fn answer(&mut self, seq: u64, verdict: Verdict) {
        let place = seq.checked_sub(self.settled + 1).and_then(|place| usize::try_from(place).ok());
        if let Some(open @ None) = place.and_then(|place| self.open.get_mut(place)) {
            *open = Some(verdict);
        }
    }

    /// Appends the frames that can be sent now; these answers are then settled.
    pub(super) fn settle(&mut self, out: &mut Vec<u8>) {
        let before = self.settled;
        let mut acked = before;
        while let Some(&Some(verdict)) = self.open.front() {
            self.open.pop_front();
            self.settled += 1;
            if let Verdict::Refused(reason) = verdict {
                // A refusal follows the settled ones before it without a gap (NET-13).
                if self.settled - 1 > acked {
                    put_ack(out, self.settled - 1);
                }
                put_refusal(out, self.settled, reason);
                acked = self.settled;
            }
        }
        if self.settled > acked {
            put_ack(out, self.settled);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::envelope::frame::{Frame, decode};

    fn settle(ledger: &mut Ledger) -> Vec<Frame> {
        let (mut bytes, mut frames) = (Vec::new(), Vec::new());
        ledger.settle(&mut bytes);
        let mut rest = bytes.as_slice();
        while let Some((frame, used)) = decode(rest).unwrap() {
            frames.push(frame);
            rest = &rest[used..];
        }
        frames
    }

    fn with(count: u64) -> Ledger {
        let mut ledger = Ledger::default();
        for seq in 1..=count {
            assert!(ledger.take(seq));
        }
        ledger
    }

    /// NET-16.
    #[test]
    fn answers_are_held_back_until_all_before_them_are_there() {
        let mut ledger = with(4);
        ledger.answer(3, Verdict::Stored);
        ledger.answer(2, Verdict::Stored);
        assert_eq!(settle(&mut ledger), []);
        ledger.answer(1, Verdict::Stored);
        assert_eq!(settle(&mut ledger), [Frame::Ack { upto: 3 }]);
        assert!(!ledger.is_settled());
        ledger.answer(4, Verdict::Stored);
        assert_eq!(settle(&mut ledger), [Frame::Ack { upto: 4 }]);
        assert!(ledger.is_settled());
    }

    /// NET-13.
    #[test]
    fn a_refusal_stands_in_its_place_and_advances() {
        let mut ledger = with(4);
        let no = Verdict::Refused(RefuseReason::TooMany);
        for (seq, verdict) in [(4, Verdict::Stored), (3, no), (2, no), (1, Verdict::Stored)] {
            ledger.answer(seq, verdict);
        }
        let refusal = |seq| Frame::Refusal { seq, reason: RefuseReason::TooMany };
        assert_eq!(settle(&mut ledger), [Frame::Ack { upto: 1 }, refusal(2), refusal(3), Frame::Ack { upto: 4 }]);
    }

    /// NET-11.
    #[test]
    fn only_the_next_envelope_is_taken() {
        let mut ledger = with(2);
        for wrong in [0, 1, 2, 4, u64::MAX] {
            assert!(!ledger.take(wrong));
        }
        assert!(ledger.take(3));
    }

    #[test]
    fn a_second_answer_and_one_to_an_unknown_envelope_change_nothing() {
        let mut ledger = with(2);
        ledger.answer(1, Verdict::Stored);
        ledger.answer(1, Verdict::Refused(RefuseReason::Malformed));
        ledger.answer(0, Verdict::Stored);
        ledger.answer(3, Verdict::Stored);
        ledger.answer(u64::MAX, Verdict::Stored);
        assert_eq!(settle(&mut ledger), [Frame::Ack { upto: 1 }]);
        ledger.answer(1, Verdict::Refused(RefuseReason::Malformed));
        assert_eq!(settle(&mut ledger), []);
    }

    #[test]
    fn it_has_room_for_the_window() {
        assert!(with(MAX_IN_FLIGHT as u64 - 1).has_room());
        assert!(!with(MAX_IN_FLIGHT as u64).has_room());
    }

    proptest! {
        /// Whatever the order, and wherever the wire is written in between: the sender learns every
        /// verdict, each in its turn.
        #[test]
        fn every_verdict_arrives_in_its_turn(
            verdicts in proptest::collection::vec(prop::bool::weighted(0.7), 1..40),
            order in any::<prop::sample::Index>(),
            writes in any::<u64>(),
        ) {
            let count = verdicts.len() as u64;
            let mut ledger = with(count);
            let mut seqs: Vec<u64> = (1..=count).collect();
            seqs.rotate_left(order.index(verdicts.len()));
            if writes & 1 == 1 {
                seqs.reverse();
            }
            let mut frames = Vec::new();
            for (step, seq) in seqs.into_iter().enumerate() {
                let stored = verdicts[usize::try_from(seq).unwrap() - 1];
                ledger.answer(seq, if stored { Verdict::Stored } else { Verdict::Refused(RefuseReason::TooMany) });
                if writes >> (step % 64) & 1 == 1 {
                    frames.extend(settle(&mut ledger));
                }
            }
            frames.extend(settle(&mut ledger));
            let mut learnt = Vec::new();
            for frame in frames {
                match frame {
                    Frame::Ack { upto } => {
                        prop_assert!(upto > learnt.len() as u64, "an acknowledgement says something new");
                        learnt.resize(usize::try_from(upto).unwrap(), true);
                    }
                    Frame::Refusal { seq, .. } => {
                        prop_assert_eq!(seq, learnt.len() as u64 + 1);
                        learnt.push(false);
                    }
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            prop_assert_eq!(learnt, verdicts);
            prop_assert!(ledger.is_settled());
        }
    }
}
