use super::super::testing::*;
use super::*;
use crate::base::limits::MAX_WAITING_OPERATIONS;
use crate::base::limits::MAX_WAITING_PER_SENDER;
use crate::group::{Consent, Content, Setting};

const NOTHING: Act = Act::Set(Setting::Nothing);

fn add(table: &mut Table, operation: Operation) -> Outcome {
    table.log.add(operation, peer('A'), WallTime(0))
}

/// GRP-13: one beginning, of this group.
#[test]
fn a_group_has_one_beginning() {
    let mut table = Table::new();
    let mut rng = rand_chacha::rand_core::SeedableRng::seed_from_u64(2);
    let other = Content::create(&mut rand_chacha::ChaCha20Rng::clone(&rng), "another", 50, TIME).sign(&keys('A'));
    assert_eq!(add(&mut table, other.clone()), Outcome::Refused(Fault::Group));
    let elsewhere = Content { group: other.group_id(), ..table_content(&table, NOTHING) };
    assert_eq!(add(&mut table, elsewhere.sign(&keys('A'))), Outcome::Refused(Fault::Group));
    let mut late = Content::create(&mut rng, "a group", 50, TIME);
    late.parents = vec![table.base];
    let late = late.sign(&keys('A'));
    let mut log = Log::new(late.group_id());
    assert_eq!(log.add(late, peer('A'), WallTime(0)), Outcome::Refused(Fault::Beginning));
    let mut below = Content::create(&mut rng, "a group", 50, TIME);
    below.under = Some(table.root);
    let below = below.sign(&keys('A'));
    let mut log = Log::new(below.group_id());
    assert_eq!(log.add(below, peer('A'), WallTime(0)), Outcome::Refused(Fault::Beginning));
}

fn table_content(table: &Table, act: Act) -> Content {
    Content { group: table.group(), parents: vec![table.base], under: Some(table.root), act, time: TIME }
}

/// GRP-13: 1 to 8 parents, ascending.
#[test]
fn parents_are_one_to_eight() {
    let mut table = Table::new();
    let many: Vec<_> = (0..9).map(|at| table.acts('A', name(&format!("{at}")), &[table.base])).collect();
    assert_eq!(table.refused('A', NOTHING, &[]), Fault::Parents);
    assert_eq!(table.refused('A', NOTHING, &many), Fault::Parents);
    let mut eight = many[..8].to_vec();
    eight.sort_unstable();
    for (wrong, at) in [(eight.iter().rev().copied().collect(), 1), ([eight[0], eight[0]].to_vec(), 2)] {
        let content = Content { parents: wrong, ..table_content(&table, NOTHING) };
        let disordered = Operation::with_id(OperationId::new([at; 32]), peer('A'), content, None);
        assert_eq!(add(&mut table, disordered), Outcome::Refused(Fault::Parents));
    }
    table.acts('A', NOTHING, &eight);
}

/// GRP-14: who acts is what he says he is, as far as is known behind the act.
#[test]
fn who_acts_names_a_standing_of_his_own() {
    let mut table = Table::new();
    let base = table.base;
    let b = table.under[&'B'];
    for (who, under, parents) in [('B', table.root, base), ('B', b, table.root), ('B', base, base)] {
        let operation = table.signed(who, NOTHING, &[parents], under);
        assert_eq!(add(&mut table, operation), Outcome::Refused(Fault::Standing), "{who} {under}");
    }
    let without = Content { under: None, ..table_content(&table, NOTHING) }.sign(&keys('A'));
    assert_eq!(add(&mut table, without), Outcome::Refused(Fault::Standing));
    let set = table.acts('B', NOTHING, &[base]);
    let no_standing = table.signed('B', NOTHING, &[set], set);
    assert_eq!(add(&mut table, no_standing), Outcome::Refused(Fault::Standing));
}

/// GRP-14: a member leaves, and does nothing else.
#[test]
fn a_member_only_leaves() {
    let mut table = Table::new();
    let base = [table.base];
    for act in
        [NOTHING, remove(peer('C')), demote(peer('C')), Act::Other(77), table.agreed('D', Role::Member, table.root)]
    {
        assert_eq!(table.refused('X', act.clone(), &base), Fault::Office, "{act:?}");
    }
    table.acts('X', demote(peer('X')), &base);
    table.acts('X', LEAVE, &base);
    table.acts('B', Act::Other(77), &base);
}

