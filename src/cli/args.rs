//! The command line: global flags and the list of verbs. Each verb's own arguments are in its file.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, ColorChoice, CommandFactory, Parser, Subcommand};

use crate::base::limits::{MAX_LIFETIME, MIN_LIFETIME};

use super::cmd;
use super::prompt::Source;

/// Argument of the program.
#[derive(Debug, Parser)]
#[command(
    name = "rohrpost",
    version,
    about = "A messenger without a middle: your machine to theirs, end-to-end encrypted",
    help_template = "{about}\n\n{usage-heading} {usage}{after-help}",
    after_help = GROUPS,
    disable_help_flag = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// Print help; `rohrpost help options` has more
    #[arg(short, long, global = true, action = ArgAction::Help, display_order = 1000)]
    help: Option<bool>,
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands in groups: all of them on a terminal of 24 lines.
const GROUPS: &str = "\
Begin     init, demo        make an identity: the first thing; watch two talk
          id, whoami        your peer ID, link, QR code, name, passphrase
          profiles, config  the identities here; what is in force, from where
Write     send, reply       send a message; answer one
Read      inbox, history    the conversations; the messages of one
          read, listen      mark as read; print events as they come
          conversation      a whole conversation: show or delete it
People    contacts, add     the people you know; add somebody
          requests          first messages of people who are no contacts
          accept, decline   take somebody's request; drop it
          block, unblock    keep nothing of somebody's; undo that
          policy            who may write to you
Node      run, stop         run the node in the foreground; stop it
          status, peers     what it does; who is connected
          mailbox           where messages wait while your node is off
          doctor, recover   find what is wrong; recover a damaged profile
Programs  rpc, openrpc      call the node; what can be called
          completions, man  for your shell; manual pages
          help, version     `help COMMAND`, `help options`: what all understand";

/// The definition as it understands arguments: what all commands understand is not said with each of them.
pub(crate) fn definition() -> clap::Command {
    let is_of_all = |arg: &clap::Arg| arg.is_global_set() && arg.get_id() != "help";
    Cli::command().mut_args(|arg| if is_of_all(&arg) { unless_empty(arg).hide(true) } else { arg })
}

/// An empty variable is an unset one.
fn unless_empty(arg: clap::Arg) -> clap::Arg {
    let is_empty = arg.get_env().and_then(std::env::var_os).is_some_and(|text| text.is_empty());
    if is_empty { arg.env(clap::builder::Resettable::Reset) } else { arg }
}

/// What all commands understand, for `help options`.
pub(crate) fn of_all_commands() -> clap::Command {
    let about = "What every command understands, before it or behind it:\n\n{options}";
    Global::augment_args(clap::Command::new("rohrpost")).help_template(about).max_term_width(100)
}

/// What every command understands.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Which identity, with its conversations
    #[arg(short = 'P', long, global = true, value_name = "NAME", default_value = "default")]
    #[arg(env = "ROHRPOST_PROFILE", hide_env = true)]
    pub(crate) profile: String,

    /// Where the profiles are [default: $XDG_DATA_HOME/rohrpost]
    #[arg(long, global = true, value_name = "DIR", env = "ROHRPOST_DATA_DIR", hide_env = true)]
    pub(crate) data_dir: Option<PathBuf>,

    /// Take the passphrase from a file, or from stdin
    #[arg(long, global = true, value_name = "FILE|-", env = "ROHRPOST_PASSPHRASE_FILE", hide_env = true)]
    pub(crate) passphrase_file: Option<Source>,

    /// One JSON object a line; errors as JSON, too
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// table (for people), tsv or json [default: table on a terminal]
    #[arg(long, global = true, value_name = "FORM", value_enum, hide_possible_values = true, conflicts_with = "json")]
    pub(crate) format: Option<Format>,

    /// No remarks, only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Tell more on stderr; twice: even more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Never ask anything
    #[arg(long, global = true)]
    pub(crate) no_input: bool,

    /// Lists do not go through a pager
    #[arg(long, global = true)]
    pub(crate) no_pager: bool,

    /// When to write colours
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t, hide_possible_values = true)]
    #[arg(help = "When to write colours: auto, always or never")]
    pub(crate) color: ColorChoice,
}

