//! Catches the panics of sled, on the caller's thread and on sled's own.
//!
//! A damaged file makes sled panic, at open and later. The panic becomes an error value here, and what it would have
//! printed becomes part of that error's text instead of a trace on a person's terminal.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How sled names the threads that write its log.
const SLED_THREADS: &str = "sled-io-";

/// Panics on sled's threads since the program began. A write that waited for such a thread waits for ever.
static THREAD_PANICS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether a panic of this thread is about to be caught.
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    /// What the panic said.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `call`; a panic becomes an error that carries its message.
pub(super) fn catch<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    install();
    let outer = CATCHING.replace(true);
    // Whatever a panic leaves half done belongs to sled; after one in a commit the database is closed and never used again.
    let result = catch_unwind(AssertUnwindSafe(call));
    CATCHING.set(outer);
    result.map_err(|_| SAID.take().unwrap_or_else(|| "a panic without a message".to_owned()))
}

/// How often one of sled's threads has panicked.
pub(super) fn thread_panics() -> usize {
    THREAD_PANICS.load(Ordering::SeqCst)
}

/// Puts a hook before the program's: silent for panics that are caught here, out of the way for all others.
fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if CATCHING.get() {
                SAID.set(Some(text(info)));
            } else if std::thread::current().name().is_some_and(|name| name.starts_with(SLED_THREADS)) {
                THREAD_PANICS.fetch_add(1, Ordering::SeqCst);
                tracing::error!(message = text(info), "a thread of the database engine gave up");
            } else {
                previous(info);
            }
        }));
    });
}

fn text(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let said = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    // Long messages of sled quote whole pages.
    let said: String = said.chars().take(200).collect();
    let Some(at) = info.location() else { return said };
    // The rest of the path is of the machine that built the program.
    let file = at.file().rsplit('/').next().unwrap_or_default();
    format!("{said} ({file}:{})", at.line())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(catch(|| 7), Ok(7));
        let said = catch(|| -> u8 { panic!("page {} is torn", 3) }).unwrap_err();
        assert!(said.starts_with("page 3 is torn (guard.rs:"), "{said}");
        // The next panic of this thread is not caught here, and takes the ordinary way.
        assert!(!CATCHING.get());
    }

    #[test]
    fn a_panic_of_a_thread_of_sled_is_counted() {
        catch(|| ()).unwrap();
        let before = thread_panics();
        let thread = std::thread::Builder::new().name("sled-io-test".to_owned());
        thread.spawn(|| panic!("gone")).unwrap().join().unwrap_err();
        assert!(thread_panics() > before);
    }
}
