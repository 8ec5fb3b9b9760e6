//! The command line: what a person who lives in a terminal meets.
//!
//! Owns arguments, prompts and looks; asks [`crate::client`] for everything else. Nothing here knows
//! of keys, sessions or sockets, and nothing here is asynchronous.

mod args;
mod cmd;
mod complete;
mod context;
mod editor;
mod error;
mod harden;
mod here;
mod input;
mod interrupt;
mod lead;
mod logging;
mod near;
mod output;
mod pager;
mod prompt;
mod prose;
mod qr;
mod terminal;
#[cfg(test)]
mod testing;
mod typed;
mod waiting;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ColorChoice, CommandFactory, FromArgMatches};
use jiff::tz::TimeZone;

use crate::base::WallTime;
use crate::client::Place;

use self::args::{Cli, Command, Format, Global};
use self::context::Context;
use self::error::{CliError, Look, Result};
use self::here::Here;
use self::output::style::Paint;
use self::output::wrap::ENDLESS;
use self::output::{Form, Output};
use self::pager::Paged;
use self::prompt::Prompter;
use self::typed::Typed;

/// Columns of a terminal that does not tell how many it has.
const USUAL_COLUMNS: usize = 80;
/// What can be meant by the variable that tells how many it has.
const NARROWEST: usize = 20;
const WIDEST: usize = 10_000;

/// Runs the program with these arguments (the first is its name) and says how it ended.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(answered) = complete::answer(&args) {
        return answered;
    }
    let before = Early::look(&args);
    if let Err(error) = harden::harden() {
        return before.refuse(&CliError::io("the keys cannot be kept out of core dumps", &error));
    }
    let cli = match before.understand(args) {
        Ok(Understood::Command(cli)) => *cli,
        Ok(Understood::Shown(help)) => return before.shown(&help),
        Err(error) => return before.refuse(&error),
    };
    let understood = Early { json: cli.global.is_json(), color: cli.global.color, ..before };
    let outcome =
        start(cli, understood.typed.clone()).and_then(|(command, mut context)| carry_out(command, &mut context));
    outcome.map_or_else(|error| understood.refuse(&error), |()| ExitCode::SUCCESS)
}

fn start(cli: Cli, typed: Typed) -> Result<(Command, Context)> {
    let Cli { global, command, .. } = cli;
    let output = output(&global, command.lists(), Here::of(&typed));
    // Only the node has something to tell from day to day; on a terminal its events stand there.
    let is_seen = output.columns_err != ENDLESS;
    let base = if matches!(command, Command::Run(_)) && !is_seen { 2 } else { 1 };
    logging::start(base, global.verbose, global.quiet, output.paint_err.on);
    let prompter = Prompter::new(global.passphrase_file, global.no_input);
    let place = Place::resolve(&global.profile, global.data_dir.as_deref())?;
    Ok((command, Context::new(output, prompter, place, typed)))
}

/// What became of the command counts, and only then whether its result could be written.
fn carry_out(command: Command, context: &mut Context) -> Result<()> {
    let outcome = dispatch(command, context);
    match (outcome, context.output.finish()) {
        (Err(failed), Err(unwritten)) => {
            context.tell(&unwritten);
            Err(failed)
        }
        (outcome, written) => outcome.and(written),
    }
}

fn dispatch(command: Command, context: &mut Context) -> Result<()> {
    match command {
        Command::Init(args) => cmd::init::run(&args, context),
        Command::Id(args) => cmd::id::run(args, context),
        Command::Run(args) => cmd::run::run(args, context),
        Command::Profiles => cmd::profiles::run(context),
        Command::Config => cmd::config::run(context),
        Command::Status(args) => cmd::status::run(args, context),
        Command::Stop(args) => cmd::stop::run(args, context),
        Command::Doctor(args) => cmd::doctor::run(args, context),
        Command::Recover(args) => cmd::recover::run(args, context),
        Command::Send(args) => cmd::send::run(args, context),
        Command::Reply(args) => cmd::reply::run(args, context),
        Command::Inbox(args) => cmd::inbox::run(&args, context),
        Command::History(args) => cmd::history::run(args, context),
        Command::Read(args) => cmd::read::run(args, context),
        Command::Conversation(args) => cmd::conversation::run(args, context),
        Command::Listen(args) => cmd::listen::run(&args, context),
        Command::Requests(args) => cmd::requests::run(args, context),
        Command::Policy(args) => cmd::policy::run(args, context),
        Command::Mailbox(args) => cmd::mailbox::run(args, context),
        Command::Peers(args) => cmd::peers::run(args, context),
        Command::Contacts(args) => cmd::contacts::run(args, context),
        Command::Accept(whom) => cmd::requests::accept(whom, context),
        Command::Decline(whom) => cmd::requests::decline(whom, context),
        Command::Block(whom) => cmd::contacts::block(whom, context),
        Command::Unblock(whom) => cmd::contacts::unblock(whom, context),
        Command::Add(args) => cmd::contacts::add(args, context),
        Command::Whoami => cmd::id::whoami(context),
        Command::Version => cmd::version::run(&mut context.output),
        // It was printed before anything was begun.
        Command::Help(_) => Ok(()),
        Command::Demo(args) => cmd::demo::run(args, &mut context.output),
        Command::Rpc(args) => cmd::rpc::run(&args, context),
        Command::Openrpc(args) => cmd::openrpc::run(&args, &mut context.output),
        Command::Completions(args) => cmd::completions::run(&args, &mut context.output),
        Command::Man(args) => cmd::man::run(&args, &mut context.output),
    }
}

