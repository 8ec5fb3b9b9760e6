//! `policy`: who may write to us.

use clap::Subcommand;

use crate::api::{NoParams, Policy, PolicyParams, method};
use crate::cli::args::one_of;
use crate::cli::context::Context;
use crate::cli::error::Result;

/// Who may write to you
#[derive(Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
requests  strangers' first messages wait as requests (the default)
contacts  contacts, and whoever has your link asks; others are dropped quietly
nobody    nobody who is not a contact yet, and no new contacts by invitation")]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    action: Option<PolicyAction>,
}

#[derive(Debug, Subcommand)]
enum PolicyAction {
    /// Show the policy (this is the default)
    Show,
    /// Change the policy
    Set {
        /// requests, contacts or nobody
        #[arg(value_name = "POLICY", value_parser = one_of(Policy::ALL, Policy::word), hide_possible_values = true)]
        policy: Policy,
    },
}

/// Shows or sets the policy.
pub(crate) fn run(args: PolicyArgs, context: &mut Context) -> Result<()> {
    let state = match args.action.unwrap_or(PolicyAction::Show) {
        PolicyAction::Show => context.client()?.ask::<method::PolicyShow>(&NoParams {})?,
        PolicyAction::Set { policy } => context.client()?.ask::<method::PolicySet>(&PolicyParams { policy })?,
    };
    let output = &mut context.output;
    output.value(&state, state.policy.word())?;
    output.note(match state.policy {
        Policy::Requests => "strangers' first messages wait as requests",
        Policy::Contacts => "who has your link can ask; what others send is dropped quietly",
        Policy::Nobody => "only the contacts there are can write to you",
    })
}
