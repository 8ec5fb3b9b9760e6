//! A text that is written in an editor, in a file that is on no disk.
//!
//! The file is in a folder of its own in a file system that lies in memory, so that it holds what the editor puts beside it, too,
//! and all of it is overwritten and removed on every way out. The name of the file says nothing of whom the text is for: others can
//! read the arguments of the editor.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use rustix::fs::{Access, access, statfs};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::api::Code;
use crate::base::limits::MAX_TEXT;
use crate::client::{defaults, is_ignored};

use super::context::Context;
use super::error::{CliError, Result};
use super::output::safe;
use super::terminal::Held;

/// Used where neither variable names one.
const USUAL: &str = "vi";
/// What the system calls file systems in memory.
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];

/// Signals are kept from ending the process while it holds a text that others must not find. When this goes, they end it as ever.
struct Guard {
    signals: Signals,
    _held: Held,
}

impl Guard {
    fn begin() -> io::Result<Self> {
        let ends = [SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
        let signals = Signals::new(ends.chain([SIGCHLD]))?;
        // Ctrl-Z in the editor stops this process, too: the shell waits for it.
        Ok(Self { signals, _held: Held::begin(&[&defaults().ends, &defaults().quits])? })
    }

    /// Waits for the end of the editor. Who types Ctrl-C there means the editor; who ends this process ends it, too: with that signal.
    fn wait(&mut self, editor: &mut Child) -> io::Result<Result<ExitStatus, i32>> {
        loop {
            if let Some(status) = editor.try_wait()? {
                return Ok(Ok(status));
            }
            for signal in self.signals.wait() {
                let (SIGTERM | SIGHUP) = signal else { continue };
                let sent = if signal == SIGTERM { Signal::TERM } else { Signal::HUP };
                let _ = kill_process(Pid::from_child(editor), sent);
                editor.wait()?;
                return Ok(Err(signal));
            }
        }
    }
}

/// Whether there is a person with a terminal for an editor.
pub(crate) fn is_possible(context: &Context) -> bool {
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    terminal && !context.prompter.alone && context.output.is_people()
}

/// What the person writes; an error when that is nothing.
///
/// # Errors
/// No file that is kept from disks and no leave for another, no editor or one that failed, nothing written, a text that
/// cannot be sent.
pub(crate) fn compose(context: &mut Context) -> Result<String> {
    let editor = chosen(&|name| env::var_os(name));
    let place = place(context)?;
    let failed = |error: &io::Error| CliError::io("the text cannot be written in an editor", error);
    let mut guard = Guard::begin().map_err(|error| failed(&error))?;
    let folder = Folder::make(&place).map_err(|error| failed(&error))?;
    let ended = folder.edit(&editor, &mut guard).map_err(|error| failed(&error))?;
    let read = folder.read();
    drop((folder, guard));
    match ended {
        Ok(status) if status.success() => {}
        Ok(status) => {
            let message = format!("the editor {} ended with {status}; nothing is sent", editor.to_string_lossy());
            return Err(CliError::mendable("editor_failed", message).hint("VISUAL or EDITOR names another"));
        }
        Err(signal) => {
            // As it would have ended without us.
            let _ = emulate_default_handler(signal);
            return Err(CliError::told(1));
        }
    }
    let text = read.map_err(|error| failed(&error))?;
    if text.trim_ascii().is_empty() {
        return Err(CliError::mendable("nothing_written", "nothing was written, and nothing is sent")
            .hint("an editor that goes on by itself must be told to wait, such as EDITOR='code --wait'"));
    }
    let text = text.strip_suffix(b"\n").unwrap_or(&text);
    let fault = match str::from_utf8(text) {
        Ok(text) if text.len() <= MAX_TEXT => return Ok(text.to_owned()),
        Ok(_) => CliError::new(Code::TooLong, format!("the text is longer than {MAX_TEXT} bytes")),
        Err(_) => CliError::mendable("not_text", "what was written is not UTF-8 text"),
    };
    give_back(&String::from_utf8_lossy(text), context)?;
    Err(fault)
}

/// Shows what was written and is not sent: it is nowhere else.
pub(crate) fn give_back(text: &str, context: &mut Context) -> Result<()> {
    context.output.note(&format!("what you wrote, and is not sent:\n{text}"))
}

/// `VISUAL`, else `EDITOR`: a command line, as every program takes them. An empty one is an unset one.
fn chosen(var: &dyn Fn(&str) -> Option<OsString>) -> OsString {
    let named = |name| var(name).filter(|editor: &OsString| !editor.as_encoded_bytes().trim_ascii().is_empty());
    named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| USUAL.into())
}

/// Where the file may be: in memory, or where the person says that it may be all the same.
fn place(context: &Context) -> Result<PathBuf> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let mut places = runtime.into_iter().chain(["/dev/shm".into(), env::temp_dir()]);
    if let Some(place) = places.find(|place| is_in_memory(place) && access(place, Access::WRITE_OK).is_ok()) {
        return Ok(place);
    }
    let place = env::temp_dir();
    let question = format!(
        "No file system here lies in memory: what you write would be in a file in {}, in clear, \
        until you are done, and might be found on the disk later. Go on? [y/N] ",
        safe::line(&place.to_string_lossy())
    );
    if context.prompter.confirm(&question)? {
        return Ok(place);
    }
    Err(CliError::mendable("no_place", "nothing was written, and nothing is sent")
        .hint("write the text behind the command, or pipe it in with `-`"))
}

fn is_in_memory(place: &Path) -> bool {
    statfs(place).is_ok_and(|found| u32::try_from(found.f_type).is_ok_and(|kind| IN_MEMORY.contains(&kind)))
}

/// The folder of the file.
struct Folder(TempDir);

impl Folder {
    /// Of the owner alone.
    fn make(place: &Path) -> io::Result<Self> {
        let owners = Permissions::from_mode(0o700);
        let folder = Self(tempfile::Builder::new().prefix("rohrpost-").permissions(owners).tempdir_in(place)?);
        File::options().write(true).create_new(true).open(folder.file())?;
        fs::set_permissions(folder.file(), Permissions::from_mode(0o600))?;
        Ok(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("message.txt")
    }

    /// Runs the editor, until it ends.
    fn edit(&self, editor: &OsStr, guard: &mut Guard) -> io::Result<Result<ExitStatus, i32>> {
        let mut line = OsString::from("exec ");
        line.push(editor);
        line.push(" \"$@\"");
        let mut shell = Command::new("/bin/sh");
        // What it writes elsewhere goes into the folder, too.
        shell.arg("-c").arg(line).arg("sh").arg(self.file()).env("TMPDIR", self.0.path());
        guard.wait(&mut shell.spawn()?)
    }

    /// What was written; of what is far too much to be sent a part.
    fn read(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(Vec::new());
        File::open(self.file())?.take(16 * MAX_TEXT as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Drop for Folder {
    /// What is in the files is overwritten before they go: they may be open elsewhere.
    fn drop(&mut self) {
        overwrite(self.0.path());
    }
}

/// Overwrites every file below; no link is followed.
fn overwrite(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            overwrite(&entry.path());
        } else if metadata.is_file()
            && let Ok(mut file) = File::options().write(true).open(entry.path())
        {
            let _ = io::copy(&mut io::repeat(0).take(metadata.len()), &mut file);
        }
    }
}
