//! The one place that asks the system for randomness (SES-1).

use crate::base::CryptoRng;

/// Every value comes from the system: no state in this process that could be copied or rolled back. Fails loudly, by a
/// panic, where the system has none; nothing sensible could be done without.
pub(crate) fn system() -> impl CryptoRng {
    rand::rand_core::UnwrapErr(rand::rngs::SysRng)
}
