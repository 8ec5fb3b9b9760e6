//! The bodies of the fuzz targets in `fuzz/` (docs/tests.md, "Fuzzing"), which `cargo test` runs over the corpora, too.
//!
//! Each takes any bytes and says whether the decoder that it tries accepted them. It panics when a promise is broken:
//! that nothing panics, that what was accepted encodes to the same again, that what was changed does not open. Where a
//! target tries several things, the first byte chooses one. Everything is a function of the bytes alone.

// As in tests: a broken promise has to stop the run.
#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

mod answers;
mod content;
mod envelope;
mod identity;
mod interaction;
mod mailbox;
mod outgoing;
#[cfg(feature = "api")]
mod rpc;
mod rows;
#[cfg(test)]
mod tests;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// A target: its name, which is also that of its corpus, and its body.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// All targets that these features have.
pub const TARGETS: &[Target] = &[
    ("envelope", envelope::envelope),
    ("frames", envelope::frames),
    ("mailbox", mailbox::mailbox),
    ("answers", answers::answers),
    ("records", identity::records),
    ("content", content::content),
    #[cfg(feature = "api")]
    ("rpc", rpc::rpc),
    ("store", rows::store),
    ("key_file", identity::key_file),
    ("link", identity::link),
    ("interaction", interaction::interaction),
    ("outgoing", outgoing::outgoing),
];

/// Runs a target over some bytes. Whether they were accepted.
///
/// # Panics
/// When a promise is broken, and for a name that is none.
pub fn run(target: &str, bytes: &[u8]) -> bool {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    found.expect("no such target").1(bytes)
}

/// Randomness that is the same at every run.
fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(0)
}

/// Takes numbers off the front of the bytes; zeros when there are none left.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