/// GRP-16: nobody adds himself, nor one too many below each other.
#[test]
fn appointments_are_bounded() {
    let mut table = Table::new();
    let own = table.agreed('B', Role::Admin, table.root);
    assert_eq!(table.refused('B', own, &[table.base]), Fault::Himself);
    // A is 0, B is 1, D is 2 …
    let mut above = 'B';
    for who in ('D'..='W').take(MAX_APPOINTMENTS - 1) {
        let added = table.agreed(who, Role::Admin, table.root);
        table.does(above, added);
        above = who;
    }
    let added = table.agreed('Y', Role::Member, table.root);
    assert_eq!(table.refused(above, added, &[table.under[&above]]), Fault::Depth);
    let unsound =
        Act::Add { person: PeerId::from_key_bytes([0; 32]), role: Role::Member, ground: Ground::Base(table.root) };
    assert_eq!(table.refused('A', unsound, &[table.base]), Fault::Person);
}

/// GRP-18: a consent is the person's own, for this group, and of what is known.
#[test]
fn nobody_is_added_who_did_not_agree() {
    let mut table = Table::new();
    let (base, group, root) = (table.base, table.group(), table.root);
    let with = |consent| Act::Add { person: peer('D'), role: Role::Member, ground: Ground::Consent(consent) };
    let other_group = GroupId::new([1; 32]);
    for consent in [
        Consent::sign(&keys('B'), group, root),
        Consent::sign(&keys('D'), other_group, root),
        Consent::from_parts(base, *Consent::sign(&keys('D'), group, root).signature()),
        Consent::from_parts(root, [0; 64]),
    ] {
        assert_eq!(table.refused('A', with(consent), &[base]), Fault::Consent, "{consent:?}");
    }
    let late = table.acts('A', NOTHING, &[base]);
    assert_eq!(table.refused('A', with(Consent::sign(&keys('D'), group, late)), &[base]), Fault::Ground);
    assert_eq!(
        table.refused('A', with(Consent::sign(&keys('D'), group, OperationId::new([9; 32]))), &[base]),
        Fault::Ground
    );
    table.acts('A', with(Consent::sign(&keys('D'), group, late)), &[late]);
}

/// GRP-17: a base is a standing of his, and makes an admin.
#[test]
fn a_base_is_a_standing_of_who_is_added() {
    let mut table = Table::new();
    let base = [table.base];
    let with = |role, standing| Act::Add { person: peer('X'), role, ground: Ground::Base(standing) };
    let (x, c) = (table.under[&'X'], table.under[&'C']);
    let set = table.acts('A', NOTHING, &base);
    for (act, parents) in [
        (with(Role::Member, x), base[0]),
        (with(Role::Admin, c), base[0]),
        (with(Role::Admin, set), set),
        (with(Role::Admin, x), c),
    ] {
        assert_eq!(table.refused('A', act.clone(), &[parents]), Fault::Ground, "{act:?}");
    }
    table.acts('A', with(Role::Admin, x), &base);
}

/// GRP-19: who was out comes back by a new consent only, be it his leave or his removal.
#[test]
fn who_was_out_agrees_anew() {
    for leaves in [true, false] {
        let mut table = Table::new();
        let (base, root) = ([table.base], table.root);
        let end = if leaves { table.acts('X', LEAVE, &base) } else { table.acts('A', remove(peer('X')), &base) };
        let (old, office) = (table.agreed('X', Role::Member, root), table.office('X'));
        assert_eq!(table.refused('A', old.clone(), &[end]), Fault::Ended);
        assert_eq!(table.refused('A', office, &[end]), Fault::Ended);
        // Who does not know the end cannot know better.
        table.acts('B', old, &base);
        let (at_end, behind) = (table.agreed('X', Role::Member, end), table.acts('A', NOTHING, &[end]));
        table.acts('A', at_end, &[end]);
        let after = table.agreed('X', Role::Member, behind);
        table.acts('A', after, &[behind]);
    }
}

/// GRP-12: what waits is admitted, or refused, when what it builds on is here; whatever the order.
#[test]
fn what_waits_follows() {
    let table = Table::new();
    let all: Vec<Operation> = table.log.operations().cloned().collect();
    let mut log = Log::new(table.group());
    for operation in all[1..].iter().rev() {
        assert_eq!(log.add(operation.clone(), peer('B'), WallTime(0)), Outcome::Waits);
    }
    assert_eq!(log.waiting(), 3);
    let lacked = log.lacked();
    assert_eq!(lacked, BTreeMap::from([(table.root, BTreeSet::from([peer('B')]))]));
    let ids: Vec<_> = all.iter().map(Operation::id).collect();
    assert_eq!(log.add(all[0].clone(), peer('B'), WallTime(0)), Outcome::Admitted(ids));
    assert_eq!(log.add(all[0].clone(), peer('B'), WallTime(0)), Outcome::Known);
    assert_eq!((log.waiting(), log.lacked().len()), (0, 0));
    assert_eq!(log.get(table.base).map(Operation::id), Some(table.base));
    assert!(log.knows(table.base, table.root) && !log.knows(table.root, table.base));
}

