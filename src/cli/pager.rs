//! Lists go through a pager, as those of git and jj do: on a terminal only, so that their beginning does not scroll away.
//!
//! It is begun with the first thing that is written: a question or an error comes before it. One that ends early ends nothing
//! else, and one that is missing is none: then the list is written as it is.

use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGQUIT};
use signal_hook::flag;

use super::output::Results;

/// Where no other one is named: it ends by itself when all fits, passes colours on, and leaves what it showed.
const USUAL: [&str; 2] = ["less", "-FRX"];
/// How a shell says that it cannot begin a command.
const NOT_BEGUN: [i32; 2] = [126, 127];

/// Stdout, by way of the pager.
pub(crate) struct Paged {
    /// A command line for the shell; `None`: the usual one.
    named: Option<OsString>,
    state: State,
    /// What the pager was given, in case it cannot be begun.
    given: Vec<u8>,
    /// Where everything goes without one.
    direct: Box<dyn Write>,
}

enum State {
    /// Nothing was written yet.
    Waiting,
    Pager(Child),
    Direct,
}

impl Paged {
    /// `ROHRPOST_PAGER`, else `PAGER`, else `less`. An empty variable is an unset one.
    pub(crate) fn stdout() -> Self {
        Self::new(chosen(&|name| env::var_os(name)), Box::new(io::stdout()))
    }

    fn new(named: Option<OsString>, direct: Box<dyn Write>) -> Self {
        Self { named, state: State::Waiting, given: Vec::new(), direct }
    }

    fn begin(&mut self) {
        // Whoever types Ctrl-C means the pager.
        for signal in [SIGINT, SIGQUIT] {
            let _ = flag::register(signal, Arc::new(AtomicBool::new(false)));
        }
        let mut command = match &self.named {
            Some(line) => {
                let mut shell = Command::new("/bin/sh");
                shell.arg("-c").arg(line);
                shell
            }
            None => {
                let [program, options] = USUAL;
                let mut less = Command::new(program);
                less.arg(options);
                less
            }
        };
        for (name, value) in [("LESS", "FRX"), ("LV", "-c")] {
            if env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        self.state = command.stdin(Stdio::piped()).spawn().map_or(State::Direct, State::Pager);
    }

    /// Whether the shell found nothing to begin; then all that was given goes out as it is.
    fn is_none_after_all(&mut self, child: &mut Child) -> io::Result<bool> {
        drop(child.stdin.take());
        let code = child.wait()?.code();
        let is_none = code.is_some_and(|code| NOT_BEGUN.contains(&code));
        if is_none {
            self.direct.write_all(&std::mem::take(&mut self.given))?;
        }
        Ok(is_none)
    }
}

impl Write for Paged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if matches!(self.state, State::Waiting) {
            self.begin();
        }
        let State::Pager(child) = &mut self.state else { return self.direct.write(bytes) };
        let Some(stdin) = &mut child.stdin else { return Err(ErrorKind::BrokenPipe.into()) };
        self.given.extend_from_slice(bytes);
        match stdin.write_all(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                let State::Pager(mut child) = std::mem::replace(&mut self.state, State::Direct) else {
                    return Err(error);
                };
                if self.is_none_after_all(&mut child)? {
                    return Ok(bytes.len());
                }
                self.state = State::Pager(child);
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Pager(Child { stdin: Some(stdin), .. }) => stdin.flush(),
            State::Pager(_) | State::Waiting => Ok(()),
            State::Direct => self.direct.flush(),
        }
    }
}

impl Results for Paged {
    /// The command ends when the reader has seen enough. That this was early is no error here: writing told it.
    fn end(&mut self) -> io::Result<()> {
        if let State::Pager(mut child) = std::mem::replace(&mut self.state, State::Direct) {
            self.is_none_after_all(&mut child)?;
        }
        self.direct.flush()
    }
}

impl Drop for Paged {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn chosen(var: &dyn Fn(&str) -> Option<OsString>) -> Option<OsString> {
    let named = |name| var(name).filter(|pager: &OsString| !pager.as_encoded_bytes().trim_ascii().is_empty());
    named("ROHRPOST_PAGER").or_else(|| named("PAGER"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::Stream;

    /// What reaches stdout itself when this pager is given so much, and how the writing ended.
    fn direct(pager: &str, lines: usize) -> (String, io::Result<()>) {
        let stdout = Stream::default();
        let mut paged = Paged::new(Some(pager.into()), Box::new(stdout.clone()));
        let written = (0..lines).try_for_each(|n| writeln!(paged, "line {n:05}"));
        drop(paged);
        (stdout.text(), written)
    }

    #[test]
    fn what_is_named_goes_before_what_is_usual() {
        let with = |set: &'static [(&str, &str)]| {
            chosen(&|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into()))
        };
        assert_eq!(with(&[("PAGER", "more"), ("ROHRPOST_PAGER", "less -S")]), Some("less -S".into()));
        assert_eq!(with(&[("PAGER", "more"), ("ROHRPOST_PAGER", " ")]), Some("more".into()));
        assert_eq!(with(&[("PAGER", "")]), None);
    }

    #[test]
    fn a_pager_gets_everything_and_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("seen");
        let (shown, written) = direct(&format!("cat > {}; echo end >> {0}", file.display()), 20_000);
        written.unwrap();
        let seen = std::fs::read_to_string(file).unwrap();
        assert_eq!((seen.lines().count(), seen.lines().last()), (20_001, Some("end")));
        assert_eq!(shown, "");
    }

    #[test]
    fn a_pager_that_is_missing_is_none() {
        for (pager, lines) in [("/none/such", 1), ("exec /none/such", 20_000), ("/dev/null", 3)] {
            let (shown, written) = direct(pager, lines);
            written.unwrap();
            assert_eq!(shown.lines().count(), lines, "{pager}");
            assert!(shown.ends_with(&format!("line {:05}\n", lines - 1)), "{pager}");
        }
    }

    /// What was given to one that is missing is written at the end, and the disk is full.
    #[test]
    fn a_pager_that_is_missing_hides_no_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut paged = Paged::new(Some("exec /none/such".into()), Box::new(Full));
        // It may be known to be missing before the line is written.
        let written = writeln!(paged, "line").and_then(|()| paged.end());
        assert_eq!(written.unwrap_err().kind(), ErrorKind::StorageFull);
        assert!(paged.end().is_ok());
    }

    #[test]
    fn one_that_ends_early_has_seen_enough() {
        let (shown, written) = direct("true", 20_000);
        assert_eq!(written.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(shown, "");
        let (shown, written) = direct("head -n 1 >/dev/null; exit 3", 1);
        written.unwrap();
        assert_eq!(shown, "");
    }
}
