mod damage;
mod way;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::api::Health;
use crate::base::{Millis, PeerId, WallTime};
use crate::messenger::query::ClockRow;
use crate::messenger::tables::{Outbox, outbox_key};
use crate::net::MdnsStatus;
use crate::node::profile;
use crate::store::{Table, Under};

fn never() -> Result<crate::node::Passphrase, ApiError> {
    Err(ApiError::new(Code::PassphraseNeeded, "nobody is there"))
}

/// A home with a profile.
fn home() -> (tempfile::TempDir, Place) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().as_os_str().to_owned();
    let place = Place::resolve_with("a", None, &|name| (name == "HOME").then(|| path.clone())).unwrap();
    profile::create(&place, None, Some("Alice")).unwrap();
    (home, place)
}

fn look(place: &Place) -> Diagnosis {
    doctor(place, None, &mut never).unwrap()
}

/// The finding that is not well, of which there is one.
#[track_caller]
fn only(diagnosis: &Diagnosis, area: Area) -> (Health, String, String) {
    let bad: Vec<_> = diagnosis.findings.iter().filter(|f| f.area == area && f.health != Health::Ok).collect();
    assert_eq!(bad.len(), 1, "{diagnosis:?}");
    assert_eq!(diagnosis.well, bad[0].health != Health::Problem, "{diagnosis:?}");
    (bad[0].health, bad[0].message.clone(), bad[0].hint.clone().unwrap())
}

