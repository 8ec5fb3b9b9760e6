//! Names as people see them. Others choose theirs, and may choose what looks like something of ours.

use crate::base::names::oddity;

/// A name, and behind it what its owner calls himself by now. Not yet safe.
pub(super) fn named(name: &str, calls_himself: Option<&str>) -> String {
    let shown = quoted_if_odd(name);
    match calls_himself.map(quoted_if_odd) {
        None => shown,
        Some(new) if shown.is_empty() => format!("calls himself {new}"),
        Some(new) => format!("{shown}, calls himself {new}"),
    }
}

/// A name, in quotes if it looks like something of ours: none that we give does. Not yet safe.
pub(crate) fn quoted_if_odd(name: &str) -> String {
    if oddity(name).is_none() { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\\\"")) }
}
