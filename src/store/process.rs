//! Who works on a profile, in words for people.

use std::fmt;
use std::os::unix::fs::MetadataExt;

use rustix::process::{Pid, test_kill_process};

/// A process as a person is told of it. Numbers are for people: in a container of its own a process has another one, so
/// that nothing is decided by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// Its number here.
    Number(u32),
    /// It counts processes otherwise than we do: one of the two is in a container.
    Contained,
    /// It could not be told.
    Unknown,
}

impl Process {
    /// The line by which this process tells others of itself.
    pub(super) fn line_of_this() -> String {
        let number = std::process::id();
        space().map_or_else(|| number.to_string(), |space| format!("{number} {space}"))
    }

    /// The process of which such a line tells, if it is alive.
    pub(super) fn of_line(line: &str) -> Self {
        let mut words = line.split_whitespace();
        let number = words.next().and_then(|word| word.parse::<i32>().ok()).and_then(Pid::from_raw);
        let Some(pid) = number else { return Self::Unknown };
        if words.next().and_then(|word| word.parse().ok()) != space() {
            return Self::Contained;
        }
        match test_kill_process(pid) {
            // Alive, and perhaps not ours.
            Ok(()) | Err(rustix::io::Errno::PERM) => {
                u32::try_from(pid.as_raw_nonzero().get()).map_or(Self::Unknown, Self::Number)
            }
            Err(_) => Self::Unknown,
        }
    }

    /// Its number, where it has one here.
    pub const fn number(self) -> Option<u32> {
        match self {
            Self::Number(number) => Some(number),
            Self::Contained | Self::Unknown => None,
        }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "process {number}"),
            Self::Contained => f.write_str("a process of another container"),
            Self::Unknown => f.write_str("another process"),
        }
    }
}

/// In which space of numbers this process has its own; `None` where there is but one.
fn space() -> Option<u64> {
    std::fs::metadata("/proc/self/ns/pid").ok().map(|about| about.ino())
}
