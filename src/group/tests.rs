//! Random histories beside the executable model, `tests/model/groups.py`: the same operations, the same outcome.
//!
//! Those of `tests/vectors/group-histories.json` are read from there, others made by it meanwhile: `ROHRPOST_TEST_SCALE`
//! multiplies their number, `ROHRPOST_TEST_SEED` is their seed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::log::Bounds;
use super::*;
use crate::base::limits::GROUP_LIMIT;
use crate::base::{GroupId, OperationId, PeerId, WallTime};

/// Histories that the model makes in CI.
const HISTORIES: usize = 2_000;
/// How often each rare thing has to be met in a hundred thousand of them.
const RARE: usize = 1_000;

/// Names of the model: 16 hexadecimal digits, whose order is kept.
fn id(value: &Value) -> OperationId {
    let digits = value.as_str().unwrap();
    format!("{digits}{}", "0".repeat(48)).parse().unwrap()
}

fn ids(value: &Value) -> Vec<OperationId> {
    value.as_array().unwrap().iter().map(id).collect()
}

fn person(value: &Value) -> PeerId {
    let mut key = [0; 32];
    key[0] = value.as_str().unwrap().as_bytes()[0];
    PeerId::from_key_bytes(key)
}

fn people(value: &Value) -> Vec<PeerId> {
    value.as_array().unwrap().iter().map(person).collect()
}

fn role(value: &Value) -> Role {
    if value.as_u64() == Some(1) { Role::Admin } else { Role::Member }
}

/// What the model calls an operation's kind and arguments; what is missing, or a consent of another.
fn act(kind: &str, args: &[Value]) -> (Act, Option<Fault>) {
    let said = match (kind, args) {
        ("create", [name, limit, ..]) => {
            Act::Create { name: name.as_str().unwrap().to_owned(), limit: limit.as_u64().unwrap().try_into().unwrap() }
        }
        ("add", [who, said, ground, ..]) => {
            let named = id(&ground[1]);
            let ground = match ground[0].as_str().unwrap() {
                "base" => Ground::Base(named),
                _ if ground[2] == *who => Ground::Consent(Consent::from_parts(named, [0; 64])),
                _ => return (Act::Other(2), Some(Fault::Consent)),
            };
            Act::Add { person: person(who), role: role(said), ground }
        }
        ("remove", [who, ..]) => Act::Remove { person: person(who), upto: 0 },
        ("demote", [who, ..]) => Act::Demote { person: person(who) },
        ("leave", _) => Act::Leave { upto: 0 },
        ("set", [key, value, ..]) => Act::Set(match key.as_str().unwrap() {
            "name" => {
                value.as_str().filter(|name| !name.is_empty()).map_or(Setting::Nothing, |n| Setting::Name(n.to_owned()))
            }
            "limit" => match value.as_u64().unwrap() {
                limit @ 2..=250 => Setting::Limit(limit.try_into().unwrap()),
                _ => Setting::Nothing,
            },
            _ => Setting::Nothing,
        }),
        ("add" | "remove" | "demote" | "set", _) => return (Act::Other(0), Some(Fault::Form("arguments"))),
        _ => Act::Other(99),
    };
    (said, None)
}

/// A history as the model tells it.
struct History<'v> {
    said: &'v Value,
    group: GroupId,
    /// In the order in which they come.
    operations: Vec<Operation>,
}

impl<'v> History<'v> {
    fn read(said: &'v Value) -> Self {
        let told = said["operations"].as_array().unwrap();
        let create = id(&told.iter().find(|told| told[4] == "create").unwrap()[0]);
        let group = GroupId::new(*create.as_bytes());
        let operation = |told: &Value| {
            let (act, fault) = act(told[4].as_str().unwrap(), told[5].as_array().unwrap());
            let under = (!told[3].is_null()).then(|| id(&told[3]));
            let content = Content { group, parents: ids(&told[2]), under, act, time: 0 };
            Operation::with_id(id(&told[0]), person(&told[1]), content, fault)
        };
        Self { said, group, operations: told.iter().map(operation).collect() }
    }

    fn empty(&self) -> Log {
        let bound = |name: &str| usize::try_from(self.said[name].as_u64().unwrap()).unwrap();
        Log::bounded(self.group, Bounds { parents: bound("parents"), seats: bound("seats_bound") })
    }

