//! Links: a peer ID, hints where it is found, and the token that makes a request an invited one (ID-50 to ID-58).
//!
//! ```text
//! rohrpost:<peer-id>/<base64url of hints and check>
//! hints = [token / null, ? name, 0*3 [mailbox, ? address], 0*3 address, ? later]
//! ```

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::card::{Mailbox, is_address};
use super::key::IdentityKey;
use crate::base::address::Address;
use crate::base::cbor::{CborError, Reader, Writer};
use crate::base::limits::{MAX_ADDR_LEN, MAX_LINK, MAX_MAILBOXES, MAX_NAME_CHARS};
use crate::base::words::LinkPart;
use crate::base::{CryptoRng, PeerId, Secret};
use crate::crypto::hash::sha256;

const SCHEME: &str = "rohrpost:";
/// Addresses of the owner in a link: more than three ways that differ help nobody, and it stays short.
const MAX_LINK_ADDRS: usize = 3;
/// Length of the short form of a link: what a message of 160 characters holds.
const SHORT_LINK: usize = 160;
/// Before what the check is of, `0x00` between (ID-52).
const LABEL: &[u8] = b"rohrpost/identity/link/v1";
/// What stands in place of the peer ID in the link of a group.
const GROUP: &str = "group";
/// What the hints of a later program may nest.
const MAX_LEVELS: usize = 4;
/// Characters that may belong to the link or to what stands around it, and how many of them are tried off (ID-57).
const DOUBTFUL: [char; 4] = ['_', '-', '/', ':'];
const MAX_TRIED: usize = 8;

/// The owner's request token: whoever shows it was invited. 128 random bits. Compared in constant time, never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestToken(Secret<16>);

impl RequestToken {
    /// A fresh one.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// From bytes that a peer sent.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Secret::new(bytes))
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.expose()
    }
}

impl fmt::Debug for RequestToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestToken(redacted)")
    }
}

/// A parsed link. The key of `peer` is sound; name and addresses are hints, to be believed by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whom it leads to.
    pub peer: PeerId,
    /// The name they gave themselves; at most 64 characters, no control characters.
    pub name: Option<String>,
    /// Multiaddresses in textual form, best first: the text of the link holds the first three that help others.
    pub addrs: Vec<String>,
    /// The request token.
    pub token: Option<RequestToken>,
    /// Mailboxes that the owner uses, at most 3, each with the address that the link gives; hints.
    pub mailboxes: Vec<Mailbox>,
}

/// Why a text is not a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Longer than any link of ours, with what stands around it (ID-50).
    #[error("it is too long: {0} bytes, at most {MAX_LINK}")]
    TooLong(usize),
    /// It does not begin with `rohrpost:`.
    #[error("a link begins with 'rohrpost:'")]
    Scheme,
    /// Words stand behind it, or another link (ID-57).
    #[error("something else stands behind it")]
    Behind,
    /// The link of a group (ID-50).
    #[error("it is that of a group, and this program knows of none")]
    Group,
    /// Its check is wrong, or too little is left of it to have one (ID-52).
    #[error("it was cut short or changed on its way")]
    Damaged,
    /// A peer ID, but not of a sound key (ID-51).
    #[error("its peer ID is not a sound Ed25519 key")]
    UnsoundKey,
    /// The hints are not what hints may be, though nobody changed them on the way (ID-53, ID-56).
    #[error("what it says is not understood")]
    Hints,
}

impl From<CborError> for LinkError {
    fn from(_: CborError) -> Self {
        Self::Hints
    }
}

impl fmt::Display for Link {
    /// Leaves out what [`Link::from_str`] would refuse or skip, so that what is shown always parses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(&self.peer, &self.hints()))
    }
}

impl FromStr for Link {
    type Err = LinkError;

    /// What may stand around it is tried off until the check is right (ID-57).
    fn from_str(text: &str) -> Result<Self, LinkError> {
        if text.len() > MAX_LINK {
            return Err(LinkError::TooLong(text.len()));
        }
        let found = begin(text).ok_or(LinkError::Scheme)?;
        bare(found).or_else(|error| bare(&unwrapped(found)).map_err(|_| error))
    }
}

impl Link {
    /// Whether a text is meant as a link, be it a sound one or not.
    pub fn is_meant(text: &str) -> bool {
        begin(text).is_some()
    }

