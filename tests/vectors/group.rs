//! Operations of a group as bytes: a conversation in `group.json`, whose bytes a second encoder, `group.py`, has made from the
//! pages alone; here they are read, and made again.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use rohrpost::base::{GroupId, OperationId, PeerId, Secret, WallTime};
use rohrpost::group::{
    Act, Consent, Content, Decoded, Evaluation, Fault, Ground, Log, Operation, OperationIn, Outcome, Role, Setting,
};
use rohrpost::identity::{IdentityKeypair, RecordError};
use serde_json::Value;

/// What stands in the file, with the keys of everybody and the names of the operations.
struct Said {
    all: Value,
    group: GroupId,
    keys: BTreeMap<String, IdentityKeypair>,
    ids: BTreeMap<String, OperationId>,
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn fixed<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

impl Said {
    fn read() -> Self {
        let all: Value = serde_json::from_str(include_str!("group.json")).unwrap();
        let keys = all["seeds"].as_object().unwrap().iter();
        let keys = keys.map(|(who, seed)| (who.clone(), IdentityKeypair::from_seed(&Secret::new(fixed(seed)))));
        let ids = all["operations"].as_array().unwrap().iter();
        let ids = ids.map(|said| (said["name"].as_str().unwrap().to_owned(), OperationId::new(fixed(&said["id"]))));
        Self { group: GroupId::new(fixed(&all["group"])), keys: keys.collect(), ids: ids.collect(), all }
    }

    fn peer(&self, who: &Value) -> PeerId {
        self.keys[who.as_str().unwrap()].peer_id()
    }

    fn named(&self, names: &Value) -> Vec<OperationId> {
        let mut ids: Vec<_> = names.as_array().unwrap().iter().map(|name| self.ids[name.as_str().unwrap()]).collect();
        ids.sort_unstable();
        ids
    }

    fn operations(&self) -> impl Iterator<Item = &Value> {
        self.all["operations"].as_array().unwrap().iter()
    }

