use super::super::testing::*;
use super::*;
use crate::base::WallTime;
use crate::group::Fault;

/// GRP-25, GRP-27: remove X, add X by another: out, and back by a new consent only.
#[test]
fn a_removal_wins_over_an_add_that_does_not_know_it() {
    let mut g = Table::new();
    let (base, root) = ([g.base], g.root);
    let removed = g.acts('A', remove(peer('X')), &base);
    let again = g.agreed('X', Role::Member, root);
    g.acts('B', again.clone(), &base);
    assert_eq!(g.members(), "ABC");
    assert_eq!(g.refused('B', again, &[removed]), Fault::Ended);
    let anew = g.agreed('X', Role::Member, removed);
    g.does('B', anew);
    assert_eq!(g.members(), "ABCX");
}

/// GRP-23, GRP-24: two admins remove each other: the senior stays, and what the other did beside it is void.
#[test]
fn of_two_who_remove_each_other_the_senior_stays() {
    let mut g = Table::new();
    let base = [g.base];
    let by_b = g.acts('B', remove(peer('C')), &base);
    let by_c = g.acts('C', remove(peer('B')), &base);
    assert_eq!(g.members(), "ABX");
    assert_eq!(g.now().void(&g.log), [by_c]);
    assert_eq!(g.now().voided_by(&g.log, by_c), [by_b]);
    assert!(g.now().voided_by(&g.log, by_b).is_empty());
}

/// GRP-25: demote B, B adds D: D is not in, and it can be said why; nor is whom D adds.
#[test]
fn what_an_end_does_not_know_is_void() {
    let mut g = Table::new();
    let (base, root) = ([g.base], g.root);
    let demoted = g.acts('A', demote(peer('B')), &base);
    let d = g.agreed('D', Role::Admin, root);
    let added = g.acts('B', d, &base);
    let e = g.agreed('E', Role::Member, root);
    let below = g.acts('D', e, &[added]);
    assert_eq!(g.members(), "ABCX");
    let now = g.now();
    assert_eq!(now.void(&g.log), [added, below]);
    assert_eq!(now.voided_by(&g.log, added), [demoted]);
    assert_eq!(now.voided_by(&g.log, below), [demoted]);
    assert!(!now.stands(&g.log, below) && !now.counts(&g.log, below) && now.counts(&g.log, demoted));
    assert!(!now.admins.contains_key(&peer('B')) && now.seats.contains(&(peer('B'), Role::Member)));
}

/// GRP-25: what an end knows stays as it was done.
#[test]
fn what_an_end_knows_stays() {
    let mut g = Table::new();
    let d = g.agreed('D', Role::Member, g.root);
    g.does('B', d);
    g.does('A', remove(peer('B')));
    assert_eq!(g.members(), "ACDX");
}

/// GRP-24, GRP-27: remove X, make X an admin: out if who removes him outranks the new office, else he is one.
#[test]
fn a_junior_removes_no_new_admin() {
    let mut g = Table::new();
    let (d, office) = (g.agreed('D', Role::Admin, g.root), g.office('X'));
    g.does('C', d);
    let before = [g.under[&'D']];
    g.acts('A', office, &before);
    g.acts('D', remove(peer('X')), &before);
    assert_eq!(g.members(), "ABCDX");
    assert!(g.now().admins.contains_key(&peer('X')));
    g.acts('A', remove(peer('X')), &before);
    assert_eq!(g.members(), "ABCD");
}

/// GRP-27: who stepped down, or was demoted as the remover knew, is removed like a member, by a junior, too.
#[test]
fn who_is_no_admin_any_more_is_removed_like_a_member() {
    for by_himself in [true, false] {
        let mut g = Table::new();
        let base = [g.base];
        let down =
            if by_himself { g.acts('B', demote(peer('B')), &base) } else { g.acts('A', demote(peer('B')), &base) };
        let mut unaware = Table { log: g.log.clone(), under: g.under.clone(), ..g };
        unaware.acts('C', remove(peer('B')), &base);
        assert_eq!(unaware.members(), "ABCX", "C did not know it");
        let mut aware = Table { log: unaware.log.clone(), under: unaware.under.clone(), ..unaware };
        aware.acts('C', remove(peer('B')), &[down]);
        assert_eq!(aware.members(), "ACX");
    }
}

/// GRP-24: leave, anything: out.
#[test]
fn who_leaves_is_out_whatever_is_beside_it() {
    let mut g = Table::new();
    let base = [g.base];
    g.acts('X', LEAVE, &base);
    let office = g.office('X');
    g.acts('A', office, &base);
    assert_eq!(g.members(), "ABC");
    g.acts('A', LEAVE, &base);
    assert_eq!(g.members(), "BC");
}

