//! A disk as the standard has it: what was not synced may be there or not, wholly or by sectors; a name is there for
//! certain when its folder was synced. It begins with the files of a profile, takes the journal of what a process did
//! to them, and says what a power cut may have left.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::dice::Dice;
use crate::shim::Record;

/// What a disk writes wholly or not at all.
const SECTOR: usize = 512;
/// What the kernel writes wholly or not at all.
const PAGE: usize = 4096;
/// Below a person's home: the folder of the profiles.
const WATCHED: &str = "data";

/// A file or a folder, whatever its names are.
type Node = usize;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    File(Vec<u8>),
    Folder(BTreeMap<String, Node>),
}

/// Files and folders; the first is the root.
#[derive(Clone, Debug)]
pub struct Disk(Vec<Content>);

/// What was done, with the files themselves instead of names and inodes.
#[derive(Debug)]
enum Act {
    Write {
        file: Node,
        offset: usize,
        bytes: Vec<u8>,
    },
    Length {
        file: Node,
        length: usize,
    },
    /// Names in folders come to mean something else, or nothing, all at once.
    Names(Vec<(Node, String, Option<Node>)>),
}

/// Everything that a process did to a disk.
pub struct History {
    /// The disk before, and all files that were ever made, without names.
    base: Disk,
    acts: Vec<(Act, bool)>,
    /// The last record is of a file that may have been made or not.
    creating: Option<PathBuf>,
    /// The names that were ever given to files.
    pub named: Vec<PathBuf>,
}

/// How much a power cut leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nothing.
    Nothing,
    /// All up to some moment: a disk that keeps the order.
    Beginning,
    /// Some of it: each write and each name with this chance, in hundredths.
    Some(usize),
    /// As before, but each sector of a write for itself.
    Sectors(usize),
}

impl Cut {
    pub fn roll(dice: &mut Dice) -> Self {
        match dice.below(10) {
            0..4 => Self::Nothing,
            4..6 => Self::Beginning,
            6..8 => Self::Some(dice.of(&[10, 50, 90])),
            _ => Self::Sectors(dice.of(&[10, 50, 90])),
        }
    }
}

impl Disk {
    /// The profiles in this home, with what each inode is.
    pub fn of(home: &Path) -> (Self, HashMap<u64, Node>) {
        let mut disk = Self(vec![Content::Folder(BTreeMap::new())]);
        let mut inodes = HashMap::new();
        let node = disk.load(&home.join(WATCHED), &mut inodes);
        disk.name(0, WATCHED, Some(node));
        (disk, inodes)
    }

