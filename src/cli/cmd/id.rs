//! `id`: who we are to others.

use clap::Subcommand;

use crate::api::{Code, Identity, NameParams, NoParams, method};
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::cli::output::table::{Cell, Record};
use crate::cli::output::{Form, Output, safe};
use crate::cli::prompt::Source;
use crate::cli::qr;

/// Your identity: peer ID, link, QR code, name, passphrase
#[derive(Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  rohrpost id
  rohrpost id link
  rohrpost id name 'Alice L.'
  rohrpost id passphrase")]
pub(crate) struct IdArgs {
    #[command(subcommand)]
    action: Option<IdAction>,
}

#[derive(Debug, Subcommand)]
enum IdAction {
    /// Peer ID, name, link and addresses (this is the default)
    Show,
    /// The link to hand out: who writes with it is shown as invited
    Link,
    /// The link as a QR code in the terminal
    Qr,
    /// Change the name that others are shown; without one: print it
    Name {
        /// The new name; an empty one removes it
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Change, set or remove the passphrase of the key file
    Passphrase {
        /// Take the new passphrase from a file, or from stdin
        #[arg(long, value_name = "FILE|-")]
        new_passphrase_file: Option<Source>,
        /// Remove the passphrase
        #[arg(long, conflicts_with = "new_passphrase_file")]
        no_passphrase: bool,
    },
    /// Make a new token: links given out before invite no longer
    Rotate,
}

/// Shows the identity.
pub(crate) fn whoami(context: &mut Context) -> Result<()> {
    show(&context.client()?.ask::<method::IdShow>(&NoParams {})?, &mut context.output)
}

/// Shows or changes the identity.
pub(crate) fn run(args: IdArgs, context: &mut Context) -> Result<()> {
    match args.action.unwrap_or(IdAction::Show) {
        IdAction::Show => whoami(context),
        IdAction::Link => {
            let identity = context.client()?.ask::<method::IdShow>(&NoParams {})?;
            context.output.value(&identity, &safe::line(&identity.link))
        }
        IdAction::Qr => show_qr(&context.client()?.ask::<method::IdShow>(&NoParams {})?, &mut context.output),
        IdAction::Name { name: None } => {
            let identity = context.client()?.ask::<method::IdShow>(&NoParams {})?;
            context.output.value(&identity, &safe::line(&identity.name))
        }
        IdAction::Name { name: Some(name) } => {
            let identity = context.client()?.ask::<method::IdName>(&NameParams { name })?;
            let text = match identity.name.as_str() {
                "" => "you have no name now".to_owned(),
                name => format!("you are {name} now; contacts learn it with your next message"),
            };
            context.output.done(&identity, &text)
        }
        IdAction::Passphrase { new_passphrase_file, no_passphrase } => {
            passphrase(new_passphrase_file.as_ref(), no_passphrase, context)
        }
        IdAction::Rotate => {
            let identity = context.client()?.ask::<method::IdRotate>(&NoParams {})?;
            context.output.note("links given out before are no longer invitations; this is the new one:")?;
            context.output.value(&identity, &safe::line(&identity.link))
        }
    }
}

/// The whole identity.
pub(super) fn show(identity: &Identity, output: &mut Output) -> Result<()> {
    let mut record = Record::default();
    record.row("peer ID", "peer_id", Cell::text(&identity.peer_id.to_string()));
    record.row("name", "name", Cell::text(&identity.name));
    record.row("link", "link", Cell::text(&identity.link));
    record.rows("address", "addr", identity.addrs.iter().map(|addr| Cell::text(addr)));
    output.record(identity, &record)
}

fn show_qr(identity: &Identity, output: &mut Output) -> Result<()> {
    let columns = match output.form {
        Form::Json => return output.json(identity),
        Form::People { columns } => Some(columns),
        Form::Plain => None,
    };
    let code = qr::render(&identity.link, columns, output.paint.on)?;
    output.line(code.trim_end_matches('\n'))?;
    output.note(&identity.link)
}

fn passphrase(source: Option<&Source>, remove: bool, context: &mut Context) -> Result<()> {
    if !remove && source.is_none() && context.prompter.alone {
        return Err(CliError::new(Code::PassphraseNeeded, "there is nobody to ask for the new passphrase")
            .hint("give --new-passphrase-file FILE, or --no-passphrase to remove it"));
    }
    if source == Some(&Source::Stdin) && context.prompter.source == Some(Source::Stdin) {
        return Err(CliError::usage("both passphrases cannot come from standard input").hint("put one into a file"));
    }
    context.change_passphrase(source, remove)?;
    context.output.note(if remove {
        "the key file has no passphrase now: who can read the disk can be you"
    } else {
        "the passphrase is changed; copies of the old key file still open with the old one"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{HOSTILE, PEOPLE, output, peer, written};

    fn identity() -> Identity {
        let addrs = vec!["/ip4/192.0.2.1/tcp/1".to_owned(), "/ip4/192.0.2.1/udp/1/quic-v1".to_owned()];
        Identity { peer_id: peer(1), name: HOSTILE.to_owned(), link: format!("rohrpost:{}?t=ab", peer(1)), addrs }
    }

    #[test]
    fn the_whole_identity() {
        let people = written(PEOPLE, |output| show(&identity(), output));
        assert!(
            people.contains("\naddress  /ip4/192.0.2.1/tcp/1\n         /ip4/192.0.2.1/udp/1/quic-v1\n"),
            "{people}"
        );
        let json: serde_json::Value =
            serde_json::from_str(&written(Form::Json, |output| show(&identity(), output))).unwrap();
        let mut fields: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["addrs", "link", "name", "peer_id"]);
    }

    #[test]
    fn the_code_and_the_link_beside_it() {
        let (mut people, out, err) = output(PEOPLE);
        show_qr(&identity(), &mut people).unwrap();
        assert!(out.text().lines().count() > 15);
        assert_eq!(err.text(), format!("{}\n", identity().link));
        let (mut narrow, ..) = output(Form::People { columns: 20 });
        assert_eq!(show_qr(&identity(), &mut narrow).unwrap_err().exit(), 1);
    }
}
