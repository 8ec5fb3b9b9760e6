//! What stands on a page: its blocks, and the notes before them, which readers do not see.

/// A block, with the number of its first line.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) at: usize,
    pub(super) kind: Kind,
    pub(super) notes: Notes,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Commands, one after the other.
    Session(Vec<Step>),
    /// A whole script.
    Script(String),
    /// A configuration file.
    Settings(String),
    /// What is not run, and why.
    NotRun(String),
    /// What the test in this file takes from here; the block's first line.
    Elsewhere(String, String),
}

/// One command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) at: usize,
    pub(super) command: String,
    /// The lines below it; `None`: the page does not say what is shown.
    pub(super) shown: Option<Vec<String>>,
}

/// What the notes before a block say.
#[derive(Debug, Default)]
pub(super) struct Notes {
    not_run: Option<String>,
    elsewhere: Option<String>,
    /// What is done before, and not told.
    pub(super) before: Vec<Step>,
    /// What somebody else does while the block waits for it.
    pub(super) meanwhile: Option<String>,
    /// What stands in the block, and the command that prints what it stands for.
    pub(super) stands_for: Vec<(String, String)>,
    /// Programs that are not on every machine.
    pub(super) needs: Vec<String>,
}

impl Notes {
    fn add(&mut self, at: usize, text: &str) -> Result<(), String> {
        let text = text.trim();
        if let Some(why) = text.strip_prefix("not run: ") {
            self.not_run = Some(why.to_owned());
        } else if let Some(test) = text.strip_prefix("checked by ") {
            self.elsewhere = Some(test.to_owned());
        } else if let Some(commands) = text.strip_prefix("before:") {
            let lines = commands.lines().map(str::trim).filter(|line| !line.is_empty());
            self.before.extend(lines.map(|line| Step { at, command: line.to_owned(), shown: None }));
        } else if let Some(command) = text.strip_prefix("meanwhile: ") {
            self.meanwhile = Some(command.to_owned());
        } else if let Some((what, command)) = text.strip_suffix(')').and_then(|text| text.split_once(" is $(")) {
            self.stands_for.push((what.to_owned(), command.to_owned()));
        } else if let Some(program) = text.strip_prefix("needs ") {
            self.needs.push(program.to_owned());
        } else {
            return Err(format!("{at}: a note that is not understood: {text}"));
        }
        Ok(())
    }
}

/// The blocks of a page in order. What is not understood is an error: nothing is passed over.
pub(super) fn read(page: &str) -> Result<Vec<Block>, String> {
    let lines: Vec<&str> = page.lines().collect();
    let (mut blocks, mut notes, mut waiting) = (Vec::new(), Notes::default(), None);
    let mut at = 0;
    while at < lines.len() {
        let (line, number) = (lines[at], at + 1);
        if let Some(begin) = line.strip_prefix("<!--") {
            let length = lines[at..].iter().position(|line| line.ends_with("-->"));
            let length = length.ok_or_else(|| format!("{number}: a note without an end"))?;
            let text = [&[begin], &lines[at..][1..=length]].concat().join("\n");
            notes.add(number, text.strip_suffix("-->").unwrap_or(&text))?;
            waiting.get_or_insert(number);
            at += length + 1;
        } else if let Some(language) = line.strip_prefix("```") {
            let length = lines[at + 1..].iter().position(|line| *line == "```");
            let length = length.ok_or_else(|| format!("{number}: a block without an end"))?;
            let inside = &lines[at + 1..][..length];
            blocks.push(block(number, language, inside, std::mem::take(&mut notes))?);
            waiting = None;
            at += length + 2;
        } else if line.starts_with("    ") && (at == 0 || lines[at - 1].is_empty() || lines[at - 1].ends_with("-->")) {
            let belongs = |line: &&&str| line.is_empty() || line.starts_with("    ");
            let inside: Vec<&str> =
                lines[at..].iter().take_while(belongs).map(|line| line.get(4..).unwrap_or("")).collect();
            let end = inside.iter().rposition(|line| !line.is_empty()).unwrap_or_default();
            blocks.push(block(number, "", &inside[..=end], std::mem::take(&mut notes))?);
            waiting = None;
            at += end + 1;
        } else if line.is_empty() || waiting.is_none() {
            at += 1;
        } else {
            return Err(format!("{number}: a note stands before a block, and here is none"));
        }
    }
    waiting.map_or(Ok(blocks), |at| Err(format!("{at}: a note stands before a block, and there is none")))
}