    fn load(&mut self, path: &Path, inodes: &mut HashMap<u64, Node>) -> Node {
        let node = self.0.len();
        inodes.insert(fs::metadata(path).unwrap().ino(), node);
        if path.is_file() {
            self.0.push(Content::File(fs::read(path).unwrap()));
            return node;
        }
        self.0.push(Content::Folder(BTreeMap::new()));
        for entry in fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if !kind.is_file() && !kind.is_dir() {
                // The socket of the node: nothing is stored in it.
                continue;
            }
            let child = self.load(&entry.path(), inodes);
            self.name(node, entry.file_name().to_str().unwrap(), Some(child));
        }
        node
    }

    /// Puts it in the place of the profiles in this home.
    pub fn restore(&self, home: &Path) {
        fs::remove_dir_all(home.join(WATCHED)).unwrap();
        self.write_out(0, home);
    }

    fn write_out(&self, folder: Node, at: &Path) {
        for (name, node) in self.names(folder) {
            let path = at.join(name);
            match &self.0[*node] {
                Content::File(bytes) => {
                    let file = File::options().write(true).create_new(true).mode(0o600).open(&path);
                    file.unwrap().write_all(bytes).unwrap();
                }
                Content::Folder(_) => {
                    DirBuilder::new().mode(0o700).create(&path).unwrap();
                    self.write_out(*node, &path);
                }
            }
        }
    }

    /// All files below a folder by their names; folders have none of content.
    fn listing(&self, folder: Node, at: &Path, all: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
        for (name, node) in self.names(folder) {
            let path = at.join(name);
            match &self.0[*node] {
                Content::File(bytes) => drop(all.insert(path, Some(bytes.clone()))),
                Content::Folder(_) => {
                    self.listing(*node, &path, all);
                    all.insert(path, None);
                }
            }
        }
    }

    fn names(&self, folder: Node) -> &BTreeMap<String, Node> {
        let Content::Folder(names) = &self.0[folder] else { panic!("{folder} is no folder") };
        names
    }

    fn name(&mut self, folder: Node, name: &str, node: Option<Node>) {
        let Content::Folder(names) = &mut self.0[folder] else { panic!("{folder} is no folder") };
        match node {
            Some(node) => names.insert(name.to_owned(), node),
            None => names.remove(name),
        };
    }

    fn find(&self, path: &Path) -> Option<Node> {
        path.iter().try_fold(0, |node, name| self.names(node).get(name.to_str().unwrap()).copied())
    }

    /// The folder and the name in it.
    fn split(&self, path: &Path) -> (Node, String) {
        let folder = self.find(path.parent().unwrap()).unwrap_or_else(|| panic!("no folder for {}", path.display()));
        (folder, path.file_name().unwrap().to_str().unwrap().to_owned())
    }

    fn bytes(&mut self, file: Node) -> &mut Vec<u8> {
        let Content::File(bytes) = &mut self.0[file] else { panic!("{file} is no file") };
        bytes
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Write { file, offset, bytes } => self.put(*file, *offset, bytes),
            Act::Length { file, length } => self.bytes(*file).resize(*length, 0),
            Act::Names(names) => names.iter().for_each(|(folder, name, node)| self.name(*folder, name, *node)),
        }
    }

    fn put(&mut self, file: Node, offset: usize, bytes: &[u8]) {
        let held = self.bytes(file);
        let end = offset + bytes.len();
        if held.len() < end {
            held.resize(end, 0);
        }
        held[offset..end].copy_from_slice(bytes);
    }
}

impl History {
    /// What the journal tells of a disk that was `base` before, whose inodes were these.
    pub fn new(base: Disk, mut inodes: HashMap<u64, Node>, records: Vec<Record>) -> Self {
        let mut history = Self { base: base.clone(), acts: Vec::new(), creating: None, named: Vec::new() };
        let mut disk = base;
        let mut syncing = HashMap::new();
        for record in records {
            history.creating = None;
            match record {
                Record::Creating(path) => history.creating = Some(path),
                Record::Created { path, inode } => {
                    let file = history.make(&mut disk, Content::File(Vec::new()));
                    inodes.insert(inode, file);
                    history.rename(&mut disk, &[(&path, Some(file))]);
                }
                Record::MakeFolder(path) => {
                    let folder = history.make(&mut disk, Content::Folder(BTreeMap::new()));
                    history.rename(&mut disk, &[(&path, Some(folder))]);
                }
                Record::Write { inode, offset, bytes } => {
                    history.did(&mut disk, Act::Write { file: inodes[&inode], offset, bytes });
                }
                Record::Length { inode, length } => {
                    history.did(&mut disk, Act::Length { file: inodes[&inode], length });
                }
                Record::Rename { from, to } => {
                    let node = disk.find(&from);
                    history.rename(&mut disk, &[(&from, None), (&to, node)]);
                }
                Record::Remove(path) => history.rename(&mut disk, &[(&path, None)]),
                Record::Syncing { path, inode, token } => {
                    let node = if inode == 0 { disk.find(&path).unwrap() } else { inodes[&inode] };
                    syncing.insert(token, (node, history.acts.len()));
                }
                Record::Synced { token } => {
                    let (node, upto) = syncing.remove(&token).unwrap();
                    history.synced(node, upto);
                }
            }
        }
        history
    }

    fn make(&mut self, disk: &mut Disk, content: Content) -> Node {
        disk.0.push(content.clone());
        self.base.0.push(content);
        disk.0.len() - 1
    }

    fn rename(&mut self, disk: &mut Disk, names: &[(&PathBuf, Option<Node>)]) {
        self.named.extend(names.iter().filter(|(_, node)| node.is_some()).map(|(path, _)| (*path).clone()));
        let names = names.iter().map(|(path, node)| {
            let (folder, name) = disk.split(path);
            (folder, name, *node)
        });
        let act = Act::Names(names.collect());
        self.did(disk, act);
    }