/// GRP-12: what builds on what was refused is refused, also when it waited for it.
#[test]
fn what_builds_on_what_was_refused_is_refused() {
    let mut table = Table::new();
    let bad = table.signed('X', NOTHING, &[table.base], table.under[&'X']);
    let on_it = table.signed('A', NOTHING, &[bad.id()], table.root);
    let on_that = table.signed('B', NOTHING, &[on_it.id()], table.under[&'B']);
    assert_eq!(add(&mut table, on_it.clone()), Outcome::Waits);
    assert_eq!(add(&mut table, bad), Outcome::Refused(Fault::Office));
    assert_eq!(table.log.waiting(), 0);
    assert_eq!(add(&mut table, on_it), Outcome::Refused(Fault::Again));
    assert_eq!(add(&mut table, on_that), Outcome::Refused(Fault::Behind));
}

/// GRP-20: whoever hands in what has no parents takes his own places, then those of who has most.
#[test]
fn what_waits_is_bounded() {
    let mut table = Table::new();
    let nowhere = |at: u16| OperationId::new(std::array::from_fn(|byte| at.to_be_bytes()[byte % 2]));
    let orphan = |table: &Table, at| table.signed('A', NOTHING, &[nowhere(at)], table.root);
    let honest = orphan(&table, 0);
    let hold = |table: &mut Table, operation, from: u8| {
        let outcome = table.log.add(operation, PeerId::from_key_bytes([from; 32]), WallTime(u64::from(from)));
        assert_eq!(outcome, Outcome::Waits);
    };
    hold(&mut table, honest, 0);
    for at in 1..100 {
        let operation = orphan(&table, at);
        hold(&mut table, operation, 1);
    }
    assert_eq!(table.log.waiting(), MAX_WAITING_PER_SENDER + 1);
    assert!(table.log.lacked().contains_key(&nowhere(99)) && !table.log.lacked().contains_key(&nowhere(67)));
    for at in 100..500 {
        let operation = orphan(&table, at);
        hold(&mut table, operation, u8::try_from(2 + at % 8).unwrap());
    }
    assert_eq!(table.log.waiting(), MAX_WAITING_OPERATIONS);
    assert!(table.log.lacked().contains_key(&nowhere(0)), "who has one keeps it");
    table.log.drop_waiting(WallTime(2));
    assert!(!table.log.lacked().contains_key(&nowhere(0)) && table.log.waiting() > 200);
}

/// GRP-4: what only a newer program reads is not asked for again, and holds up what builds on it.
#[test]
fn what_is_newer_waits() {
    let mut table = Table::new();
    let newer = OperationId::new([5; 32]);
    let on_it = table.signed('A', NOTHING, &[newer], table.root);
    assert_eq!(add(&mut table, on_it), Outcome::Waits);
    assert!(table.log.lacked().contains_key(&newer) && !table.log.wants_update());
    table.log.add_newer(newer, peer('A'), WallTime(0));
    assert!(table.log.lacked().is_empty() && table.log.wants_update());
    let beside = table.signed('A', NOTHING, &[table.base], table.root);
    assert!(matches!(add(&mut table, beside), Outcome::Admitted(_)));
}

/// GRP-20: of what was refused the last is remembered, and the first is refused all the same.
#[test]
fn what_is_remembered_of_refusals_is_bounded() {
    let mut table = Table::new();
    let bad = |table: &Table, at: u64| {
        let content = Content { under: Some(table.under[&'X']), time: at, ..table_content(table, NOTHING) };
        Operation::with_id(
            OperationId::new(std::array::from_fn(|byte| at.to_be_bytes()[byte % 8])),
            peer('X'),
            content,
            None,
        )
    };
    for at in 0..=MAX_REFUSED_OPERATIONS as u64 {
        let operation = bad(&table, at);
        assert_eq!(add(&mut table, operation), Outcome::Refused(Fault::Office));
    }
    let (first, second) = (bad(&table, 0), bad(&table, 2));
    assert_eq!(add(&mut table, first), Outcome::Refused(Fault::Office));
    assert_eq!(add(&mut table, second), Outcome::Refused(Fault::Again));
}
