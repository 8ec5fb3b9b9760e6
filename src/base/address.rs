//! Where a node is found: the multiaddresses that can be dialled (NET-43), as text and as bytes.
//!
//! libp2p knows many more; the core needs these alone, to write them short and to tell which of them help somebody else.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;
use std::str::FromStr;

use super::ids::PeerId;
use super::scope::Scope;

/// What stands between an address and the peer ID of who is there.
const P2P: &str = "/p2p/";
/// What stands behind the peer ID of a relay.
const CIRCUIT: &str = "/p2p-circuit";
/// The longest host name (RFC 1035).
const MAX_HOST: usize = 253;

/// Numbers of multiaddr protocols, as the varints that they are written as.
mod code {
    pub(super) const IP4: &[u8] = &[0x04];
    pub(super) const TCP: &[u8] = &[0x06];
    pub(super) const IP6: &[u8] = &[0x29];
    pub(super) const UDP: &[u8] = &[0x91, 0x02];
    pub(super) const CIRCUIT: &[u8] = &[0xa2, 0x02];
    /// And the length of a peer ID of ours.
    pub(super) const P2P: &[u8] = &[0xa5, 0x03, 38];
    pub(super) const QUIC_V1: &[u8] = &[0xcd, 0x03];
}

/// An address of one machine, straight or through a relay: `/ip4|ip6|dns|dns4|dns6/…/tcp/…` or `…/udp/…/quic-v1`, and
/// perhaps `/p2p/<relay>/p2p-circuit`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    machine: Machine,
    quic: bool,
    port: NonZeroU16,
    relay: Option<PeerId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Machine {
    Ip(IpAddr),
    Name(Family, String),
}

/// What a name is resolved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Family {
    Any,
    V4,
    V6,
}

impl Family {
    const ALL: [Self; 3] = [Self::Any, Self::V4, Self::V6];

    const fn word(self) -> &'static str {
        match self {
            Self::Any => "dns",
            Self::V4 => "dns4",
            Self::V6 => "dns6",
        }
    }

    const fn code(self) -> &'static [u8] {
        match self {
            Self::Any => &[0x35],
            Self::V4 => &[0x36],
            Self::V6 => &[0x37],
        }
    }
}

impl Address {
    /// The bytes of the multiaddress.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match &self.machine {
            Machine::Ip(IpAddr::V4(ip)) => bytes.extend([code::IP4, &ip.octets()].concat()),
            Machine::Ip(IpAddr::V6(ip)) => bytes.extend([code::IP6, &ip.octets()].concat()),
            Machine::Name(family, name) => {
                bytes.extend(family.code());
                varint(name.len(), &mut bytes);
                bytes.extend(name.as_bytes());
            }
        }
        let port = self.port.get().to_be_bytes();
        bytes.extend(if self.quic { [code::UDP, &port, code::QUIC_V1].concat() } else { [code::TCP, &port].concat() });
        if let Some(relay) = &self.relay {
            bytes.extend([code::P2P, &relay.to_multihash(), code::CIRCUIT].concat());
        }
        bytes
    }

    /// From the bytes of a multiaddress; `None` if it is of another form.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (machine, bytes) = machine(bytes)?;
        let (quic, bytes) = match (bytes.strip_prefix(code::TCP), bytes.strip_prefix(code::UDP)) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return None,
        };
        let (port, bytes) = bytes.split_first_chunk()?;
        let port = NonZeroU16::new(u16::from_be_bytes(*port))?;
        let bytes = if quic { bytes.strip_prefix(code::QUIC_V1)? } else { bytes };
        let relay = match bytes {
            [] => None,
            bytes => Some(PeerId::from_multihash(bytes.strip_prefix(code::P2P)?.strip_suffix(code::CIRCUIT)?).ok()?),
        };
        Some(Self { machine, quic, port, relay })
    }

    /// How far it reaches; of one on a relay, the relay's. A name may lead anywhere.
    pub fn scope(&self) -> Scope {
        match self.machine {
            Machine::Ip(ip) => Scope::of(ip),
            Machine::Name(..) => Scope::Global,
        }
    }

    /// Whether it is one machine's, and can be dialled by another: link-local addresses need the name of an interface, which
    /// a multiaddress does not carry.
    pub fn is_dialable(&self) -> bool {
        match self.machine {
            Machine::Ip(IpAddr::V4(ip)) => {
                !(ip.is_unspecified() || ip.is_broadcast() || ip.is_multicast() || ip.is_link_local())
            }
            Machine::Ip(IpAddr::V6(ip)) => !(ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local()),
            Machine::Name(..) => true,
        }
    }

    /// Whether it is set aside for documentation (RFC 5737, RFC 3849, RFC 9637): nobody has it.
    pub fn is_an_example(&self) -> bool {
        match self.machine {
            Machine::Ip(IpAddr::V4(ip)) => {
                matches!(ip.octets(), [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _])
            }
            Machine::Ip(IpAddr::V6(ip)) => matches!(ip.segments(), [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..]),
            Machine::Name(..) => false,
        }
    }

    /// What distinguishes it from others for somebody who looks for a way: how far it reaches, what carries it, through whom.
    fn kind(&self) -> (Reverse<Scope>, bool, bool, bool) {
        let is_v6 = matches!(self.machine, Machine::Ip(IpAddr::V6(_)) | Machine::Name(Family::V6, _));
        (Reverse(self.scope()), self.relay.is_some(), is_v6, !self.quic)
    }
}

