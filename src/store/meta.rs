//! The engine's own row: what the database says about itself.

use std::collections::BTreeSet;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::key::KeyId;
use super::row::{META_KEY, Write, open_value, seal_value, tag};
use super::secrets::Secrets;

/// The schema of all rows. What wrote an older one was never released, so there is no step from there.
pub(super) const SCHEMA: u32 = 8;

/// Written with every commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    /// How many commits there were.
    pub(super) commits: u64,
    /// The generation of the key files that first held all keys of the rows.
    pub(super) keys_generation: u64,
    /// The first erasable key that was never used: from here on, no row of a commit is under any.
    pub(super) next_key: KeyId,
    /// The tables that have rows under the State key.
    pub(super) state_tables: BTreeSet<u8>,
    /// All rows but this one.
    pub(super) totals: Totals,
}

/// What all rows amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    /// How many they are.
    pub(super) rows: u64,
    /// The sum of their tags.
    pub(super) sum: u128,
}

impl Totals {
    /// Counts a row.
    pub(super) fn add(&mut self, row: &[u8]) {
        self.rows = self.rows.wrapping_add(1);
        self.sum = self.sum.wrapping_add(tag(row));
    }

    /// Counts a row no more.
    pub(super) fn take(&mut self, row: &[u8]) {
        self.rows = self.rows.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(tag(row));
    }

    /// How the rows that were found differ from these, if they do.
    pub(super) fn differ(self, found: Self) -> Option<String> {
        (found != self).then(|| match found.rows == self.rows {
            true => "rows have fallen back to older ones".to_owned(),
            false => format!("there are {} rows where there should be {}", found.rows, self.rows),
        })
    }

    /// The difference of others.
    pub(super) const fn join(&mut self, other: Self) {
        self.rows = self.rows.wrapping_add(other.rows);
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl Meta {
    /// What is missing where so many commits were made, and the newest of the key files is of this generation.
    pub(super) fn behind(&self, commits: u64, generation: u64) -> Option<String> {
        if self.commits < commits {
            return Some(format!("the last {} commits are gone", commits - self.commits));
        }
        (self.keys_generation > generation).then(|| "its key files are older than its database".to_owned())
    }

    /// What is missing in a log in which all rows amount to this.
    pub(super) fn fault(&self, commits: u64, generation: u64, totals: Totals) -> Option<String> {
        self.behind(commits, generation).or_else(|| self.totals.differ(totals))
    }

    /// `schema (4) ‖ the rest`, sealed under the Root key: the schema is readable whatever the rest has become.
    pub(super) fn seal(&self, schema: u32, secrets: &Secrets, rng: &mut dyn CryptoRng) -> Result<Write, StoreError> {
        let fault = || StoreError::Fault("the store's own row cannot be written".to_owned());
        let plaintext = postcard::to_extend(self, schema.to_be_bytes().to_vec()).map_err(|_| fault())?;
        let mut out = Vec::new();
        seal_value(secrets, (KeyId::ROOT, &secrets.root), META_KEY.to_vec(), &plaintext, rng, &mut out);
        out.pop().filter(|_| out.is_empty()).ok_or_else(fault)
    }

    /// Opens the row.
    ///
    /// # Errors
    /// [`StoreError::TooNew`]; [`StoreError::TooOld`]; [`StoreError::Damaged`].
    pub(super) fn open(row: &[u8], secrets: &Secrets) -> Result<(u32, Self), StoreError> {
        let plaintext = open_value(secrets, &secrets.root, META_KEY, row, |_| Ok(None::<Vec<u8>>))?;
        let bad = || StoreError::damaged("the store's own row cannot be read");
        let (schema, rest) = plaintext.split_first_chunk().ok_or_else(bad)?;
        let schema = u32::from_be_bytes(*schema);
        is_known(schema)?;
        Ok((schema, postcard::from_bytes(rest).map_err(|_| bad())?))
    }
}

/// Whether rows of this form are read here.
///
/// # Errors
/// [`StoreError::TooNew`], [`StoreError::TooOld`].
pub(super) const fn is_known(schema: u32) -> Result<(), StoreError> {
    match schema {
        SCHEMA => Ok(()),
        found if found > SCHEMA => Err(StoreError::TooNew { found, known: SCHEMA }),
        found => Err(StoreError::TooOld { found, oldest: SCHEMA }),
    }
}
