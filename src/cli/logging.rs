//! What goes to stderr besides remarks and errors: the log of the program.
//!
//! It never holds text of messages; peers appear with the end of their IDs.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts the log. `base` is the level without flags: 0 errors, 1 warnings, 2 what happens, 3 and 4 more.
/// The variable `ROHRPOST_LOG` overrides all (`rohrpost=debug,libp2p=info`).
pub(crate) fn start(base: u8, verbose: u8, quiet: bool, colours: bool) {
    let filter = std::env::var("ROHRPOST_LOG").ok().filter(|text| !text.is_empty()).map_or_else(
        || EnvFilter::new(filter_for(if quiet { 0 } else { base.saturating_add(verbose) })),
        EnvFilter::new,
    );
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours && std::io::stderr().is_terminal())
        .with_target(verbose > 1);
    // A second start in one process (tests) keeps the first.
    let _ = log.try_init();
}

const fn filter_for(level: u8) -> &'static str {
    match level {
        0 => "error",
        1 => "warn",
        2 => "warn,rohrpost=info",
        3 => "info,rohrpost=debug",
        _ => "debug,rohrpost=trace",
    }
}
