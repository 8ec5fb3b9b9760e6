//! Names as people see them. Others choose theirs, and may choose what looks like something of ours.

use crate::base::PeerId;
use crate::base::names::oddity;

/// Columns that a quotation takes at most.
pub(crate) const QUOTED: usize = 40;

/// A peer as a table shows it: enough of the ID to tell two of one name apart.
pub(crate) fn short_peer(peer: &PeerId) -> String {
    format!("…{}", peer.short())
}

/// A name, always with enough of the peer ID to tell two of one name apart. Not yet safe.
pub(crate) fn name_and_peer(name: &str, peer: &PeerId) -> String {
    let short = short_peer(peer);
    if name.trim().is_empty() { short } else { format!("{} ({short})", quoted_if_odd(name)) }
}

/// How somebody is known, which may be nothing, and behind it what he calls himself by now. Not yet safe.
pub(crate) fn by_now(known: String, calls_himself: Option<&str>) -> String {
    match calls_himself.map(quoted_if_odd) {
        None => known,
        Some(new) if known.is_empty() => format!("calls himself {new}"),
        Some(new) => format!("{known}, calls himself {new}"),
    }
}

/// A name, in quotes if it looks like something of ours: none that we give does. Not yet safe.
pub(crate) fn quoted_if_odd(name: &str) -> String {
    if oddity(name).is_none() { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_calls_himself_stands_behind_how_he_is_known() {
        for (known, new, shown) in [
            ("Bob", None, "Bob"),
            ("Bob", Some("Robert"), "Bob, calls himself Robert"),
            ("", Some("Robert"), "calls himself Robert"),
            ("Bob (…12345678)", Some("me"), "Bob (…12345678), calls himself \"me\""),
            ("", None, ""),
        ] {
            assert_eq!(by_now(known.to_owned(), new), shown);
        }
    }
}
