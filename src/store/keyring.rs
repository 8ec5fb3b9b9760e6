//! The erasable keys in memory.
//!
//! Keys are made ahead, many at a time, and written to the key files before the first of them is taken. The engine's row
//! says in each commit which is the first that was never used, so taking one writes no file. A process that ends loses
//! those that it had left: what it took last may have sealed rows of a commit that never came, and nothing on the disk
//! tells which these were.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::key::KeyId;
use crate::base::{CryptoRng, Secret, WallTime};
use crate::crypto::aead::AeadKey;

/// Keys that are made at once.
const STOCK: usize = 256;
/// When so few are left it is time for more.
const LOW: usize = STOCK / 2;

/// What an erasable key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Role {
    /// Named by the caller, or not used yet.
    Given,
    /// A State key.
    State {
        /// When it was made.
        made: WallTime,
    },
}

/// An erasable key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) key: AeadKey,
    pub(super) role: Role,
}

/// The erasable keys by name, in the order in which they were made.
pub(super) type Entries = BTreeMap<KeyId, Entry>;

/// All keys that open rows.
pub(super) struct Keyring {
    root: AeadKey,
    entries: Entries,
    /// The State key that seals what is written now.
    pub(super) state: KeyId,
    /// The State keys that still open rows though it has taken over: a renewal has not finished.
    pub(super) old_states: Vec<KeyId>,
    /// Of the entries, those that nobody has taken.
    free: VecDeque<KeyId>,
    /// The name of the next to be made.
    pub(super) next: KeyId,
    /// From here on, keys are in neither of the key files.
    pub(super) unwritten: KeyId,
}

impl Keyring {
    /// A keyring of these erasable keys, all of them used; the next one is named `next`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when there is no State key among them.
    pub(super) fn new(root: AeadKey, entries: Entries, next: KeyId) -> Result<Self, StoreError> {
        let states = entries.iter().filter(|(_, entry)| matches!(entry.role, Role::State { .. }));
        let mut old_states: Vec<_> = states.map(|(id, _)| *id).collect();
        let state = old_states.pop().ok_or_else(|| StoreError::damaged("the key files hold no State key"))?;
        Ok(Self { root, entries, state, old_states, free: VecDeque::new(), next, unwritten: next })
    }

    /// The key by this name; `None` when it was destroyed, or never was.
    pub(super) fn get(&self, id: KeyId) -> Option<&AeadKey> {
        if id == KeyId::ROOT { Some(&self.root) } else { self.entries.get(&id).map(|entry| &entry.key) }
    }

    /// Whether somebody has taken this key to name it.
    pub(super) fn is_given(&self, id: KeyId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.role == Role::Given) && !self.free.contains(&id)
    }

    /// When the oldest State key was made. Asked before every commit: there may be tens of thousands of other keys.
    pub(super) fn oldest_state(&self) -> Option<WallTime> {
        let made = |id| if let Role::State { made } = self.entries.get(id)?.role { Some(made) } else { None };
        self.old_states.iter().chain([&self.state]).filter_map(made).min()
    }

    /// All erasable keys.
    pub(super) const fn entries(&self) -> &Entries {
        &self.entries
    }

    /// Takes over keys that callers of another store have named.
    pub(super) fn adopt(&mut self, keys: Entries) {
        self.entries.extend(keys);
    }

    /// A key opens nothing any more.
    pub(super) fn destroy(&mut self, id: KeyId) {
        self.entries.remove(&id);
        self.old_states.retain(|old| *old != id);
    }

    /// Whether it is time to make more keys.
    pub(super) fn is_low(&self) -> bool {
        self.free.len() < LOW
    }

    /// Makes keys that nobody has taken. They are to be written before there is a row under one of them.
    pub(super) fn stock(&mut self, rng: &mut dyn CryptoRng) {
        for _ in 0..STOCK {
            self.entries.insert(self.next, Entry { key: Secret::random(rng), role: Role::Given });
            self.free.push_back(self.next);
            self.next = self.next.next();
        }
    }

    /// A key that nobody has taken.
    pub(super) fn take(&mut self, rng: &mut dyn CryptoRng) -> KeyId {
        if self.free.is_empty() {
            self.stock(rng);
        }
        self.free.pop_front().unwrap_or_default()
    }

    /// Takes back what was taken last, and was never used.
    pub(super) fn give_back(&mut self, id: KeyId) {
        self.free.push_front(id);
    }

    /// A new State key takes over.
    pub(super) fn renew_state(&mut self, made: WallTime, rng: &mut dyn CryptoRng) -> KeyId {
        self.old_states.push(self.state);
        self.state = self.take(rng);
        if let Some(entry) = self.entries.get_mut(&self.state) {
            entry.role = Role::State { made };
        }
        self.state
    }

    /// Whether a key is in neither of the key files yet.
    pub(super) const fn is_unwritten(&self, id: KeyId) -> bool {
        id.is_from(self.unwritten)
    }
}

#[cfg(test)]
mod tests;
