//! What is found, in the order in which it is told.

use crate::api::{ApiError, Area, Diagnosis, Finding, Health, NodeState};

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn ok(&mut self, area: Area, message: impl Into<String>) {
        self.add(area, Health::Ok, message.into(), None);
    }

    pub(super) fn note(&mut self, area: Area, message: impl Into<String>, hint: &str) {
        self.add(area, Health::Note, message.into(), Some(hint.to_owned()));
    }

    pub(super) fn problem(&mut self, area: Area, message: impl Into<String>, hint: &str) {
        self.add(area, Health::Problem, message.into(), Some(hint.to_owned()));
    }

    pub(super) fn error(&mut self, area: Area, error: ApiError) {
        self.add(area, Health::Problem, error.message, error.hint);
    }

    fn add(&mut self, area: Area, health: Health, message: String, hint: Option<String>) {
        self.0.push(Finding { area, health, message, hint });
    }

    pub(super) fn done(self, node: NodeState) -> Diagnosis {
        let well = self.0.iter().all(|finding| finding.health != Health::Problem);
        let running = matches!(node, NodeState::On | NodeState::Silent);
        Diagnosis { well, running, node, findings: self.0 }
    }
}

/// So many of something, in words.
pub(super) fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}
