//! Where a command's results go: data on stdout, everything else on stderr.
//!
//! A command says *what* there is, a table, an object, a note; this module decides from the
//! streams and the global flags what it looks like.
//!
//! Nothing that is done depends on its being told. What cannot be written is left out, and the command goes on; of results
//! that is an error once the command is done ([`Output::finish`]), of remarks and warnings it is none. So none of these
//! functions fails: their `Result` is that of commands, which end by telling.

pub(crate) mod hex;
pub(crate) mod json;
pub(crate) mod names;
pub(crate) mod safe;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod wrap;

use std::io::{self, Stdout, Write};

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::api;
use crate::base::address::best_first;
use crate::base::{MessageId, PeerId, WallTime};

pub(crate) use self::names::{QUOTED, name_and_peer, short_peer};
use self::style::{Paint, Tint};
use self::table::{Cell, Record, Table};
use self::wrap::{HANG, fold};
use super::error::Result;
use super::here::Here;

/// What results look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For a person at a terminal with so many columns.
    People {
        /// Width of the terminal.
        columns: usize,
    },
    /// For a pipe: tab-separated, whole values.
    Plain,
    /// `--json`: one object a line.
    Json,
}

/// Where results go.
pub(crate) trait Results: Write {
    /// Nothing more comes: returns when all of it is taken.
    ///
    /// # Errors
    /// What could not be written at last.
    fn end(&mut self) -> io::Result<()> {
        self.flush()
    }
}

impl Results for Stdout {}

/// The two streams and how to write to them.
pub(crate) struct Output {
    /// What results look like.
    pub(crate) form: Form,
    /// Colours on stdout.
    pub(crate) paint: Paint,
    /// Colours on stderr.
    pub(crate) paint_err: Paint,
    /// Columns of the terminal that stderr is; [`wrap::ENDLESS`] when it is none.
    pub(crate) columns_err: usize,
    /// `-q`: no notes.
    pub(crate) quiet: bool,
    /// `-v`: all of what people are else told the best of.
    pub(crate) verbose: bool,
    /// Where the commands that people are told are to act.
    pub(crate) here: Here,
    /// The present, for short times.
    pub(crate) now: WallTime,
    /// The reader's time zone.
    pub(crate) zone: TimeZone,
    /// Data.
    pub(crate) out: Box<dyn Results>,
    /// Everything else.
    pub(crate) err: Box<dyn Write>,
    /// Why results could not be written; no more of them are then.
    pub(crate) unwritten: Option<io::Error>,
}

impl Output {
    /// Whether `--json` was given.
    pub(crate) fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Whether a person reads the results as they come.
    pub(crate) fn is_people(&self) -> bool {
        matches!(self.form, Form::People { .. })
    }

    /// Whether results go into a pipe.
    pub(crate) fn is_plain(&self) -> bool {
        self.form == Form::Plain
    }

    /// Whether remarks are told.
    pub(crate) fn is_told(&self) -> bool {
        !self.quiet && !self.is_json()
    }