    /// What is built on before what builds on it.
    fn parents_first(&self) -> Vec<&Operation> {
        let (mut left, mut done, mut sorted) =
            (self.operations.iter().collect::<Vec<_>>(), BTreeSet::new(), Vec::new());
        while !left.is_empty() {
            let (ready, later): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|operation| operation.parents.iter().all(|parent| done.contains(parent)));
            assert!(!ready.is_empty(), "a parent is in no history");
            done.extend(ready.iter().map(|operation| operation.id()));
            sorted.extend(ready);
            left = later;
        }
        sorted
    }

    /// What follows from a log, in the words of the model.
    fn compare(&self, log: &Log) {
        let (said, evaluation) = (self.said, Evaluation::of(log));
        let refused: BTreeSet<_> = ids(&said["refused"]).into_iter().collect();
        let admitted: BTreeSet<_> = log.operations().map(Operation::id).collect();
        let all: BTreeSet<_> = self.operations.iter().map(Operation::id).collect();
        assert_eq!(admitted, &all - &refused, "admitted");
        assert_eq!(log.waiting(), 0, "nothing waits");
        let void: BTreeSet<_> = evaluation.void(log).into_iter().collect();
        assert_eq!(void, ids(&said["void"]).into_iter().collect(), "void");
        let idle: BTreeSet<_> = admitted.iter().copied().filter(|id| !evaluation.counts(log, *id)).collect();
        assert_eq!(idle, ids(&said["idle"]).into_iter().collect(), "what does not count");
        for id in admitted {
            assert_eq!(evaluation.voided_by(log, id).is_empty(), evaluation.stands(log, id), "{id}: why it is void");
        }
        self.compare_roster(log, &evaluation);
    }

    /// What does not hang on operations that do not count.
    fn compare_roster(&self, log: &Log, evaluation: &Evaluation) {
        let said = self.said;
        assert_eq!(evaluation.heads(log), ids(&said["heads"]), "heads");
        let seats = said["seats"].as_array().unwrap().iter().map(|seat| (person(&seat[0]), role(&seat[1])));
        assert_eq!(evaluation.seats, seats.collect::<Vec<_>>(), "seats");
        assert_eq!(evaluation.beyond, people(&said["beyond"]), "beyond");
        let admins = said["admins"].as_object().unwrap().iter();
        let admins: BTreeMap<_, _> =
            admins.map(|(who, office)| (person(&Value::from(who.as_str())), id(office))).collect();
        assert_eq!(evaluation.admins, admins, "admins");
        assert_eq!(evaluation.name, said["name"].as_str().unwrap(), "name");
        assert_eq!(u64::from(evaluation.limit), said["limit"].as_u64().unwrap(), "limit");
        let latent = |who: &char| evaluation.latent(log, person(&Value::from(who.to_string()))).is_some();
        assert_eq!(
            ('A'..='G').filter(latent).map(String::from).collect::<Vec<_>>(),
            said["latent"].as_array().unwrap().clone()
        );
    }
}

/// How often what is rare was met.
#[derive(Debug, Default)]
struct Tally {
    histories: usize,
    operations: usize,
    void: usize,
    old_consent: usize,
    base_behind_an_end: usize,
    taken_again: usize,
    latent: usize,
    full: usize,
    waited: usize,
}

impl Tally {
    /// Runs a history in three orders: as it came, each operation behind what it builds on, and the other way round by one who
    /// forgets, and asks for what counts when it is over.
    fn run(&mut self, said: &Value) {
        let history = History::read(said);
        let mut whole = history.empty();
        let mut waited = false;
        for (at, operation) in history.operations.iter().enumerate() {
            waited |= whole.add(operation.clone(), sender(at), WallTime(0)) == Outcome::Waits;
        }
        history.compare(&whole);
        let mut ordered = history.empty();
        let mut faults = BTreeSet::new();
        for operation in history.parents_first() {
            if let Outcome::Refused(Fault::Ended) = ordered.add(operation.clone(), sender(0), WallTime(0)) {
                faults.insert(matches!(operation.act, Act::Add { ground: Ground::Base(_), .. }));
            }
        }
        history.compare(&ordered);
        self.histories += 1;
        self.operations += history.operations.len();
        self.waited += usize::from(waited);
        self.void += usize::from(!said["void"].as_array().unwrap().is_empty());
        self.old_consent += usize::from(faults.contains(&false));
        self.base_behind_an_end += usize::from(faults.contains(&true));
        self.taken_again += usize::from(forgetful(&history, &whole));
        self.latent += usize::from(!said["latent"].as_array().unwrap().is_empty());
        self.full += usize::from(!said["beyond"].as_array().unwrap().is_empty());
    }
}

