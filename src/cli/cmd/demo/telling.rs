//! How the demonstration is told: numbered steps, facts, and checks that count.

use serde_json::json;

use crate::cli::error::{CliError, Result};
use crate::cli::output::style::Tint;
use crate::cli::output::{Output, safe};

/// What stands before each line of a step, and before those for which one has no room.
const INDENT: &str = "   ";
const FURTHER: &str = "     ";

/// The teller, who remembers what failed.
pub(super) struct Telling<'a> {
    output: &'a mut Output,
    step: u32,
    checks: u32,
    failed: Vec<String>,
}

impl<'a> Telling<'a> {
    /// Nothing is told yet.
    pub(super) const fn new(output: &'a mut Output) -> Self {
        Self { output, step: 0, checks: 0, failed: Vec::new() }
    }

    /// A new step: what it is, and what to make of it.
    pub(super) fn step(&mut self, title: &str, about: &str) -> Result<()> {
        self.step += 1;
        let paint = self.output.paint;
        let heading = format!("{}. {title}", self.step);
        if self.output.is_json() {
            return self.output.json(&json!({ "step": self.step, "title": title }));
        }
        if self.step > 1 {
            self.output.line("")?;
        }
        self.output.line(&paint.tint(Tint::Bold, &heading))?;
        about.lines().try_for_each(|line| self.output.folded(INDENT, &paint.tint(Tint::Dim, line), INDENT))
    }

    /// Something to look at, in one line.
    pub(super) fn fact(&mut self, text: &str) -> Result<()> {
        if self.output.is_json() { Ok(()) } else { self.output.folded(INDENT, &safe::line(text), FURTHER) }
    }

    /// Something to look at, in several lines.
    pub(super) fn block(&mut self, text: &str) -> Result<()> {
        text.lines().try_for_each(|line| self.fact(line))
    }

    /// Something that must be so.
    pub(super) fn check(&mut self, what: &str, holds: bool) -> Result<()> {
        self.checks += 1;
        if !holds {
            self.failed.push(what.to_owned());
        }
        let (mark, tint) = if holds { ("✓", Tint::Green) } else { ("✗ FAILED:", Tint::Red) };
        if self.output.is_json() {
            return self.output.json(&json!({ "step": self.step, "check": what, "ok": holds }));
        }
        let line = format!("{} {}", self.output.paint.tint(tint, mark), safe::line(what));
        self.output.folded(INDENT, &line, FURTHER)
    }

    /// The end: an error if anything failed.
    pub(super) fn end(self) -> Result<()> {
        let Self { output, checks, failed, .. } = self;
        let result = json!({ "checks": checks, "failed": failed });
        if failed.is_empty() {
            let all = format!("All {checks} checks passed.");
            output.value(&result, &format!("\n{}", output.paint.tint(Tint::Green, &all)))?;
            return output.note("Now the real thing: `rohrpost init`, then `rohrpost run`.");
        }
        if output.is_json() {
            output.json(&result)?;
        }
        Err(bug(format!("{} of {checks} checks failed: {}", failed.len(), failed.join("; "))))
    }
}

/// What cannot be.
pub(super) fn bug(message: String) -> CliError {
    CliError::mendable("demo_failed", message).hint("this is a bug, please report it with the whole output")
}
