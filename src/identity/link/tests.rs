use proptest::collection::vec;
use proptest::prelude::*;
use rand_core::Rng;

use super::super::testing::{alice, bob, counting, rng};
use super::*;

const ALICE: &str = "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB";

/// The link in `docs/protocol/identity.md`.
const FULL: &str = "rohrpost:12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB/hlAAAQIDBAUGBwgJCgsMDQ4PbkrDvHJnZW4gJiBTw7hugl\
                    ggKay64UG8yvCyLhqU000LxzYeUm0L_hLIl5S8kyKWbddLBGRAAAeRAg-hzQNLBGRAAAGRAg-hzQNIBGRAAAEGD6FQNQtleGFtcGxlLm\
                    9yZwYBu7zx";
const BARE: &str = "rohrpost:12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB/gfavWw";

fn full() -> Link {
    Link {
        peer: alice().peer_id(),
        name: Some("Jürgen & Søn".into()),
        addrs: texts(&["/ip4/100.64.0.1/udp/4001/quic-v1", "/ip4/100.64.0.1/tcp/4001", "/dns/example.org/tcp/443"]),
        token: Some(RequestToken::from_bytes(counting(0))),
        mailboxes: vec![bobs(&["/ip4/100.64.0.7/udp/4001/quic-v1"])],
    }
}

fn bare_link() -> Link {
    Link { name: None, addrs: vec![], token: None, mailboxes: vec![], ..full() }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Bob keeps mail.
fn bobs(addrs: &[&str]) -> Mailbox {
    Mailbox { peer: bob().peer_id(), addrs: texts(addrs) }
}

/// A link to Alice with these hints, whose check is right.
fn parse(hints: &[u8]) -> Result<Link, LinkError> {
    text(&alice().peer_id(), hints).parse()
}

#[test]
fn a_link_is_shown_and_read() {
    assert_eq!(full().to_string(), FULL);
    assert_eq!(FULL.parse(), Ok(full()));
    assert_eq!(bare_link().to_string(), BARE);
    assert_eq!(BARE.parse(), Ok(bare_link()));
    assert!(FULL.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'/' | b'_' | b'-')), "one word");
}

#[test]
fn how_long_links_are() {
    let addrs =
        texts(&["/ip4/100.64.0.1/udp/4001/quic-v1", "/ip4/100.64.0.1/tcp/4001", "/ip6/2600::1/udp/4001/quic-v1"]);
    let usual = Link { name: Some("x".repeat(20)), addrs, ..full() };
    assert!(usual.to_string().len() <= 250, "{}", usual.to_string().len());
    let longest = format!("/dns/{}/tcp/1", "a".repeat(245));
    assert_eq!(longest.len(), MAX_ADDR_LEN);
    let all = Link {
        name: Some("\u{1f4ef}".repeat(MAX_NAME_CHARS)),
        addrs: vec![longest.clone(); 8],
        mailboxes: vec![bobs(&[&longest]); 3],
        ..full()
    };
    assert!(all.to_string().len() <= MAX_LINK / 3, "{}", all.to_string().len());
    assert_eq!(all.to_string().parse(), Ok(Link { addrs: vec![longest; 3], ..all }));
}

/// ID-53: what a reader would refuse or skip is not shown, so that a strange name does not break the owner's link.
#[test]
fn what_would_be_refused_or_helps_nobody_is_left_out() {
    let addrs = texts(&[
        "not an address",
        "/memory/1",
        "/ip6/fe80::1/udp/1/quic-v1",
        "/ip4/169.254.1.1/tcp/1",
        "/ip4/0.0.0.0/tcp/1",
        "/ip6/::/tcp/1",
        "/ip4/192.0.2.1/tcp/1",
        "/ip6/2001:db8::1/tcp/1",
        "/ip4/10.0.0.1/tcp/1",
        "/ip4/10.0.0.1/tcp/2",
        "/ip4/10.0.0.1/tcp/3",
        "/ip4/10.0.0.1/tcp/4",
    ]);
    let read = |name: &str| -> Link {
        Link { name: Some(name.into()), addrs: addrs.clone(), ..full() }.to_string().parse().unwrap()
    };
    assert_eq!((read("Jürgen").name.as_deref(), &read("Jürgen").addrs[..]), (Some("Jürgen"), &addrs[8..11]));
    for name in ["", "a\nb", &"a".repeat(65)] {
        assert_eq!(read(name).name, None, "{name:?}");
    }
    let mailboxes = vec![bobs(&["none", "/ip6/fe80::1/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1"]); 4];
    let read: Link = Link { mailboxes, ..full() }.to_string().parse().unwrap();
    assert_eq!(read.mailboxes, vec![bobs(&["/ip4/10.0.0.1/tcp/1"]); 3]);
}

