use proptest::prelude::*;

use super::super::consent;
use super::super::testing::*;
use super::*;

/// An operation of A with these fields of its body: the rest is as it should be.
fn record(change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<u8> {
    fn item(write: impl FnOnce(&mut Writer) -> &mut Writer) -> Vec<u8> {
        let mut writer = Writer::new();
        write(&mut writer);
        writer.into_bytes()
    }
    let mut fields = vec![
        item(|w| w.put(1u8)),
        item(|w| w.bytes(&[1; 32])),
        item(|w| w.bytes(peer('A').key_bytes())),
        item(|w| w.array(1).bytes(&[2; 32])),
        item(|w| w.bytes(&[3; 32])),
        item(|w| w.put(6u8)),
        item(|w| w.array(2).put(1u8).put("name")),
        item(|w| w.put(TIME)),
    ];
    change(&mut fields);
    let mut body = Writer::new();
    body.map(fields.len());
    for (key, field) in fields.iter().enumerate() {
        // Extensions stand behind the fields.
        body.put(if key < FIELDS { key } else { key + 24 }).raw(field);
    }
    sign_record(&keys('A'), LABEL, &body.into_bytes())
}

fn decode(record: &[u8]) -> Result<Operation, RecordError> {
    match OperationIn::decode(record)? {
        Decoded::Operation(operation) => operation.verify(),
        Decoded::Newer(_) => Err(RecordError::UnknownVersion(0)),
    }
}

fn hex(text: &str) -> Vec<u8> {
    let mut bytes = vec![0; text.len() / 2];
    crate::base::ids::parse_hex(text, &mut bytes).unwrap();
    bytes
}

/// GRP-1: each field in its type, none missing, nothing behind; extensions are kept.
#[test]
fn the_body_has_its_fields() {
    let whole = decode(&record(|_| {})).unwrap();
    assert_eq!(whole.act, Act::Set(Setting::Name("name".to_owned())));
    let extended = record(|fields| fields.push(hex("420102")));
    assert_eq!(decode(&extended).unwrap().record(), extended);
    for (field, wrong) in [
        (1, "4101"),
        (1, "01"),
        (2, "581f01"),
        (3, "00"),
        (3, "8101"),
        (4, "00"),
        (4, "f7"),
        (5, "20"),
        (5, "6161"),
        (6, "00"),
        (6, "a0"),
        (6, "81c000"),
        (6, "81fb0000000000000000"),
        (6, "8181818181818181818100"),
        (6, "9f00ff"),
        (7, "f6"),
        (7, "1800"),
    ] {
        let refused = decode(&record(|fields| fields[field] = hex(wrong)));
        assert!(matches!(refused, Err(RecordError::Malformed(_))), "{field} {wrong}: {refused:?}");
    }
    for missing in 1..FIELDS {
        let refused = decode(&record(|fields| drop(fields.remove(missing))));
        assert!(refused.is_err(), "{missing}");
    }
    let extension = decode(&record(|fields| fields.push(hex("01"))));
    assert!(matches!(extension, Err(RecordError::Malformed(_))), "{extension:?}");
    let sized = |len: u16| {
        let extension = [&[0x59][..], &len.to_be_bytes(), &vec![0; usize::from(len)]].concat();
        record(|fields| fields.push(extension))
    };
    assert_eq!(sized(789).len(), MAX_OPERATION);
    assert!(decode(&sized(789)).is_ok());
    assert_eq!(decode(&sized(790)), Err(RecordError::TooLarge { got: MAX_OPERATION + 1, max: MAX_OPERATION }));
}

/// GRP-2: signed by its author, under its own label.
#[test]
fn an_operation_is_its_authors() {
    let good = record(|_| {});
    let body = Frame::decode(&good, MAX_OPERATION).unwrap().body;
    for forged in [sign_record(&keys('B'), LABEL, &body), sign_record(&keys('A'), consent::LABEL, &body)] {
        assert_eq!(decode(&forged), Err(RecordError::Signature));
    }
    let unsound = record(|fields| fields[2] = [hex("5820"), vec![0; 32]].concat());
    assert_eq!(decode(&unsound), Err(RecordError::Signature));
}

/// GRP-4: the version is looked at first.
#[test]
fn another_version_is_told_whatever_else_is_in_it() {
    let newer = record(|fields| {
        fields[0] = hex("02");
        fields[1] = hex("f6");
    });
    let body = Frame::decode(&newer, MAX_OPERATION).unwrap().body;
    assert!(matches!(OperationIn::decode(&newer), Ok(Decoded::Newer(named)) if named == id(&body)));
}

/// GRP-5, GRP-15: what the admission looks at has to be there; the rest means something, or nothing.
#[test]
fn arguments_mean_what_they_can() {
    let person = hex(&format!("5820{}", "11".repeat(32)));
    let with = |kind: u8, args: &[&[u8]]| {
        let operation = decode(&record(|fields| {
            fields[5] = vec![kind];
            fields[6] = [&[0x80 + u8::try_from(args.len()).unwrap()], args.concat().as_slice()].concat();
        }));
        let operation = operation.unwrap();
        operation.fault().map_or_else(|| Ok(operation.act.clone()), Err)
    };
    let who = PeerId::from_key_bytes([0x11; 32]);
    let (zero, text, null) = (&hex("00")[..], &hex("6161")[..], &hex("f6")[..]);
    let long = [hex("7841"), vec![b'a'; 65]].concat();
    let wide = [hex("7880"), "ü".repeat(64).into_bytes()].concat();
    for (kind, args, act) in [
        (1, vec![text, &hex("02")], Act::Create { name: "a".to_owned(), limit: 2 }),
        (1, vec![zero, text], Act::Create { name: String::new(), limit: GROUP_LIMIT }),
        (1, vec![&wide, &hex("18fa"), null], Act::Create { name: "ü".repeat(64), limit: 250 }),
        (3, vec![&person, &hex("1818")], Act::Remove { person: who, upto: 24 }),
        (3, vec![&person, null, null], Act::Remove { person: who, upto: 0 }),
        (4, vec![&person, text], Act::Demote { person: who }),
        (5, vec![text], Act::Leave { upto: 0 }),
        (5, vec![&hex("09")], Act::Leave { upto: 9 }),
        (6, vec![zero, null], Act::Set(Setting::Nothing)),
        (6, vec![&hex("01"), &long], Act::Set(Setting::Nothing)),
        (6, vec![&hex("01"), &hex("60")], Act::Set(Setting::Nothing)),
        (6, vec![&hex("01"), &wide], Act::Set(Setting::Name("ü".repeat(64)))),
        (6, vec![&hex("02"), &hex("01")], Act::Set(Setting::Nothing)),
        (6, vec![&hex("02"), &hex("18fb")], Act::Set(Setting::Nothing)),
        (6, vec![&hex("02"), &hex("02")], Act::Set(Setting::Limit(2))),
        (6, vec![&hex("03"), text], Act::Set(Setting::Nothing)),
        (6, vec![text, text], Act::Set(Setting::Nothing)),
        (0, vec![], Act::Other(0)),
        (7, vec![text, &hex("a1006161")], Act::Other(7)),
    ] {
        assert_eq!(with(kind, &args), Ok(act), "{kind}");
    }
    let base = hex(&format!("5820{}", "22".repeat(32)));
    for (kind, args, field) in [
        (1, vec![text], "limit"),
        (1, vec![], "name"),
        (2, vec![&person, zero], "ground"),
        (2, vec![text, zero, &base], "person"),
        (2, vec![&person, text, &base], "role"),
        (2, vec![&person, zero, text], "ground"),
        (3, vec![&person], "upto"),
        (3, vec![zero, zero], "person"),
        (4, vec![], "person"),
        (5, vec![], "upto"),
        (6, vec![zero], "value"),
        (6, vec![], "key"),
    ] {
        assert_eq!(with(kind, &args), Err(Fault::Form(field)), "{kind} {args:?}");
    }
    let short = hex(&format!("825820{}583f{}", "22".repeat(32), "00".repeat(63)));
    assert_eq!(with(2, &[&person, zero, &short]), Err(Fault::Form("ground")));
}

/// GRP-3: the group is its beginning; each operation has one name.
#[test]
fn a_group_is_named_by_its_beginning() {
    let table = Table::new();
    let create = table.log.get(table.root).unwrap();
    assert_eq!(create.group_id(), table.group());
    assert_eq!(create.group_id().create(), create.id());
    let mut rng = rand_chacha::rand_core::SeedableRng::seed_from_u64(1);
    let rng: &mut rand_chacha::ChaCha20Rng = &mut rng;
    let one = Content::create(rng, "a", 50, TIME).sign(&keys('A'));
    let other = Content::create(rng, "a", 50, TIME).sign(&keys('A'));
    assert_ne!(one.id(), other.id());
}

/// GRP-6: for this group, this person, and what he has seen.
#[test]
fn a_consent_is_for_one_group() {
    let (group, seen) = (GroupId::new([1; 32]), OperationId::new([2; 32]));
    let consent = Consent::sign(&keys('D'), group, seen);
    let again = Consent::from_parts(consent.seen, *consent.signature());
    assert_eq!(again.verify(keys('D').public(), group), Ok(()));
    assert!(consent.verify(keys('C').public(), group).is_err());
    assert!(consent.verify(keys('D').public(), GroupId::new([3; 32])).is_err());
    let unseen = Consent::from_parts(OperationId::new([3; 32]), *consent.signature());
    assert!(unseen.verify(keys('D').public(), group).is_err());
}

/// GRP-5: what is no name and no limit is not signed.
#[test]
fn what_is_no_name_is_not_signed() {
    let mut rng: rand_chacha::ChaCha20Rng = rand_chacha::rand_core::SeedableRng::seed_from_u64(1);
    for (name, limit, said) in [
        ("a", 2, ("a", 2)),
        (&"ü".repeat(64), 250, (&*"ü".repeat(64), 250)),
        (&"a".repeat(65), 1, ("", GROUP_LIMIT)),
        (&"a".repeat(2_000), 251, ("", GROUP_LIMIT)),
    ] {
        let signed = Content::create(&mut rng, name, limit, TIME).sign(&keys('A'));
        assert_eq!(signed.act, Act::Create { name: said.0.to_owned(), limit: said.1 });
        assert_eq!(read(signed.record()), signed);
    }
    let table = Table::new();
    for act in [name(""), name(&"a".repeat(65)), Act::Set(Setting::Limit(1)), Act::Set(Setting::Limit(251))] {
        assert_eq!(table.signed('A', act, &[table.base], table.root).act, Act::Set(Setting::Nothing));
    }
}

proptest! {
    #[test]
    fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = OperationIn::decode(&bytes);
    }

    /// GRP-1, GRP-3: what comes back says the same, under the same name.
    #[test]
    fn operations_come_back(parents in proptest::collection::vec(any::<[u8; 32]>(), 0..12), under: Option<[u8; 32]>, time: u64, upto: u64, said in ".{0,70}", kind in 0..8) {
        let person = peer('B');
        let act = match kind {
            0 => Act::Remove { person, upto },
            1 => Act::Demote { person },
            2 => Act::Leave { upto },
            3 => Act::Set(Setting::Nothing),
            4 => Act::Add { person, role: Role::Member, ground: Ground::Base(OperationId::new([9; 32])) },
            5 => Act::Add { person, role: Role::Admin, ground: Ground::Consent(Consent::sign(&keys('B'), GroupId::new([7; 32]), OperationId::new([9; 32]))) },
            6 => Act::Set(Setting::Name(said)),
            _ => Act::Set(Setting::Limit(u16::try_from(upto % 300).unwrap())),
        };
        let parents = parents.into_iter().map(OperationId::new).collect();
        let content = Content { group: GroupId::new([7; 32]), parents, under: under.map(OperationId::new), act, time };
        let signed = content.sign(&keys('A'));
        prop_assert_eq!(read(signed.record()), signed);
    }
}
