use super::*;
use crate::base::WallTime;
use crate::content::mimi::{Body, Disposition, External, Part, Semantics};
use crate::content::{self, mimi};
use crate::messenger::command::Command;
use crate::messenger::query;
use crate::messenger::testing::Office;

/// REQ-2, REQ-10: the longest text to somebody who has not accepted is held with all that may be around it; a content of more
/// than 2,048 bytes is not, whichever of its parts they are in.
#[test]
fn a_request_holds_messages_of_2_kib_in_all_their_parts() {
    let [one, other] = [1, 2].map(|n| PeerId::from_key_bytes([n; 32]));
    let (sender, room) = (content::sender_uri(one), content::direct_room_uri(one, other));
    let content = |text: usize, topic: usize| {
        let reply_to = Some(MessageId::new([1; 32]));
        let mut content = mimi::text([4; 16], &sender, &room, 1 << 50, &"x".repeat(text), reply_to);
        content.expires = Some(mimi::Expires::At(u32::MAX));
        content.topic = vec![b'x'; topic];
        content.encode()
    };
    assert!(may_wait(&content(limits::MAX_REQUEST_TEXT, 0)));
    let around = content(1_000, 0).len() - 1_000;
    let most = limits::MAX_REQUEST_CONTENT - around;
    assert_eq!(content(most, 0).len(), 2_048);
    assert!(may_wait(&content(most, 0)) && !may_wait(&content(most + 1, 0)));
    assert!(!may_wait(&content(1, limits::MAX_REQUEST_CONTENT)));
}

/// What may be in a part, and whether that is a text (CON-14).
fn bodies() -> Vec<(Body, bool)> {
    let single = |content_type: &str, content: &[u8]| Body::Single {
        content_type: content_type.to_owned(),
        content: content.to_vec(),
    };
    let part = |body| Part { disposition: Disposition::RENDER, language: String::new(), body };
    let several = |semantics, parts: [Body; 2]| Body::Multi { semantics, parts: parts.map(part).to_vec() };
    let text = || single("text/plain;charset=utf-8", b"a text");
    let picture = || single("image/png", b"\x89PNG");
    let file = External {
        content_type: "text/plain".to_owned(),
        url: "https://example.org".to_owned(),
        ..External::default()
    };
    vec![
        (Body::Null, false),
        (text(), true),
        (single("text/markdown", b"*a text*"), true),
        (single("text/html", b"<p>a text"), false),
        (single("text/plain;charset=latin1", b"a text"), false),
        (single("text/plain", b"\xff"), false),
        (single("", b"a text"), false),
        (picture(), false),
        (Body::External(Box::new(file)), false),
        (several(Semantics::ChooseOne, [picture(), text()]), true),
        (several(Semantics::ProcessAll, [picture(), text()]), true),
        (several(Semantics::SingleUnit, [picture(), text()]), false),
        (several(Semantics::ProcessAll, [picture(), Body::Null]), false),
    ]
}

/// Every kind of body with every disposition, that says something of another message, answers it, both, or neither; and whether it
/// is a text that is new.
fn contents(sender: &str, room: &str) -> Vec<(MimiContent, bool)> {
    let other = Some(MessageId::new([1; 32]));
    let mut all = Vec::new();
    for disposition in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 255].map(Disposition) {
        for (body, is_text) in bodies() {
            for (replaces, in_reply_to) in [(None, None), (None, other), (other, None), (other, other)] {
                let is_for_more =
                    [Disposition::REACTION, Disposition::PROFILE, Disposition::SESSION].contains(&disposition);
                let mut salt = [0; 16];
                salt[..8].copy_from_slice(&all.len().to_be_bytes());
                let mut content = mimi::text(salt, sender, room, 1, "", in_reply_to);
                content.replaces = replaces;
                content.part = Part { disposition, language: String::new(), body: body.clone() };
                all.push((content, is_text && !is_for_more && replaces.is_none()));
            }
        }
    }
    all
}

/// REQ-2: a new text makes a request, and nothing else does.
#[test]
fn a_request_is_made_of_a_new_text_and_of_nothing_else() {
    let (mut held, mut dropped) = (0, 0);
    for (content, is_new_text) in contents("rohrpost:a", "rohrpost:direct/a/b") {
        assert_eq!(may_wait(&content.encode()), is_new_text, "{content:?}");
        *(if is_new_text { &mut held } else { &mut dropped }) += 1;
    }
    assert!(held > 50 && dropped > 400, "{held}, {dropped}");
    assert!(!may_wait(&[]) && !may_wait(b"a text"));
}

