use proptest::collection::vec;
use proptest::prelude::*;

use super::super::testing::{alice, bob, counting, rng};
use super::*;

const ALICE: &str = "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB";

const BOB: &str = "12D3KooWCd3eX8r5ihRvzK7P1yPq5aakaBJhG5GNj18YTztPhoCa";

fn full() -> Link {
    Link {
        peer: alice().peer_id(),
        name: Some("Jürgen & Søn".into()),
        addrs: vec!["/ip4/192.0.2.1/tcp/4001".into(), "/dns/example.org/udp/4001/quic-v1".into()],
        token: Some(RequestToken::from_bytes(counting(0))),
        mailboxes: vec![bobs(&["/ip4/192.0.2.7/udp/4001/quic-v1"])],
    }
}

/// Bob keeps mail.
fn bobs(addrs: &[&str]) -> Mailbox {
    Mailbox { peer: bob().peer_id(), addrs: addrs.iter().map(|addr| (*addr).to_owned()).collect() }
}

fn parse(query: &str) -> Result<Link, LinkError> {
    format!("rohrpost:{ALICE}{query}").parse()
}

#[test]
fn a_link_is_shown_and_read() {
    let text = full().to_string();
    assert_eq!(
        text,
        format!(
            "rohrpost:{ALICE}?name=J%C3%BCrgen%20%26%20S%C3%B8n&addr=/ip4/192.0.2.1/tcp/4001\
             &addr=/dns/example.org/udp/4001/quic-v1&t=000102030405060708090a0b0c0d0e0f\
             &mbox=/ip4/192.0.2.7/udp/4001/quic-v1/p2p/{BOB}"
        )
    );
    assert_eq!(text.parse(), Ok(full()));
    let bare = Link { name: None, addrs: vec![], token: None, mailboxes: vec![], ..full() };
    assert_eq!(bare.to_string(), format!("rohrpost:{ALICE}"));
    assert_eq!(parse(""), Ok(bare.clone()));
    assert_eq!(parse("?"), Ok(bare));
}

/// What a reader would refuse is not shown, so that a strange name does not break the owner's link.
#[test]
fn what_would_be_refused_is_left_out() {
    let mut addrs: Vec<String> = (0..12).map(|i| format!("/ip4/192.0.2.{i}")).collect();
    addrs.insert(1, "not an address".into());
    let read = |name: &str| -> Link {
        Link { name: Some(name.into()), addrs: addrs.clone(), ..full() }.to_string().parse().unwrap()
    };
    assert_eq!(read("Jürgen").name.as_deref(), Some("Jürgen"));
    assert_eq!(read("Jürgen").addrs, (0..8).map(|i| format!("/ip4/192.0.2.{i}")).collect::<Vec<_>>());
    for name in ["", "a\nb", &"a".repeat(65)] {
        assert_eq!(read(name).name, None, "{name:?}");
    }
}

/// ID-50, ID-54.
#[test]
fn forms_that_mean_the_same_are_read() {
    let bare = parse("").unwrap();
    for query in ["?x=1&name&other=%zz", "?name=", "?&&", "?NAME=a&T=b"] {
        assert_eq!(parse(query), Ok(bare.clone()), "{query}");
    }
    assert_eq!(format!("  RohrPost:{ALICE}\n").parse(), Ok(bare));
    assert_eq!(parse("?name=a+b%2B").unwrap().name.unwrap(), "a+b+", "a plus is a plus");
    assert_eq!(parse("?name=a=b").unwrap().name.unwrap(), "a=b");
    assert_eq!(parse("?addr=%2Fip4%2f192.0.2.1").unwrap().addrs, ["/ip4/192.0.2.1"]);
    let token = parse("?t=000102030405060708090A0B0C0D0E0F").unwrap().token.unwrap();
    assert_eq!(token.as_bytes(), &counting(0));
}

/// ID-50 to ID-53.
#[test]
fn each_trouble_has_its_own_error() {
    let name = |text: &str| parse(&format!("?name={text}"));
    assert!(name(&"%C3%BC".repeat(64)).is_ok());
    assert_eq!(name(&"a".repeat(65)), Err(LinkError::Name));
    assert_eq!(name("a%1B%5B31m"), Err(LinkError::Name));
    assert_eq!(name("a%0Ab"), Err(LinkError::Name));
    for broken in ["%", "%a", "%zz", "%%20", "%+1", "%C3", "%ff", "%C3%28", "a%20%2"] {
        assert_eq!(name(broken), Err(LinkError::Encoding), "{broken}");
    }
    for raw in ["a b", "ü", "a\u{202e}b", "a\tb", "a\u{0}"] {
        assert_eq!(name(raw), Err(LinkError::Character), "{raw:?}");
    }
    assert_eq!(parse("?name=a&name=b"), Err(LinkError::Twice("name")));
    assert_eq!(parse("?name=&name=b"), Err(LinkError::Twice("name")));
    assert_eq!(parse("?addr=ip4"), Err(LinkError::Address));
    assert_eq!(parse("?addr="), Err(LinkError::Address));
    assert_eq!(parse("?addr=/a%20b"), Err(LinkError::Address));
    assert_eq!(parse(&format!("?addr=/{}", "a".repeat(256))), Err(LinkError::Address));
    assert_eq!(parse(&format!("?{}", "addr=/a&".repeat(9))), Err(LinkError::TooManyAddresses));
    let token = "00".repeat(16);
    assert_eq!(parse(&format!("?t={token}&t={token}")), Err(LinkError::Twice("t")));
    for token in ["", "00", &"0".repeat(31), &"0".repeat(33), &"g".repeat(32), &"+0".repeat(16)] {
        assert_eq!(parse(&format!("?t={token}")), Err(LinkError::Token), "{token}");
    }
    for other in ["", "rohrpost", "mailto:alice", ALICE, "röhrpost:"] {
        assert_eq!(other.parse::<Link>(), Err(LinkError::Scheme), "{other}");
    }
    for peer in ["", "alice", "//", &ALICE[1..]] {
        assert!(matches!(format!("rohrpost:{peer}").parse::<Link>(), Err(LinkError::Peer(_))), "{peer}");
    }
}

