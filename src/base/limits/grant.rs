//! The form of a bound that is counted by who asks: one line says of whom it speaks, by what it counts, and how much there
//! is. `net::budget` counts.

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
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::*;

    macro_rules! table {
        ($($name:ident)*) => { [$((stringify!($name), $name)),*] };
    }

    /// A line as the threat model shows it.
    fn row(name: &str, line: &Grant) -> String {
        let by = match line.by {
            By::All => "all together",
            By::Peer => "each peer",
            By::Address => "each address",
            By::Network => "each network",
        };
        let amount = match line.amount {
            Amount::Places(count) => format!("{count} at a time"),
            Amount::Rate { burst, nanos } if nanos < 1_000_000_000 => {
                format!("{burst}, then {} a second", 1_000_000_000 / nanos)
            }
            Amount::Rate { burst, nanos } => format!("{burst}, then one in {} s", nanos / 1_000_000_000),
        };
        format!("| `{name}` | {} | {by} | {amount} |", format!("{:?}", line.of).to_lowercase())
    }

    /// The table of the threat model is this one, line by line.
    #[test]
    fn what_is_given_stands_in_the_threat_model() {
        let table = table!(HANDSHAKES DIALS TOLD_DIALS CONNECTIONS INBOUND INBOUND_CIRCUITS RESERVATIONS CIRCUITS
            ENVELOPES CARDS PREKEYS MAIL_QUESTIONS MAIL_WAITING MAIL_HELD MAIL_BYTES DHT_PUTS DHT_CHECKS DHT_HEARD DHT_PROVIDERS);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let source = fs::read_to_string(root.join("src/base/limits/net.rs")).unwrap();
        assert_eq!(source.matches(": &[Grant] =").count(), table.len(), "one is not in this list");
        let rows: Vec<_> = table.iter().flat_map(|(name, lines)| lines.iter().map(|line| row(name, line))).collect();
        let page = fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
        let shown = page.split("## What is given to whom").nth(1).unwrap().split("\n## ").next().unwrap();
        let shown: Vec<_> = shown.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(shown, rows, "it should be\n{}", rows.join("\n"));
    }
}