/// GRP-25: an own end voids what knows it, and not what was done before: nobody undoes what he did by leaving in the past.
#[test]
fn an_own_end_voids_only_what_knows_it() {
    let mut g = Table::new();
    let d = g.agreed('D', Role::Member, g.root);
    let added = g.acts('B', d, &[g.base]);
    let left = g.acts('B', LEAVE, &[g.base]);
    let after = g.acts('B', name("after"), &[left]);
    let late = g.acts('B', name("hung in"), &[added]);
    assert_eq!(g.members(), "ACDX");
    let now = g.now();
    assert_eq!(now.void(&g.log), [after]);
    assert_eq!(now.voided_by(&g.log, after), [left]);
    assert!(now.stands(&g.log, late));
    // Until somebody who outranks him confirms it.
    assert_eq!(now.latent(&g.log, peer('B')), Some(g.under[&'B']));
    g.acts('A', demote(peer('B')), &[left]);
    let now = g.now();
    assert_eq!(now.latent(&g.log, peer('B')), None);
    assert!(!now.stands(&g.log, late) && !now.stands(&g.log, added));
}

/// GRP-32: the confirmation of a leave does not throw out who has come back.
#[test]
fn a_confirmation_takes_no_seat() {
    let mut g = Table::new();
    let left = g.acts('B', LEAVE, &[g.base]);
    let back = g.agreed('B', Role::Member, left);
    g.acts('C', back, &[left]);
    g.acts('A', demote(peer('B')), &[left]);
    assert_eq!(g.members(), "ABCX");
    assert_eq!(g.now().latent(&g.log, peer('B')), None);
}

/// GRP-29: of two names beside each other the senior's; of two of one author's the later; what means nothing changes nothing.
#[test]
fn the_newest_setting_is_the_seniors() {
    let mut g = Table::new();
    let base = [g.base];
    assert_eq!((g.now().name.as_str(), g.now().limit), ("a group", 50));
    g.acts('C', name("c"), &base);
    let b = g.acts('B', name("b"), &base);
    assert_eq!(g.now().name, "b");
    let both = [name("one"), name("other")].map(|act| (g.acts('B', act.clone(), &[b]), act));
    let Some((_, Act::Set(Setting::Name(lower)))) = both.iter().min_by_key(|(id, _)| *id).cloned() else { panic!() };
    assert_eq!(g.now().name, lower);
    let limit = g.does('C', Act::Set(Setting::Limit(2)));
    g.acts('C', Act::Set(Setting::Nothing), &[limit]);
    assert_eq!((g.now().limit, g.now().name), (2, lower));
    // GRP-28: the limit takes nobody's seat.
    assert_eq!(g.members(), "ABCX");
}

/// GRP-24: a senior who removes a junior from far back voids all that he did since.
#[test]
fn a_senior_voids_from_far_back() {
    let mut g = Table::new();
    let base = [g.base];
    // What is void already is not told again.
    g.acts('A', demote(peer('C')), &base);
    g.acts('C', name("void"), &base);
    let removed = g.does('B', remove(peer('X')));
    let d = g.agreed('D', Role::Member, g.root);
    let added = g.does('B', d);
    assert_eq!(g.members(), "ABCD");
    let end = g.signed('A', remove(peer('B')), &base, g.root);
    assert_eq!(g.now().would_void(&g.log, end), [removed, added]);
    g.acts('A', remove(peer('B')), &base);
    assert_eq!(g.members(), "ACX");
}

/// GRP-23: of those whom one has appointed he is senior whose add knows less, then that with the lower ID; not who came first.
#[test]
fn ranks_do_not_go_by_arrival() {
    let g = Table::new();
    let add = |who, parent| g.signed('A', g.agreed(who, Role::Member, g.root), &[parent], g.root);
    let late = add('D', g.base);
    let mut beside: Vec<_> = ('E'..='K').map(|who| add(who, g.root)).collect();
    let orders: [fn(&mut Vec<Operation>); 2] = [|_| {}, |all| all.reverse()];
    let outcomes = orders.map(|order| {
        let mut log = g.log.clone();
        let mut all = vec![late.clone()];
        all.extend(beside.iter().cloned());
        order(&mut all);
        all.into_iter().for_each(|operation| drop(log.add(operation, peer('A'), WallTime(0))));
        Evaluation::of(&log).seats.into_iter().map(|(person, _)| person).collect::<Vec<_>>()
    });
    beside.sort_by_key(Operation::id);
    let by_id: Vec<_> = beside.iter().filter_map(|add| add.standing()).map(|(person, _)| person).collect();
    for outcome in outcomes {
        let places: Vec<_> =
            by_id.iter().chain([&peer('D')]).map(|who| outcome.iter().position(|p| p == who)).collect();
        assert!(places.is_sorted(), "{places:?}");
    }
}

