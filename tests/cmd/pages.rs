//! The pages are tests: every block of README.md, of the guide and of the volunteers' guide is run as it stands there, in
//! order, by somebody at a terminal of 80 columns, and what the page shows below a command is held against what he sees.
//!
//! This is here and not in `tests/process`, though nodes run beside: what is held is what people see.
//!
//! A page begins with an empty home, and all its blocks share it. A block that is indented has a command in each line; where
//! they stand behind `$ `, all that a command shows stands below it. `…` is anything, and any lines where it stands alone;
//! peer IDs, addresses, times and numbers of messages are examples. A command succeeds unless the page shows its `error:`.
//! `rohrpost run` goes on beside, from *ready* until the page stops it, runs it anew, or ends; `rohrpost listen` until all that
//! the page shows of it is there. Where a passphrase is asked for it is typed, and yes where it is asked. A block of ```` ```bash ````
//! is one script; one of ```` ```toml ```` a configuration, which `rohrpost config` has to take.
//!
//! What a reader has and the test has not stands in notes before the block, in comments that nobody sees:
//!
//! | note | |
//! |---|---|
//! | `<!-- not run: why -->` | in five places at most |
//! | `<!-- checked by tests/process/bots.rs -->` | that test reads it here |
//! | `<!-- before: rohrpost … -->` | commands, in lines of their own, which come first |
//! | `<!-- meanwhile: rohrpost … -->` | what somebody else does until `listen` has shown what it shows |
//! | `<!-- 12D3KooW… is $(rohrpost … id) -->` | in the commands of the block one stands for what the other prints |
//! | `<!-- needs jq -->` | left out where it is not there, unless `ROHRPOST_REQUIRE_JQ` is set |

mod page;
mod screen;
mod seen;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use self::page::{Block, Kind, Step};
use self::screen::Screen;
use self::seen::is_as_shown;
use super::{Home, PROGRAM};

const PAGES: [&str; 3] = ["README.md", "docs/guide.md", "docs/volunteers.md"];
const MOST_NOT_RUN: usize = 5;
/// A failure guard only: somebody who listens hears one of so many.
const MOST_MEANWHILE: usize = 200;

fn text(page: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap()
}

#[test]
fn the_readme_holds() {
    holds(PAGES[0]);
}

#[test]
fn the_guide_holds() {
    holds(PAGES[1]);
}

#[test]
fn the_volunteers_guide_holds() {
    holds(PAGES[2]);
}

fn holds(page: &str) {
    if let Err(error) = Reader::new(page).follow(&text(page)) {
        panic!("{page}:{error}");
    }
}

#[test]
fn few_blocks_are_not_run() {
    let of = |page: &str| not_run(&text(page)).into_iter().map(move |why| format!("{page}: {why}")).collect::<Vec<_>>();
    let all: Vec<String> = PAGES.into_iter().flat_map(of).collect();
    assert!(all.len() <= MOST_NOT_RUN, "these are more than {MOST_NOT_RUN}:\n{}", all.join("\n"));
}

fn not_run(page: &str) -> Vec<String> {
    let why = |block: Block| if let Kind::NotRun(why) = block.kind { Some(why) } else { None };
    page::read(page).unwrap().into_iter().filter_map(why).collect()
}

/// What goes on beside.
struct Node {
    profile: String,
    screen: Screen,
}

/// Somebody who follows a page.
struct Reader<'a> {
    page: &'a str,
    home: Home,
    nodes: Vec<Node>,
}

impl<'a> Reader<'a> {
    fn new(page: &'a str) -> Self {
        let home = Home::new();
        let bin = home.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(PROGRAM, bin.join("rohrpost")).unwrap();
        Self { page, home, nodes: Vec::new() }
    }

    /// Runs it all; the number of the line at which it goes wrong, and what does.
    fn follow(mut self, page: &str) -> Result<(), String> {
        for block in page::read(page)? {
            if has_all(&block) {
                self.play(&block)?;
            } else {
                eprintln!("{}:{}: skipped, it needs {:?}", self.page, block.at, block.notes.needs);
            }
        }
        let profiles: Vec<String> = self.nodes.iter().map(|node| node.profile.clone()).collect();
        profiles.iter().try_for_each(|profile| self.end(profile))
    }

    fn play(&mut self, block: &Block) -> Result<(), String> {
        let script = |at, command: &String| [Step { at, command: command.clone(), shown: None }];
        for step in &block.notes.before {
            self.step(block, step)?;
        }
        match &block.kind {
            Kind::Session(steps) => steps.iter().try_for_each(|step| self.step(block, step)),
            Kind::Script(lines) => script(block.at, lines).iter().try_for_each(|step| self.step(block, step)),
            Kind::Settings(lines) => self.takes(lines).map_err(|error| format!("{}: {error}", block.at)),
            Kind::Elsewhere(test, first) => {
                self.is_read_by(test, first).map_err(|error| format!("{}: {error}", block.at))
            }
            Kind::NotRun(_) => Ok(()),
        }
    }

