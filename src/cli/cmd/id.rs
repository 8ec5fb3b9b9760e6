//! `id`: who we are to others.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::api::{Code, Identity, LinkParams, LinkPart, NameParams, NoParams, method};
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
    Link {
        /// At most 160 characters: token and one mailbox
        #[arg(long)]
        short: bool,
    },
    /// The link as a QR code, which fits the terminal
    Qr {
        /// The whole link, however large the code
        #[arg(long)]
        full: bool,
        /// Write the whole link as a picture
        #[arg(long, value_name = "FILE")]
        png: Option<PathBuf>,
        /// The same as SVG
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
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
    show(&identity(context, LinkParams::default())?, &mut context.output)
}

/// Shows or changes the identity.
pub(crate) fn run(args: IdArgs, context: &mut Context) -> Result<()> {
    match args.action.unwrap_or(IdAction::Show) {
        IdAction::Show => whoami(context),
        IdAction::Link { short } => {
            let identity = identity(context, LinkParams { short, longest: None })?;
            context.output.value(&identity, &safe::line(&identity.link))
        }
        IdAction::Qr { full, png, svg } => qr(full, png.as_deref(), svg.as_deref(), context),
        IdAction::Name { name: None } => {
            let identity = identity(context, LinkParams::default())?;
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
    record.row("peer ID", "peer_id", Cell::copied(&identity.peer_id.to_string()));
    record.row("name", "name", Cell::text(&identity.name));
    record.row("link", "link", Cell::copied(&identity.link));
    record.rows("address", "addr", output.helpful(&identity.addrs).iter().map(|addr| Cell::copied(addr)));
    output.record(identity, &record)
}

/// With a link as long as may be.
fn identity(context: &mut Context, link: LinkParams) -> Result<Identity> {
    Ok(context.client()?.ask::<method::IdShow>(&link)?)
}

fn qr(full: bool, png: Option<&Path>, svg: Option<&Path>, context: &mut Context) -> Result<()> {
    if png.is_some() || svg.is_some() {
        let identity = identity(context, LinkParams::default())?;
        let write = |path: &Path, bytes: Vec<u8>| {
            fs::write(path, bytes).map_err(|error| CliError::io(&path.display().to_string(), &error))
        };
        png.map_or(Ok(()), |path| write(path, qr::png(&identity.link)?))?;
        svg.map_or(Ok(()), |path| write(path, qr::svg(&identity.link)?.into_bytes()))?;
        return context.output.done(&identity, "the code is written; who sees it can ask to be your contact");
    }
    // A code that goes into a pipe or a file has room.
    let room = match context.output.form {
        Form::People { columns } if !full => Some((columns, qr::lines())),
        _ => None,
    };
    let longest = room.map(|(columns, lines)| qr::holds(columns, lines)).and_then(|bytes| u32::try_from(bytes).ok());
    let identity = identity(context, LinkParams { short: false, longest })?;
    show_qr(&identity, &mut context.output)
}

/// The code, and beside it what it does not hold.
fn show_qr(identity: &Identity, output: &mut Output) -> Result<()> {
    let columns = match output.form {
        Form::Json => return output.json(identity),
        Form::People { columns } => Some(columns),
        Form::Plain => None,
    };
    let code = qr::render(&identity.link, columns, output.paint.on)?;
    let Some(columns) = columns else {
        output.line(code.trim_end_matches('\n'))?;
        return output.note(&identity.link);
    };
    // The link itself would push the code out of the terminal.
    let beside = qr::beside(&code, &output.here.told(&told(&identity.left_out)), columns);
    output.line(beside.trim_end_matches('\n'))
}

fn told(left_out: &[LinkPart]) -> String {
    if left_out.is_empty() {
        return "`rohrpost id link` writes the link out.".to_owned();
    }
    let word = |part: &LinkPart| match part {
        LinkPart::Addresses => "further addresses",
        LinkPart::Name => "the name",
        LinkPart::Mailboxes => "mailboxes",
    };
    let words: Vec<_> = left_out.iter().map(word).collect();
    format!(
        "Left out, to fit here: {}. `rohrpost id qr --full` and `--png FILE` hold all, as `rohrpost id link` does.",
        words.join(", ")
    )
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

    fn alice() -> Identity {
        let addrs = vec!["/ip4/192.0.2.1/tcp/1".to_owned(), "/ip4/192.0.2.1/udp/1/quic-v1".to_owned()];
        Identity {
            peer_id: peer(1),
            name: HOSTILE.to_owned(),
            link: format!("rohrpost:{}/abc", peer(1)),
            left_out: vec![],
            addrs,
        }
    }

    #[test]
    fn the_whole_identity() {
        let people = written(PEOPLE, |output| show(&alice(), output));
        assert!(
            people.contains("\naddress  /ip4/192.0.2.1/udp/1/quic-v1\n         /ip4/192.0.2.1/tcp/1\n"),
            "{people}"
        );
        let json: serde_json::Value =
            serde_json::from_str(&written(Form::Json, |output| show(&alice(), output))).unwrap();
        let mut fields: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["addrs", "left_out", "link", "name", "peer_id"]);
    }

    #[test]
    fn the_code_and_the_link_beside_it() {
        let (mut people, out, err) = output(PEOPLE);
        show_qr(&alice(), &mut people).unwrap();
        assert!(out.text().lines().count() > 15 && out.text().contains("rohrpost id link"));
        assert_eq!(err.text(), "", "nothing pushes the code out");
        let (mut pipe, out, err) = output(Form::Plain);
        show_qr(&alice(), &mut pipe).unwrap();
        assert!(out.text().lines().count() > 15);
        assert_eq!(err.text(), format!("{}\n", alice().link));
        let (mut narrow, ..) = output(Form::People { columns: 20 });
        assert_eq!(show_qr(&alice(), &mut narrow).unwrap_err().exit(), 1);
    }

    #[test]
    fn the_code_fits_and_says_what_it_lacks() {
        let parts = vec![LinkPart::Addresses, LinkPart::Name, LinkPart::Mailboxes];
        let link = format!("rohrpost:{}/{}", peer(1), "x".repeat(qr::holds(80, 24) - 62));
        let identity = Identity { link, left_out: parts, ..alice() };
        let (mut people, out, err) = output(Form::People { columns: 80 });
        show_qr(&identity, &mut people).unwrap();
        let shown = out.text();
        assert!(shown.lines().count() <= 23, "a line is left for the prompt:\n{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        let words: Vec<_> = shown.split_whitespace().filter(|word| word.is_ascii()).collect();
        assert!(words.join(" ").contains("further addresses, the name, mailboxes."), "{shown}");
        assert_eq!(err.text(), "");
    }

    #[test]
    fn people_are_told_the_addresses_that_help() {
        let addrs = ["/ip6/fe80::1/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1", "/ip4/10.0.0.2/tcp/1"];
        let identity = Identity { addrs: addrs.map(|addr| format!("{addr}/p2p/{}", peer(1))).to_vec(), ..alice() };
        let people = written(PEOPLE, |output| show(&identity, output));
        let shown: Vec<_> = addrs.iter().filter(|addr| people.contains(*addr)).collect();
        assert_eq!(shown, [&addrs[1], &addrs[2]], "{people}");
        let plain = written(Form::Plain, |output| show(&identity, output));
        assert!(addrs.iter().all(|addr| plain.contains(addr)), "{plain}");
    }
}