/// Whether one who forgot something of the log took some of it again. In the end he knows what follows from all of it.
fn forgetful(history: &History<'_>, whole: &Log) -> bool {
    let (mut log, mut forgotten, mut again) = (history.empty(), BTreeSet::new(), false);
    let nobody = PeerId::from_key_bytes([0; 32]);
    for (at, operation) in history.operations.iter().rev().enumerate() {
        if let Outcome::Admitted(admitted) = log.add(operation.clone(), sender(at), WallTime(0)) {
            again |= admitted.iter().any(|id| forgotten.contains(id));
        }
        if at % 3 == 0 {
            forgotten.extend(Evaluation::of(&log).forget(&mut log, at % 2, nobody));
        }
    }
    let evaluation = Evaluation::of(whole);
    for operation in whole.operations().filter(|operation| evaluation.counts(whole, operation.id())) {
        if let Outcome::Admitted(admitted) = log.add(operation.clone(), sender(0), WallTime(0)) {
            again |= admitted.iter().any(|id| forgotten.contains(id));
        }
    }
    history.compare_roster(&log, &Evaluation::of(&log));
    again
}

/// Somebody who hands something in: enough of them that nobody comes to the bound of what may wait.
fn sender(at: usize) -> PeerId {
    PeerId::from_key_bytes([u8::try_from(at % 64).unwrap(); 32])
}

/// The histories that are kept with the specification.
#[test]
fn histories_of_the_specification_have_their_outcomes() {
    let histories: Value = serde_json::from_str(include_str!("../../tests/vectors/group-histories.json")).unwrap();
    let mut tally = Tally::default();
    histories.as_array().unwrap().iter().for_each(|history| tally.run(history));
    assert_eq!(tally.histories, 40);
    assert!(
        tally.void >= 10 && tally.old_consent >= 3 && tally.base_behind_an_end >= 3 && tally.full >= 3,
        "{tally:?}"
    );
}

/// GRP-26: both beside each other, over histories that nobody has seen.
#[test]
fn random_histories_have_the_outcomes_of_the_model() {
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse::<usize>().ok()).unwrap_or(1);
    let (seed, scale) = (number("ROHRPOST_TEST_SEED"), number("ROHRPOST_TEST_SCALE"));
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model/groups.py");
    let mut made = Command::new("python3")
        .arg(model)
        .args(["stream", &seed.to_string(), &(HISTORIES * scale).to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the model is run by python3");
    let mut tally = Tally::default();
    for line in BufReader::new(made.stdout.take().unwrap()).lines() {
        let history: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let number = tally.histories;
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tally.run(&history)));
        assert!(ran.is_ok(), "history {number} of seed {seed}: {history}");
    }
    assert!(made.wait().unwrap().success());
    println!("group model: seed {seed}, {tally:?}");
    assert_eq!(tally.histories, HISTORIES * scale);
    let Tally { void, old_consent, base_behind_an_end, taken_again, latent, full, .. } = tally;
    let least = RARE * scale * HISTORIES / 100_000;
    for met in [void, old_consent, base_behind_an_end, taken_again, latent, full] {
        assert!(met >= least, "{tally:?}");
    }
}

/// What the model takes for granted: a group without a name has none, and the limit of a group where nothing is said.
#[test]
fn an_empty_log_has_nobody() {
    let log = Log::new(GroupId::new([7; 32]));
    let evaluation = Evaluation::of(&log);
    assert!(evaluation.seats.is_empty() && evaluation.heads(&log).is_empty() && evaluation.name.is_empty());
    assert_eq!(GROUP_LIMIT, 50);
}