    /// The same with less (ID-58), so that it has at most `longest` characters if it can: further addresses are left out, then the name, then
    /// mailboxes, at last what is too long for an address; the token never. And what was left out.
    pub fn within(&self, longest: usize) -> (Self, Vec<LinkPart>) {
        let (mut link, mut left_out) = (self.clone(), Vec::new());
        link.addrs = given(&self.addrs).map(|addr| addr.to_string()).take(MAX_LINK_ADDRS).collect();
        let all = link.addrs.clone();
        while link.addrs.len() > 1 && link.len() > longest {
            link.addrs.pop();
        }
        if link.len() > longest {
            link.name = None;
        }
        if link.len() > longest {
            link.mailboxes.clear();
        }
        if link.len() > longest {
            let one = |addr: &String| Self { addrs: vec![addr.clone()], ..link.clone() };
            let fits = all.iter().map(one).find(|link| link.len() <= longest);
            link = fits.unwrap_or_else(|| Self { addrs: Vec::new(), ..link.clone() });
        }
        for (part, is_left_out) in [
            (LinkPart::Addresses, link.addrs.len() < all.len()),
            (LinkPart::Name, link.name.is_none() && self.name.is_some()),
            (LinkPart::Mailboxes, link.mailboxes.len() < self.mailboxes.len()),
        ] {
            if is_left_out {
                left_out.push(part);
            }
        }
        (link, left_out)
    }

    /// The token and one mailbox, in at most 160 characters; an address in place of what does not fit or is not there.
    pub fn short(&self) -> Self {
        let only = |mailboxes: Vec<Mailbox>, addrs: Vec<String>| Self { name: None, mailboxes, addrs, ..self.clone() };
        let mailbox = |peer: PeerId, addrs: Vec<String>| vec![Mailbox { peer, addrs }];
        let by_mail = self.mailboxes.iter().flat_map(|node| {
            given(&node.addrs).map(move |addr| only(mailbox(node.peer, vec![addr.to_string()]), Vec::new()))
        });
        let bare: Vec<_> =
            self.mailboxes.first().map(|node| Mailbox { peer: node.peer, addrs: Vec::new() }).into_iter().collect();
        let beside = given(&self.addrs).map(|addr| only(bare.clone(), vec![addr.to_string()]));
        let found = by_mail.chain(beside).find(|link| link.len() <= SHORT_LINK);
        found.unwrap_or_else(|| only(bare.clone(), Vec::new()))
    }

    fn len(&self) -> usize {
        self.to_string().len()
    }

    /// ID-53, ID-56.
    fn hints(&self) -> Vec<u8> {
        let name = self.name.as_deref().filter(|name| is_name(name));
        let mailboxes = self.mailboxes.iter().take(MAX_MAILBOXES);
        let addrs: Vec<Address> = given(&self.addrs).take(MAX_LINK_ADDRS).collect();
        let mut hints = Writer::new();
        hints.array(1 + usize::from(name.is_some()) + mailboxes.len() + addrs.len());
        hints.bytes_or_null(self.token.as_ref().map(|token| &token.as_bytes()[..]));
        if let Some(name) = name {
            hints.put(name);
        }
        for node in mailboxes {
            let addr = given(&node.addrs).next();
            hints.array(1 + usize::from(addr.is_some())).bytes(node.peer.key_bytes());
            if let Some(addr) = addr {
                hints.bytes(&addr.to_bytes());
            }
        }
        for addr in &addrs {
            hints.bytes(&addr.to_bytes());
        }
        hints.into_bytes()
    }

    /// The other way round; what stands there in another order is left, and refused.
    fn read(peer: PeerId, hints: &[u8]) -> Result<Self, LinkError> {
        let mut hints = Reader::new(hints);
        let mut left = hints.array("hints")?.checked_sub(1).ok_or(LinkError::Hints)?;
        let token = if hints.null() { None } else { Some(RequestToken::from_bytes(hints.byte_array("token")?)) };
        let name = next(&mut hints, &mut left, |hints| hints.text("name", 4 * MAX_NAME_CHARS).map(str::to_owned));
        if name.as_deref().is_some_and(|name| !is_name(name)) {
            return Err(LinkError::Hints);
        }
        let mut link = Self { peer, name, addrs: Vec::new(), token, mailboxes: Vec::new() };
        for _ in 0..MAX_MAILBOXES {
            let Some(node) = next(&mut hints, &mut left, mailbox) else { break };
            IdentityKey::from_peer_id(node.peer).map_err(|_| LinkError::Hints)?;
            link.mailboxes.push(node);
        }
        for _ in 0..MAX_LINK_ADDRS {
            let Some(addr) = next(&mut hints, &mut left, address) else { break };
            link.addrs.extend(addr);
        }
        // What later programs say.
        next(&mut hints, &mut left, |hints| {
            hints.clone().map("later")?;
            hints.any(MAX_LEVELS)
        });
        hints.finish()?;
        if left == 0 { Ok(link) } else { Err(LinkError::Hints) }
    }
}