/// GRP-27: a remover who knows of a leave knows of no demote: what the person did himself still counts.
#[test]
fn a_leave_is_no_demote() {
    let mut g = Table::new();
    let (b, base) = ([g.under[&'B']], [g.base]);
    let first = g.acts('B', LEAVE, &b);
    let second = g.acts('B', LEAVE, &base);
    g.acts('C', remove(peer('B')), &[second]);
    assert!(g.now().counts(&g.log, first));
    g.acts('A', remove(peer('B')), &[second]);
    assert!(!g.now().counts(&g.log, first));
}

/// GRP-28: of more than there are seats the first by rank have them, admins before members.
#[test]
fn seats_go_by_rank() {
    let mut g = Table::new();
    for who in 'D'..='G' {
        let added = g.agreed(who, if who == 'G' { Role::Admin } else { Role::Member }, g.root);
        g.does('B', added);
    }
    g.log.bounds.seats = 5;
    let now = g.now();
    assert_eq!(now.seats.iter().map(|(who, _)| *who).collect::<Vec<_>>(), ['A', 'B', 'C', 'G', 'X'].map(peer));
    assert_eq!(now.beyond, ['D', 'E', 'F'].map(peer));
}

/// GRP-30, GRP-33: a flood of who was removed counts for nobody, and is forgotten; so is one behind his leave.
#[test]
fn a_flood_behind_a_removal_is_forgotten() {
    for leaves in [false, true] {
        let mut g = Table::new();
        let base = g.base;
        g.acts('A', remove(peer('C')), &[base]);
        let before = g.now();
        let (heads, seats) = (before.heads(&g.log), before.seats.clone());
        let mut last = base;
        for at in 0..60 {
            last = g.acts('C', name(&format!("{at}")), &[last]);
        }
        if leaves {
            g.acts('C', LEAVE, &[last]);
        }
        let now = g.now();
        assert_eq!((now.heads(&g.log), now.seats.clone()), (heads.clone(), seats.clone()));
        let gone = now.forget(&mut g.log, 8, peer('A'));
        assert_eq!((gone.len(), g.log.operations().count()), (52 + usize::from(leaves), 5 + 8));
        let now = g.now();
        assert_eq!((now.heads(&g.log), now.seats), (heads, seats));
        // Whoever names one makes it lacked.
        let on_it = g.signed('A', name("on it"), &[last], g.root);
        assert_eq!(g.log.add(on_it, peer('C'), WallTime(0)), crate::group::Outcome::Waits);
        assert!(g.log.lacked().contains_key(&last));
    }
}

/// GRP-33: one's own stays, with what is behind it.
#[test]
fn what_one_made_is_not_forgotten() {
    let mut g = Table::new();
    let base = [g.base];
    g.acts('A', remove(peer('C')), &base);
    let one = g.acts('C', name("one"), &base);
    let own = g.acts('B', Act::Set(Setting::Nothing), &[one]);
    g.acts('A', remove(peer('B')), &base);
    let now = g.now();
    assert!(!now.counts(&g.log, own) && !now.counts(&g.log, one));
    let mut other = g.log.clone();
    assert_eq!(now.forget(&mut other, 0, peer('A')), [one, own]);
    assert_eq!(now.forget(&mut g.log, 0, peer('B')), []);
}

/// GRP-30: of own ends the first leave counts, and the first demotion where nobody else has ended the office.
#[test]
fn of_own_ends_the_first_counts() {
    let mut g = Table::new();
    let base = [g.base];
    let downs: Vec<_> = (0..2).map(|_| g.acts('B', demote(peer('B')), &[g.now().heads(&g.log)[0]])).collect();
    let lefts: Vec<_> = (0..2).map(|at| g.acts('B', Act::Leave { upto: at }, &base)).collect();
    let first = *lefts.iter().min().unwrap();
    let now = g.now();
    let counted = |ids: &[OperationId]| ids.iter().filter(|id| now.counts(&g.log, **id)).count();
    assert_eq!((counted(&downs[..1]), counted(&lefts)), (1, 1));
    assert!(now.counts(&g.log, first));
    g.acts('A', demote(peer('B')), &base);
    let now = g.now();
    assert!(!now.counts(&g.log, downs[0]) && now.counts(&g.log, first));
    g.acts('A', remove(peer('B')), &base);
    let now = g.now();
    assert!(!now.counts(&g.log, downs[0]) && !now.counts(&g.log, first));
}
