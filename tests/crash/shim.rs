//! The shim (`shim.c`): compiled once, preloaded into the programs of a person, and its journal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::person::Person;

/// Where the compiled shim is.
pub fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/shim.c");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (library, fresh) = (folder.join("shim.so"), folder.join(format!("shim-{}.so", std::process::id())));
        let flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"];
        let status = Command::new("cc").args(flags).arg(&fresh).arg(source).status();
        assert!(status.expect("these tests need a C compiler, as `cc`").success());
        fs::rename(fresh, &library).unwrap();
        library
    })
}

/// What is asked of the shim for one life of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// The process dies before its record of this number, counted from 1.
    pub cut: Option<usize>,
    /// It lives so many days later.
    pub days: usize,
}

/// The environment in which the programs of a person keep a journal, at this path, which is made empty.
pub fn surroundings(person: &Person, journal: &Path, asked: Asked) -> Vec<(String, String)> {
    fs::write(journal, "").unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut all = vec![
        ("LD_PRELOAD", text(library())),
        ("SHIM_ROOT", text(person.path())),
        ("SHIM_JOURNAL", text(journal)),
        ("SHIM_DAYS", asked.days.to_string()),
    ];
    all.extend(asked.cut.map(|cut| ("SHIM_CUT", cut.to_string())));
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A record of the journal.
#[derive(Debug)]
pub enum Record {
    /// A file is about to be made.
    Creating(PathBuf),
    Created {
        path: PathBuf,
        inode: u64,
    },
    Write {
        inode: u64,
        offset: usize,
        bytes: Vec<u8>,
    },
    Length {
        inode: u64,
        length: usize,
    },
    /// A sync begins: of the file `inode`, or of the folder `path` when that is 0.
    Syncing {
        path: PathBuf,
        inode: u64,
        token: u64,
    },
    Synced {
        token: u64,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    /// A file or an empty folder loses its name.
    Remove(PathBuf),
    MakeFolder(PathBuf),
}

/// The records of a journal; the last may be torn, and was then not carried out.
pub fn read(journal: &Path) -> Vec<Record> {
    let bytes = fs::read(journal).unwrap();
    let mut rest = bytes.as_slice();
    let mut records = Vec::new();
    while let Some(record) = next(&mut rest, &mut records) {
        records.extend(record);
    }
    records
}

/// `None` at the end; `Some(None)` for what only changes the record before it.
fn next(rest: &mut &[u8], before: &mut Vec<Record>) -> Option<Option<Record>> {
    let word = |at: usize| Some(u32::from_le_bytes(rest.get(at..at + 4)?.try_into().unwrap()));
    let long = |at: usize| Some(u64::from_le_bytes(rest.get(at..at + 8)?.try_into().unwrap()));
    let size = |n: u64| usize::try_from(n).unwrap();
    let (kind, path_len, other_len) = (word(0)?, word(4)?, word(8)?);
    let (inode, number, data_len) = (long(16)?, long(24)?, long(32)?);
    let (path_len, other_len, data_len) = (size(path_len.into()), size(other_len.into()), size(data_len));
    let body = rest.get(40..40 + path_len + other_len + data_len)?;
    let path = |bytes: &[u8]| PathBuf::from(std::str::from_utf8(bytes).unwrap());
    let (first, other) = (path(&body[..path_len]), path(&body[path_len..path_len + other_len]));
    let bytes = body[path_len + other_len..].to_vec();
    *rest = &rest[40 + path_len + other_len + data_len..];
    Some(Some(match kind {
        1 => Record::Creating(first),
        2 => {
            assert!(matches!(before.pop(), Some(Record::Creating(path)) if path == first));
            Record::Created { path: first, inode }
        }
        3 => Record::Write { inode, offset: size(number), bytes },
        4 => Record::Length { inode, length: size(number) },
        5 => Record::Syncing { path: first, inode, token: number },
        6 => Record::Synced { token: number },
        7 => Record::Rename { from: first, to: other },
        8 | 10 => Record::Remove(first),
        9 => Record::MakeFolder(first),
        20 => {
            before.pop().unwrap();
            return Some(None);
        }
        21 => {
            let Some(Record::Write { bytes, .. }) = before.last_mut() else { panic!("a short write without a write") };
            bytes.truncate(size(number));
            return Some(None);
        }
        kind => panic!("the shim does not understand what was done ({kind}): {}, {}", first.display(), other.display()),
    }))
}
