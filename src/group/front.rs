//! What a new operation builds on (GRP-31).

use super::bits::Bits;
use super::evaluate::Evaluation;
use super::log::Log;
use super::operation::Act;
use crate::base::{OperationId, PeerId};

/// The parents of a new operation, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Front {
    /// They are few enough.
    Ready(Vec<OperationId>),
    /// They would be too many: an operation that sets nothing and joins these comes first.
    Join(Vec<OperationId>),
}

impl Evaluation {
    /// What an operation of this author builds on, who does this in the standing `under`.
    pub fn front(&self, log: &Log, author: PeerId, under: OperationId, act: &Act) -> Front {
        let mut whole = self.counts.clone();
        if let Act::Add { person, ground, .. } = act {
            // Those ends that it does not know would end it.
            whole.add(&own_ends(log, *person));
            whole.add(&log.at.get(&ground.names()).copied().into_iter().collect());
        }
        let mut heads = log.heads(&whole);
        if heads.len() <= log.bounds.parents {
            return Front::Ready(heads);
        }
        heads.sort_by_key(|head| !(*head == under || log.knows(*head, under)));
        heads.truncate(log.bounds.parents);
        heads.sort_unstable();
        let is_own_end = match act {
            Act::Leave { .. } => true,
            Act::Demote { person } => *person == author,
            _ => false,
        };
        // An end of one's own need not know much.
        if is_own_end { Front::Ready(heads) } else { Front::Join(heads) }
    }
}

fn own_ends(log: &Log, person: PeerId) -> Bits {
    let own = log.entries.iter().enumerate();
    let own = own.filter(|(_, entry)| entry.operation.author() == person && entry.operation.is_own_end());
    own.map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests;
