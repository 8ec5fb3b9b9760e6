//! `doctor`: what is wrong, and how to mend it.

use crate::api::{Area, Code, Diagnosis, DoctorParams, Finding, Health, NoParams, NodeState, method};
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::cli::output::Output;
use crate::cli::output::style::Tint;
use crate::cli::output::table::{Cell, Table};
use crate::cli::output::wrap::HANG;
use crate::client;

/// The exit code when there is something to mend.
const TO_BE_MENDED: u8 = 1;

/// Find what is wrong, and say how to mend it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Looks at the folder, the key file, the store, the disk, the clock, the socket and
the network, and changes nothing. Without a node it reads the whole store, which
takes a moment when it is large. The exit code is 1 when something is to mend.
With WHO: what is known of them, how they are reached, and what waits for them.
A clock that was wrong once gives nothing up; it is believed after a day.")]
pub(crate) struct DoctorArgs {
    /// Look at the ways to them instead
    #[arg(value_name = "WHO")]
    who: Option<String>,
    /// First say that the clock of this machine is right: what has passed by it has passed
    #[arg(long, conflicts_with = "who")]
    clock: bool,
}

/// Asks the node, or looks by itself.
pub(crate) fn run(args: DoctorArgs, context: &mut Context) -> Result<()> {
    if args.clock {
        context.change_and_close::<method::ClockConfirm>(&NoParams {})?;
    }
    let diagnosis = match args.who {
        Some(who) => context.client()?.ask::<method::Doctor>(&DoctorParams { who: Some(who) })?,
        None => context.unlocked(client::doctor)?,
    };
    show(&diagnosis, &mut context.output)?;
    match diagnosis.node {
        NodeState::Silent => Err(CliError::told(Code::NotAnswering.exit())),
        NodeState::InUse => Err(CliError::told(Code::Busy.exit())),
        _ if diagnosis.well => Ok(()),
        _ => Err(CliError::told(TO_BE_MENDED)),
    }
}

fn show(diagnosis: &Diagnosis, output: &mut Output) -> Result<()> {
    if output.is_json() {
        return output.json(diagnosis);
    }
    let mut table = Table::new(["WHAT", "HOW", ""]);
    for finding in &diagnosis.findings {
        let tint = match finding.health {
            Health::Ok => Tint::Green,
            Health::Note => Tint::Yellow,
            Health::Problem => Tint::Red,
        };
        let area = Cell::two(named(finding.area), finding.area.word());
        let message = match &finding.hint {
            Some(hint) if output.is_plain() => format!("{}; {hint}", finding.message),
            _ => finding.message.clone(),
        };
        let message = output.here.told(&message);
        table.row([area, Cell::text(finding.health.word()).tint(tint), Cell::folded(&message)]);
        if let Some(hint) = finding.hint.as_ref().filter(|_| !output.is_plain()) {
            table.row([
                Cell::text(""),
                Cell::text(""),
                Cell::folded(&output.here.told(&format!("→ {hint}"))).tint(Tint::Dim),
            ]);
        }
    }
    output.table(&table, "")?;
    if output.is_plain() { Ok(()) } else { output.folded("", &summed_up(&diagnosis.findings), HANG) }
}

/// How much there is to do, in a line.
fn summed_up(findings: &[Finding]) -> String {
    let count = |health| findings.iter().filter(|finding| finding.health == health).count();
    let remarks = match count(Health::Note) {
        0 => "no remarks".to_owned(),
        1 => "1 remark".to_owned(),
        n => format!("{n} remarks"),
    };
    match count(Health::Problem) {
        0 => format!("{remarks}, nothing to mend"),
        1 => format!("1 thing to mend, {remarks}"),
        n => format!("{n} things to mend, {remarks}"),
    }
}

const fn named(area: Area) -> &'static str {
    match area {
        Area::KeyFile => "key file",
        other => other.word(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cli::output::Form;
    use crate::cli::testing::{HOSTILE, PEOPLE, any_text, begun, written};

    proptest! {
        #[test]
        fn no_width_lets_what_is_quoted_pass_for_a_finding(text in any_text(), columns in 20_usize..=200) {
            let finding = |hint| Finding { area: Area::Clock, health: Health::Note, message: text.clone(), hint };
            let findings = vec![finding(Some(text.clone())), finding(None)];
            let shown = written(Form::People { columns }, |output| show(&Diagnosis { well: true, running: true, node: NodeState::On, findings }, output));
            let rows = begun(&shown, columns);
            let is_ours = |row: &String| ["WHAT", "HOW", "clock", "2 rem"].iter().any(|word| row.starts_with(word));
            prop_assert!(rows.iter().all(is_ours) && rows.len() <= 5, "{}", shown);
        }
    }

    #[test]
    fn each_finding_has_its_hint_below() {
        let finding = |area, health, hint: Option<&str>| Finding {
            area,
            health,
            message: HOSTILE.to_owned(),
            hint: hint.map(str::to_owned),
        };
        let findings =
            vec![finding(Area::KeyFile, Health::Ok, None), finding(Area::Clock, Health::Problem, Some("set it"))];
        let diagnosis = Diagnosis { well: false, running: true, node: NodeState::On, findings };
        let shown = written(PEOPLE, |output| show(&diagnosis, output));
        assert!(shown.ends_with("\n1 thing to mend, no remarks\n"), "{shown}");
        assert!(shown.contains("key file  ok") && shown.contains("→ set it\n") && !shown.contains('\x1b'), "{shown}");
        let plain = written(Form::Plain, |output| show(&diagnosis, output));
        assert!(plain.starts_with("key_file\tok\t") && plain.lines().count() == 2, "{plain}");
    }
}
