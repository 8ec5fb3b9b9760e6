//! Where a command leads that does not exist: what people type first who know other programs. It only tells, with what was
//! typed filled in; and it tells of nothing that deletes, blocks or resets.

use clap::{Command, CommandFactory};

use super::args::Cli;
use super::error::CliError;
use super::near::nearest;
use super::prose::without_text_options;
use super::typed::{Line, Piece, Typed, first_word, pieces, placed};

/// Synonyms, and the command that is meant; `/` stands between a command and what is wrong behind it. Capitals are filled with
/// what was typed: `TEXT` with all that is left, as one word, `REST` with all words that are left, and so is `NAME` at the end, as one word. Behind `|` stands what is meant
/// if nothing was typed behind the synonym.
const COMMANDS: &[(&str, &str)] = &[
    ("msg message write tell dm text whisper say post notice mail", "send WHO TEXT"),
    ("note memo self notetoself", "send me TEXT"),
    ("log chat query open talk view", "history WHO | inbox"),
    ("inbox", "history WHO"),
    ("ls list messages chats conversations rooms dialogs mails", "inbox"),
    ("unread new-messages", "inbox --unread"),
    ("friends people names buddies roster users listcontacts listidentities addressbook knownhosts remote", "contacts"),
    ("contacts/ls contacts/all", "contacts list"),
    ("whois finger lookup", "contacts show WHO"),
    ("trust verify safetynumber contacts/trust contacts/check", "contacts verify WHO REST"),
    ("fingerprint", "contacts verify WHO | id"),
    ("rename alias contacts/name contacts/alias", "contacts rename WHO NAME"),
    ("addcontact addfriend friend befriend contacts/new contacts/create", "contacts add LINK"),
    ("unban unignore", "contacts unblock WHO"),
    ("me identity account address addr pubkey key", "id"),
    ("link invite share url copyid invitation", "id link"),
    ("qr qrcode", "id qr"),
    ("name nick nickname setname displayname updateprofile profile", "id name NAME"),
    ("passwd password passphrase changepassword", "id passphrase"),
    ("start up daemon node serve server login online launch sync pull fetch poll", "run"),
    ("quit exit shutdown down kill halt close offline", "stop"),
    ("receive watch tail follow events subscribe monitor", "listen"),
    ("status", "doctor WHO"),
    ("info stat state outbox queue", "status"),
    ("ping connect trace reach", "doctor WHO"),
    ("check fsck test diagnose repair fix debug health restore", "doctor"),
    ("new register create setup signup keygen adduser genkey", "init"),
    ("pending waiting strangers requests/ls requests/all", "requests"),
    ("allow approve requests/allow requests/approve", "requests accept WHO"),
    ("markread seen ack", "read WHO"),
    ("who connections network netstat", "peers"),
    ("accounts branch identities", "profiles"),
    ("settings set options preferences env", "config"),
    ("privacy", "policy"),
    ("policy/contacts", "policy set contacts"),
    ("policy/requests", "policy set requests"),
    ("policy/nobody", "policy set nobody"),
    ("mailbox/add mailbox/new mailbox/set", "mailbox use ADDR"),
    ("mailbox/find mailbox/search", "mailbox list --find"),
    ("checkout switch", "-P NAME status"),
    ("ver about", "version"),
    ("usage commands", "help"),
    ("manual", "man"),
    // What deletes or blocks is not filled in: its help says what it does.
    ("ignore ban contacts/ban contacts/ignore", "help contacts block"),
    (
        "reject deny refuse requests/reject requests/deny requests/refuse requests/rm requests/ignore",
        "help requests decline",
    ),
    ("rm del remove unfriend contacts/rm contacts/del contacts/delete contacts/forget", "help contacts remove"),
    ("clear purge wipe forget delete", "help conversation delete"),
    ("mailbox/rm mailbox/remove mailbox/delete mailbox/leave mailbox/del", "help mailbox drop"),
    ("revoke", "help id rotate"),
];

