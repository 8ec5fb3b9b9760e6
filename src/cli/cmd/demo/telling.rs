//! How the demonstration is told: numbered steps, facts, and checks that count.

use serde_json::json;

use crate::cli::error::{CliError, Result};
use crate::cli::output::style::Tint;
use crate::cli::output::{Output, safe};

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
        if self.output.is_json() {
            return Ok(self.output.json(&json!({ "step": self.step, "title": title }))?);
        }
        let line = self.output.paint.tint(Tint::Bold, &format!("{}. {title}", self.step)).into_owned();
        self.output.line(&format!("{}{line}", if self.step > 1 { "\n" } else { "" }))?;
        about.lines().try_for_each(|line| {
            let line = self.output.paint.tint(Tint::Dim, line).into_owned();
            self.output.line(&format!("   {line}"))
        })?;
        Ok(())
    }

    /// Something to look at, in one line.
    pub(super) fn fact(&mut self, text: &str) -> Result<()> {
        if self.output.is_json() { Ok(()) } else { Ok(self.output.line(&format!("   {}", safe::line(text)))?) }
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
        if self.output.is_json() {
            return Ok(self.output.json(&json!({ "step": self.step, "check": what, "ok": holds }))?);
        }
        let mark = if holds { ("✓", Tint::Green) } else { ("✗ FAILED:", Tint::Red) };
        let mark = self.output.paint.tint(mark.1, mark.0).into_owned();
        Ok(self.output.line(&format!("   {mark} {}", safe::line(what)))?)
    }

    /// The end: an error if anything failed.
    pub(super) fn end(self) -> Result<()> {
        let Self { output, checks, failed, .. } = self;
        if output.is_json() {
            output.json(&json!({ "checks": checks, "failed": failed }))?;
        } else if failed.is_empty() {
            let all = output.paint.tint(Tint::Green, &format!("All {checks} checks passed.")).into_owned();
            output.line(&format!("\n{all}"))?;
            output.note("Now the real thing: `rohrpost init`, then `rohrpost run`.")?;
        }
        if failed.is_empty() {
            return Ok(());
        }
        Err(CliError::mendable(
            "demo_failed",
            format!("{} of {checks} checks failed: {}", failed.len(), failed.join("; ")),
        )
        .hint("this is a bug, please report it with the whole output"))
    }
}