    fn step(&mut self, block: &Block, step: &Step) -> Result<(), String> {
        let mut line = step.command.clone();
        for (what, command) in block.notes.stands_for.iter().filter(|(what, _)| step.command.contains(what)) {
            line = line.replace(what, &self.printed(command).map_err(|error| format!("{}: {error}", step.at))?);
        }
        let meanwhile = block.notes.meanwhile.as_deref();
        self.run(&line, step.shown.as_deref(), meanwhile).map_err(|error| format!("{}: `{line}`: {error}", step.at))
    }

    fn run(&mut self, line: &str, shown: Option<&[String]>, meanwhile: Option<&str>) -> Result<(), String> {
        match called(line) {
            Some(("run", profile)) => self.begin(line, profile, shown),
            Some(("listen", _)) => self.listen(line, shown, meanwhile),
            other => {
                self.finish(line, shown)?;
                other.map_or(Ok(()), |(name, profile)| if name == "stop" { self.has_ended(&profile) } else { Ok(()) })
            }
        }
    }

    /// A node, which goes on when it is ready.
    fn begin(&mut self, line: &str, profile: String, shown: Option<&[String]>) -> Result<(), String> {
        self.end(&profile)?;
        let mut screen = self.screen(&format!("exec {line}"));
        let is_ready = |seen: &[String]| seen.iter().any(|line| line.starts_with("ready"));
        let is_shown = |seen: &[String]| shown.is_none_or(|shown| is_as_shown(shown, seen, false, true));
        let seen = screen.until(|seen| is_ready(seen) && is_shown(seen));
        let seen = seen.map_err(|error| format!("{}\n{error}", differs(shown, &[])))?;
        self.nodes.push(Node { profile, screen });
        tell(line, &seen);
        (is_ready(&seen) && is_shown(&seen)).then_some(()).ok_or_else(|| differs(shown, &seen))
    }

    /// Somebody who listens until he has heard what the page shows.
    fn listen(&self, line: &str, shown: Option<&[String]>, meanwhile: Option<&str>) -> Result<(), String> {
        let mut screen = self.screen(&format!("exec {line}"));
        let is_there = |seen: &[String]| shown.is_some_and(|shown| is_as_shown(shown, seen, false, true));
        match meanwhile {
            None => drop(screen.until(is_there)?),
            // It does not say from when on it listens.
            Some(command) => {
                for _ in 0..MOST_MEANWHILE {
                    if is_there(&screen.until(|_| true)?) {
                        break;
                    }
                    self.printed(command)?;
                }
            }
        }
        screen.signal(Signal::INT);
        let (seen, _) = screen.ended()?;
        tell(line, &seen);
        is_there(&seen).then_some(()).ok_or_else(|| differs(shown, &seen))
    }

    /// A command that ends, well or as the page shows it.
    fn finish(&self, line: &str, shown: Option<&[String]>) -> Result<(), String> {
        let (seen, status) = self.screen(line).ended()?;
        tell(line, &seen);
        let fails = shown.is_some_and(|shown| shown.iter().any(|line| line.starts_with("error: ")));
        if status.success() == fails {
            return Err(format!("{status}\n{}", seen.join("\n")));
        }
        let states_differ = !line.contains("--wait");
        let is_there = shown.is_none_or(|shown| is_as_shown(shown, &seen, states_differ, false));
        is_there.then_some(()).ok_or_else(|| differs(shown, &seen))
    }

    fn screen(&self, line: &str) -> Screen {
        Screen::start(self.command("setsid"), line)
    }

    /// Ends the node of the profile, if there is one.
    fn end(&mut self, profile: &str) -> Result<(), String> {
        self.nodes.iter().filter(|node| node.profile == profile).for_each(|node| node.screen.signal(Signal::TERM));
        self.has_ended(profile)
    }

    /// Waits for the end of the node of the profile, which has to be a good one.
    fn has_ended(&mut self, profile: &str) -> Result<(), String> {
        for mut node in self.nodes.extract_if(.., |node| node.profile == profile) {
            let (seen, status) = node.screen.ended()?;
            if !status.success() {
                return Err(format!("the node of {profile} ended with {status}:\n{}", seen.join("\n")));
            }
        }
        Ok(())
    }