    /// What our own programs would say so.
    fn act(&self, said: &Value) -> Option<Act> {
        let args = said["args"].as_array().unwrap();
        let person = |value: &Value| value.get("person").map(|who| self.peer(who));
        Some(match (said["kind"].as_u64()?, args.as_slice()) {
            (1, [name, limit]) => {
                Act::Create { name: name.as_str()?.to_owned(), limit: limit.as_u64()?.try_into().ok()? }
            }
            (2, [who, role, ground]) => {
                let ground = match (ground.get("operation"), ground.get("consent")) {
                    (Some(base), _) => Ground::Base(self.ids[base.as_str()?]),
                    (_, Some(said)) => {
                        assert_eq!(said["person"], who["person"]);
                        let signer = &self.keys[said["signed_by"].as_str()?];
                        Ground::Consent(Consent::sign(signer, self.group, self.ids[said["seen"].as_str()?]))
                    }
                    _ => return None,
                };
                let role = if role.as_u64()? == 1 { Role::Admin } else { Role::Member };
                Act::Add { person: person(who)?, role, ground }
            }
            (3, [who, upto]) => Act::Remove { person: person(who)?, upto: upto.as_u64()? },
            (4, [who]) => Act::Demote { person: person(who)? },
            (5, [upto]) => Act::Leave { upto: upto.as_u64()? },
            (6, [key, value]) => Act::Set(match key.as_u64()? {
                0 => Setting::Nothing,
                1 => Setting::Name(value.as_str()?.to_owned()),
                _ => Setting::Limit(value.as_u64()?.try_into().ok()?),
            }),
            _ => return None,
        })
    }
}

fn decode(record: &[u8]) -> Operation {
    let Decoded::Operation(operation) = OperationIn::decode(record).unwrap() else { panic!("a newer one") };
    operation.verify().unwrap()
}

/// GRP-1 to GRP-6: what is said makes these bytes, and these bytes say it.
#[test]
fn operations_have_these_bytes() {
    let (said, mut made) = (Said::read(), 0);
    for told in said.operations().filter(|told| told["outcome"] != "newer") {
        let (name, record) = (&told["name"], bytes(&told["record"]));
        let operation = decode(&record);
        assert_eq!(operation.id(), OperationId::new(fixed(&told["id"])), "{name}");
        assert_eq!((operation.author(), operation.group_id()), (said.peer(&told["author"]), said.group), "{name}");
        assert_eq!(operation.record(), record, "{name}");
        let under = told["under"].as_str().map(|under| said.ids[under]);
        let own = said.act(told).filter(|_| told.get("extensions").is_none());
        let Some(act) = own else { continue };
        let group = told.get("seed").map_or(said.group, |seed| GroupId::new(fixed(seed)));
        let time = told["time"].as_u64().unwrap();
        let content = Content { group, parents: said.named(&told["parents"]), under, act, time };
        // The consent that ben has signed for dan is no consent of his, whoever makes it.
        let again = content.sign(&said.keys[told["author"].as_str().unwrap()]);
        if told["outcome"] == "admitted" && told["args"][1] != "" && told["args"][1] != 251 {
            assert_eq!(again, operation, "{name}");
            made += 1;
        }
    }
    assert_eq!(made, 12);
}

/// GRP-2, GRP-12: no bit of a record can be another; and a forged copy does not keep out the right one.
#[test]
fn forged_operations_leave_no_mark() {
    let said = Said::read();
    let mut log = Log::new(said.group);
    let me = said.keys["alice"].peer_id();
    for told in said.operations().filter(|told| told["outcome"] == "admitted").take(4) {
        let record = bytes(&told["record"]);
        for bit in (0..record.len() * 8).step_by(7) {
            let mut forged = record.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            match OperationIn::decode(&forged) {
                Ok(Decoded::Operation(operation)) => assert_eq!(operation.verify(), Err(RecordError::Signature)),
                Ok(Decoded::Newer(_)) | Err(RecordError::Malformed(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert!(matches!(log.add(decode(&record), me, WallTime(0)), Outcome::Admitted(_)));
    }
}

/// GRP-5, GRP-12 to GRP-19, GRP-25 to GRP-30: what is admitted, and what follows from it.
#[test]
fn the_conversation_has_its_outcome() {
    let said = Said::read();
    let (mut log, me) = (Log::new(said.group), said.keys["alice"].peer_id());
    let mut outcomes = BTreeMap::<&str, usize>::new();
    for told in said.operations() {
        let (name, expected) = (&told["name"], told["outcome"].as_str().unwrap());
        let outcome = match OperationIn::decode(&bytes(&told["record"])).unwrap() {
            Decoded::Newer(id) => {
                assert_eq!(id, OperationId::new(fixed(&told["id"])));
                log.add_newer(id, me, WallTime(0));
                "newer"
            }
            Decoded::Operation(operation) => match log.add(operation.verify().unwrap(), me, WallTime(0)) {
                Outcome::Admitted(_) => "admitted",
                Outcome::Refused(fault) => {
                    assert_ne!(fault, Fault::Again);
                    "refused"
                }
                other => panic!("{name}: {other:?}"),
            },
        };
        assert_eq!(outcome, expected, "{name}");
        *outcomes.entry(expected).or_default() += 1;
    }
    assert_eq!(outcomes, BTreeMap::from([("admitted", 17), ("newer", 1), ("refused", 5)]));
    let (all, now) = (&said.all, Evaluation::of(&log));
    assert_eq!(now.void(&log), said.named(&all["void"]));
    assert_eq!(now.heads(&log), said.named(&all["heads"]));
    let seats: Vec<_> = all["seats"]
        .as_array()
        .unwrap()
        .iter()
        .map(|seat| (said.peer(&seat[0]), if seat[1] == 1 { Role::Admin } else { Role::Member }))
        .collect();
    assert_eq!(now.seats, seats);
    assert_eq!(
        (now.name.as_str(), u64::from(now.limit)),
        (all["name"].as_str().unwrap(), all["limit"].as_u64().unwrap())
    );
    assert!(log.wants_update());
}

/// The second encoder makes the same bytes today, with signatures of its own.
#[test]
fn the_second_encoder_agrees() {
    let encoder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/group.py");
    let ran = Command::new("python3").arg(encoder).output().expect("the second encoder is run by python3");
    let (said, error) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && said.trim() == "23 operations", "{said}{error}");
}