/// REQ-2, REQ-3: whatever else a stranger says is in no request, tells nothing, and takes no place from what he writes.
#[test]
fn what_is_no_new_text_takes_no_place_in_a_request() {
    let mut office = Office::new(2);
    office.online = false;
    let (peer, me, now) = (office.id(0), office.id(1), office.now.wall);
    let (sender, room) = (content::sender_uri(peer), content::direct_room_uri(peer, me));
    let message = |content: &MimiContent| Item::Message { sent_at: now, body: content.encode() };
    let others = [
        mimi::edit([1; 16], &sender, &room, MessageId::new([1; 32]), "an edit", None),
        mimi::deletion([2; 16], &sender, &room, MessageId::new([1; 32]), None),
        mimi::reaction([3; 16], &sender, &room, "+", MessageId::new([1; 32])),
        mimi::unreaction([4; 16], &sender, &room, MessageId::new([1; 32]), MessageId::new([2; 32])),
    ];
    let beside = vec![
        Item::Status(StatusReport { delivered: vec![MessageId::new([1; 32])], ..StatusReport::default() }),
        Item::Accepted,
        Item::Addresses(vec!["/ip4/192.0.2.1/tcp/1".to_owned()]),
        Item::Unknown { kind: 99, bytes: vec![0xf6] },
        Item::Message { sent_at: now, body: vec![0xff] },
    ];
    let events = office.events(1);
    let said =
        others.iter().map(|content| vec![message(content)]).chain([others.iter().map(message).collect(), beside]);
    for (n, items) in (1..).zip(said) {
        let bytes = office.first_contact_of(0, 1, n, items);
        office.inject(0, 1, bytes);
        // One of them begins no more than four sessions a day (REQ-6).
        office.pass(crate::base::Millis::from_days(1));
    }
    assert_eq!(query::requests(&office.rows(1), office.now.wall).unwrap(), []);
    assert_eq!(office.events(1), events);
    let texts: Vec<Item> = ["one", "two", "three"]
        .iter()
        .zip(5..)
        .flat_map(|(text, n)| {
            [message(&others[0]), message(&mimi::text([n; 16], &sender, &room, u64::from(n), text, None))]
        })
        .collect();
    let bytes = office.first_contact_of(0, 1, 100, texts);
    office.inject(0, 1, bytes);
    let (_, held) = query::request(&office.rows(1), &peer, office.now.wall).unwrap().unwrap();
    assert_eq!(held, ["one", "two", "three"]);
}

/// CON-11: what a request holds stands, once it is accepted, where it would if its writer had been a contact when it came.
#[test]
fn what_a_request_held_stands_where_a_contacts_messages_do() {
    let counters = [[1, 0, 2], [0, 1, 2], [2, 0, 1], [2, 1, 0], [3, 1, 2], [3, 2, 1], [0, 0, 0], [5, 5, 4], [2, 0, 0]];
    for counters in counters {
        let shown = [true, false].map(|is_contact| {
            let mut office = Office::new(2);
            office.online = false;
            let (peer, me) = (office.id(0), office.id(1));
            if is_contact {
                office.command(1, Command::AddContact { peer, name: None, hints: Default::default() }).unwrap();
            }
            let (sender, room) = (content::sender_uri(peer), content::direct_room_uri(peer, me));
            for (n, (counter, text)) in (1..).zip(counters.into_iter().zip(["one", "two", "three"])) {
                let mut content = mimi::edit([n; 16], &sender, &room, MessageId::new([1; 32]), text, None);
                content.replaces = None;
                if counter > 0 {
                    content = mimi::text([n; 16], &sender, &room, counter, text, None);
                }
                let sent_at = WallTime(office.now.wall.0 + u64::from(n));
                let items = vec![Item::Message { sent_at, body: content.encode() }];
                let bytes = office.first_contact_of(0, 1, n.into(), items);
                office.inject(0, 1, bytes);
            }
            if !is_contact {
                office.command(1, Command::AcceptRequest(peer)).unwrap();
            }
            office.texts(1, 0)
        });
        assert_eq!(shown[0].len(), 3);
        assert_eq!(shown[0], shown[1], "{counters:?}");
    }
}
