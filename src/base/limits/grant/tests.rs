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
    let table = table!(TCP_HANDSHAKES QUIC_HANDSHAKES QUIC_UNPROVED_HANDSHAKES CIRCUIT_HANDSHAKES DIALS TOLD_DIALS CONNECTIONS INBOUND
        INBOUND_CIRCUITS RESERVATIONS CIRCUITS ENVELOPES CARDS PREKEYS SESSIONS INVITED_SESSIONS MAIL_BOXES MAIL_QUESTIONS
        MAIL_WAITING MAIL_HELD DHT_PUTS DHT_CHECKS DHT_HEARD DHT_PROVIDERS);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = fs::read_to_string(root.join("src/base/limits/net.rs")).unwrap();
    assert_eq!(source.matches(": &[Grant] =").count(), table.len(), "one is not in this list");
    let rows: Vec<_> = table.iter().flat_map(|(name, lines)| lines.iter().map(|line| row(name, line))).collect();
    let page = fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let shown = page.split("## What is given to whom").nth(1).unwrap().split("\n## ").next().unwrap();
    let shown: Vec<_> = shown.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(shown, rows, "it should be\n{}", rows.join("\n"));
}
