//! The erasable keys in memory.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::key::KeyId;
use crate::base::{CryptoRng, Secret, WallTime};
use crate::crypto::aead::AeadKey;

/// What an erasable key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Role {
    /// Named by the caller.
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
    /// The generation of the key files that first held it.
    pub(super) born: u64,
}

/// All keys that open rows.
#[derive(Clone)]
pub(super) struct Keyring {
    root: AeadKey,
    entries: HashMap<KeyId, Entry>,
    /// The State key that seals what is written now.
    state: KeyId,
}

impl Keyring {
    /// A keyring of these erasable keys.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when there is no State key among them.
    pub(super) fn new(root: AeadKey, entries: HashMap<KeyId, Entry>) -> Result<Self, StoreError> {
        let newest = entries.iter().filter(|(_, entry)| matches!(entry.role, Role::State { .. }));
        let Some((&state, _)) = newest.max_by_key(|(_, entry)| entry.born) else {
            return Err(StoreError::damaged("the key files hold no State key"));
        };
        Ok(Self { root, entries, state })
    }

    /// The key by this name; `None` when it was destroyed, or never was.
    pub(super) fn get(&self, id: KeyId) -> Option<&AeadKey> {
        if id == KeyId::ROOT { Some(&self.root) } else { self.entries.get(&id).map(|entry| &entry.key) }
    }

    /// The State key that seals what is written now.
    pub(super) const fn state(&self) -> KeyId {
        self.state
    }

    /// The State keys that still open rows though a newer one has taken over: a renewal has not finished.
    pub(super) fn old_states(&self) -> Vec<KeyId> {
        let states = self.entries.iter().filter(|(_, entry)| matches!(entry.role, Role::State { .. }));
        states.map(|(id, _)| *id).filter(|id| *id != self.state).collect()
    }

    /// When the oldest State key was made.
    pub(super) fn oldest_state(&self) -> Option<WallTime> {
        let made = |entry: &Entry| if let Role::State { made } = entry.role { Some(made) } else { None };
        self.entries.values().filter_map(made).min()
    }

    /// Adds a key; a State key takes over.
    pub(super) fn add(&mut self, id: KeyId, entry: Entry) {
        if matches!(entry.role, Role::State { .. }) {
            self.state = id;
        }
        self.entries.insert(id, entry);
    }

    /// Forgets keys.
    pub(super) fn remove(&mut self, ids: &[KeyId]) {
        for id in ids {
            self.entries.remove(id);
        }
    }

    /// The erasable keys.
    pub(super) const fn entries(&self) -> &HashMap<KeyId, Entry> {
        &self.entries
    }
}

/// A fresh key for a role.
pub(super) fn fresh(role: Role, born: u64, rng: &mut dyn CryptoRng) -> (KeyId, Entry) {
    (KeyId::random(rng), Entry { key: Secret::random(rng), role, born })
}
