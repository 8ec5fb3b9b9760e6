use super::super::testing::*;
use super::*;
use crate::base::limits::MAX_PARENTS;
use crate::group::{Role, Setting};

/// GRP-31: the heads of what counts; in an add all own ends of who is added, and what he has seen.
#[test]
fn an_add_knows_all_that_would_end_it() {
    let mut g = Table::new();
    let base = [g.base];
    let down = g.acts('B', demote(peer('B')), &base);
    let lefts: Vec<_> = (0..2).map(|at| g.acts('B', Act::Leave { upto: at }, &base)).collect();
    g.acts('A', remove(peer('B')), &base);
    let now = g.now();
    assert!(!now.counts(&g.log, down) && lefts.iter().all(|left| !now.counts(&g.log, *left)));
    let heads = now.heads(&g.log);
    assert_eq!(now.front(&g.log, peer('A'), g.root, &name("a")), Front::Ready(heads.clone()));
    let joined: Vec<_> = lefts.iter().chain(&heads).copied().collect();
    let seen = g.acts('A', Act::Set(Setting::Nothing), &joined);
    let added = g.agreed('B', Role::Admin, seen);
    let Front::Ready(parents) = g.now().front(&g.log, peer('A'), g.root, &added) else { panic!() };
    assert_eq!(parents, {
        let mut all = vec![seen, down];
        all.sort_unstable();
        all
    });
    g.does('A', added);
    assert!(g.now().admins.contains_key(&peer('B')));
}

/// GRP-31: what somebody has seen who agrees is named, also if it does not count.
#[test]
fn an_add_knows_what_its_ground_names() {
    let mut g = Table::new();
    let base = [g.base];
    g.acts('A', demote(peer('B')), &base);
    let void = g.acts('B', remove(peer('X')), &base);
    assert!(!g.now().counts(&g.log, void));
    let added = g.agreed('X', Role::Admin, void);
    g.does('A', added);
    assert!(g.now().admins.contains_key(&peer('X')));
}

/// GRP-31: a leave that cannot name all heads names the standing that it is under.
#[test]
fn a_leave_knows_its_standing() {
    let mut g = Table::new();
    let root = [g.root];
    for who in 'D'..='P' {
        let added = g.agreed(who, Role::Member, g.root);
        g.acts('A', added, &root);
    }
    for who in 'D'..='P' {
        let under = g.under[&who];
        let Front::Ready(parents) = g.now().front(&g.log, peer(who), under, &LEAVE) else { panic!("{who}") };
        assert!(parents.contains(&under) && parents.len() == MAX_PARENTS, "{who}");
    }
}

/// GRP-31: too many heads are joined first; a leave need not know them all, but its standing.
#[test]
fn too_many_heads_are_joined_first() {
    let mut g = Table::new();
    let root = [g.root];
    let d = g.agreed('D', Role::Member, g.root);
    let d = g.acts('A', d, &root);
    let heads: Vec<_> = (0..12).map(|at| g.acts('B', name(&format!("{at}")), &[g.base])).collect();
    let front = |g: &Table, act: &Act, who| g.now().front(&g.log, peer(who), g.under[&who], act);
    let Front::Join(joined) = front(&g, &name("all"), 'A') else { panic!("13 heads") };
    assert_eq!(joined.len(), MAX_PARENTS);
    assert!(joined.is_sorted() && joined.iter().all(|head| heads.contains(head) || *head == d));
    let Front::Ready(parents) = front(&g, &LEAVE, 'D') else { panic!("a leave") };
    assert!(parents.contains(&d) && parents.len() == MAX_PARENTS && parents.is_sorted());
    let Front::Ready(_) = front(&g, &demote(peer('B')), 'B') else { panic!("stepping down") };
    let Front::Join(_) = front(&g, &demote(peer('C')), 'B') else { panic!("13 heads") };
    let mut joins = 0;
    while let Front::Join(parents) = front(&g, &name("all"), 'A') {
        g.acts('A', Act::Set(Setting::Nothing), &parents);
        joins += 1;
    }
    g.does('A', name("all"));
    assert_eq!((joins, g.now().name.as_str(), g.now().heads(&g.log).len()), (1, "all", 1));
}