fn block(at: usize, language: &str, lines: &[&str], notes: Notes) -> Result<Block, String> {
    let kind = match (language, &notes.not_run, &notes.elsewhere) {
        (_, Some(why), None) => Kind::NotRun(why.clone()),
        (_, None, Some(test)) => Kind::Elsewhere(test.clone(), lines.first().copied().unwrap_or_default().to_owned()),
        ("", None, None) => Kind::Session(steps(at, lines)?),
        ("bash", None, None) => Kind::Script(lines.join("\n")),
        ("toml", None, None) => Kind::Settings(lines.join("\n")),
        _ => return Err(format!("{at}: a block of '{language}', and nobody knows how to read it")),
    };
    Ok(Block { at, kind, notes })
}

/// With prompts what stands below a command is what it shows; without, each line is a command.
fn steps(at: usize, lines: &[&str]) -> Result<Vec<Step>, String> {
    let has_prompts = lines.iter().any(|line| line.starts_with("$ "));
    let mut steps: Vec<Step> = Vec::new();
    for (at, line) in (at..).zip(lines) {
        match (line.strip_prefix("$ "), steps.last_mut().and_then(|step| step.shown.as_mut())) {
            (Some(command), _) => steps.push(Step { at, command: command.to_owned(), shown: Some(Vec::new()) }),
            (None, Some(shown)) => shown.push((*line).to_owned()),
            (None, None) if has_prompts => return Err(format!("{at}: stands before the first prompt")),
            (None, None) if line.is_empty() => {}
            (None, None) => steps.push(Step { at, command: (*line).to_owned(), shown: None }),
        }
    }
    // A blank line before the next prompt is for the eye.
    for step in &mut steps {
        while step.shown.as_ref().and_then(|shown| shown.last()).is_some_and(String::is_empty) {
            step.shown.as_mut().and_then(Vec::pop);
        }
    }
    Ok(steps)
}

#[test]
fn what_is_not_understood_is_an_error() {
    for (page, error) in [
        ("```rust\nlet x;\n```", "1: a block of 'rust'"),
        ("```ini\n[Service]\n```", "1: a block of 'ini'"),
        ("text\n\n```toml\nx = 1", "3: a block without an end"),
        ("<!-- a word -->\n\n    rohrpost", "1: a note that is not understood: a word"),
        ("<!-- not run: why\n\n    rohrpost", "1: a note without an end"),
        ("<!-- before: true -->\n\nText.\n\n    rohrpost", "3: a note stands before a block, and here is none"),
        ("    rohrpost\n\n<!-- before: true -->\n", "3: a note stands before a block, and there is none"),
        ("    node  off\n    $ rohrpost status", "1: stands before the first prompt"),
    ] {
        let told = read(page).unwrap_err();
        assert!(told.starts_with(error), "{page:?}: {told}");
    }
}

#[test]
fn a_block_is_read_as_it_stands() {
    let page = "Text:\n    no block.\n\n<!-- before:\na\nb -->\n<!-- X is $(c d) -->\n\n    $ one\n    1\n\n    2\n\n    $ two  # 2\n\n    three\n";
    let mut blocks = read(page).unwrap();
    assert_eq!(blocks.len(), 1);
    let block = blocks.remove(0);
    assert_eq!(block.at, 9);
    let step = |at, command: &str, shown| Step { at, command: command.to_owned(), shown };
    let shown = |lines: &[&str]| Some(lines.iter().map(|line| (*line).to_owned()).collect());
    assert_eq!(block.notes.before, [step(4, "a", None), step(4, "b", None)]);
    assert_eq!(block.notes.stands_for, [("X".to_owned(), "c d".to_owned())]);
    let Kind::Session(steps) = block.kind else { panic!("{block:?}") };
    assert_eq!(steps, [step(9, "one", shown(&["1", "", "2"])), step(14, "two  # 2", shown(&["", "three"]))]);
}
