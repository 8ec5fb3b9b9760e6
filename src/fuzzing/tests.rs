//! The corpora, replayed; and the seeds in them, made from what the project itself writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::{TARGETS, run};

mod seeds;

/// A seed's name begins so.
const SEED: &str = "seed-";
/// The corpora are kept small: bytes of a file, and files of a target.
const MAX_FILE: usize = 4 * 1024;
const MAX_FILES: usize = 96;

fn corpus(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fuzz", "corpus", target].iter().collect()
}

/// Whatever was found once stays found.
#[test]
fn the_corpora_break_no_promise() {
    for (target, _) in TARGETS {
        let files: Vec<_> = fs::read_dir(corpus(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!((8..=MAX_FILES).contains(&files.len()), "{target}: {} files", files.len());
        let mut accepted = 0;
        for file in files {
            let bytes = fs::read(&file).unwrap();
            assert!(bytes.len() <= MAX_FILE, "{} has {} bytes", file.display(), bytes.len());
            let result = std::panic::catch_unwind(|| run(target, &bytes));
            accepted += usize::from(result.unwrap_or_else(|_| panic!("{} breaks a promise", file.display())));
        }
        assert!(accepted > 0, "{target}: nothing was accepted");
    }
}

/// The seeds are what this version writes; each is accepted. `ROHRPOST_BLESS=1` writes them.
#[test]
fn the_seeds_are_those_of_this_version() {
    for (target, seeds) in seeds::all() {
        assert!(TARGETS.iter().any(|(name, _)| *name == target), "{target} is no target");
        let folder = corpus(target);
        let seeds: BTreeMap<String, Vec<u8>> =
            seeds.into_iter().map(|(name, bytes)| (format!("{SEED}{name}"), bytes)).collect();
        if std::env::var_os("ROHRPOST_BLESS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            for (name, bytes) in &seeds {
                fs::write(folder.join(name), bytes).unwrap();
            }
        }
        for (name, bytes) in &seeds {
            assert!(run(target, bytes), "{target}/{name} is not accepted");
            let found = fs::read(folder.join(name)).ok();
            assert!(found.as_ref() == Some(bytes), "{target}/{name}: write it with ROHRPOST_BLESS=1");
        }
        let there = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let old: Vec<_> = there.filter(|name| name.starts_with(SEED) && !seeds.contains_key(name)).collect();
        assert!(old.is_empty(), "{target}: {old:?} is no longer written");
    }
}
