//! How far work is that takes its time: counted where it is done, and shown by whoever has a terminal.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    /// What counts on this thread.
    static COUNTS: RefCell<Progress> = RefCell::default();
}

/// A number of rows, which anybody can look at meanwhile. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Rows that were looked at.
    pub fn rows(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts the rows of this work, as far as it is done on this thread.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = COUNTS.replace(self.clone());
        let outcome = work();
        COUNTS.set(before);
        outcome
    }
}

/// Another row was looked at.
pub fn row() {
    COUNTS.with_borrow(|progress| progress.0.fetch_add(1, Ordering::Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_count_where_they_are_looked_at() {
        let (outer, inner) = (Progress::default(), Progress::default());
        row();
        outer.during(|| {
            row();
            inner.during(|| (0..3).for_each(|_| row()));
            std::thread::spawn(row).join().unwrap();
            row();
        });
        row();
        assert_eq!((outer.rows(), inner.rows()), (2, 3));
    }
}
