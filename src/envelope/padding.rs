//! Padmé (Nikitin and others, "Reducing Metadata Leakage from Encrypted Files and Communication with
//! PURBs", 2019): at most 12 % more, and a length tells only O(log log n) bits.

use crate::base::limits::MIN_ENVELOPE;

/// `max(MIN_ENVELOPE, Padmé(len))` in bytes (ENV-5).
pub fn padded_len(len: usize) -> usize {
    if len <= MIN_ENVELOPE {
        return MIN_ENVELOPE;
    }
    // E = ⌊log2 L⌋, S = ⌊log2 E⌋ + 1: the last E − S bits of the length become zero, rounding up.
    let e = len.ilog2();
    let s = e.ilog2() + 1;
    let mask = (1_usize << (e - s)) - 1;
    len.saturating_add(mask) & !mask
}
