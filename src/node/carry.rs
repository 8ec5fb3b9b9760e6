//! Carries orders to the network and brings back what it tells. What is its own: which opening of the store an order is of,
//! envelopes for which there is no room yet, and the tap.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::config::Tapping;
use crate::base::PeerId;
use crate::messenger::{Event, Order, RefuseReason};
use crate::net::{NetHandle, SendError};

/// Bits of a ticket that count the openings of the store; the rest is the messenger's own number.
const OPENING_SHIFT: u32 = 48;

/// An envelope for which the network had no room.
struct Held {
    ticket: u64,
    bytes: Arc<[u8]>,
}

/// The network as it is used here; a trait, so that tests can say what it answers.
pub(super) trait Port: Send {
    fn order(&self, order: Order) -> Result<(), SendError>;
    fn present(&self) -> Vec<Event>;
}

impl Port for NetHandle {
    fn order(&self, order: Order) -> Result<(), SendError> {
        Self::order(self, order)
    }

    fn present(&self) -> Vec<Event> {
        Self::present(self)
    }
}

/// The network's side of the messenger. Without a network, everything is dropped: it is derived again from rows.
pub(super) struct Carrier {
    net: Option<Box<dyn Port>>,
    tap: Option<Tapping>,
    /// Envelopes waiting for the next outcome of their peer; the messenger's window bounds them.
    held: HashMap<PeerId, VecDeque<Held>>,
    /// How often the store was opened: a ticket of a former messenger means nothing to the present one.
    opening: u64,
}

impl Carrier {
    pub(super) fn new(net: Option<Box<dyn Port>>, tap: Option<Tapping>) -> Self {
        Self { net, tap, held: HashMap::new(), opening: 0 }
    }

    /// The messenger begins anew: what it had on its way is forgotten.
    pub(super) fn reopened(&mut self) {
        self.opening += 1;
        self.held.clear();
    }

    /// What a new messenger must be told of the present.
    pub(super) fn present(&self) -> Vec<Event> {
        self.net.as_ref().map(|net| net.present()).unwrap_or_default()
    }

    /// Hands an order over. One that is refused gives what an event would tell.
    pub(super) fn order(&mut self, mut order: Order) -> Option<Event> {
        if let Order::Send { peer, ticket, bytes } = order {
            if let Some(tap) = &self.tap {
                tap(&bytes);
            }
            return self.hand_over(peer, Held { ticket, bytes });
        }
        let failed = order.failed();
        if let Some(ticket) = order.ticket_mut() {
            *ticket |= self.opening << OPENING_SHIFT;
        }
        match (failed, self.net.as_ref()?.order(order).err()?) {
            (Some(Event::BundleFailed { peer, .. }), SendError::NotConnected) => Some(Event::Disconnected(peer)),
            (None, error) => {
                tracing::warn!(%error, "an order to the network comes to nothing");
                None
            }
            (failed, _) => failed,
        }
    }

    fn hand_over(&mut self, peer: PeerId, held: Held) -> Option<Event> {
        let net = self.net.as_ref()?;
        if let Some(queue) = self.held.get_mut(&peer).filter(|queue| !queue.is_empty()) {
            queue.push_back(held);
            return None;
        }
        let ticket = self.opening << OPENING_SHIFT | held.ticket;
        match net.order(Order::Send { peer, ticket, bytes: held.bytes.clone() }) {
            Ok(()) => None,
            Err(SendError::Full) => {
                self.held.entry(peer).or_default().push_back(held);
                None
            }
            // More than this envelope will not go: the messenger returns all that is on its way.
            Err(SendError::NotConnected | SendError::Stopped) => {
                self.held.remove(&peer);
                Some(Event::Disconnected(peer))
            }
            Err(SendError::TooLarge | SendError::Oneself) => {
                Some(Event::Refused { peer, ticket: held.ticket, reason: RefuseReason::Malformed })
            }
        }
    }

    /// Something on its way to this peer has ended: there is room again.
    fn retry(&mut self, peer: PeerId) -> Option<Event> {
        let mut queue = self.held.remove(&peer)?;
        while let Some(held) = queue.pop_front() {
            let said = self.hand_over(peer, held);
            if said.is_some() {
                return said;
            }
            if let Some(again) = self.held.get_mut(&peer) {
                // No room yet: what could not go stands first, the rest behind it.
                again.append(&mut queue);
            }
        }
        None
    }

    /// What the messenger is told of an event, and perhaps what follows from it at once. The outcome of an order that a
    /// former messenger gave means nothing.
    pub(super) fn told(&mut self, mut event: Event) -> impl Iterator<Item = Event> {
        let own = event.ticket_mut().is_none_or(|ticket| {
            let ours = *ticket >> OPENING_SHIFT == self.opening;
            *ticket &= (1 << OPENING_SHIFT) - 1;
            ours
        });
        let follows = match &event {
            Event::Disconnected(peer) => {
                self.held.remove(peer);
                None
            }
            Event::Acked { peer, .. } | Event::Refused { peer, .. } | Event::Lost { peer, .. } => self.retry(*peer),
            _ => None,
        };
        own.then_some(event).into_iter().chain(follows)
    }
}

#[cfg(test)]
mod tests;