/// The order in which addresses, perhaps with the peer ID at their end, help who looks for a way: those that reach
/// farthest first, straight ones before those through a relay, but one of each kind before a second of any. What is of no form that can
/// be dialled comes last.
pub fn best_first(addrs: &mut [String]) {
    let mut seen = BTreeMap::new();
    addrs.sort_by_cached_key(|text| {
        let addr = text.parse::<Address>().ok().filter(Address::is_dialable);
        let kind = addr.as_ref().map(Address::kind);
        let nth = seen.entry(kind).or_insert(0_usize);
        *nth += 1;
        (kind.is_none(), *nth, kind)
    });
}

/// The machine with which the bytes of an address begin, and what follows.
fn machine(bytes: &[u8]) -> Option<(Machine, &[u8])> {
    if let Some(rest) = bytes.strip_prefix(code::IP4) {
        let (ip, rest) = rest.split_first_chunk::<4>()?;
        return Some((Machine::Ip(Ipv4Addr::from(*ip).into()), rest));
    }
    if let Some(rest) = bytes.strip_prefix(code::IP6) {
        let (ip, rest) = rest.split_first_chunk::<16>()?;
        return Some((Machine::Ip(Ipv6Addr::from(*ip).into()), rest));
    }
    let family = |family: &Family| Some((*family, bytes.strip_prefix(family.code())?));
    let (family, rest) = Family::ALL.iter().find_map(family)?;
    let (len, rest) = match rest {
        [len @ 0..=0x7f, rest @ ..] => (usize::from(*len), rest),
        [low, 1, rest @ ..] => (usize::from(*low), rest),
        _ => return None,
    };
    let (name, rest) = rest.split_at_checked(len)?;
    let name = std::str::from_utf8(name).ok().filter(|name| is_host(name))?;
    Some((Machine::Name(family, name.to_owned()), rest))
}

/// A length below 256: that of a name.
fn varint(len: usize, bytes: &mut Vec<u8>) {
    let low = u8::try_from(len).unwrap_or(u8::MAX);
    bytes.push(low);
    if low > 0x7f {
        bytes.push(1);
    }
}

fn is_host(name: &str) -> bool {
    let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    !name.is_empty() && name.len() <= MAX_HOST && name.bytes().all(sound)
}

/// The text is no address of a form that can be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address of a form that can be dialled")]
pub struct NoAddress;

impl FromStr for Address {
    type Err = NoAddress;

    /// A peer ID at the end, as who is there, is left out.
    fn from_str(text: &str) -> Result<Self, NoAddress> {
        read(text).ok_or(NoAddress)
    }
}

fn read(text: &str) -> Option<Address> {
    let bare = text.rsplit_once(P2P).filter(|(_, who)| who.parse::<PeerId>().is_ok()).map_or(text, |(addr, _)| addr);
    let (way, relay) = match bare.strip_suffix(CIRCUIT) {
        Some(through) => {
            let (way, relay) = through.rsplit_once(P2P)?;
            (way, Some(relay.parse().ok()?))
        }
        None => (bare, None),
    };
    let mut parts = way.strip_prefix('/')?.split('/');
    let (kind, name) = (parts.next()?, parts.next()?);
    let machine = match kind {
        "ip4" => Machine::Ip(name.parse::<Ipv4Addr>().ok()?.into()),
        "ip6" => Machine::Ip(name.parse::<Ipv6Addr>().ok()?.into()),
        kind => {
            let family = Family::ALL.into_iter().find(|family| family.word() == kind)?;
            Machine::Name(family, Some(name).filter(|name| is_host(name))?.to_owned())
        }
    };
    let (carrier, port, more) = (parts.next()?, parts.next()?.parse().ok()?, parts.next());
    let quic = match (carrier, more) {
        ("tcp", None) => false,
        ("udp", Some("quic-v1")) => true,
        _ => return None,
    };
    parts.next().is_none().then_some(Address { machine, quic, port, relay })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.machine {
            Machine::Ip(IpAddr::V4(ip)) => write!(f, "/ip4/{ip}")?,
            Machine::Ip(IpAddr::V6(ip)) => write!(f, "/ip6/{ip}")?,
            Machine::Name(family, name) => write!(f, "/{}/{name}", family.word())?,
        }
        match self.quic {
            true => write!(f, "/udp/{}/quic-v1", self.port)?,
            false => write!(f, "/tcp/{}", self.port)?,
        }
        self.relay.as_ref().map_or(Ok(()), |relay| write!(f, "{P2P}{relay}{CIRCUIT}"))
    }
}

#[cfg(test)]
mod tests;
