//! Lines that are typed at the terminal and not shown. It is given back as it was on every way out: Ctrl-C, Ctrl-\, Ctrl-Z, and
//! the signals by which a process is ended from elsewhere.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::{Handle, Signals};
use zeroize::Zeroizing;

use crate::client::{defaults, is_ignored};

/// No line of a terminal is longer.
const MAX_LINE: usize = 4096;

/// Shows a prompt on the terminal itself, and reads a line that is not shown. Standard input and output may be pipes.
pub(super) fn unseen(prompt: &str) -> io::Result<String> {
    let terminal = Arc::new(File::options().read(true).write(true).open("/dev/tty")?);
    let hidden = Hidden::begin(&terminal, prompt)?;
    let line = line(&terminal);
    drop(hidden);
    line
}

fn line(mut terminal: &File) -> io::Result<String> {
    let mut bytes = Zeroizing::new([0; MAX_LINE]);
    let mut filled = 0;
    while !bytes.get(..filled).is_some_and(|line| line.ends_with(b"\n")) {
        let room = bytes.get_mut(filled..).filter(|room| !room.is_empty()).ok_or(ErrorKind::FileTooLarge)?;
        match terminal.read(room) {
            Ok(0) if filled == 0 => return Err(ErrorKind::UnexpectedEof.into()),
            // Ctrl-D behind what was typed.
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let line = bytes.get(..filled).unwrap_or_default();
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    std::str::from_utf8(line).map(str::to_owned).map_err(io::Error::other)
}

/// As long as this lives, the terminal does not show what is typed.
struct Hidden {
    terminal: Arc<File>,
    before: Termios,
    signals: Handle,
    thread: Option<JoinHandle<()>>,
    held: Option<Held>,
}

impl Hidden {
    fn begin(terminal: &Arc<File>, prompt: &str) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut signals = Signals::new(taken()?)?;
        let all = defaults();
        // From here on they come to the thread, for which they wait until it has begun.
        let held = Some(Held::begin(&[&all.ends, &all.quits, &all.stops])?);
        let handle = signals.handle();
        let (at, modes, text) = (Arc::clone(terminal), before.clone(), prompt.to_owned());
        let thread = thread::spawn(move || {
            for signal in signals.forever() {
                // Whatever fails here, there is nobody who could be told.
                let _ = show(&at, &modes).and_then(|()| (&*at).write_all(b"\n"));
                // Ends the process, or stops it: then this goes on when it does.
                let _ = signal_hook::low_level::emulate_default_handler(signal);
                let _ = hide(&at, &modes).and_then(|()| (&*at).write_all(text.as_bytes()));
            }
        });
        let hidden = Self { terminal: Arc::clone(terminal), before, signals: handle, thread: Some(thread), held };
        hide(terminal, &hidden.before)?;
        (&**terminal).write_all(prompt.as_bytes())?;
        Ok(hidden)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = show(&self.terminal, &self.before);
        // In this order a signal is never lost: for a moment both would end the process.
        self.held = None;
        self.signals.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// As long as this lives, these signals neither end nor stop the process by themselves.
pub(super) struct Held(Vec<(&'static Arc<AtomicBool>, bool)>);

impl Held {
    pub(super) fn begin(which: &[&'static Arc<AtomicBool>]) -> io::Result<Self> {
        taken()?;
        Ok(Self(which.iter().map(|does| (*does, does.swap(false, Ordering::SeqCst))).collect()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for (does, before) in &self.0 {
            does.store(*before, Ordering::SeqCst);
        }
    }
}

/// Takes the signals after which the terminal is to be given back, but for those that are ignored, for as long as the process lives.
fn taken() -> io::Result<&'static [i32]> {
    static TAKEN: OnceLock<Vec<i32>> = OnceLock::new();
    if let Some(taken) = TAKEN.get() {
        return Ok(taken);
    }
    let all = defaults();
    let mut list = Vec::new();
    let kinds = [(&[SIGINT, SIGTERM, SIGHUP][..], &all.ends), (&[SIGQUIT], &all.quits), (&[SIGTSTP], &all.stops)];
    for (signals, does) in kinds {
        does.store(true, Ordering::SeqCst);
        for signal in signals.iter().copied().filter(|signal| !is_ignored(*signal)) {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(does))?;
            list.push(signal);
        }
    }
    Ok(TAKEN.get_or_init(|| list))
}

/// What is typed is not shown, but for the end of the line; keys that edit it, interrupt or stop do so.
fn hide(terminal: &File, before: &Termios) -> io::Result<()> {
    let mut modes = before.clone();
    modes.local_modes.remove(LocalModes::ECHO);
    modes.local_modes.insert(LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
    Ok(tcsetattr(terminal, OptionalActions::Now, &modes)?)
}

fn show(terminal: &File, before: &Termios) -> io::Result<()> {
    Ok(tcsetattr(terminal, OptionalActions::Now, before)?)
}
