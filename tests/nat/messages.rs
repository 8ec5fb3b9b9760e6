//! The messages of circuit relay v2, of identify and of AutoNAT v2, as far as who serves needs them (protocol buffers, by hand).

use std::io;

use futures::{AsyncRead, AsyncReadExt};
use libp2p::identity::PublicKey;
use libp2p::{Multiaddr, PeerId};

pub(crate) const OK: u64 = 100;
pub(crate) const NO_RESERVATION: u64 = 204;

/// Kinds of a message to a relay.
pub(crate) const RESERVE: u64 = 0;
const STATUS: u64 = 2;

/// No message of a guest is longer.
const LONGEST: usize = 4096;

/// A field, with its number: a number, or bytes.
enum Field<'a> {
    Number(u64, u64),
    Bytes(u64, &'a [u8]),
}

use Field::{Bytes, Number};

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn message(fields: &[Field<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        match field {
            Number(field, number) => {
                varint(&mut out, field << 3);
                varint(&mut out, *number);
            }
            Bytes(field, bytes) => {
                varint(&mut out, field << 3 | 2);
                varint(&mut out, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
        }
    }
    out
}

/// With its length before it.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, message.len() as u64);
    [out.as_slice(), message].concat()
}

/// What a relay says of itself.
pub(crate) fn identity(key: &PublicKey, protocols: &[&str], seen: &Multiaddr) -> Vec<u8> {
    let (key, seen) = (key.encode_protobuf(), seen.to_vec());
    let mut fields = vec![Bytes(1, &key), Bytes(4, &seen), Bytes(5, b"rohrpost"), Bytes(6, b"rohrpost")];
    fields.extend(protocols.iter().map(|protocol| Bytes(3, protocol.as_bytes())));
    message(&fields)
}

/// A reservation until then, at these addresses.
pub(crate) fn granted(until: u64, addrs: &[Multiaddr]) -> Vec<u8> {
    let addrs: Vec<Vec<u8>> = addrs.iter().map(Multiaddr::to_vec).collect();
    let mut fields = vec![Number(1, until)];
    fields.extend(addrs.iter().map(|addr| Bytes(2, addr)));
    message(&[Number(1, STATUS), Bytes(3, &message(&fields)), Number(5, OK)])
}

/// How it went.
pub(crate) fn hop_status(status: u64) -> Vec<u8> {
    message(&[Number(1, STATUS), Number(5, status)])
}

/// The number of a question for an address: the last eight bytes of it.
pub(crate) async fn question(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<[u8; 8]> {
    let mut bytes = vec![0; length(stream).await?];
    stream.read_exact(&mut bytes).await?;
    bytes.last_chunk().copied().ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The number, as somebody says it who has reached the address.
pub(crate) fn said(number: [u8; 8]) -> Vec<u8> {
    // A field of eight bytes.
    [&[1 << 3 | 1], number.as_slice()].concat()
}

/// The answer to a question: all went well, and so did the dial, or not.
pub(crate) fn tried(reached: bool) -> Vec<u8> {
    message(&[Bytes(2, &message(&[Number(1, 200), Number(3, if reached { 200 } else { 100 })]))])
}

/// Somebody calls.
pub(crate) fn called(caller: &PeerId) -> Vec<u8> {
    message(&[Number(1, 0), Bytes(2, &message(&[Bytes(1, &caller.to_bytes())]))])
}

/// What a guest says.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub(crate) kind: u64,
    peer: Option<Vec<u8>>,
    /// Of an answer to a call.
    pub(crate) stop_status: Option<u64>,
}

impl Message {
    pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut bytes = vec![0; length(stream).await?];
        stream.read_exact(&mut bytes).await?;
        let mut message = Self::default();
        for field in fields(&bytes) {
            match field {
                Number(1, kind) => message.kind = kind,
                Bytes(2, peer) => message.peer = Some(peer.to_vec()),
                Number(4, status) => message.stop_status = Some(status),
                _ => {}
            }
        }
        Ok(message)
    }

    /// Whom it names.
    pub(crate) fn peer(&self) -> Option<PeerId> {
        let peer = fields(self.peer.as_ref()?).into_iter();
        let mut ids = peer.filter_map(|field| if let Bytes(1, id) = field { Some(id) } else { None });
        PeerId::from_bytes(ids.next()?).ok()
    }
}

fn fields(mut bytes: &[u8]) -> Vec<Field<'_>> {
    let next = |bytes: &mut &[u8]| {
        let (mut number, mut shift) = (0, 0);
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        number
    };
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = next(&mut bytes);
        let number = next(&mut bytes);
        if tag & 7 == 2 {
            let (field, rest) = bytes.split_at(usize::try_from(number).unwrap());
            fields.push(Bytes(tag >> 3, field));
            bytes = rest;
        } else {
            fields.push(Number(tag >> 3, number));
        }
    }
    fields
}

/// The length of what follows.
pub(crate) async fn length(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
    let (mut length, mut shift) = (0, 0);
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if length > LONGEST || shift > 14 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if byte[0] & 0x80 == 0 {
            return Ok(length);
        }
    }
}
