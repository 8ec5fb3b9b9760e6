//! What goes to stderr besides remarks and errors: the log of the program.
//!
//! It never holds text of messages; peers appear with the end of their IDs, whoever writes the line.

use std::io::{self, IsTerminal, Stderr, Write};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// How the peer ID of every Ed25519 key begins.
const PEER_ID: &str = "12D3KooW";
/// How long it is.
const PEER_ID_LEN: usize = 52;
/// How much of its end is left, as where people see it.
const SHORT_LEN: usize = 8;

/// Starts the log. `base` is the level without flags: 0 errors, 1 warnings, 2 what happens, 3 and 4 more.
/// The variable `ROHRPOST_LOG` overrides all (`rohrpost=debug,libp2p=info`); where it makes no sense, that is said.
pub(crate) fn start(base: u8, verbose: u8, quiet: bool, colours: bool) {
    let wanted = std::env::var("ROHRPOST_LOG").ok().filter(|text| !text.is_empty()).map(|text| text.parse::<Targets>());
    let (filter, mistake) = match wanted {
        Some(Ok(filter)) => (filter, None),
        wanted => {
            let level = if quiet { 0 } else { base.saturating_add(verbose) };
            (filter_for(level).parse().unwrap_or_default(), wanted.and_then(Result::err))
        }
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| Discreet(io::stderr()))
        .with_ansi(colours && io::stderr().is_terminal())
        .with_target(verbose > 1)
        // A line that cannot be written is left out: saying so, on the same stream, would end the program.
        .log_internal_errors(false);
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
    if let Some(mistake) = mistake {
        tracing::warn!(%mistake, "ROHRPOST_LOG is not understood (it is like rohrpost=debug,libp2p=info), and passed over");
    }
}

const fn filter_for(level: u8) -> &'static str {
    match level {
        0 => "error",
        // That it knows nobody is what Kademlia warns of; here it is how everybody begins.
        1 => "warn,libp2p_kad=error",
        2 => "warn,libp2p_kad=error,rohrpost=info",
        3 => "info,rohrpost=debug",
        _ => "debug,rohrpost=trace",
    }
}

/// Stderr, on which no peer ID is written out. A log is copied into mails and bug reports, and it tells who speaks
/// with whom; libraries do not know that.
struct Discreet(Stderr);

impl Write for Discreet {
    /// Takes a whole line at a time, as the log writes it; one that cannot be written is left out.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.0.write_all(discreet(&String::from_utf8_lossy(line)).as_bytes());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The text with every peer ID cut down to its end.
fn discreet(text: &str) -> String {
    let mut parts = text.split(PEER_ID);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(part.len());
        let hidden = PEER_ID_LEN - PEER_ID.len() - SHORT_LEN;
        match part.get(hidden..).filter(|_| hidden <= end) {
            Some(short) => out.extend(["…", short]),
            // A text that was cut off: it is too short to be of use to anybody.
            None => out.extend([PEER_ID, part]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_ids_are_cut_down_wherever_they_stand() {
        let peer = "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB";
        for (text, said) in [
            (format!("peer={peer}"), "peer=…HYdBfeSB".to_owned()),
            (format!("PeerId(\"{peer}\"), {peer}"), "PeerId(\"…HYdBfeSB\"), …HYdBfeSB".to_owned()),
            (format!("/ip4/192.0.2.1/tcp/1/p2p/{peer}/x"), "/ip4/192.0.2.1/tcp/1/p2p/…HYdBfeSB/x".to_owned()),
            ("nobody, 12D3KooW and 12D3KooWäöü".to_owned(), "nobody, 12D3KooW and 12D3KooWäöü".to_owned()),
        ] {
            assert_eq!(discreet(&text), said);
        }
    }
}