/// Reads the next item of the hints if it is there and of this form.
fn next<'b, T>(
    hints: &mut Reader<'b>,
    left: &mut u64,
    read: impl FnOnce(&mut Reader<'b>) -> Result<T, CborError>,
) -> Option<T> {
    let (mut ahead, less) = (hints.clone(), left.checked_sub(1)?);
    let said = read(&mut ahead).ok()?;
    (*hints, *left) = (ahead, less);
    Some(said)
}

/// ID-56.
fn mailbox(hints: &mut Reader<'_>) -> Result<Mailbox, CborError> {
    let len = hints.array("mailbox")?;
    let peer = PeerId::from_key_bytes(hints.byte_array("mailbox")?);
    let addrs = match len {
        1 => Vec::new(),
        2 => address(hints)?.into_iter().collect(),
        _ => return Err(CborError::Field("mailbox")),
    };
    Ok(Mailbox { peer, addrs })
}

/// An address in its textual form; nothing if it is one that helps nobody (ID-53).
fn address(hints: &mut Reader<'_>) -> Result<Option<String>, CborError> {
    let bytes = hints.bytes("address", MAX_ADDR_LEN)?;
    Ok(Address::from_bytes(bytes).filter(helps).map(|addr| addr.to_string()).filter(|addr| is_address(addr)))
}

/// Those addresses that a link may hold.
fn given(addrs: &[String]) -> impl Iterator<Item = Address> {
    addrs.iter().filter(|addr| is_address(addr)).filter_map(|addr| addr.parse().ok()).filter(helps)
}

/// Whether somebody else can dial this address (ID-53).
fn helps(addr: &Address) -> bool {
    addr.is_dialable() && !addr.is_an_example()
}

/// ID-53.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= MAX_NAME_CHARS && !name.chars().any(char::is_control)
}

/// ID-52.
fn check(peer: &PeerId, hints: &[u8]) -> [u8; 2] {
    let [first, second, ..] = sha256(&[LABEL, &[0], peer.key_bytes(), hints]);
    [first, second]
}

/// The text of a link with these hints; also for the fuzz targets, which have the check made right.
pub(super) fn text(peer: &PeerId, hints: &[u8]) -> String {
    let checked = [hints, &check(peer, hints)].concat();
    format!("{SCHEME}{peer}/{}", BASE64URL_NOPAD.encode(&checked))
}

/// Where the link begins: behind what are no letters, or behind the text that Markdown shows for it (ID-57).
fn begin(text: &str) -> Option<&str> {
    inside(text).or_else(|| {
        inside(
            text.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '[').strip_prefix('[')?.split_once("](")?.1,
        )
    })
}

/// What begins with the first letter, if that is a link.
fn inside(text: &str) -> Option<&str> {
    let text = text.get(text.find(char::is_alphanumeric)?..)?;
    text.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME)).map(|_| text)
}

/// In one line, as it was before a mail program wrapped and quoted it.
fn unwrapped(text: &str) -> String {
    let quoting = |c: char| c == '>' || c.is_whitespace();
    text.lines().map(|line| line.trim_matches(quoting)).collect()
}

/// The link with which a text begins, and behind which is nothing but marks (ID-57).
fn bare(text: &str) -> Result<Link, LinkError> {
    let len = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || DOUBTFUL.contains(&char::from(*b))).count();
    let (link, behind) = text.split_at_checked(len).ok_or(LinkError::Damaged)?;
    // Markdown that shows the link itself.
    let behind = behind.strip_prefix("](").and_then(|behind| behind.strip_prefix(link)).unwrap_or(behind);
    if behind.contains(char::is_alphanumeric) {
        return Err(LinkError::Behind);
    }
    let less = std::iter::successors(Some(link), |link| link.strip_suffix(DOUBTFUL));
    let mut tried = less.take(MAX_TRIED).map(exactly);
    let first = tried.next().unwrap_or(Err(LinkError::Damaged));
    first.or_else(|error| tried.find_map(Result::ok).ok_or(error))
}

/// ID-50 to ID-52.
fn exactly(link: &str) -> Result<Link, LinkError> {
    let rest = link.get(SCHEME.len()..).ok_or(LinkError::Scheme)?;
    let (peer, hints) = rest.split_once('/').ok_or(LinkError::Damaged)?;
    if peer == GROUP {
        return Err(LinkError::Group);
    }
    let peer: PeerId = peer.parse().map_err(|_| LinkError::Damaged)?;
    let bytes = BASE64URL_NOPAD.decode(hints.as_bytes()).map_err(|_| LinkError::Damaged)?;
    let (hints, found) = bytes.split_last_chunk().ok_or(LinkError::Damaged)?;
    if *found != check(&peer, hints) {
        return Err(LinkError::Damaged);
    }
    IdentityKey::from_peer_id(peer).map_err(|_| LinkError::UnsoundKey)?;
    Link::read(peer, hints)
}

#[cfg(test)]
mod tests;