/// What there is not, and what to do without.
const TRUTHS: &[(&str, &str)] = &[
    ("search find grep", "there is no search yet: `rohrpost history WHO -n 1000` shows up to 1,000 messages at a time"),
    (
        "export backup dump import",
        "there is no export yet: end the node, and copy the folder that `rohrpost status` names; never run both",
    ),
    (
        "group groups join part leave room kick joingroup quitgroup channel",
        "there are no groups yet: `rohrpost send bob,carol TEXT` writes to several people",
    ),
    (
        "react sendreaction edit redact unsend remotedelete undo forward",
        "there are no edits, reactions, deletions or forwarding of single messages yet",
    ),
    (
        "file files attach upload scp sendfile download",
        "there are no attachments yet: a text of up to 48 KiB can be piped in with `rohrpost send WHO -`",
    ),
    ("call voice video", "there are no calls: it is for text"),
    ("device devices adddevice linkdevice clone", "one identity runs on one machine: there are no linked devices"),
    ("mute archive pin draft away typing", "there is nothing of the kind yet"),
    ("logout", "there is no account that one is logged in to: `rohrpost stop` ends the node"),
    ("restart reload", "`rohrpost stop`, then `rohrpost run`"),
    ("update upgrade uninstall install", "rohrpost does not change itself: whatever installed it does"),
    ("commit push merge", "what is sent leaves by itself: `rohrpost status` shows what waits"),
    ("show", "a message is shown in its conversation: `rohrpost history WHO`"),
];

/// Commands that delete, block or reset, or tell somebody else: they are not what a mistyped word is taken for.
const DANGEROUS: &[&str] = &[
    "block",
    "decline",
    "recover",
    "conversation",
    "read",
    "contacts block",
    "contacts remove",
    "requests block",
    "requests decline",
    "conversation delete",
    "mailbox drop",
    "id rotate",
];

/// What to tell whoever typed what is no command, or words behind one that takes none; `None`: nothing that the parser does not
/// say as well.
pub(crate) fn lead(typed: &Typed) -> Option<CliError> {
    let (first, behind) = typed.command.split_first()?;
    let mut root = Cli::command();
    root.build();
    let known = root.find_subcommand(first);
    let is_noun = known.is_some_and(Command::has_subcommands);
    let mut without = behind.to_vec();
    let second = known.and_then(|known| first_word(known, behind)).map(|at| without.remove(at));
    // The command is there: of what stands behind it the parser says which word is too many.
    if known.zip(second.as_ref()).is_some_and(|(noun, second)| noun.find_subcommand(second).is_some()) {
        return None;
    }
    let named = match &second {
        Some(second) if is_noun => format!("{first} {second}"),
        _ => first.clone(),
    };
    let unknown = |hint: String| {
        let message = match known {
            Some(verb) if !is_noun => {
                let found = pieces(verb, behind);
                format!("`{first}` takes no '{}'", found.iter().find_map(Piece::word).unwrap_or_default())
            }
            _ => format!("there is no command '{named}'"),
        };
        CliError::usage(message).hint(hint)
    };
    let pair = second.as_ref().map(|second| (format!("{}/{}", key(first), key(second)), without.as_slice()));
    for (key, args) in pair.iter().map(|(key, args)| (key.clone(), *args)).chain([(key(first), behind)]) {
        if let Some(hint) = told(&root, &typed.program, &key, args) {
            return Some(unknown(hint));
        }
    }
    let near = |parent: &Command, path: &str, word: &str, args: &[String]| {
        let near = near_command(parent, path, word)?;
        let mut line = vec![typed.program.clone()];
        line.extend((!path.is_empty()).then(|| path.to_owned()));
        line.push(near);
        // Only the word that is wrong is another.
        line.extend(args.iter().map(|arg| placed("TEXT", arg)));
        Some(format!("did you mean `{}`?", line.join(" ")))
    };
    let hint = match (known, &second) {
        (None, _) => {
            near(&root, "", first, behind).unwrap_or_else(|| "`rohrpost --help` lists the commands".to_owned())
        }
        (Some(noun), Some(second)) if is_noun => near(noun, first, second, &without)
            .unwrap_or_else(|| format!("`rohrpost {first} --help` lists the commands")),
        _ => return None,
    };
    Some(unknown(hint))
}

