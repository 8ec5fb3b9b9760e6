use proptest::prelude::*;

use super::*;

const PEER: &str = "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB";

fn addr(text: &str) -> Address {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

/// The bytes are those of the multiaddr specification; `/udp/…/quic-v1` as `@multiformats/multiaddr` writes it.
#[test]
fn the_bytes_are_those_of_a_multiaddress() {
    for (text, bytes) in [
        ("/ip4/127.0.0.1/tcp/4001", "047f000001060fa1"),
        ("/ip4/1.2.3.4/udp/4001/quic-v1", "040102030491020fa1cd03"),
        ("/ip6/2001:db8::7/tcp/443", "2920010db80000000000000000000000070601bb"),
        ("/dns/a.example/tcp/80", "3509612e6578616d706c65060050"),
        ("/dns4/b/udp/1/quic-v1", "3601629102 0001cd03"),
        ("/dns6/b/tcp/1", "37016206 0001"),
    ] {
        let found: String = addr(text).to_bytes().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(found, bytes.replace(' ', ""), "{text}");
        assert_eq!(addr(text).to_string(), text);
    }
    let relayed = format!("/ip4/1.2.3.4/tcp/1/p2p/{PEER}/p2p-circuit");
    let bytes = addr(&relayed).to_bytes();
    assert_eq!((bytes.len(), &bytes[8..11], &bytes[49..]), (51, &[0xa5, 3, 38][..], &[0xa2, 2][..]));
    assert_eq!(Address::from_bytes(&bytes), Some(addr(&relayed)));
    let long = format!("/dns/{}/tcp/1", "a".repeat(200));
    assert_eq!(Address::from_bytes(&addr(&long).to_bytes()), Some(addr(&long)), "a length of two bytes");
}

/// A peer ID at the end is who is there.
#[test]
fn who_is_there_is_no_part_of_the_address() {
    for text in ["/ip4/1.2.3.4/tcp/1".to_owned(), format!("/dns/a/udp/1/quic-v1/p2p/{PEER}/p2p-circuit")] {
        assert_eq!(addr(&format!("{text}/p2p/{PEER}")), addr(&text));
    }
}

#[test]
fn other_forms_are_none() {
    for text in [
        "",
        "/",
        "ip4/1.2.3.4/tcp/1",
        "/ip4/1.2.3.4",
        "/ip4/1.2.3/tcp/1",
        "/ip4/1.2.3.4/tcp/0",
        "/ip4/1.2.3.4/tcp/65536",
        "/ip4/1.2.3.4/tcp/1/ws",
        "/ip4/1.2.3.4/udp/1",
        "/ip4/1.2.3.4/udp/1/quic-v1/x",
        "/ip4/1.2.3.4/tcp/1/p2p/nobody",
        "/ip4/1.2.3.4/tcp/1/p2p-circuit",
        "/ip4/1.2.3.4/tcp/1/p2p/nobody/p2p-circuit",
        "/dns//tcp/1",
        "/dns/a b/tcp/1",
        "/dnsaddr/a/tcp/1",
        "/memory/7",
    ] {
        assert_eq!(text.parse::<Address>(), Err(NoAddress), "{text}");
    }
    assert!(format!("/dns/{}/tcp/1", "a".repeat(254)).parse::<Address>().is_err());
    let sound = addr(&format!("/dns/{}/udp/1/quic-v1/p2p/{PEER}/p2p-circuit", "a".repeat(130))).to_bytes();
    assert!((0..sound.len()).all(|len| Address::from_bytes(&sound[..len]).is_none() || sound[len..].len() == 43));
    // A length in more bytes than it takes, and one of a kilobyte.
    assert!(Address::from_bytes(&[0x35, 0x81, 0, b'a', 6, 0, 1]).is_none());
    assert!(Address::from_bytes(&[&[0x35, 0x80, 8][..], &[b'a'; 1024], &[6, 0, 1]].concat()).is_none());
    assert!(Address::from_bytes(&[4, 1, 2, 3, 4, 6, 0, 0]).is_none(), "no port");
}

#[test]
fn who_can_dial_it_and_who_has_it() {
    let ip = |ip: &str| addr(&format!("/{}/{ip}/tcp/1", if ip.contains(':') { "ip6" } else { "ip4" }));
    for text in ["0.0.0.0", "255.255.255.255", "224.0.0.251", "169.254.1.1", "::", "ff02::fb", "fe80::1", "febf::1"] {
        assert!(!ip(text).is_dialable(), "{text}");
    }
    for text in ["192.0.2.1", "198.51.100.7", "203.0.113.255", "2001:db8::1", "3fff::1", "3fff:fff::1"] {
        assert!(ip(text).is_dialable() && ip(text).is_an_example(), "{text}");
    }
    for text in ["127.0.0.1", "10.0.0.1", "192.0.3.1", "203.0.112.1", "::1", "fd00::1", "2001:db9::1", "3fff:1000::1"] {
        assert!(ip(text).is_dialable() && !ip(text).is_an_example(), "{text}");
    }
    assert!(addr("/dns/example.org/tcp/1").is_dialable());
}

/// One of each kind before a second of any; the farthest first.
#[test]
fn the_best_come_first() {
    let through = format!("/ip4/9.9.9.9/udp/1/quic-v1/p2p/{PEER}/p2p-circuit");
    let mut addrs = [
        "/memory/1",
        "/ip6/fe80::1/udp/1/quic-v1",
        "/ip4/127.0.0.1/tcp/1",
        "/ip4/10.0.0.1/tcp/1",
        "/ip4/10.0.0.1/udp/1/quic-v1",
        "/ip4/10.0.0.2/udp/1/quic-v1",
        "/ip6/2600::1/udp/1/quic-v1",
        "/ip6/2600::2/udp/1/quic-v1",
        &through,
        "/ip4/8.8.8.8/tcp/1",
        "/ip4/8.8.8.8/udp/1/quic-v1",
    ]
    .map(str::to_owned);
    best_first(&mut addrs);
    let expected = [
        "/ip4/8.8.8.8/udp/1/quic-v1",
        "/ip4/8.8.8.8/tcp/1",
        "/ip6/2600::1/udp/1/quic-v1",
        &through,
        "/ip4/10.0.0.1/udp/1/quic-v1",
        "/ip4/10.0.0.1/tcp/1",
        "/ip4/127.0.0.1/tcp/1",
        "/ip6/2600::2/udp/1/quic-v1",
        "/ip4/10.0.0.2/udp/1/quic-v1",
        "/memory/1",
        "/ip6/fe80::1/udp/1/quic-v1",
    ];
    assert_eq!(addrs, expected);
    best_first(&mut addrs);
    assert_eq!(addrs, expected, "the order stays");
}

proptest! {
    /// What is read is written alike, in both forms.
    #[test]
    fn bytes_have_one_meaning(bytes in proptest::collection::vec(any::<u8>(), 0..60), head in 0_usize..6) {
        let head: &[u8] = [&[4][..], &[0x29], &[0x35, 3], &[4, 1, 2, 3, 4, 6], &[4, 1, 2, 3, 4, 0x91, 2], &[]][head];
        let bytes = [head, &bytes].concat();
        if let Some(addr) = Address::from_bytes(&bytes) {
            prop_assert_eq!(addr.to_bytes(), bytes);
            prop_assert_eq!(addr.to_string().parse(), Ok(addr));
        }
    }
}
