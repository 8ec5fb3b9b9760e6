//! What the fuzz target `answers` looks at: that nothing grows beyond its bounds, whatever mailboxes and the hash table answer.

// As in tests: a broken promise has to stop the run.
#![allow(clippy::panic)]

use crate::base::limits;

use super::Messenger;
use super::keys::MAX_ONE_TIME;
pub(crate) use super::outgoing::fuzzing::Desk;
use super::tables::Profile;
use crate::store::{RowKey, Rows};

/// The own card, encoded; `None` when the rows do not show it.
pub(crate) fn own_card(messenger: &Messenger) -> Option<Vec<u8>> {
    messenger.reader().get::<Profile>(&RowKey::new()).ok().flatten().map(|profile| profile.card)
}

/// What is known beside the rows is within its bounds.
pub(crate) fn bounds_hold(messenger: &Messenger) {
    let (mem, mail, asks) = (&messenger.mem, &messenger.mem.mail, &messenger.mem.asks);
    assert!(asks.asked.len() <= limits::MAX_DEPOSITS + 3 * limits::MAX_MAILBOXES + limits::MAX_SEEKS);
    assert!(asks.works.len() <= limits::MAX_WORKS);
    assert!(mem.out.totals.kept <= limits::MAX_SEALED + 3 * limits::MAX_ENVELOPE);
    assert!(asks.houses.len() <= limits::MAX_HOUSES && mail.own.len() <= 2 * limits::MAX_MAILBOXES);
    assert!(mail.own.values().all(|own| own.done.len() <= 2 * limits::MAX_BOX_PAGE));
    assert!(mail.boxed.values().all(|held| *held <= limits::MAX_BOXED_PREKEYS));
    assert!(mem.one_time_total <= MAX_ONE_TIME + limits::ONE_TIME_BATCH);
    assert!(mem.requests.len() <= limits::MAX_REQUESTS);
    assert!(mem.links_are_in_order());
}