/// What must be known of the arguments even when they cannot be understood.
struct Early {
    json: bool,
    color: ColorChoice,
    /// The command as far as it was understood, `rohrpost policy set`.
    command: String,
    typed: Typed,
}

impl Early {
    fn look(args: &[OsString]) -> Self {
        let flags = || args.iter().take_while(|arg| *arg != "--").map(OsString::as_os_str);
        let value = |name: &str| {
            let after =
                flags().zip(flags().skip(1)).find(|(flag, _)| *flag == name).and_then(|(_, value)| value.to_str());
            after.or_else(|| flags().find_map(|flag| flag.to_str()?.strip_prefix(name)?.strip_prefix('=')))
        };
        let color = value("--color").and_then(|word| word.parse().ok()).unwrap_or_default();
        let json = flags().any(|flag| flag == "--json") || value("--format") == Some("json");
        Self { json, color, command: command_of(args), typed: Typed::read(args) }
    }

    /// Tells the error that is the end.
    fn refuse(&self, error: &CliError) -> ExitCode {
        let (paint, columns) = (paint(self.color, &io::stderr()), columns(&io::stderr()).unwrap_or(ENDLESS));
        error.write(io::stderr(), self.json, Look { paint, columns, here: &Here::of(&self.typed) });
        error.end_by_signal();
        ExitCode::from(error.exit())
    }

    /// Understands the arguments, or says what is wrong with them.
    fn understand(&self, args: Vec<OsString>) -> Result<Understood> {
        let typed = &self.typed;
        if let Some(topic) = lead::topic_behind_noun(typed) {
            return self.help(&topic).map(Understood::Shown);
        }
        let parsed = parse(args, self.color);
        if let Err(error) = &parsed {
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {}
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if !self.json => {}
                _ => {
                    // What is said of what was typed is better than what the parser says of what it expected.
                    prose::check(typed)?;
                    let led = if leads_astray(error) { lead::lead(typed) } else { None };
                    return Err(led.unwrap_or_else(|| CliError::of_parser(error, &self.command)));
                }
            }
        }
        match parsed {
            Ok(Cli { command: Command::Help(help), .. }) => self.help(&help.topic).map(Understood::Shown),
            Ok(cli) => prose::check(typed).map(|()| Understood::Command(Box::new(cli))),
            Err(help) => Ok(Understood::Shown(help)),
        }
    }
}

impl Early {
    /// Prints help or the version. Asked for, it is a result.
    fn shown(&self, help: &clap::Error) -> ExitCode {
        let printed = help.print().and_then(|()| io::stdout().flush());
        match printed {
            Err(error) if !help.use_stderr() => self.refuse(&error.into()),
            _ => ExitCode::from(u8::try_from(help.exit_code()).unwrap_or(2)),
        }
    }

    /// The help of a command, or what all of them understand.
    fn help(&self, topic: &[String]) -> Result<clap::Error> {
        if topic == ["options"] {
            let asked = ["rohrpost", "--help"];
            let shown = args::of_all_commands().color(self.color).try_get_matches_from(asked);
            return shown.err().ok_or_else(|| CliError::usage("there is no help"));
        }
        let line = ["rohrpost".to_owned()].into_iter().chain(topic.iter().cloned()).chain(["--help".to_owned()]);
        match parse(line.map(OsString::from).collect(), self.color) {
            Err(help) if help.kind() == ErrorKind::DisplayHelp && is_command(topic) => Ok(help),
            _ => {
                let wanted = Typed { command: topic.to_vec(), ..self.typed.clone() };
                let error = || CliError::usage(format!("there is no command '{}'", topic.join(" ")));
                Err(lead::lead(&wanted).unwrap_or_else(|| error().hint("`rohrpost --help` lists the commands")))
            }
        }
    }
}

/// Whether these words name a command and nothing besides.
fn is_command(words: &[String]) -> bool {
    let root = Cli::command();
    words.iter().try_fold(&root, |at, word| at.find_subcommand(word)).is_some()
}

/// What was typed.
enum Understood {
    /// A command.
    Command(Box<Cli>),
    /// A wish to see help or the version, and what there is to see.
    Shown(clap::Error),
}

