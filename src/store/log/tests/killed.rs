//! What a killed process leaves: the rows are those that sled has when it opens the log.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;
use crate::store::testing::{copy_folder, scale};

const CHILD: &str = "ROHRPOST_TEST_LOG_TO_WRITE";
/// How many keys there are: of 60,000 the log has more than 64 MiB.
const KEYS: &str = "ROHRPOST_TEST_LOG_KEYS";

fn key(number: u32, generation: u8) -> Vec<u8> {
    [&[(number / 700 % 5) as u8][..], &number.wrapping_mul(40_503).to_be_bytes(), &[generation]].concat()
}

/// Commits that make pages grow and shrink, and readers behind them, who divide what has grown too large and bring together what is
/// too small: what they write belongs to no commit, and may be on the disk in part. Calls `after` when they have written much.
fn change_pages(database: &mut Database, rng: &mut ChaCha20Rng, keys: u32, after: &mut dyn FnMut()) {
    for round in 0.. {
        let (first, generation) = (rng.next_u32() % keys, (rng.next_u32() % 4) as u8);
        // Now and then a new row in each page; otherwise neighbours come or go, or here and there is one.
        let is_everywhere = round % 4 == 0;
        let (apart, count) = match round % 4 {
            0 => (7, keys / 7),
            1 => (40_009, 1 + rng.next_u32() % 200),
            _ => (1, 1 + rng.next_u32() % 400),
        };
        let numbers: Vec<u32> = (0..count).map(|step| (first + step * apart) % keys).collect();
        let is_removed = !is_everywhere && rng.next_u32().is_multiple_of(3);
        let mut writes = BTreeMap::new();
        for number in &numbers {
            let value = vec![rng.next_u32() as u8; (rng.next_u32() % 1_000) as usize];
            if !is_everywhere {
                writes.extend((0..4).map(|generation| (key(*number, generation), None)));
            }
            writes.insert(key(*number, generation), (!is_removed).then_some(value));
        }
        database.apply(writes.into_iter().collect()).unwrap();
        numbers.iter().for_each(|number| drop(database.get(&key(*number, generation)).unwrap()));
        if is_everywhere {
            after();
        }
    }
}

/// Not a test of its own: the process that the next test kills. Says when readers have written much.
#[test]
fn writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let mut rng = ChaCha20Rng::seed_from_u64(u64::from(std::process::id()));
    let keys = std::env::var(KEYS).map_or(4_000, |keys| keys.parse().unwrap());
    let mut database = Database::open(Path::new(&dir), Arc::new(Disk)).unwrap();
    change_pages(&mut database, &mut rng, keys, &mut || println!("written"));
}

#[test]
fn what_a_killed_process_leaves_is_read_as_sled_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let (mut faults, mut strays) = (Vec::new(), 0);
    for round in 0..12 * scale() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::log::tests::killed::writes_until_it_is_killed", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let wanted = 1 + rng.next_u64() % 12;
        let commits = said.lines().map_while(Result::ok).filter(|line| line.ends_with("written"));
        for _ in commits.skip(wanted as usize) {
            std::thread::sleep(Duration::from_micros(rng.next_u64() % (1 << (rng.next_u32() % 13))));
            child.kill().unwrap();
        }
        child.wait().unwrap();
        let path = dir.path().join("db/db");
        let (log, as_sled) = (rows_in(&read(&path).unwrap()), rows_as_sled(&path));
        strays += table::stray_pages(&path);
        let copy = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), copy.path());
        let by_sled = rows_of(&Database::open(copy.path(), Arc::new(Disk)).unwrap());
        let differ = |rows: &[(Vec<u8>, Vec<u8>)]| {
            let (rows, there): (BTreeSet<_>, BTreeSet<_>) = (rows.iter().collect(), by_sled.iter().collect());
            rows.symmetric_difference(&there).count()
        };
        let (log, as_sled) = (differ(&log), differ(&as_sled));
        if log + as_sled > 0 {
            let rows = by_sled.len();
            faults.push(format!("round {round}: of {rows} rows {log} are read in another way, {as_sled} as from sled"));
        }
    }
    eprintln!("{strays} pages were left behind");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A log of pages and changes, as sled would write them.
struct Written {
    bytes: Vec<u8>,
}