    /// What a command prints into a pipe, without the end of the line.
    fn printed(&self, line: &str) -> Result<String, String> {
        let output = self.command("bash").args(["-eo", "pipefail", "-c", line]).output().unwrap();
        if !output.status.success() {
            return Err(format!("`{line}`: {}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
    }

    /// In the reader's home, where `rohrpost` is found, and nobody is met but on this machine.
    fn command(&self, program: &str) -> Command {
        let mut command = self.home.command(program);
        let path = format!("{}/bin:{}", self.home.path().display(), std::env::var("PATH").unwrap());
        command
            .env("PATH", path)
            .env("ROHRPOST_LISTEN", "/ip4/127.0.0.1/tcp/0,/ip4/127.0.0.1/udp/0/quic-v1")
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .env("PAGER", "cat")
            .env("MANPAGER", "cat");
        command
    }

    /// The program takes each of these settings from the file.
    fn takes(&self, settings: &str) -> Result<(), String> {
        let folder = self.home.path().join("etc/rohrpost");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.toml"), settings).unwrap();
        let mut command = self.command("rohrpost");
        command.arg("config").env("XDG_CONFIG_HOME", self.home.path().join("etc"));
        for variable in ["ROHRPOST_LISTEN", "ROHRPOST_MDNS", "ROHRPOST_UPNP"] {
            command.env_remove(variable);
        }
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let taken: Vec<&str> = told
            .lines()
            .filter_map(|line| line.strip_suffix("/etc/rohrpost/config.toml")?.split('\t').next())
            .collect();
        let set = settings.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
        let lost: Vec<&str> = set.filter(|name| !taken.contains(name)).collect();
        match lost.is_empty() && !taken.is_empty() && output.status.success() {
            true => Ok(()),
            false => Err(format!("{lost:?} not taken: {told}{}", String::from_utf8_lossy(&output.stderr))),
        }
    }

    /// That test reads this page, and knows this block.
    fn is_read_by(&self, test: &str, first: &str) -> Result<(), String> {
        let code = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(test)).unwrap_or_default();
        let name = self.page.rsplit('/').next().unwrap_or_default();
        match code.contains(name) && code.contains(first) {
            true => Ok(()),
            false => Err(format!("{test} does not read '{first}' in {name}")),
        }
    }
}

/// The command of `rohrpost` that a line calls, and of which profile.
fn called(line: &str) -> Option<(&str, String)> {
    let mut words = line.split_whitespace().skip_while(|word| *word == "env");
    words.next().filter(|word| *word == "rohrpost")?;
    let mut profile = String::from("default");
    while let Some(word) = words.next() {
        match word {
            "-P" | "--profile" => words.next()?.clone_into(&mut profile),
            "--data-dir" => profile = format!("{profile} in {}", words.next()?),
            "--passphrase-file" | "--format" | "--color" => drop(words.next()?),
            _ if word.starts_with('-') => {}
            command => return Some((command, profile)),
        }
    }
    None
}

/// For whoever looks at a failure, or with `--nocapture` at all of it.
fn tell(line: &str, seen: &[String]) {
    eprintln!("$ {line}\n{}", seen.join("\n"));
}

fn differs(shown: Option<&[String]>, seen: &[String]) -> String {
    let mut told = String::new();
    let _ = write!(told, "on the page:\n{}\nseen:\n{}", shown.unwrap_or_default().join("\n"), seen.join("\n"));
    told
}

/// Whether all that it needs is there; what is required fails where it is used.
fn has_all(block: &Block) -> bool {
    let is_there = |program: &String| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let required = std::env::var_os(format!("ROHRPOST_REQUIRE_{}", program.to_uppercase())).is_some();
        required || std::env::split_paths(&path).any(|folder| folder.join(program).exists())
    };
    block.notes.needs.iter().all(is_there)
}

#[test]
fn a_page_that_is_wrong_is_seen() {
    let of = |page: &str| Reader::new("page.md").follow(page);
    let right = "<!-- it is $(echo default) -->\n\n    $ rohrpost -P bob inbox\n    error: there is no profile 'bob'\n    …\n    $ echo it  # a remark\n    default\n\nText.\n\n    true\n";
    assert_eq!(of(&right.replace("\n    true", "\n<!-- not run: why -->\n\n    false")), Ok(()));
    for (what, with, error) in [
        ("no profile 'bob'", "profile 'bob'", "3: `rohrpost -P bob inbox`: on the page"),
        ("-P bob inbox", "-P bob boxes", "3: `rohrpost -P bob boxes`: on the page"),
        ("-P bob inbox", "-P bob profiles", "3: `rohrpost -P bob profiles`: exit status: 0"),
        ("    …\n", "", "3: `rohrpost -P bob inbox`: on the page"),
        ("error:", "failed:", "3: `rohrpost -P bob inbox`: exit status: 6"),
        ("    default\n", "    another\n", "6: `echo default  # a remark`: on the page:\nanother\nseen:\ndefault"),
        ("echo it", "ehco it", "6: `ehco default"),
        ("(echo default)", "(false)", "6: `false`"),
        ("    $ echo", "\n```toml\nmdns = true\nmnds = true\n```\n\n    $ echo", "7: [\"mdns\", \"mnds\"] not taken"),
        ("    $ echo", "```toml\nlisten = 1\n```\n\n    $ echo", "6: [\"listen\"] not taken"),
        ("<!--", "<!-- checked by tests/process/bots.rs -->\n<!--", "4: tests/process/bots.rs does not read"),
        ("<!--", "    rohrpost run\n\n<!--", "1: `rohrpost run`: on the page:\n\nseen:\nerror: there is no profile"),
    ] {
        let wrong = right.replacen(what, with, 1);
        let told = of(&wrong).unwrap_err();
        assert!(told.starts_with(error), "{wrong}\n{told}\n{error}");
    }
}

#[test]
fn what_is_not_run_is_counted() {
    let page = "<!-- not run: why -->\n\n    one\n\n    two\n\n<!-- not run: why not -->\n```rust\nthree\n```\n";
    assert_eq!(not_run(page), ["why", "why not"]);
}