/// What results look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// As on a terminal.
    Table,
    /// As in a pipe.
    Tsv,
    /// As with `--json`.
    Json,
}

impl Global {
    /// Whether programs are to read it.
    pub(crate) fn is_json(&self) -> bool {
        self.json || self.format == Some(Format::Json)
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(cmd::init::InitArgs),
    Id(cmd::id::IdArgs),
    /// List the profiles: the identities here
    Profiles,
    /// Show what is in force, and from where
    Config,
    Run(cmd::run::RunArgs),
    Status(cmd::status::StatusArgs),
    Stop(cmd::stop::StopArgs),
    Doctor(cmd::doctor::DoctorArgs),
    Recover(cmd::recover::RecoverArgs),
    Send(cmd::send::SendArgs),
    Reply(cmd::reply::ReplyArgs),
    Inbox(cmd::inbox::InboxArgs),
    History(cmd::history::HistoryArgs),
    Read(cmd::read::ReadArgs),
    Conversation(cmd::conversation::ConversationArgs),
    Listen(cmd::listen::ListenArgs),
    Requests(cmd::requests::RequestsArgs),
    Policy(cmd::policy::PolicyArgs),
    Mailbox(cmd::mailbox::MailboxArgs),
    Peers(cmd::peers::PeersArgs),
    Contacts(cmd::contacts::ContactsArgs),
    /// Short for `requests accept`
    Accept(Whom),
    /// Short for `requests decline`
    Decline(Whom),
    /// Short for `contacts block`
    Block(Whom),
    /// Short for `contacts unblock`
    Unblock(Whom),
    /// Short for `contacts add`
    Add(cmd::contacts::AddArgs),
    /// Short for `id show`
    Whoami,
    /// Print the version
    Version,
    /// Print the help of a command, or what all commands understand
    Help(HelpArgs),
    Demo(cmd::demo::DemoArgs),
    Rpc(cmd::rpc::RpcArgs),
    Openrpc(cmd::openrpc::OpenrpcArgs),
    Completions(cmd::completions::CompletionsArgs),
    Man(cmd::man::ManArgs),
}

impl Command {
    /// Whether it lists what there is: then its beginning is not to scroll away.
    pub(crate) const fn lists(&self) -> bool {
        match self {
            Self::Inbox(_) | Self::History(_) | Self::Peers(_) | Self::Profiles | Self::Config => true,
            Self::Conversation(args) => args.lists(),
            Self::Requests(args) => args.lists(),
            Self::Contacts(args) => args.lists(),
            Self::Mailbox(args) => args.lists(),
            _ => false,
        }
    }
}

/// What help is wanted for.
#[derive(Debug, Args)]
pub(crate) struct HelpArgs {
    /// A command, or `options`
    #[arg(value_name = "COMMAND|options")]
    pub(crate) topic: Vec<String>,
}

/// Whom a command is about.
#[derive(Debug, Args)]
pub(crate) struct Whom {
    /// Name, peer ID, or the end of one
    #[arg(value_name = "WHO", required = true)]
    pub(crate) who: Vec<String>,
}

/// A number of bytes: `500MiB`, `2GiB`, or without a unit.
///
/// # Errors
/// A text for the person when it is none.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kib" => Some(1 << 10),
        "m" | "mib" => Some(1 << 20),
        "g" | "gib" => Some(1 << 30),
        "t" | "tib" => Some(1 << 40),
        _ => None,
    };
    let bytes = number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    bytes.ok_or_else(|| "write a size as 500MiB or 2GiB".to_owned())
}