impl Written {
    /// With a tree that begins at page 2.
    fn new() -> Self {
        let mut bytes: Vec<u8> = [i64::MAX, i64::MAX].iter().flat_map(|number| number.to_le_bytes()).collect();
        bytes.splice(..0, (crc32fast::hash(&bytes) ^ u32::MAX).to_le_bytes());
        let mut log = Self { bytes };
        log.message(6, 0, &[&bytes_of(b"__sled__default")[..], &[2]].concat());
        log.message(5, 1, &[0]);
        log
    }

    fn message(&mut self, kind: u8, page: u8, body: &[u8]) {
        // In the first segment, and shorter than 241 bytes.
        let head = [kind, body.len() as u8, 0, page];
        let crc = crc32fast::hash(&[body, &head].concat()) ^ u32::MAX;
        self.bytes.extend([&crc.to_le_bytes()[..], &head, body].concat());
    }

    /// A page of rows, whose keys come without the first bytes of `low`.
    fn page(&mut self, page: u8, next: u8, (low, high): (&[u8], &[u8]), prefix: u8, rows: &[(&[u8], &str)]) {
        self.node(page, [next, 0, 0, prefix], (low, high), &leaf(rows));
    }

    /// A page: the next, the child that is going, whether it is going itself, and the length of the prefix; where it begins and ends.
    fn node(&mut self, page: u8, head: [u8; 4], (low, high): (&[u8], &[u8]), contents: &[u8]) {
        self.message(8, page, &[&head[..], &bytes_of(low), &bytes_of(high), contents].concat());
    }

    fn set(&mut self, page: u8, key: &[u8], row: &str) {
        self.message(10, page, &[&[0][..], &bytes_of(key), &bytes_of(row.as_bytes())].concat());
    }

    /// What is read of it, and what sled would have of it.
    fn rows(&self) -> (Contents, Option<Contents>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        fs::write(&path, &self.bytes).unwrap();
        let text = |row: &[u8]| String::from_utf8(row.to_vec()).unwrap();
        let read = rows_in(&read(&path).unwrap()).into_iter().map(|(key, row)| (key, text(&row))).collect();
        let mut as_sled = Contents::new();
        let all = rows_for_sled(&path, &mut |key, row| as_sled.extend([(key.to_vec(), text(row))])).unwrap();
        (read, all.map(|()| as_sled))
    }

    fn says(&self, expected: &[(&[u8], &str)]) {
        let expected: Contents = expected.iter().map(|(key, row)| (key.to_vec(), (*row).to_owned())).collect();
        assert_eq!(self.rows(), (expected.clone(), Some(expected)));
    }
}

type Contents = BTreeMap<Vec<u8>, String>;

fn bytes_of(bytes: &[u8]) -> Vec<u8> {
    [&[bytes.len() as u8][..], bytes].concat()
}

fn leaf(rows: &[(&[u8], &str)]) -> Vec<u8> {
    let keys = rows.iter().flat_map(|(key, _)| bytes_of(key));
    [0, rows.len() as u8]
        .into_iter()
        .chain(keys)
        .chain(rows.iter().flat_map(|(_, row)| bytes_of(row.as_bytes())))
        .collect()
}

fn inner(children: &[(&[u8], u8)]) -> Vec<u8> {
    let lows = children.iter().flat_map(|(low, _)| bytes_of(low));
    [1, children.len() as u8].into_iter().chain(lows).chain(children.iter().map(|(_, child)| *child)).collect()
}

const ALL: (&[u8], &[u8]) = (&[], &[]);

/// The half that was to come off is moved as every page is: it stands behind the page that has its rows, and some more.
#[test]
fn what_an_interrupted_division_left_behind_does_not_count() {
    let mut log = Written::new();
    log.page(3, 0, ALL, 0, &[(&[1], "one"), (&[5], "old"), (&[6], "gone")]);
    log.node(2, [0; 4], ALL, &inner(&[(&[], 3)]));
    log.page(4, 0, (&[5], &[]), 0, &[(&[5], "old"), (&[6], "gone")]);
    let rows: [(&[u8], &str); 3] = [(&[1], "one"), (&[5], "new"), (&[7], "seven")];
    log.page(3, 0, ALL, 0, &rows);
    log.says(&rows);
    log.page(4, 0, (&[5], &[]), 0, &[(&[5], "old"), (&[6], "gone")]);
    log.says(&rows);
    // The same place was divided once more, and that time it came to its end.
    log.page(5, 0, (&[6], &[]), 0, &[(&[7], "seven")]);
    log.page(3, 5, (&[], &[6]), 0, &[(&[1], "one"), (&[5], "new")]);
    log.says(&rows);
    log.node(2, [0; 4], ALL, &inner(&[(&[], 3), (&[6], 5)]));
    log.page(4, 0, (&[5], &[]), 0, &[(&[5], "old"), (&[6], "gone")]);
    log.says(&rows);
}

