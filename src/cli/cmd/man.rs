//! `man`: the manual pages, made from the definition of the command line.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::{Command, CommandFactory};

use crate::cli::args::Cli;
use crate::cli::error::{CliError, Result};
use crate::cli::output::Output;

/// Print a manual page, or write all of them into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rohrpost man | man -l -
  rohrpost man contacts verify | man -l -
  rohrpost man --dir ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Of which command; without it, of the program
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    command: Vec<String>,

    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints the page, or writes all of them.
pub(crate) fn run(args: &ManArgs, output: &mut Output) -> Result<()> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    if let Some(dir) = &args.dir {
        let at = |error: io::Error| CliError::io(&dir.display().to_string(), &error);
        let fresh = !dir.exists();
        fs::create_dir_all(dir).map_err(at)?;
        if fresh {
            open_to_all(dir, 0o755).map_err(at)?;
        }
        let count = write_all(&root, dir).map_err(at)?;
        return output.note(&format!("{count} pages are in {}", dir.display()));
    }
    let mut command = &root;
    for word in &args.command {
        command = command.find_subcommand(word).ok_or_else(|| {
            CliError::usage(format!("there is no command '{}'", args.command.join(" ")))
                .hint("`rohrpost --help` lists the commands")
        })?;
    }
    output.put(&page(command)?)
}

/// Writes the pages of a command and of those below it; how many there are.
fn write_all(command: &Command, dir: &Path) -> io::Result<usize> {
    let path = dir.join(format!("{}.1", name(command)));
    fs::write(&path, page(command)?)?;
    open_to_all(&path, 0o644)?;
    let below = command.get_subcommands().map(|below| write_all(below, dir));
    Ok(1 + below.sum::<io::Result<usize>>()?)
}

/// Manuals are for every user of the machine; what this program makes otherwise is for its own alone.
fn open_to_all(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// One page, in roff. The text behind the options keeps its lines: most of it is examples.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let notes = command.get_after_help().map(ToString::to_string);
    let source = concat!("rohrpost ", env!("CARGO_PKG_VERSION"));
    let man = clap_mangen::Man::new(command.clone().after_help(Resettable::Reset));
    man.source(source).manual("Rohrpost").render(&mut page)?;
    if let Some(notes) = notes {
        page.extend_from_slice(b".SH NOTES\n.nf\n");
        notes.lines().for_each(|line| page.extend_from_slice(format!("{}\n", plain(line)).as_bytes()));
        page.extend_from_slice(b".fi\n");
    }
    Ok(page)
}

/// A line of text that roff takes for no request.
fn plain(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    if line.starts_with('.') { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(command: &Command) -> Vec<String> {
        let mut names = vec![name(command).to_owned()];
        command.get_subcommands().for_each(|below| names.extend(commands(below)));
        names
    }

    #[test]
    fn every_command_has_its_page() {
        let dir = tempfile::tempdir().unwrap();
        let mut root = Cli::command().disable_help_subcommand(true);
        root.build();
        let names = commands(&root);
        assert_eq!(write_all(&root, dir.path()).unwrap(), names.len());
        assert!(names.len() > 30 && names.contains(&"rohrpost-contacts-verify".to_owned()), "{names:?}");
        for name in names {
            let path = dir.path().join(format!("{name}.1"));
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{name}");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        }
    }

    #[test]
    fn text_is_no_request_to_roff() {
        assert_eq!(plain(".nf \\n"), "\\&.nf \\en");
        assert_eq!(plain("'a' --b"), "\\(aqa\\(aq \\-\\-b");
    }
}