/// A time to live: whole seconds, in the units of [`duration`].
///
/// # Errors
/// A text for the person when it is none.
pub(crate) fn lifetime(text: &str) -> Result<u64, String> {
    let life = duration(text)?;
    let sound = (Duration::from_millis(MIN_LIFETIME.0)..=Duration::from_millis(MAX_LIFETIME.0)).contains(&life);
    if !sound || life.subsec_nanos() != 0 {
        return Err("a message lives for 1s at least and 366d at most, in whole seconds".to_owned());
    }
    Ok(life.as_secs())
}

/// `15s`, `2m`, `1h`, `1d`, `4w`, `500ms`, or a number of seconds.
///
/// # Errors
/// A text for the person when it is none of these.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let number: u64 = digits.parse().map_err(|_| "write it as 500ms, 15s, 2m, 1h or 1d".to_owned())?;
    let millis = match unit {
        "ms" => Some(number),
        "" | "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        "d" => number.checked_mul(86_400_000),
        "w" => number.checked_mul(7 * 86_400_000),
        _ => return Err("the unit is ms, s, m, h, d or w".to_owned()),
    };
    millis.map(Duration::from_millis).ok_or_else(|| "that is too long".to_owned())
}

/// Takes one of these by its word.
pub(crate) fn one_of<T: Copy + Send + Sync>(
    all: &'static [T],
    word: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let named = move |text: String| all.iter().copied().find(|one| word(*one) == text).ok_or("no such word");
    PossibleValuesParser::new(all.iter().map(|one| word(*one))).try_map(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command, with its whole name.
    fn all(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
        found.push((path.to_owned(), command.clone()));
        command.get_subcommands().for_each(|below| all(below, &format!("{path} {}", below.get_name()), found));
    }

    #[test]
    fn help_fits_a_terminal_of_24_lines_and_80_columns() {
        let mut root = definition().term_width(80);
        root.build();
        let mut commands = Vec::new();
        all(&root, "rohrpost", &mut commands);
        commands.push(("options".to_owned(), of_all_commands().term_width(80)));
        assert!(commands.len() > 45, "{}", commands.len());
        let told = commands.iter_mut().map(|(path, command)| (path, command.render_help().to_string()));
        let fits = |text: &str| text.lines().count() <= 24 && text.lines().all(|line| line.chars().count() <= 80);
        let wrong: Vec<_> =
            told.filter(|(_, text)| !fits(text)).map(|(path, text)| format!("{path}:\n{text}")).collect();
        assert!(wrong.is_empty(), "{} do not fit:\n{}", wrong.len(), wrong.join("\n"));
    }

    #[test]
    fn every_command_stands_in_a_group() {
        let listed: Vec<&str> = GROUPS
            .lines()
            .filter_map(|line| line.get(10..28))
            .flat_map(|line| line.split(", "))
            .map(str::trim)
            .collect();
        let mut commands: Vec<String> = Cli::command().get_subcommands().map(|one| one.get_name().to_owned()).collect();
        let mut listed = listed;
        commands.sort();
        listed.sort_unstable();
        assert_eq!(listed, commands);
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations() {
        assert_eq!(duration("15"), Ok(Duration::from_secs(15)));
        assert_eq!(duration("15s"), Ok(Duration::from_secs(15)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1d"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("2w"), Ok(Duration::from_secs(1_209_600)));
        for bad in ["", "s", "-1", "1.5s", "1 s", "1y", "99999999999999999999", "9999999999999999h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_to_live() {
        for (text, seconds) in [("1s", 1), ("90", 90), ("1d", 86_400), ("366d", 31_622_400)] {
            assert_eq!(lifetime(text), Ok(seconds), "{text}");
        }
        for bad in ["0s", "500ms", "1500ms", "367d", "53w", "", "soon"] {
            assert!(lifetime(bad).is_err(), "{bad}");
        }
    }
}