/// Where the page above is lost nothing tells which of two pages counts: as in all that is damaged, the last that was written does.
#[test]
fn what_may_have_been_divided_off_is_saved() {
    let mut log = Written::new();
    log.page(3, 0, ALL, 0, &[(&[1], "one"), (&[5], "five")]);
    log.page(4, 0, (&[5], &[]), 0, &[(&[5], "five"), (&[6], "six")]);
    let (read, as_sled) = log.rows();
    assert!(read.len() == 3 && as_sled.is_none(), "{read:?}");
}

/// Of a division that was interrupted later all is there: only the page above was not told.
#[test]
fn a_page_that_came_off_counts_though_the_page_above_does_not_name_it() {
    let mut log = Written::new();
    log.node(2, [0; 4], ALL, &inner(&[(&[], 3)]));
    log.page(3, 0, ALL, 0, &[(&[1], "one"), (&[5], "five")]);
    log.page(4, 0, (&[5], &[]), 0, &[(&[5], "five")]);
    log.page(3, 4, (&[], &[5]), 0, &[(&[1], "one")]);
    log.says(&[(&[1], "one"), (&[5], "five")]);
    log.set(4, &[6], "six");
    log.set(3, &[2], "two");
    log.says(&[(&[1], "one"), (&[2], "two"), (&[5], "five"), (&[6], "six")]);
}

/// At each step of it the rows are the same; what has gone into another page is moved as every page, too.
#[test]
fn a_page_that_goes_into_another_counts_until_that_has_its_rows() {
    let mut log = Written::new();
    let all = |row| -> [(&[u8], &str); 2] { [(&[1], "one"), (&[5], row)] };
    log.node(2, [0; 4], ALL, &inner(&[(&[], 3), (&[5], 4)]));
    log.page(3, 4, (&[], &[5]), 0, &[(&[1], "one")]);
    log.page(4, 0, (&[5], &[]), 0, &[(&[5], "five")]);
    log.says(&all("five"));
    log.message(10, 2, &[2, 4]);
    log.says(&all("five"));
    log.message(10, 4, &[4]);
    log.says(&all("five"));
    log.page(3, 0, ALL, 0, &all("five"));
    log.says(&all("five"));
    log.set(3, &[5], "new");
    log.node(4, [0, 0, 1, 0], (&[5], &[]), &leaf(&[(&[5], "five")]));
    log.says(&all("new"));
    log.message(10, 2, &[3]);
    log.says(&all("new"));
    log.node(2, [0; 4], ALL, &inner(&[(&[], 3)]));
    log.node(4, [0, 0, 1, 0], (&[5], &[]), &leaf(&[(&[5], "five")]));
    log.says(&all("new"));
    log.message(4, 4, &[]);
    log.says(&all("new"));
}

/// The page that was changed has been moved, and where it was there is something else: what had its number before is not what was changed.
#[test]
fn a_change_that_has_outlived_its_page_takes_no_row_of_another() {
    for before in [leaf(&[]), inner(&[(&[], 3)])] {
        let mut log = Written::new();
        log.node(4, [0; 4], (&[8], &[9]), &before);
        log.node(2, [0; 4], ALL, &inner(&[(&[], 3), (&[17], 4)]));
        log.page(3, 4, (&[], &[17]), 0, &[(&[4], "kept"), (&[5], "five")]);
        log.set(3, &[5], "new");
        // This is of a page whose keys begin with 17.
        log.set(4, &[4], "four");
        log.set(4, &[5], "five");
        log.set(4, &[4], "last");
        log.page(4, 0, (&[17], &[]), 1, &[(&[4], "last"), (&[5], "five")]);
        log.says(&[(&[4], "kept"), (&[5], "new"), (&[17, 4], "last"), (&[17, 5], "five")]);
    }
}