/// ID-50 to ID-52.
#[test]
fn each_trouble_has_its_own_error() {
    for other in ["", "rohrpost", "mailto:alice", ALICE, "röhrpost:", "x rohrpost:", "[a](b)"] {
        assert_eq!(other.parse::<Link>(), Err(LinkError::Scheme), "{other}");
    }
    let bare = format!("rohrpost:{ALICE}");
    for cut in
        ["rohrpost:", "rohrpost:alice", "rohrpost:alice/gfavWw", &bare, &format!("{bare}/"), &format!("{bare}/_w")]
    {
        assert_eq!(cut.parse::<Link>(), Err(LinkError::Damaged), "{cut}");
    }
    assert_eq!(format!("rohrpost:group/{ALICE}/abc").parse::<Link>(), Err(LinkError::Group));
    for more in [format!("{FULL} hello"), format!("{FULL} {BARE}"), format!("{FULL}?x=1"), format!("{FULL}ü")] {
        assert_eq!(more.parse::<Link>(), Err(LinkError::Behind), "{more}");
    }
    let long = format!("{BARE}{}", ".".repeat(MAX_LINK + 1 - BARE.len()));
    assert_eq!(long.parse::<Link>(), Err(LinkError::TooLong(MAX_LINK + 1)));
    assert_eq!(long[..MAX_LINK].parse(), Ok(bare_link()));
    // Bits behind the end: another text of the same bytes.
    assert_eq!(format!("{}x", &BARE[..BARE.len() - 1]).parse::<Link>(), Err(LinkError::Damaged));
}

/// ID-51: the neutral point is a well-formed peer ID, and anybody's signature.
#[test]
fn a_weak_key_is_refused() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let link = text(&PeerId::from_key_bytes(neutral), &[0x81, 0xf6]);
    assert_eq!(link.parse::<Link>(), Err(LinkError::UnsoundKey));
    let mut node = vec![0x82, 0xf6, 0x81, 0x58, 32];
    node.extend(neutral);
    assert_eq!(parse(&node), Err(LinkError::Hints), "a mailbox");
}

/// ID-53, ID-54, ID-56: the check says that nobody changed them, not that they are sound.
#[test]
fn hints_are_what_they_may_be_in_their_order() {
    let addr = [0x48, 4, 100, 64, 0, 1, 6, 0, 1].to_vec();
    let name = b"\x61a".to_vec();
    let node = [&[0x81, 0x58, 32][..], bob().peer_id().key_bytes()].concat();
    let hints = |items: &[&[u8]]| {
        let head = 0x80 | u8::try_from(1 + items.len()).unwrap();
        parse(&[&[head, 0xf6][..], &items.concat()].concat())
    };
    let all = hints(&[&name, &node, &node, &node, &addr, &addr, &addr, b"\xa1\x01\x81\x80"]).unwrap();
    assert_eq!((all.name.as_deref(), all.mailboxes.len(), all.addrs.len()), (Some("a"), 3, 3));
    let unknown = hints(&[b"\x43\x01\x02\x03", &addr]).unwrap();
    assert_eq!(unknown.addrs, ["/ip4/100.64.0.1/tcp/1"], "an address of another form is skipped");
    for wrong in [
        &[&name[..], &name][..],
        &[&addr, &name],
        &[&addr, &node],
        &[&node, &name],
        &[&node, &node, &node, &node],
        &[&addr, &addr, &addr, &addr],
        &[b"\xa0", &addr],
        &[b"\xa0", b"\xa0"],
        &[b"\x01"],
        &[b"\x60"],
        &[b"\x61\x07"],
        &[b"\x61\xff"],
        &[b"\x78\x01a"],
        &[&[0x80]],
        &[b"\xa1\x01\x81\x81\x81\x81\x80"],
    ] {
        assert_eq!(hints(wrong), Err(LinkError::Hints), "{wrong:02x?}");
    }
    for wrong in
        [&b""[..], b"\x80", b"\x81", b"\x81\x40", b"\x81\xf6\xf6", b"\x82\xf6", b"\x98\x01\xf6", b"\xa0", b"\xf6"]
    {
        assert_eq!(parse(wrong), Err(LinkError::Hints), "{wrong:02x?}");
    }
}

