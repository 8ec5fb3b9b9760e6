//! What is left in an own mailbox, because there is no room for it here.

use super::*;

const HOUR: Millis = Millis::from_hours(1);

fn low(office: &mut Office, is_low: bool) {
    office.tx(ALICE, |tx| tx.mem.is_disk_low = is_low);
}

/// Something of Bob's waits at North, and there is no room for it on Alice's disk.
fn with_something_left() -> Office {
    let mut office = office_with_mail();
    low(&mut office, true);
    office.say(BOB, ALICE, "waits for room");
    office.pass(MINUTE);
    assert!(is_kept(&office));
    office
}

/// Whether North has something of Alice's.
fn is_kept(office: &Office) -> bool {
    query::mailbox(&office.rows(NORTH)).unwrap().bytes > 0
}

fn has_come(office: &Office) -> bool {
    office.texts(ALICE, BOB).contains(&"waits for room".to_owned())
}

/// Behind which numbers Alice has fetched since then.
fn fetched(office: &Office, since: usize) -> Vec<u64> {
    let of_alice = office.questions[since..].iter().filter(|(who, ..)| *who == ALICE);
    let after = of_alice.filter_map(|(.., question)| match Question::decode(question) {
        Ok(Question::Fetch { after, .. }) => Some(after),
        _ => None,
    });
    after.collect()
}

/// MBX-53: else it would be fetched and opened each time; and what comes behind it is fetched at once.
#[test]
fn what_is_left_is_fetched_again_once_an_hour() {
    let mut office = with_something_left();
    let before = office.questions.len();
    office.pass(Millis(3 * HOUR.0));
    let after = fetched(&office, before);
    let from_the_front = after.iter().filter(|after| **after == 0).count();
    assert!((2..=3).contains(&from_the_front), "{after:?}");
    assert!((20..400).contains(&after.len()), "{after:?}");
    low(&mut office, false);
    office.say(BOB, ALICE, "comes at once");
    office.pass(Millis::from_secs(10));
    assert!(office.texts(ALICE, BOB).contains(&"comes at once".to_owned()));
    office.pass(Millis(HOUR.0 + limits::FETCH_PAUSE_WAITING.0 / 2 * 3));
    assert!(has_come(&office) && !is_kept(&office));
}

/// Who leaves takes with him what he has room for at last.
#[test]
fn a_mailbox_is_left_when_nothing_is_left_in_it() {
    let mut office = with_something_left();
    let (before, north) = (office.questions.len(), office.id(NORTH));
    office.command(ALICE, Command::DropMailbox(north)).unwrap();
    office.pass(Millis(2 * HOUR.0));
    assert_eq!(query::mailboxes(&office.rows(ALICE), office.now.wall).unwrap()[0].state, BoxState::Leaving);
    assert!(is_kept(&office));
    let after = fetched(&office, before);
    assert_eq!(after[0], 0, "the whole of it is looked at");
    assert!((100..800).contains(&after.len()), "{}", after.len());
    low(&mut office, false);
    office.pass(Millis(HOUR.0 + MINUTE.0 + MINUTE.0));
    assert!(has_come(&office) && !is_kept(&office));
    assert_eq!(query::mailboxes(&office.rows(ALICE), office.now.wall).unwrap(), []);
}

/// It is not waited for for ever.
#[test]
fn a_mailbox_in_which_something_is_left_can_be_left() {
    let mut office = with_something_left();
    let north = office.id(NORTH);
    office.command(ALICE, Command::DropMailbox(north)).unwrap();
    office.forward(limits::BOX_LEAVING);
    office.believe();
    office.pass(Millis(2 * MINUTE.0));
    assert!(!has_come(&office) && !is_kept(&office));
    assert_eq!(query::mailboxes(&office.rows(ALICE), office.now.wall).unwrap(), []);
}

/// A mailbox that loses the box in the midst of a visit is given another one.
#[test]
fn a_box_that_goes_while_it_is_emptied_is_made_anew() {
    let mut office = office_with_mail();
    office.mail = false;
    let items = vec![PageItem { number: 1, sealed: sealed_for_later(&mut office) }];
    let ticket = under_way(&mut office);
    let page = MailAnswer::Page { more: true, prekeys: 100, items };
    let Some((ticket, 3)) = answers(&mut office, ticket, &page) else { panic!("it does not go on") };
    let asked = answers(&mut office, ticket, &MailAnswer::NoBox);
    assert!(matches!(asked, Some((_, 1))), "it is registered: {asked:?}");
}

/// What lies behind the last page of a visit is there for the next.
#[test]
fn a_visit_that_is_cut_short_empties_no_mailbox() {
    let mut office = office_with_mail();
    office.mail = false;
    let (north, ticket) = (office.id(NORTH), under_way(&mut office));
    office.hand_in(ALICE, vec![Input::Command(1, Command::DropMailbox(north))]);
    let (mut asked, mut pages) = (Some((ticket, 3)), 0);
    while let Some((ticket, kind)) = asked {
        let answer = match kind {
            3 => {
                pages += 1;
                MailAnswer::Page { more: true, prekeys: 100, items: vec![super::waits::junk(pages.into())] }
            }
            4 => MailAnswer::Done,
            _ => panic!("asked for {kind} after {pages} pages"),
        };
        asked = answers(&mut office, ticket, &answer);
    }
    assert_eq!(pages, limits::MAX_FETCHED_PAGES);
    office.forward(MINUTE);
    under_way(&mut office);
}

/// North answers; which question follows at once.
fn answers(office: &mut Office, ticket: u64, answer: &MailAnswer) -> Option<(u64, u8)> {
    let told = Event::MailAnswered { mailbox: office.id(NORTH), ticket, answer: answer.encode().unwrap() };
    office.hand_in(ALICE, vec![Input::Net(told)]).iter().find_map(|output| match output {
        Output::Net(Order::AskMailbox { ticket, question, .. }) => Some((*ticket, question[1])),
        _ => None,
    })
}

/// What is sealed to Alice, and would be taken another time.
fn sealed_for_later(office: &mut Office) -> Vec<u8> {
    low(office, true);
    let (stranger, envelope) = (office.id(SOUTH), office.first_contact(SOUTH, ALICE, 1, "hello"));
    let mut sealed = Vec::new();
    office.tx(ALICE, |tx| {
        let card = tx.profile().unwrap().card;
        let card = CardIn::decode(&card).unwrap().verify(tx.me.public(), crate::base::WallTime(0)).unwrap();
        sealed = seal(&card.queue, card.seal_id, &card.seal, stranger, &envelope, &mut *tx.rng).unwrap();
    });
    sealed
}
