//! Who begins a session with us, and whether there is room for it.
//!
//! A session leaves rows, and with the card's own prekey a mark for as long as that serves (SES-18). Peer IDs are free, so strangers
//! have shares by where they are; what is for the invited and for contacts they cannot take.

mod shares;

use crate::base::budget::Who;
use crate::base::{Class, Origin, PeerId, limits};
use crate::content::{Capsule, Item};
use crate::identity::{PrekeyId, RequestToken};

use super::io::RefuseReason;
use super::tx::{Step, Tx};

pub(super) use shares::Newcomers;

/// Who begins a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newcomer {
    Contact,
    /// He has the token of our link.
    Invited,
    Stranger,
}

/// How an envelope came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// On the stream of its sender, who is known by it, and who is there.
    Stream(Option<Origin>),
    /// Out of this mailbox: its sender is a claim, until a session with him has opened it (ENV-15).
    Sealed(PeerId),
}

impl Tx<'_> {
    /// Who says this in his first message.
    pub(super) fn newcomer(&self, is_contact: bool, capsule: Option<&Capsule>) -> Step<Newcomer> {
        if is_contact {
            return Ok(Newcomer::Contact);
        }
        let items = capsule.map(|capsule| capsule.items.as_slice()).unwrap_or_default();
        let tokens = items.iter().filter_map(|item| match item {
            Item::Introduction(said) => said.token,
            _ => None,
        });
        let ours = self.profile()?.token;
        let is_invited = tokens.map(RequestToken::from_bytes).any(|token| token == ours);
        Ok(if is_invited { Newcomer::Invited } else { Newcomer::Stranger })
    }

    /// Whether there is room for the session that somebody begins; if not, what he is told (SES-19). With a prekey that is not
    /// the present card's he fares better with that.
    pub(super) fn room_for_session(
        &mut self,
        who: Newcomer,
        way: Way,
        card_prekey: Option<PrekeyId>,
    ) -> Step<Option<RefuseReason>> {
        if let Some(prekey) = card_prekey {
            let max = match who {
                Newcomer::Stranger => limits::MAX_CARD_PREKEY_MARKS,
                Newcomer::Invited => limits::MAX_INVITED_PREKEY_MARKS,
                Newcomer::Contact => limits::MAX_CONTACT_PREKEY_MARKS,
            };
            if self.prekey_marks(prekey)? >= max {
                // It may be time by now.
                let is_present = self.card_is_crowded(prekey)?;
                return Ok(Some(if is_present { RefuseReason::Unavailable } else { RefuseReason::PrekeyUnknown }));
            }
        }
        let from = match way {
            Way::Stream(origin) => Who::new(Class::Stranger, None, origin),
            Way::Sealed(mailbox) => Who::new(Class::Stranger, Some(mailbox), None),
        };
        let now = self.now.mono;
        let newcomers = &mut self.mem.newcomers;
        let has_share = match who {
            Newcomer::Contact => true,
            Newcomer::Invited => newcomers.invited.take(&from, now),
            Newcomer::Stranger => newcomers.strangers.take(&from, now),
        };
        Ok((!has_share).then_some(RefuseReason::Unavailable))
    }
}

#[cfg(test)]
mod tests;