#[test]
fn a_token_is_shown_in_links_only() {
    let token = RequestToken::random(&mut rng(1));
    assert_eq!(format!("{token:?}"), "RequestToken(redacted)");
    assert_ne!(token, RequestToken::random(&mut rng(2)));
    let row = postcard::to_allocvec(&token).unwrap();
    assert_eq!(postcard::from_bytes::<RequestToken>(&row).unwrap(), token);
    let link = format!("{:?}", Link { token: Some(token.clone()), ..full() });
    assert!(link.contains("RequestToken(redacted)") && !link.contains(&format!("{:?}", token.as_bytes())), "{link}");
}

/// Links to Alice whose last character may as well belong to Markdown or to a sentence.
fn that_ends_in(end: char) -> Link {
    (0..=u16::MAX)
        .map(|n| Link { name: Some(format!("{n:07}")), ..bare_link() })
        .find(|link| link.to_string().ends_with(end))
        .unwrap()
}

/// ID-57.
#[test]
fn what_stands_around_a_link_is_tried_off() {
    let links = [full(), bare_link(), that_ends_in('_'), that_ends_in('-')];
    for link in &links {
        let text = link.to_string();
        let quoted = format!("> {}\n> {}", &text[..60], &text[60..]);
        let wrapped = format!(">> <{}\r\n>> {}>.\r\n", &text[..40], &text[40..]);
        for around in [
            format!("  {text}\n"),
            format!("<{text}>"),
            format!("({text})"),
            format!("[{text}]"),
            format!("\"{text}\""),
            format!("'{text}',"),
            format!("„{text}“"),
            format!("«{text}»!"),
            format!("`{text}`"),
            format!("_{text}_"),
            format!("__{text}__"),
            format!("**_{text}_**"),
            format!("*{text}*"),
            format!("~~{text}~~"),
            format!("-{text}-"),
            format!("- {text}"),
            format!("{text}."),
            format!("{text}..."),
            format!("{text}/"),
            format!("{text}:"),
            format!("[Alice & Søn]({text})"),
            format!("[{text}]({text})"),
            format!("![code](<{text}>)"),
            format!("> {text}"),
            format!("|{text}|"),
            text.replace("rohrpost", "RohrPost"),
            quoted,
            wrapped,
        ] {
            assert_eq!(around.parse().as_ref(), Ok(link), "{around}");
            assert!(Link::is_meant(&around), "{around}");
        }
    }
    let hostile = format!("{BARE}{}", "_".repeat(MAX_LINK - BARE.len()));
    assert_eq!(hostile.parse::<Link>(), Err(LinkError::Damaged), "not all of it is tried");
}

/// ID-52: a check of two bytes lets one of 65,536 pass.
#[test]
fn a_link_that_was_changed_cut_or_swapped_is_an_error() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let links = [full(), full().short(), bare_link(), that_ends_in('_')].map(|link| (link.to_string(), link));
    let (mut rng, mut taken, mut tried) = (rng(3), 0, 0);
    let mut below = |n: usize| usize::try_from(rng.next_u32()).unwrap() % n;
    while tried < 100_000 {
        let (text, link) = &links[below(links.len())];
        let mut bytes = text.clone().into_bytes();
        let (a, b) = (below(bytes.len()), below(bytes.len()));
        match below(6) {
            0 => bytes[a] = ALPHABET[below(ALPHABET.len())],
            1 => (0..=below(4)).for_each(|i| bytes[(a + i) % text.len()] = ALPHABET[below(ALPHABET.len())]),
            2 => bytes.truncate(a),
            3 => bytes.swap(a, b),
            4 => bytes.swap(a, (a + 1) % text.len()),
            _ => drop(bytes.drain(a.min(b)..a.max(b))),
        }
        let changed = String::from_utf8(bytes).unwrap();
        if changed.eq_ignore_ascii_case(text) && changed[9..] == text[9..] {
            continue;
        }
        tried += 1;
        taken += usize::from(changed.parse().is_ok_and(|read: Link| read != *link));
    }
    assert!(taken <= 5, "{taken} of {tried} were taken");
}