/// What is remarked about it.
fn only_note(diagnosis: &Diagnosis, area: Area) -> String {
    diagnosis.findings.iter().find(|f| f.area == area && f.health == Health::Note).unwrap().message.clone()
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_new_profile_is_well_and_stays_as_it_is() {
    let (_home, place) = home();
    let log = std::fs::read(place.dir.join("db/db")).unwrap();
    let diagnosis = look(&place);
    assert!(diagnosis.well && !diagnosis.running, "{diagnosis:?}");
    let ok = |area| diagnosis.findings.iter().any(|f| f.area == area && f.health == Health::Ok);
    for area in [Area::Folder, Area::KeyFile, Area::Store, Area::Lock, Area::Clock, Area::Socket, Area::Config] {
        assert!(ok(area), "{area}: {diagnosis:?}");
    }
    assert_eq!(diagnosis.findings[0].area, Area::Node);
    // It has no remark but the one that helps.
    let remarks: Vec<_> =
        diagnosis.findings.iter().filter(|f| f.health != Health::Ok).map(|f| f.hint.as_deref()).collect();
    assert_eq!(remarks, [Some("`rohrpost run` starts one")], "{diagnosis:?}");
    assert_eq!(std::fs::read(place.dir.join("db/db")).unwrap(), log);
}

#[test]
fn snapshots_are_missed_where_there_could_be_some() {
    let (_home, place) = home();
    let now = WallTime(1_800_000_000_000);
    let look = |made: Option<WallTime>| {
        let mut found = Findings::default();
        files::look_at_snapshots(&place, now, made, &mut found);
        (found.0.remove(0).health, found.0.len())
    };
    assert_eq!(look(Some(now - Millis::from_days(2))), (Health::Ok, 0));
    for made in [Some(now - Millis::from_days(4)), None] {
        assert_eq!(look(made), (Health::Note, 0), "{made:?}");
    }
}

/// What a node says that was begun a moment ago, and knows nobody.
#[test]
fn a_new_node_has_no_remark_but_the_one_that_helps() {
    let mut found = Findings::default();
    reach::look_at_reach(&NetStatus::default(), &mut found);
    reach::look_at_mailboxes(&[], &mut found);
    let remarks: Vec<_> = found.0.iter().filter(|f| f.health != Health::Ok).map(|f| f.area).collect();
    assert_eq!(remarks, [Area::Dht], "{:?}", found.0);
    assert!(found.0.iter().any(|f| f.hint.as_ref().is_some_and(|hint| hint.contains("--bootstrap"))));
}

#[test]
fn files_that_others_can_read_are_told_and_left() {
    let (_home, place) = home();
    chmod(&place.dir.join("key"), 0o644);
    let (health, message, hint) = only(&look(&place), Area::KeyFile);
    assert!(health == Health::Problem && message.ends_with("can be read by others"), "{message}");
    assert!(hint.starts_with("chmod 600 ") && hint.ends_with("/key"), "{hint}");
    chmod(&place.dir.join("key"), 0o600);
    chmod(&place.dir, 0o755);
    assert!(only(&look(&place), Area::Folder).2.starts_with("chmod 700 "));
    assert_eq!(std::fs::metadata(&place.dir).unwrap().permissions().mode() & 0o777, 0o755, "it was changed");
}

#[test]
fn a_missing_and_a_damaged_key_file() {
    let (_home, place) = home();
    let path = place.dir.join("key");
    std::fs::write(&path, "rubbish").unwrap();
    assert_eq!(only(&look(&place), Area::KeyFile).0, Health::Problem);
    std::fs::remove_file(&path).unwrap();
    assert!(only(&look(&place), Area::KeyFile).1.ends_with("is missing"));
}

#[test]
fn a_damaged_store_is_told_with_the_way_out() {
    let (_home, place) = home();
    std::fs::remove_file(place.dir.join("db/db")).unwrap();
    let (health, message, hint) = only(&look(&place), Area::Store);
    assert_eq!((health, message.as_str()), (Health::Problem, "the store is damaged: its database is missing"));
    assert!(hint.contains("rohrpost recover"), "{hint}");
}

/// A row of another table's form in the place of what waits.
struct Spoilt;

impl Table for Spoilt {
    const ID: u8 = Outbox::ID;
    const NAME: &'static str = "Spoilt";
    const UNDER: Under = Under::State;
    type Row = u8;
}

#[test]
fn what_waits_and_cannot_be_read_is_told() {
    let (_home, place) = home();
    let bytes = std::fs::read(place.dir.join("key")).unwrap();
    let (keys, now) = (identity::open_key_file(&bytes, None).unwrap(), Clock::new().now());
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([1; 32]);
    let store = Store::open_existing(&place.dir, &keys.store_key, &mut rng, now).unwrap();
    let mut buffer = store.begin();
    for number in 1..3 {
        buffer.put::<Spoilt>(&outbox_key(&PeerId::from_key_bytes([7; 32]), number), &255).unwrap();
    }
    store.commit(buffer, &mut rng).unwrap();
    drop(store);
    let (health, message, hint) = only(&look(&place), Area::Outbox);
    assert_eq!((health, message.as_str()), (Health::Problem, "2 rows cannot be read: what is there is not sent"));
    assert!(hint.contains("rohrpost recover"), "{hint}");
}

#[test]
fn a_socket_that_was_left_over_and_one_that_is_none() {
    let (_home, place) = home();
    let socket = place.dir.join("node.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(only(&look(&place), Area::Socket).1.contains("left over"));
    std::fs::remove_file(&socket).unwrap();
    std::fs::write(&socket, "x").unwrap();
    assert!(only(&look(&place), Area::Socket).2.starts_with("move it away"));
}

#[test]
fn a_folder_that_can_hold_no_socket_is_told_and_nothing_of_the_trial_stays() {
    let (home, place) = home();
    let deep = home.path().join("d".repeat(100));
    std::fs::rename(&place.dir, &deep).unwrap();
    let files = || std::fs::read_dir(&deep).unwrap().count();
    let before = files();
    let message = only(&look(&Place { dir: deep.clone(), ..place }), Area::Socket).1;
    assert!(message.contains("at most 103 are possible"), "{message}");
    assert_eq!(files(), before);
}

#[test]
fn who_is_in_the_way_is_told_and_the_store_is_left_to_him() {
    let (_home, place) = home();
    let states = [(Code::Busy, NodeState::InUse, false), (Code::NotAnswering, NodeState::Silent, true)];
    for (code, node, running) in states {
        let diagnosis = doctor(&place, Some(ApiError::new(code, "process 7").with_hint("kill")), &mut never).unwrap();
        assert_eq!((diagnosis.node, diagnosis.running, diagnosis.well), (node, running, false));
        assert_eq!(diagnosis.findings[0].area, Area::Node);
        assert_eq!(only(&diagnosis, Area::Node), (Health::Problem, "process 7".to_owned(), "kill".to_owned()));
        assert!(only_note(&diagnosis, Area::Store).starts_with("not looked at"));
        assert!(!diagnosis.findings.iter().any(|finding| finding.area == Area::Socket), "{diagnosis:?}");
    }
    // What else keeps a node from being asked is told, and all is looked at.
    let diagnosis = doctor(&place, Some(ApiError::new(Code::Io, "no permission")), &mut never).unwrap();
    assert_eq!(diagnosis.node, NodeState::Off);
    assert!(diagnosis.findings.iter().any(|f| f.area == Area::Store && f.health == Health::Ok), "{diagnosis:?}");
}

#[test]
fn what_recover_kept_is_not_forgotten() {
    let (_home, place) = home();
    std::fs::create_dir(place.dir.with_file_name("a.damaged-17")).unwrap();
    assert!(only(&look(&place), Area::Folder).2.contains("rm -r"));
}

#[test]
fn clocks_that_are_wrong() {
    let now = WallTime(1_800_000_000_000);
    let look = |now: WallTime, before: Option<WallTime>| {
        let mut found = Findings::default();
        let clock = before.map(|before| ClockRow::new(before).at(now));
        surroundings::look_at_clock(now, clock.as_ref(), &mut found);
        (found.0[0].health, found.0[0].message.clone())
    };
    for before in [now, now + Millis::from_secs(30), now - Millis::from_hours(23)] {
        assert_eq!(look(now, Some(before)).0, Health::Ok, "{before}");
    }
    let behind = look(now, Some(now + Millis::from_hours(5)));
    assert_eq!(behind, (Health::Problem, "it stands 5 hours before the time that it showed already".to_owned()));
    let (health, message) = look(now + Millis::from_days(500), Some(now));
    assert!(health == Health::Note && message.starts_with("it stands 500 days further ahead"), "{message}");
    assert_eq!(look(WallTime(0), None).0, Health::Problem);
}

#[test]
fn a_port_that_is_taken() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (_home, place) = home();
    let config = place.config.as_ref().unwrap();
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    let addr = format!("/ip4/127.0.0.1/tcp/{}", held.local_addr().unwrap().port());
    std::fs::write(config, format!("listen = ['{addr}']")).unwrap();
    let diagnosis = look(&place);
    assert!(
        diagnosis.findings.iter().any(|f| f.health == Health::Problem && f.message.contains(&addr)),
        "{diagnosis:?}"
    );
    std::fs::write(config, "lisen = 1").unwrap();
    let diagnosis = look(&place);
    let (health, message, _) = only(&diagnosis, Area::Config);
    assert!(health == Health::Problem && message.contains(".toml, line 1: unknown field `lisen`"), "{message}");
    assert!(!message.contains('\n'), "{message}");
}

/// What the node was told by flags counts, not what the next one would read in the configuration.
#[test]
fn mdns_is_told_as_the_node_has_it() {
    let (_home, place) = home();
    let settings = surroundings::look_at_config(&place, &mut Findings::default());
    assert!(settings.as_ref().unwrap().mdns);
    for (mdns, word) in [(MdnsStatus::Off, "--no-mdns"), (MdnsStatus::Flooded, "start the node again")] {
        let mut found = Findings::default();
        let listen_addrs = vec!["/ip4/127.0.0.1/tcp/1".to_owned()];
        surroundings::look_at_network(
            settings.as_ref(),
            Some(&NetStatus { mdns, listen_addrs, ..NetStatus::default() }),
            &mut found,
        );
        let noted: Vec<_> = found.0.iter().filter_map(|finding| finding.hint.clone()).collect();
        assert!(matches!(&noted[..], [hint] if hint.contains(word)), "{noted:?}");
    }
}
