//! The form of a bound that is counted by who asks: one line says of whom it speaks, by what it counts, and how much there
//! is. `base::budget` counts.

use crate::base::time::Millis;

/// Of whom a line speaks; it counts nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Contacts and strangers together.
    Everybody,
    /// Contacts only.
    Contacts,
    /// Peers who are no contacts.
    Strangers,
}

/// By what a line counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// All of them together.
    All,
    /// Each peer ID; keys are free.
    Peer,
    /// Each IP address; of IPv6 the /64 that one household has.
    Address,
    /// Each /24 of IPv4, each /48 of IPv6.
    Network,
}

/// How much each of them has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many at a time.
    Places(usize),
    /// A rate.
    Rate {
        /// So many at once…
        burst: u32,
        /// …and after it one in so many nanoseconds.
        nanos: u64,
    },
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Of whom it speaks.
    pub of: Of,
    /// By what it counts.
    pub by: By,
    /// How much each has.
    pub amount: Amount,
}

/// So many at a time.
pub(super) const fn places(of: Of, by: By, count: usize) -> Grant {
    Grant { of, by, amount: Amount::Places(count) }
}

/// So many at once, and then so many a second.
pub(super) const fn per_second(of: Of, by: By, burst: u32, rate: u64) -> Grant {
    Grant { of, by, amount: Amount::Rate { burst, nanos: 1_000_000_000 / rate } }
}

/// So many at once, and then one in this time.
pub(super) const fn one_in(of: Of, by: By, burst: u32, time: Millis) -> Grant {
    Grant { of, by, amount: Amount::Rate { burst, nanos: time.0 * 1_000_000 } }
}

#[cfg(test)]
mod tests;