    fn did(&mut self, disk: &mut Disk, act: Act) {
        disk.act(&act);
        self.acts.push((act, false));
    }

    /// What was done to this file, or to names in this folder, before a sync that has ended is there to stay.
    fn synced(&mut self, node: Node, upto: usize) {
        for (act, lasts) in &mut self.acts[..upto] {
            *lasts |= match act {
                Act::Write { file, .. } | Act::Length { file, .. } => *file == node,
                Act::Names(names) => names.iter().all(|(folder, ..)| *folder == node),
            };
        }
    }

    /// The disk after the first `upto` acts.
    fn after(&self, upto: usize) -> Disk {
        let mut disk = self.base.clone();
        self.acts[..upto].iter().for_each(|(act, _)| disk.act(act));
        disk
    }

    /// The journal must lead to what is there, but for its last record, which the death of the process may have
    /// prevented: else something went by the shim, and what a cut would leave is not known.
    pub fn leads_to(&self, home: &Path) {
        let listed = |disk: &Disk| {
            let mut all = BTreeMap::new();
            disk.listing(0, Path::new(""), &mut all);
            // Space that is put by for a full disk has no contents, and is had from the system without the C library.
            for (path, contents) in &mut all {
                if path.ends_with("reserve") {
                    *contents = Some(Vec::new());
                }
            }
            all
        };
        let mut found = listed(&Disk::of(home).0);
        if let Some(path) = &self.creating
            && found.get(path) == Some(&Some(Vec::new()))
        {
            found.remove(path);
        }
        let last = self.acts.len();
        if found == listed(&self.after(last)) || (last > 0 && found == listed(&self.after(last - 1))) {
            return;
        }
        if let Some((Act::Write { file, offset, bytes }, _)) = self.acts.last() {
            // A large write may be interrupted anywhere.
            let fits = |upto: &usize| {
                let mut disk = self.after(last - 1);
                disk.put(*file, *offset, &bytes[..*upto]);
                found == listed(&disk)
            };
            if (1..bytes.len()).filter(|upto| (offset + upto) % PAGE == 0).any(|upto| fits(&upto)) {
                return;
            }
        }
        let expected = listed(&self.after(last));
        let differs = found.iter().find(|(path, bytes)| expected.get(*path) != Some(bytes)).map(|(path, _)| path);
        let missing = expected.keys().find(|path| !found.contains_key(*path));
        panic!("something went by the shim: {differs:?} is not what was written, {missing:?} is missing");
    }

    /// What a power cut leaves.
    pub fn cut(&self, cut: Cut, dice: &mut Dice) -> Disk {
        let mut disk = self.base.clone();
        let moment = dice.below(self.acts.len() + 1);
        // Most file systems change names in order, even where they do not keep the order of data.
        let names_until = dice.chance(50).then(|| dice.below(self.acts.len() + 1));
        for (index, (act, lasts)) in self.acts.iter().enumerate() {
            let kept = match cut {
                _ if *lasts => true,
                Cut::Nothing => false,
                Cut::Beginning => index < moment,
                Cut::Some(chance) | Cut::Sectors(chance) => match (act, names_until) {
                    (Act::Names(_), Some(until)) => index < until,
                    (Act::Write { .. }, _) if matches!(cut, Cut::Sectors(_)) => {
                        disk.tear(act, chance, dice);
                        false
                    }
                    _ => dice.chance(chance),
                },
            };
            if kept {
                disk.act(act);
            }
        }
        disk
    }
}

impl Disk {
    /// Some sectors of a write. The file may have become longer without its contents.
    fn tear(&mut self, act: &Act, chance: usize, dice: &mut Dice) {
        let Act::Write { file, offset, bytes } = act else { panic!("{act:?} is no write") };
        let mut from = 0;
        while from < bytes.len() {
            let to = bytes.len().min(((offset + from) / SECTOR + 1) * SECTOR - offset);
            if dice.chance(chance) {
                self.put(*file, offset + from, &bytes[from..to]);
            }
            from = to;
        }
        if dice.chance(50) {
            let held = self.bytes(*file);
            let end = (offset + bytes.len()).max(held.len());
            held.resize(end, 0);
        }
    }
}