/// Whether there is a word where another command or none is expected.
fn leads_astray(error: &clap::Error) -> bool {
    match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::InvalidSubcommand, _) => true,
        (ErrorKind::UnknownArgument, Some(ContextValue::String(word))) => !word.starts_with('-'),
        _ => false,
    }
}

/// Follows the arguments that are names of commands.
fn command_of(args: &[OsString]) -> String {
    let root = Cli::command();
    let mut at = &root;
    let mut path = root.get_name().to_owned();
    for word in args.iter().skip(1).filter_map(|arg| arg.to_str()) {
        if let Some(next) = at.get_subcommands().find(|command| command.get_name() == word) {
            at = next;
            path = format!("{path} {word}");
        }
    }
    path
}

fn parse(typed: Vec<OsString>, color: ColorChoice) -> Result<Cli, clap::Error> {
    let mut matches = args::definition().color(color).try_get_matches_from(typed)?;
    Cli::from_arg_matches_mut(&mut matches)
}

/// Who asks for colours, wherever they go, is a person.
fn form(global: &Global) -> Form {
    let stdout = columns(&io::stdout());
    match global.format {
        _ if global.is_json() => Form::Json,
        Some(Format::Tsv) => Form::Plain,
        None if stdout.is_none() && global.color != ColorChoice::Always => Form::Plain,
        // What goes into a pager of one's own is seen on the terminal that stderr is, mostly.
        _ => Form::People {
            columns: stdout.or_else(told_columns).or_else(|| columns(&io::stderr())).unwrap_or(USUAL_COLUMNS),
        },
    }
}

/// How wide the reader's terminal is by the variable for that.
fn told_columns() -> Option<usize> {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    told.filter(|columns| (NARROWEST..=WIDEST).contains(columns))
}

/// How wide a terminal is; `None` when it is none.
fn columns(stream: &(impl AsFd + IsTerminal)) -> Option<usize> {
    let size = || rustix::termios::tcgetwinsize(stream).ok().map(|size| usize::from(size.ws_col));
    stream.is_terminal().then(|| size().filter(|&columns| columns > 0).unwrap_or(USUAL_COLUMNS))
}

fn output(global: &Global, lists: bool, here: Here) -> Output {
    let form = form(global);
    let is_paged = lists && !global.no_pager && matches!(form, Form::People { .. }) && io::stdout().is_terminal();
    Output {
        form,
        paint: paint(global.color, &io::stdout()),
        paint_err: paint(global.color, &io::stderr()),
        columns_err: columns(&io::stderr()).unwrap_or(ENDLESS),
        quiet: global.quiet,
        verbose: global.verbose > 0,
        here,
        now: now(),
        zone: TimeZone::system(),
        out: if is_paged { Box::new(Paged::stdout()) } else { Box::new(io::stdout()) },
        err: Box::new(io::stderr()),
        unwritten: None,
    }
}

fn paint(color: ColorChoice, stream: &impl IsTerminal) -> Paint {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let is_dumb = set("TERM").is_some_and(|term| term == "dumb");
    Paint::when(color, stream.is_terminal(), set("NO_COLOR").is_some(), is_dumb)
}

#[expect(clippy::disallowed_methods, reason = "the present, for the short form of times; read once")]
fn now() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn args(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn who_asks_for_colours_is_a_person() {
        let form = |words: &[&str]| form(&Cli::try_parse_from(words.iter().chain(&["inbox"])).unwrap().global);
        let is_people = |form| matches!(form, Form::People { columns } if columns >= NARROWEST);
        assert!(is_people(form(&["rohrpost", "--color", "always"])));
        assert!(is_people(form(&["rohrpost", "--format", "table"])));
        assert_eq!(form(&["rohrpost", "--format", "tsv", "--color", "always"]), Form::Plain);
        assert_eq!(form(&["rohrpost", "--format", "json"]), Form::Json);
        assert_eq!(form(&["rohrpost", "--json"]), Form::Json);
        assert!(Cli::try_parse_from(["rohrpost", "--json", "--format", "table", "inbox"]).is_err());
    }

    #[test]
    fn some_things_are_known_of_arguments_that_cannot_be_understood() {
        let early = Early::look(&args(&["rohrpost", "policy", "--json", "set", "--color", "never", "nonsense"]));
        assert_eq!(
            (early.json, early.color, early.command.as_str()),
            (true, ColorChoice::Never, "rohrpost policy set")
        );
        let early = Early::look(&args(&["rohrpost", "send", "--color=always", "bob", "--", "--json"]));
        assert_eq!((early.json, early.color, early.command.as_str()), (false, ColorChoice::Always, "rohrpost send"));
        for words in [&["rohrpost", "--format", "json", "x"][..], &["rohrpost", "x", "--format=json"]] {
            assert!(Early::look(&args(words)).json, "{words:?}");
        }
        assert!(!Early::look(&args(&["rohrpost", "--format", "tsv", "json"])).json);
    }
}
