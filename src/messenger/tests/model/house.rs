//! A naive mailbox.

use std::collections::{BTreeMap, VecDeque};

use crate::envelope::mailbox::{Answer as MailAnswer, Delete, PageItem, Question};

/// A mailbox that keeps what it is given.
#[derive(Default)]
pub(super) struct House {
    card: Vec<u8>,
    prekeys: VecDeque<Vec<u8>>,
    next: u64,
    kept: BTreeMap<u64, Vec<u8>>,
    /// Bob's question that is held.
    pub(super) held: Option<u64>,
}

impl House {
    /// What it does with a question; `None`: it holds it.
    pub(super) fn answer(&mut self, question: &[u8]) -> Option<MailAnswer> {
        match Question::decode(question).unwrap() {
            Question::Register { offer, .. } | Question::Renew { offer, .. } => {
                self.card = offer.card.to_vec();
                self.prekeys.extend(offer.prekeys.iter().map(|prekey| prekey.to_vec()));
                Some(MailAnswer::Kept { prekeys: u16::try_from(self.prekeys.len()).unwrap() })
            }
            Question::Fetch { after, .. } => {
                let waiting = self.kept.range(after + 1..).take(3);
                let items: Vec<_> =
                    waiting.map(|(number, sealed)| PageItem { number: *number, sealed: sealed.clone() }).collect();
                let more = items.last().is_some_and(|last| self.kept.range(last.number + 1..).next().is_some());
                let prekeys = u16::try_from(self.prekeys.len()).unwrap();
                Some(MailAnswer::Page { more, prekeys, items })
            }
            Question::Wait { .. } => None,
            Question::Delete { what, .. } => {
                self.kept.retain(|number, _| match &what {
                    Delete::UpTo(last) => number > last,
                    Delete::These(these) => !these.contains(number),
                });
                Some(MailAnswer::Done)
            }
            Question::Drop { .. } => Some(MailAnswer::Done),
            Question::Card { want_prekey, .. } => {
                let prekey = if want_prekey { self.prekeys.pop_front() } else { None };
                Some(MailAnswer::Card { card: self.card.clone(), prekey })
            }
            Question::Deposit(deposit) => {
                // MBX-27
                if self.kept.values().all(|kept| kept != deposit.sealed) {
                    self.next += 1;
                    self.kept.insert(self.next, deposit.sealed.to_vec());
                }
                Some(MailAnswer::Stored)
            }
        }
    }
}
