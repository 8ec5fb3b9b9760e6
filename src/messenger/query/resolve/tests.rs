use proptest::prelude::*;

use super::*;

fn peer(n: u8) -> PeerId {
    PeerId::from_key_bytes([n; 32])
}

/// A contact: what we call him, and what he called himself.
fn contact(n: u8, given: &str, own: &str) -> Known {
    Known {
        peer: peer(n),
        given: given.to_owned(),
        own: own.to_owned(),
        contact: true,
        accepted: true,
        verified: false,
    }
}

/// Somebody who is none (any more).
fn other(n: u8, own: &str) -> Known {
    Known { contact: false, ..late(n, own) }
}

/// A contact who told his name only afterwards, when it meant somebody else.
fn late(n: u8, own: &str) -> Known {
    Known { accepted: false, ..contact(n, "", own) }
}

fn end(n: u8) -> String {
    peer(n).short()
}

/// Whom it means: one, or so many.
fn found(known: &[Known], text: &str) -> Result<u8, usize> {
    match meant(known, text) {
        Ok(id) => Ok((0..=255).find(|n| peer(*n) == id).unwrap()),
        Err(ResolveError::NotFound) => Err(0),
        Err(ResolveError::Ambiguous(found, more)) => Err(found.len() + more),
        Err(ResolveError::Store(error)) => panic!("{error}"),
    }
}

#[test]
fn ranks_go_before_one_another() {
    let known = [
        contact(1, "Bob Smith", "Robert"),
        contact(2, "", "bob"),
        contact(3, "Zoë", "Zoe"),
        other(4, "Dave"),
        late(5, "BOB"),
        late(6, "Bob S"),
        late(7, "Eve"),
    ];
    for (text, who) in [
        ("bob smith", Ok(1)),
        (" BOB  SMITH ", Ok(1)),
        // The own name of somebody to whom we gave none; a beginning does not go before it.
        ("bob", Ok(2)),
        ("bob s", Ok(1)),
        ("zoe\u{308}", Ok(3)),
        ("zo", Err(0)),
        ("dave", Ok(4)),
        ("eve", Ok(7)),
        // Never a beginning of an own name, nor one that has made way for a name that we gave.
        ("dav", Err(0)),
        ("robert", Err(0)),
        ("zoe", Err(0)),
        ("", Err(0)),
        ("\u{200B}", Err(0)),
        ("…", Err(0)),
        ("nobody", Err(0)),
    ] {
        assert_eq!(found(&known, text), who, "{text:?}");
    }
}

#[test]
fn a_peer_is_meant_by_its_id_or_the_end_of_it() {
    let known = [contact(1, "Bob", ""), contact(2, "", "Eve"), other(3, "")];
    for n in [1, 2, 3] {
        for text in [peer(n).to_string(), end(n), format!("…{}", end(n)), format!("...{}", end(n))] {
            assert_eq!(found(&known, &text), Ok(n), "{text}");
        }
        // As printed, and no shorter; the beginning is that of everybody.
        for text in [format!("…{}", &end(n)[1..]), end(n)[1..].to_owned(), peer(n).to_string()[..20].to_owned()] {
            assert_eq!(found(&known, &text), Err(0), "{text}");
        }
        assert_eq!(found(&known, &end(n).to_lowercase()), Err(0));
    }
    assert_eq!(found(&known, &peer(9).to_string()), Ok(9), "a whole one is that of anybody");
    assert_eq!(found(&known, &format!("…{}", end(9))), Err(0));
}

#[test]
fn what_is_printed_of_a_peer_is_never_a_name_and_a_name_may_be_the_end_of_one() {
    // He calls himself as another's peer ID ends.
    let mut known = vec![contact(1, "", "Bob"), contact(2, "", &end(1)), contact(3, "", &format!("…{}", end(1)))];
    assert_eq!(found(&known, &format!("…{}", end(1))), Ok(1));
    assert_eq!(found(&known, &end(1)), Err(2), "it is not guessed");
    known.remove(0);
    assert_eq!(found(&known, &end(1)), Ok(2));
    assert_eq!(found(&known, &format!("…{}", end(1))), Err(0));
}

