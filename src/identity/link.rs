//! Links: a peer ID, hints where it is found, and the token that makes a request an invited one.
//!
//! ```text
//! rohrpost:<peer-id>?name=…&addr=<multiaddr>&addr=…&t=<token>&mbox=<multiaddr>/p2p/<peer-id>
//! ```

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::card::{Mailbox, is_address};
use super::key::IdentityKey;
use crate::base::ids::parse_hex;
use crate::base::limits::{MAX_ADDR_LEN, MAX_ADDRS, MAX_LINK, MAX_MAILBOXES, MAX_NAME_CHARS};
use crate::base::{CryptoRng, IdError, PeerId, Secret};

const SCHEME: &str = "rohrpost:";
/// What stands between an address and the peer ID of who is there.
const P2P: &str = "/p2p/";

/// What is percent-encoded in a name: all but RFC 3986's unreserved characters.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// In an address `/` and `:` stay, too: a query may hold them, and it stays legible.
const ADDR: &AsciiSet = &NAME.remove(b'/').remove(b':');

/// The owner's request token: whoever shows it was invited. 128 random bits; its text is 32
/// hexadecimal digits, for links only. Compared in constant time, never shown by `Debug`.
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

impl fmt::Display for RequestToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl FromStr for RequestToken {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let mut bytes = [0; 16];
        parse_hex(text, &mut bytes).map_err(|_| LinkError::Token)?;
        Ok(Self::from_bytes(bytes))
    }
}

/// A parsed link. The key of `peer` is sound; name and addresses are hints, to be believed by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whom it leads to.
    pub peer: PeerId,
    /// The name they gave themselves; at most 64 characters, no control characters.
    pub name: Option<String>,
    /// Multiaddresses in textual form, at most 8.
    pub addrs: Vec<String>,
    /// The request token.
    pub token: Option<RequestToken>,
    /// Mailboxes that the owner uses, at most 3, each with the addresses that the link gives; hints.
    pub mailboxes: Vec<Mailbox>,
}

/// Why a text is not a link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Longer than any link of ours (ID-50).
    #[error("this link is too long: {0} bytes, at most {MAX_LINK}")]
    TooLong(usize),
    /// It does not begin with `rohrpost:`.
    #[error("a link begins with 'rohrpost:'")]
    Scheme,
    /// A character that cannot stand in a link: a blank, a control character, not ASCII (ID-50).
    #[error("this link contains a character that no link contains")]
    Character,
    /// What follows `rohrpost:` is not a peer ID.
    #[error(transparent)]
    Peer(#[from] IdError),
    /// A peer ID, but not of a sound key (ID-51).
    #[error("the peer ID in this link is not a sound Ed25519 key")]
    UnsoundKey,
    /// A `%` without two hexadecimal digits, or bytes that are not UTF-8 (ID-52).
    #[error("the percent-encoding of this link is broken")]
    Encoding,
    /// The name is too long or contains control characters (ID-53).
    #[error("the name in this link is not a name: at most {MAX_NAME_CHARS} characters, no control characters")]
    Name,
    /// An address does not begin with `/`, is too long or not printable ASCII (ID-53).
    #[error("an address in this link is not an address: at most {MAX_ADDR_LEN} characters, beginning with '/'")]
    Address,
    /// More addresses than a link may hold (ID-53).
    #[error("there are too many addresses in this link, at most {MAX_ADDRS}")]
    TooManyAddresses,
    /// What stands for a mailbox is not an address that ends in `/p2p/` and a peer ID (ID-56).
    #[error("a mailbox in this link is not an address that ends in '/p2p/' and a peer ID")]
    Mailbox,
    /// More mailboxes than a link may hold (ID-56).
    #[error("there are too many mailboxes in this link, at most {MAX_MAILBOXES}")]
    TooManyMailboxes,
    /// The token is not 32 hexadecimal digits (ID-53).
    #[error("a request token has 32 hexadecimal digits")]
    Token,
    /// `name` or `t` stands there twice (ID-53).
    #[error("'{0}' stands twice in this link")]
    Twice(&'static str),
}

impl fmt::Display for Link {
    /// Leaves out what [`Link::from_str`] would refuse, so that what is shown always parses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = format!("{SCHEME}{}", self.peer);
        f.write_str(&start)?;
        let (mut separator, mut len) = ('?', start.len());
        // Only mailboxes may not fit: all else is bounded so that it does.
        let mut pair = |key: &str, value: &dyn fmt::Display| {
            let pair = format!("{separator}{key}={value}");
            if len + pair.len() <= MAX_LINK {
                (separator, len) = ('&', len + pair.len());
                f.write_str(&pair)?;
            }
            Ok(())
        };
        if let Some(name) = self.name.as_deref().filter(|name| !name.is_empty() && is_name(name)) {
            pair("name", &utf8_percent_encode(name, NAME))?;
        }
        for addr in self.addrs.iter().filter(|addr| is_address(addr)).take(MAX_ADDRS) {
            pair("addr", &utf8_percent_encode(addr, ADDR))?;
        }
        if let Some(token) = &self.token {
            pair("t", token)?;
        }
        for mailbox in self.mailboxes.iter().take(MAX_MAILBOXES) {
            let addr = mailbox_addr(mailbox);
            if is_address(&addr) {
                pair("mbox", &utf8_percent_encode(&addr, ADDR))?;
            }
        }
        Ok(())
    }
}

