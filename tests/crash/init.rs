//! Death, or a power cut, while a profile is being made.

use crate::dice::{Dice, seeds};
use crate::disk::{Cut, Disk, History};
use crate::person::Person;
use crate::shim::{self, Asked};

#[test]
fn a_profile_whose_making_was_interrupted_is_whole_or_not_there() {
    let (mut deaths, mut whole) = (0, 0);
    let seeds = seeds(1);
    for seed in seeds.clone() {
        let mut dice = Dice::new(seed);
        // Each operation once in so many seeds, and always one that it does not come to.
        let mut at = 1 + dice.below(8);
        while interrupted(at, &mut dice, &mut whole) {
            deaths += 1;
            at += 8;
        }
    }
    println!("crash init: seeds {seeds:?}, {deaths} deaths, {whole} of them when the profile was whole");
}

/// Says whether `init` died.
fn interrupted(at: usize, dice: &mut Dice, whole: &mut usize) -> bool {
    let person = Person::homeless();
    let journal = person.path().join("journal");
    let (base, inodes) = Disk::of(person.path());
    let init = ["init", "--no-passphrase", "--name", "Alice"];
    person.surround(shim::surroundings(&person, &journal, Asked { cut: Some(at), days: 0 }));
    let said = person.say(&init);
    person.surround(Vec::new());
    let history = History::new(base, inodes, shim::read(&journal));
    history.leads_to(person.path());
    history.cut(Cut::roll(dice), dice).restore(person.path());

    match said.code {
        Some(0) => {
            assert_eq!(person.one(&["id"])["peer_id"], said.out[0]["peer_id"], "what was said to be made is there");
            return false;
        }
        code => assert_eq!(code, None, "{said:?}"),
    }
    // Either there is none, and it can be made, or it is whole.
    let again = person.say(&init);
    if again.code != Some(0) {
        assert!(again.err.contains("\"exists\""), "{again:?}");
        *whole += 1;
    }
    assert_eq!(person.one(&["id"])["name"], "Alice");
    assert!(person.all(&["inbox"]).is_empty());
    true
}