    /// Bytes of a result.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        if self.unwritten.is_none() {
            self.unwritten = self.out.write_all(bytes).and_then(|()| self.out.flush()).err();
        }
        Ok(())
    }

    /// The end of a command that has done what it was asked for.
    ///
    /// # Errors
    /// When results could not be written; that the reader has gone is told to nobody.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let ended = self.out.end();
        self.unwritten.take().map_or(ended, Err).map_err(Into::into)
    }

    /// One object on a line of its own.
    pub(crate) fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let mut line = Vec::with_capacity(512);
        json::write_line(&mut line, value)?;
        self.put(&line)
    }

    /// Lines of data, which must be safe; with `--json` an object.
    pub(crate) fn value<T: Serialize>(&mut self, value: &T, text: &str) -> Result<()> {
        if self.is_json() { self.json(value) } else { self.line(text) }
    }

    /// Something was changed: a remark for people, with `--json` an object.
    pub(crate) fn done<T: Serialize>(&mut self, value: &T, text: &str) -> Result<()> {
        if self.is_json() { self.json(value) } else { self.note(text) }
    }

    /// Things of one kind: a row of a table for each, with `--json` an object.
    pub(crate) fn list<T: Serialize, const N: usize>(
        &mut self,
        all: &[T],
        titles: [&'static str; N],
        when_empty: &str,
        row: impl Fn(&Self, &T) -> [Cell; N],
    ) -> Result<()> {
        if self.is_json() {
            return all.iter().try_for_each(|one| self.json(one));
        }
        let mut table = Table::new(titles);
        all.iter().for_each(|one| table.row(row(self, one)));
        self.table(&table, when_empty)
    }

    /// A table; people are told on stderr when it is empty.
    pub(crate) fn table(&mut self, table: &Table, when_empty: &str) -> Result<()> {
        let text = match self.form {
            Form::People { .. } if table.is_empty() => return self.note(when_empty),
            Form::People { columns } => table.aligned(columns, self.paint),
            Form::Plain | Form::Json => table.plain(),
        };
        self.put(text.as_bytes())
    }

    /// The properties of one thing; with `--json` the thing itself.
    pub(crate) fn record<T: Serialize>(&mut self, thing: &T, record: &Record) -> Result<()> {
        let text = match self.form {
            Form::Json => return self.json(thing),
            Form::People { columns } => record.aligned(columns, self.paint),
            Form::Plain => record.plain(),
        };
        self.put(text.as_bytes())
    }

    /// Columns of the terminal for which results are.
    fn columns(&self) -> usize {
        match self.form {
            Form::People { columns } => columns,
            Form::Plain | Form::Json => wrap::ENDLESS,
        }
    }

    /// A line of data of any length behind its beginning; what does not fit stands below it, behind the indent. The texts must be safe.
    pub(crate) fn folded(&mut self, first: &str, text: &str, indent: &str) -> Result<()> {
        self.line(&fold(first, text, indent, self.columns()))
    }

    /// A line of data, as it is. The text must be safe, and no longer than others may make it.
    pub(crate) fn line(&mut self, text: &str) -> Result<()> {
        self.put(format!("{text}\n").as_bytes())
    }

    /// A remark for the person, on stderr; silent with `-q`. What others wrote in it is made safe.
    pub(crate) fn note(&mut self, text: &str) -> Result<()> {
        if self.is_told() {
            let line = fold("", &safe::block(&self.here.told(text)), HANG, self.columns_err);
            self.tell(&line);
        }
        Ok(())
    }

    /// Something that wants attention, on stderr, whatever the flags.
    pub(crate) fn warn(&mut self, text: &str) -> Result<()> {
        let label = format!("{} ", self.paint_err.tint(Tint::Yellow, "warning:"));
        let line = fold(&label, &safe::block(&self.here.told(text)), HANG, self.columns_err);
        self.tell(&line);
        Ok(())
    }

    /// A line that nobody need read.
    fn tell(&mut self, line: &str) {
        let _ = self.err.write_all(format!("{line}\n").as_bytes()).and_then(|()| self.err.flush());
    }

    /// Those addresses that help: people are told the best two, with `-v` all.
    pub(crate) fn helpful(&self, addrs: &[String]) -> Vec<String> {
        let mut addrs = addrs.to_vec();
        best_first(&mut addrs);
        if self.is_people() && !self.verbose {
            addrs.truncate(2);
        }
        addrs
    }

    /// A time as this form shows it.
    pub(crate) fn time(&self, at: WallTime) -> String {
        match self.form {
            Form::People { .. } => time::short(at, self.now, &self.zone),
            Form::Plain | Form::Json => api::time::format(at),
        }
    }
}

/// A message that is not known any more: nothing can be done with it by these digits.
pub(crate) fn gone_message(message: &MessageId) -> String {
    message.to_string().chars().skip(2).take(6).collect()
}

/// The same, and behind it what its owner calls himself by now. Not yet safe.
pub(crate) fn named(name: &str, peer: &PeerId, calls_himself: Option<&str>) -> String {
    names::by_now(name_and_peer(name, peer), calls_himself)
}

#[cfg(test)]
mod tests;