#[test]
fn of_several_those_who_are_known_best_come_first_and_the_rest_is_counted() {
    let mut known: Vec<_> = (1..=14).map(|n| contact(n, "", "Bob")).collect();
    known[13].verified = true;
    let Err(ResolveError::Ambiguous(found, more)) = meant(&known, "bob") else { panic!() };
    assert_eq!((found.len(), more, found[0].peer, found[0].verified), (10, 4, peer(14), true));
}

/// Few letters, so that names meet; and forms of them.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[abAB]{0,5}",
        2 => "[ab]{1,2} [ab]{1,2}",
        1 => "[ab]\u{200B}[ab]{0,2}",
        1 => (1u8..8).prop_map(end),
        1 => (1u8..8).prop_map(|n| format!("…{}", end(n))),
        1 => (1u8..8).prop_map(|n| peer(n).to_string()),
        1 => Just("me".to_owned()),
    ]
}

/// What we give cannot be odd.
fn given() -> impl Strategy<Value = String> {
    name().prop_filter("not odd", |name| oddity(name).is_none())
}

fn known() -> impl Strategy<Value = Vec<Known>> {
    let one = (given(), name(), any::<bool>(), any::<bool>());
    proptest::collection::vec(one, 0..6).prop_map(|all| {
        let numbered = (1u8..).zip(all);
        numbered
            .map(|(n, (given, own, is_contact, accepted))| match is_contact {
                true => Known { accepted, ..contact(n, &given, &own) },
                false => other(n, &own),
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whoever is meant is so for one of the reasons there are.
    #[test]
    fn nobody_is_meant_without_a_reason(known in known(), text in name()) {
        if let Ok(id) = meant(&known, &text) {
            let wanted = folded(&text);
            let is_one = |one: &Known| {
                one.peer == id && (folded(&one.given) == wanted
                    || (one.given.is_empty() && oddity(&one.own).is_none() && folded(&one.own) == wanted)
                    || text.len() >= SHORTEST_END && id.to_string().ends_with(text.trim_start_matches('…'))
                    || wanted.chars().count() >= SHORTEST_BEGINNING && folded(&one.given).starts_with(&wanted))
            };
            prop_assert!(text == id.to_string() || known.iter().any(is_one), "{known:?} {text:?}");
        }
    }

    /// What others call themselves, and who else there is, takes nothing from a name that we gave.
    #[test]
    fn a_name_that_we_gave_means_whom_it_was_given(known in known(), names in proptest::collection::vec(name(), 6), more in name()) {
        let mut changed = known.clone();
        changed.iter_mut().zip(names).for_each(|(one, name)| one.own = name);
        changed.push(other(200, &more));
        changed.push(late(201, &more));
        changed.push(contact(202, "", &more));
        for one in known.iter().filter(|one| !folded(&one.given).is_empty()) {
            prop_assert_eq!(found(&changed, &one.given), found(&known, &one.given), "{:?}", &one.given);
        }
    }

    /// A name that nobody accepted takes nothing from anybody, whatever it is: neither a stranger's, nor what a contact tells
    /// afterwards.
    #[test]
    fn what_others_call_themselves_changes_nothing_that_we_know(known in known(), name in name(), text in name()) {
        let accepted: Vec<_> = known.into_iter().filter(|one| one.accepted || !one.given.is_empty()).collect();
        let before = meant(&accepted, &text).ok();
        for more in [other(200, &name), late(201, &name)] {
            let all: Vec<_> = accepted.iter().cloned().chain([more]).collect();
            if before.is_some() {
                prop_assert_eq!(meant(&all, &text).ok(), before);
            }
        }
    }

    /// A name that means nobody takes nothing from anybody when somebody has it.
    #[test]
    fn a_name_that_is_free_is_taken_from_nobody(known in known(), name in name(), text in name()) {
        let before = meant(&known, &text).ok();
        if before.is_some() && matches!(meant(&known, &name), Err(ResolveError::NotFound)) {
            let all: Vec<_> = known.into_iter().chain([contact(200, "", &name)]).collect();
            prop_assert_eq!(meant(&all, &text).ok(), before);
        }
    }

    /// In whatever form it is typed.
    #[test]
    fn the_form_of_what_is_typed_says_nothing(known in known(), text in "[abAB]{1,5}") {
        let scattered: String = text.chars().flat_map(|c| [c, '\u{2060}']).collect();
        for form in [text.to_uppercase(), text.to_lowercase(), scattered, format!(" {text}")] {
            prop_assert_eq!(found(&known, &form), found(&known, &text));
        }
    }
}
