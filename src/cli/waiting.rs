//! What takes longer than a moment: a line on the terminal says what it is and how far, and is gone when it is done. Who interrupts
//! it is told what was done.
//!
//! Of `indicatif` the drawing of one line would be of use; that it waits a moment, ends before anything else is written, and goes
//! before a signal ends the process would be ours all the same.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::low_level::emulate_default_handler;

use crate::base::Progress;
use crate::client::Work;

use super::interrupt::Interrupt;
use super::output::safe;
use super::output::wrap::ENDLESS;

/// After so long a person is told what is waited for.
const MOMENT: Duration = Duration::from_millis(300);
/// Between two looks how far it is.
const PAUSE: Duration = Duration::from_millis(100);
/// Takes the line away.
const CLEAR: &str = "\r\x1b[K";

/// Who waits.
pub(crate) struct Waiting {
    /// Columns of the terminal; [`ENDLESS`] when there is none.
    columns: usize,
    /// Remarks are told.
    is_told: bool,
    line: Option<Line>,
}

impl Waiting {
    pub(crate) const fn new(columns: usize, is_told: bool) -> Self {
        Self { columns, is_told, line: None }
    }

    /// Whether there is a terminal on which it is seen.
    pub(crate) const fn is_seen(&self) -> bool {
        self.is_told && self.columns != ENDLESS
    }

    /// Something begins, and what was before it has ended.
    pub(crate) fn begins(&mut self, work: Work<'_>) -> Progress {
        self.rests();
        let progress = Progress::default();
        if self.is_told {
            let columns = Some(self.columns).filter(|columns| *columns != ENDLESS);
            // Where nobody can be told, the work goes on all the same.
            // Whoever tells of another's hold on the profile has waited for that moment.
            let pause = if matches!(work, Work::Waiting(_)) { Duration::ZERO } else { MOMENT };
            let drawn =
                Drawn { what: told(work), columns, progress: progress.clone(), begun: now(), there: String::new() };
            self.line = Line::begin(drawn, undone(work), pause).ok();
        }
        progress
    }

    /// It has ended: the line is gone.
    pub(crate) fn rests(&mut self) {
        self.line = None;
    }
}

fn told(work: Work<'_>) -> String {
    match work {
        Work::Waiting(why) => safe::line(why),
        Work::Opening => "opening the store".to_owned(),
        Work::Looking => "looking at every row of the store".to_owned(),
        Work::Saving => "saving what can be read".to_owned(),
        Work::Starting => "starting a node".to_owned(),
        Work::Delivering(within) => format!("waiting for the delivery, for up to {within:?}"),
    }
}

/// What whoever interrupts it is told; `None`: somebody else tells.
const fn undone(work: Work<'_>) -> Option<&'static str> {
    match work {
        Work::Waiting(_) | Work::Opening => Some("interrupted: nothing was done"),
        Work::Looking => Some("interrupted: nothing was changed"),
        Work::Saving => Some("interrupted: nothing was changed, the damaged profile is as it was"),
        Work::Starting | Work::Delivering(_) => None,
    }
}

/// A line on the terminal, and the thread that keeps it.
struct Line {
    /// Closed at the end.
    end: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Line {
    fn begin(drawn: Drawn, undone: Option<&'static str>, pause: Duration) -> io::Result<Self> {
        let (end, ended) = UnixStream::pair()?;
        let interrupt = undone.map(|undone| Ok::<_, io::Error>((Interrupt::begin()?, undone))).transpose()?;
        let thread = thread::Builder::new().spawn(move || keep(drawn, &ended, interrupt.as_ref(), pause))?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Draws, first behind this pause, until it has ended, or is interrupted.
fn keep(mut drawn: Drawn, ended: &UnixStream, interrupt: Option<&(Interrupt, &'static str)>, mut pause: Duration) {
    loop {
        let mut ends = vec![PollFd::new(ended, PollFlags::IN)];
        ends.extend(interrupt.iter().map(|(signal, _)| PollFd::from_borrowed_fd(signal.as_fd(), PollFlags::IN)));
        let timeout = Timespec::try_from(pause).ok();
        let is_over = poll(&mut ends, timeout.as_ref()).is_ok_and(|woken| woken > 0);
        if let Some((signal, undone)) = interrupt.and_then(|(came, undone)| Some((came.signal()?, undone))) {
            drawn.clear();
            let _ = writeln!(io::stderr(), "{undone}");
            let _ = emulate_default_handler(signal);
        }
        if is_over {
            return drawn.clear();
        }
        drawn.draw();
        pause = PAUSE;
    }
}

/// What stands on the terminal.
struct Drawn {
    what: String,
    columns: Option<usize>,
    progress: Progress,
    begun: Instant,
    /// Nothing, or the line as it was drawn.
    there: String,
}

impl Drawn {
    fn draw(&mut self) {
        let Some(columns) = self.columns else { return };
        let line =
            safe::truncate(&said(&self.what, self.progress.rows(), self.begun.elapsed()), columns.saturating_sub(1));
        if line != self.there {
            let mut err = io::stderr().lock();
            let _ = write!(err, "\r{line}\x1b[K").and_then(|()| err.flush());
            self.there = line;
        }
    }

    fn clear(&mut self) {
        if !std::mem::take(&mut self.there).is_empty() {
            let mut err = io::stderr().lock();
            let _ = err.write_all(CLEAR.as_bytes()).and_then(|()| err.flush());
        }
    }
}

/// How far it is: what can be counted, else how long it has taken.
fn said(what: &str, rows: u64, taken: Duration) -> String {
    match rows {
        0 => format!("{what} … {} s", taken.as_secs()),
        rows => format!("{what} … {}", grouped(rows)),
    }
}

/// With a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[expect(clippy::disallowed_methods, reason = "how long a person waits is measured where they wait")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_rows_or_seconds() {
        assert_eq!(said("looking", 0, Duration::from_millis(2_700)), "looking … 2 s");
        for (rows, expected) in [(1, "1"), (999, "999"), (1_000, "1,000"), (52_007, "52,007"), (1_234_567, "1,234,567")]
        {
            assert_eq!(said("looking", rows, Duration::from_secs(9)), format!("looking … {expected}"));
        }
    }

    #[test]
    fn what_is_not_told_has_no_line_and_counts_all_the_same() {
        let mut waiting = Waiting::new(80, false);
        let progress = waiting.begins(Work::Looking);
        progress.during(crate::base::progress::row);
        assert!(waiting.line.is_none() && progress.rows() == 1);
    }
}