/// ID-58.
#[test]
fn a_link_gets_shorter_in_order_and_keeps_its_token() {
    use LinkPart::{Addresses, Mailboxes, Name};
    let all = full().to_string().len();
    let mut seen = Vec::new();
    for longest in (0..=all).rev() {
        let (link, left_out) = full().within(longest);
        assert!(link.to_string().len() <= longest.max(89), "{longest}");
        assert_eq!(link.token, full().token);
        assert_eq!(link.to_string().parse(), Ok(link.clone()));
        if seen.last() != Some(&(left_out.clone(), link.addrs.len())) {
            seen.push((left_out, link.addrs.len()));
        }
    }
    let expected = [
        (vec![], 3),
        (vec![Addresses], 2),
        (vec![Addresses], 1),
        (vec![Addresses, Name], 1),
        (vec![Addresses, Name, Mailboxes], 1),
        (vec![Addresses, Name, Mailboxes], 0),
    ];
    assert_eq!(seen, expected);
    // A code of version 5 holds 106 bytes: peer ID, token and one address.
    assert_eq!(full().within(106).0.addrs, full().addrs[..1]);
    let far = texts(&["/ip6/2600::1/udp/4001/quic-v1", "/ip4/100.64.0.1/tcp/4001"]);
    let (link, left_out) = Link { addrs: far.clone(), ..full() }.within(106);
    assert_eq!((&link.addrs[..], left_out), (&far[1..], vec![Addresses, Name, Mailboxes]), "one that fits");
}

#[test]
fn the_short_form_has_token_and_mailbox() {
    let (long, short) = ("/dns/a-mailbox-with-a-long-name.example.org/tcp/4001", "/ip4/100.64.0.7/udp/4001/quic-v1");
    let of = |mailboxes: Vec<Mailbox>, addrs: &[&str]| {
        let link = Link { mailboxes, addrs: texts(addrs), ..full() }.short();
        assert!(link.to_string().len() <= 160 && link.token == full().token && link.name.is_none());
        (link.mailboxes, link.addrs)
    };
    assert_eq!(of(full().mailboxes, &[short]), (full().mailboxes, vec![]));
    assert_eq!(of(vec![bobs(&[long]), bobs(&[long, short])], &[]), (vec![bobs(&[short])], vec![]), "one that fits");
    assert_eq!(of(vec![bobs(&[long])], &[long, short]), (vec![bobs(&[])], texts(&[short])));
    assert_eq!(of(vec![bobs(&[long])], &[]), (vec![bobs(&[])], vec![]));
    assert_eq!(of(vec![], &[short]), (vec![], texts(&[short])));
    assert_eq!(of(vec![], &[]), (vec![], vec![]));
}

fn any_link() -> impl Strategy<Value = Link> {
    let addr = prop_oneof!["/[ -~]{0,300}", ".{0,20}", "/ip4/[0-9]{1,3}\\.0\\.0\\.1/(tcp/[0-9]{1,5}|udp/1/quic-v1)"];
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
        prop_assert!(text.len() <= MAX_LINK / 3);
        let read: Link = text.parse().unwrap();
        prop_assert_eq!(&read.token, &link.token);
        prop_assert_eq!(read.to_string(), text);
        let name = link.name.filter(|n| !n.is_empty() && n.chars().count() <= 64 && !n.chars().any(char::is_control));
        prop_assert_eq!(read.name, name);
    }

    #[test]
    fn hostile_text_never_panics(text in "\\PC{0,200}|.{0,200}", hints in vec(any::<u8>(), 0..200)) {
        let _ = text.parse::<Link>();
        let _ = format!("rohrpost:{text}").parse::<Link>();
        let _ = format!("[{text}](rohrpost:{text})").parse::<Link>();
        if let Ok(link) = parse(&hints) {
            prop_assert_eq!(link.to_string().parse::<Link>(), Ok(link));
        }
    }
}