/// What help is wanted for by `help` behind a noun: there it would be somebody's name.
pub(crate) fn topic_behind_noun(typed: &Typed) -> Option<Vec<String>> {
    let [noun, help, rest @ ..] = typed.command.as_slice() else { return None };
    let is_noun = Cli::command().find_subcommand(noun).is_some_and(Command::has_subcommands);
    (is_noun && help == "help").then(|| std::iter::once(noun).chain(rest).cloned().collect())
}

/// A hint for a noun behind which stands what is neither its command nor anybody's name.
pub(crate) fn behind_noun(typed: &Typed, noun: &str, word: &str) -> Option<String> {
    let mut root = Cli::command();
    root.build();
    let program = typed.everywhere();
    let synonym = told(&root, &program, &format!("{noun}/{}", key(word)), &[]);
    let near = || {
        near_command(root.find_subcommand(noun)?, noun, word)
            .map(|near| format!("did you mean `{program} {noun} {near}`?"))
    };
    synonym.or_else(near)
}

/// The command below another one that a mistyped word is near, unless that is dangerous.
fn near_command(parent: &Command, path: &str, word: &str) -> Option<String> {
    let is_harmless = |name: &String| !DANGEROUS.contains(&format!("{path} {name}").trim());
    nearest(word, parent.get_subcommands().map(|below| below.get_name().to_owned()).filter(is_harmless))
}

/// How synonyms are compared: caseless, without a slash before them, and whatever joins their words.
fn key(word: &str) -> String {
    word.trim_start_matches('/').to_lowercase().replace(['-', '_'], "")
}

/// What is told of a synonym.
fn told(root: &Command, program: &str, key: &str, args: &[String]) -> Option<String> {
    let find = |table: &'static [(&str, &str)]| {
        table.iter().find(|(words, _)| words.split(' ').any(|word| word == key)).map(|(_, lead)| *lead)
    };
    if let Some(truth) = find(TRUTHS) {
        return Some(truth.to_owned());
    }
    let template = find(COMMANDS)?;
    // Of what exists there is something to tell only if words are behind it that should not be.
    if args.is_empty() && root.find_subcommand(key).is_some() {
        return None;
    }
    let (with, without) = template.split_once(" | ").unwrap_or((template, template));
    let template = if args.is_empty() { without } else { with };
    Some(format!("`{}`", filled(root, program, template, args)))
}

/// A template with what was typed in its places.
fn filled(root: &Command, program: &str, template: &str, args: &[String]) -> String {
    let is_place = |word: &&str| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase());
    let parts: Vec<&str> = template.split(' ').collect();
    let names = parts.iter().filter(|part| !is_place(part) && !part.starts_with('-'));
    let target = names.into_iter().try_fold(root, |at, name| at.find_subcommand(name)).unwrap_or(root);
    let pieces = pieces(target, args);
    if target.get_name() == "send"
        && let Some((who, text)) = without_text_options(&pieces)
    {
        return Line::new(format!("{program} send"), &pieces).with(&[("WHO", &who), ("TEXT", &text)]);
    }
    let mut left = pieces.iter().filter(|piece| !piece.is_option());
    let joined = |words: &mut dyn Iterator<Item = &str>| words.collect::<Vec<_>>().join(" ");
    let (mut command, mut words) = (program.to_owned(), Vec::new());
    for (nth, part) in (1..).zip(parts.iter().copied()) {
        let is_last = nth == parts.len();
        match part {
            "REST" => words.extend(left.by_ref().filter_map(Piece::word).map(|word| (part, word.to_owned()))),
            // Of a text nothing is left out.
            "TEXT" => words.push((part, joined(&mut left.by_ref().flat_map(Piece::args).map(String::as_str)))),
            "NAME" if is_last => words.push((part, joined(&mut left.by_ref().filter_map(Piece::word)))),
            // The value of an option of the program.
            "NAME" => command = format!("{command} {}", placed(part, left.find_map(Piece::word).unwrap_or_default())),
            place if is_place(&place) => words.push((part, left.find_map(Piece::word).unwrap_or_default().to_owned())),
            fixed => command = format!("{command} {fixed}"),
        }
    }
    let words: Vec<(&str, &str)> = words.iter().map(|(place, word)| (*place, word.as_str())).collect();
    Line::new(command, &pieces).with(&words)
}

#[cfg(test)]
mod tests;