/// ID-50.
#[test]
fn a_link_is_not_longer_than_its_bound() {
    let of_length = |len: usize| parse(&format!("?x={}", "a".repeat(len - 64)));
    assert_eq!(of_length(MAX_LINK), parse(""));
    assert_eq!(of_length(MAX_LINK + 1), Err(LinkError::TooLong(MAX_LINK + 1)));
}

/// ID-51: the neutral point is a well-formed peer ID, and anybody's signature.
#[test]
fn a_weak_key_is_refused() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let text = format!("rohrpost:{}", PeerId::from_key_bytes(neutral));
    assert_eq!(text.parse::<Link>(), Err(LinkError::UnsoundKey));
}

#[test]
fn a_token_is_shown_in_links_only() {
    let token = RequestToken::random(&mut rng(1));
    assert_eq!(format!("{token:?}"), "RequestToken(redacted)");
    assert_eq!(token.to_string().parse(), Ok(token.clone()));
    assert_ne!(token, RequestToken::random(&mut rng(2)));
    let row = postcard::to_allocvec(&token).unwrap();
    assert_eq!(postcard::from_bytes::<RequestToken>(&row).unwrap(), token);
    let link = Link { token: Some(token.clone()), ..full() };
    assert!(!format!("{link:?}").contains(&token.to_string()));
}

/// ID-56: a mailbox is an address and who is there; at most three, and only sound keys.
#[test]
fn mailboxes_are_read_and_others_refused() {
    let (first, bare) = (format!("/dns/box.example/tcp/1/p2p/{BOB}"), format!("/p2p/{BOB}"));
    assert_eq!(parse(&format!("?mbox={first}")).unwrap().mailboxes, [bobs(&["/dns/box.example/tcp/1"])]);
    assert_eq!(parse(&format!("?mbox={bare}")).unwrap().mailboxes, [bobs(&[])]);
    let three = format!("?mbox={bare}&mbox={bare}&mbox={bare}");
    assert_eq!(parse(&three).unwrap().mailboxes.len(), 3);
    assert_eq!(parse(&format!("{three}&mbox={bare}")), Err(LinkError::TooManyMailboxes));
    let unsound = PeerId::from_key_bytes([2; 32]);
    for bad in [BOB, "/ip4/192.0.2.1/tcp/1", &format!("x/p2p/{BOB}"), "/p2p/nobody", "", &format!("/p2p/{unsound}")] {
        assert_eq!(parse(&format!("?mbox={bad}")), Err(LinkError::Mailbox), "{bad}");
    }
}

/// The first address that is one; a mailbox that does not fit is left out, and what is shown is read.
#[test]
fn of_a_mailbox_the_first_address_is_shown() {
    let mailboxes = vec![bobs(&["none", "/a", "/b"]), bobs(&[]), bobs(&["/c"]), bobs(&["/d"])];
    let read: Link = Link { mailboxes, ..full() }.to_string().parse().unwrap();
    assert_eq!(read.mailboxes, [bobs(&["/a"]), bobs(&[]), bobs(&["/c"])]);
    let long = format!("/{}", "^".repeat(195));
    let all = Link { addrs: vec![format!("/{}", "^".repeat(255)); 8], mailboxes: vec![bobs(&[&long]); 3], ..full() };
    let text = all.to_string();
    assert!(text.len() <= MAX_LINK);
    assert!((1..3).contains(&text.parse::<Link>().unwrap().mailboxes.len()), "{}", text.len());
}

fn any_link() -> impl Strategy<Value = Link> {
    let addr = prop_oneof!["/[ -~]{0,300}", ".{0,20}"];
    let name = proptest::option::of(prop_oneof![".{0,70}", "\\PC{64}"]);
    (name, vec(addr, 0..12), proptest::option::of(any::<[u8; 16]>())).prop_map(|(name, addrs, token)| Link {
        peer: alice().peer_id(),
        name,
        mailboxes: addrs.iter().map(|addr| bobs(&[addr])).collect(),
        addrs,
        token: token.map(RequestToken::from_bytes),
    })
}

proptest! {
    /// What is shown always parses, is not longer than a link may be, and says the same again.
    #[test]
    fn every_link_that_is_shown_is_read(link in any_link()) {
        let text = link.to_string();
        prop_assert!(text.len() <= MAX_LINK);
        prop_assert!(text.bytes().all(|b| b.is_ascii_graphic()));
        let read: Link = text.parse().unwrap();
        prop_assert_eq!(&read.token, &link.token);
        prop_assert_eq!(read.to_string(), text);
        let name = link.name.filter(|n| !n.is_empty() && n.chars().count() <= 64 && !n.chars().any(char::is_control));
        prop_assert_eq!(read.name, name);
    }

    #[test]
    fn hostile_text_never_panics(text in "\\PC{0,200}|.{0,200}", query in "[?&=%a-z0-9/:.+#]{0,200}|.{0,100}") {
        let _ = text.parse::<Link>();
        let _ = format!("rohrpost:{text}").parse::<Link>();
        if let Ok(link) = parse(&format!("?{query}")) {
            prop_assert_eq!(link.to_string().parse::<Link>(), Ok(link));
        }
    }
}
