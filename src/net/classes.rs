//! Who is what to us: said by [`Order::Class`](crate::envelope::border::Order::Class), asked often and from many tasks.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::from_libp2p;
use crate::base::PeerId;
use crate::envelope::border::Class;

/// The classes of peers. Clones are the same. It holds those who are no strangers: the store bounds them.
#[derive(Clone, Debug)]
pub struct Classes {
    known: Arc<RwLock<HashMap<PeerId, Class>>>,
    others: Class,
}

impl Default for Classes {
    /// Everybody is a stranger.
    fn default() -> Self {
        Self::all(Class::Stranger)
    }
}

impl FromIterator<(PeerId, Class)> for Classes {
    fn from_iter<T: IntoIterator<Item = (PeerId, Class)>>(peers: T) -> Self {
        let classes = Self::default();
        peers.into_iter().for_each(|(peer, class)| classes.set(peer, class));
        classes
    }
}

impl Classes {
    /// Everybody is of this class, until another is said.
    pub fn all(class: Class) -> Self {
        Self { known: Arc::default(), others: class }
    }

    /// The peer is of this class from now on.
    pub(super) fn set(&self, peer: PeerId, class: Class) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if class == self.others {
            known.remove(&peer);
        } else {
            known.insert(peer, class);
        }
    }

    pub(super) fn of(&self, peer: &PeerId) -> Class {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(peer).copied().unwrap_or(self.others)
    }

    /// Of a peer as libp2p names him.
    pub(super) fn of_libp2p(&self, peer: &libp2p::PeerId) -> Class {
        from_libp2p(peer).map_or(Class::Stranger, |peer| self.of(&peer))
    }
}