impl FromStr for Link {
    type Err = LinkError;

    /// Blanks around the link are ignored, unknown keys too (ID-54).
    fn from_str(text: &str) -> Result<Self, LinkError> {
        let text = text.trim_ascii();
        if text.len() > MAX_LINK {
            return Err(LinkError::TooLong(text.len()));
        }
        let rest = match text.split_at_checked(SCHEME.len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest,
            _ => return Err(LinkError::Scheme),
        };
        if !rest.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(LinkError::Character);
        }
        let (peer, query) = rest.split_once('?').unwrap_or((rest, ""));
        let peer: PeerId = peer.parse()?;
        IdentityKey::from_peer_id(peer).map_err(|_| LinkError::UnsoundKey)?;

        let mut link = Self { peer, name: None, addrs: Vec::new(), token: None, mailboxes: Vec::new() };
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            link.take_pair(key, value)?;
        }
        link.name = link.name.filter(|name| !name.is_empty());
        Ok(link)
    }
}

impl Link {
    fn take_pair(&mut self, key: &str, value: &str) -> Result<(), LinkError> {
        match key {
            "name" if self.name.is_some() => return Err(LinkError::Twice("name")),
            "name" => self.name = Some(Some(decode(value)?).filter(|name| is_name(name)).ok_or(LinkError::Name)?),
            "addr" if self.addrs.len() >= MAX_ADDRS => return Err(LinkError::TooManyAddresses),
            "addr" => {
                self.addrs.push(Some(decode(value)?).filter(|addr| is_address(addr)).ok_or(LinkError::Address)?);
            }
            "t" if self.token.is_some() => return Err(LinkError::Twice("t")),
            "t" => self.token = Some(decode(value)?.parse()?),
            "mbox" if self.mailboxes.len() >= MAX_MAILBOXES => return Err(LinkError::TooManyMailboxes),
            "mbox" => self.mailboxes.push(mailbox(&decode(value)?).ok_or(LinkError::Mailbox)?),
            _ => {}
        }
        Ok(())
    }
}

/// The first address, with who is there: what follows is for whoever gets the card.
fn mailbox_addr(mailbox: &Mailbox) -> String {
    let addr = mailbox.addrs.iter().find(|addr| is_address(addr)).map_or("", String::as_str);
    format!("{addr}{P2P}{}", mailbox.peer)
}

/// ID-56.
fn mailbox(text: &str) -> Option<Mailbox> {
    let (addr, peer) = Some(text).filter(|text| is_address(text))?.rsplit_once(P2P)?;
    let peer: PeerId = peer.parse().ok()?;
    IdentityKey::from_peer_id(peer).ok()?;
    let addrs = if addr.is_empty() { Vec::new() } else { vec![addr.to_owned()] };
    addrs.iter().all(|addr| is_address(addr)).then_some(Mailbox { peer, addrs })
}

/// ID-53.
fn is_name(name: &str) -> bool {
    name.chars().count() <= MAX_NAME_CHARS && !name.chars().any(char::is_control)
}

/// Strict percent-decoding (ID-52): the crate lets a broken `%` pass, so it is looked at first. `+` is a plus.
fn decode(value: &str) -> Result<String, LinkError> {
    let broken = |after: &str| after.get(..2).is_none_or(|pair| !pair.bytes().all(|digit| digit.is_ascii_hexdigit()));
    if value.split('%').skip(1).any(broken) {
        return Err(LinkError::Encoding);
    }
    let text = percent_decode_str(value).decode_utf8().map_err(|_| LinkError::Encoding)?;
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests;
