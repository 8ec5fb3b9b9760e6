use super::*;
use crate::messenger::io::{Class, Input, Order, Output};
use crate::messenger::testing::Office;

const ALICE: usize = 0;
const BOB: usize = 1;

/// The class that the network is told of somebody, if it is told.
fn told(outputs: Vec<Output>, of: PeerId) -> Option<Class> {
    outputs.into_iter().rev().find_map(|output| match output {
        Output::Net(Order::Class { peer, class }) if peer == of => Some(class),
        _ => None,
    })
}

/// REQ-1: rates, places and lanes are those of strangers for whoever is no contact, also for a contact who is blocked: else a burst
/// would tell him.
#[test]
fn for_the_network_a_blocked_contact_is_a_stranger() {
    let mut office = Office::pair();
    let bob = office.id(BOB);
    let gives = |office: &mut Office, command| told(office.hand_in(ALICE, vec![Input::Command(1, command)]), bob);
    assert_eq!(gives(&mut office, Command::Block(bob)), Some(Class::Stranger));
    office.close(ALICE);
    assert_eq!(told(office.opening(ALICE), bob).unwrap_or(Class::Stranger), Class::Stranger, "after a start, too");
    assert_eq!(gives(&mut office, Command::Unblock(bob)), Some(Class::Contact));
    office.close(ALICE);
    assert_eq!(told(office.opening(ALICE), bob), Some(Class::Contact));
    assert_eq!(gives(&mut office, Command::RemoveContact(bob)), Some(Class::Stranger));
    let hints = Hints::default();
    let add = Command::AddContact { peer: bob, name: None, hints };
    assert_eq!(gives(&mut office, add), Some(Class::Contact));
}
