//! Frames of the envelope protocol `/rohrpost/env/1` (docs/protocol/network.md, "Frames").
//!
//! A stream carries envelopes from the side that opened it to the side that accepted it; the
//! answers come back on the same stream. This file turns frames into bytes and back. It owns no
//! input or output, and does not know which frame may follow which.

use crate::base::limits::{MAX_ENVELOPE, MAX_HELLO};

/// The name under which libp2p negotiates the protocol.
pub const PROTOCOL: &str = "/rohrpost/env/1";
/// The highest version of the frames that is spoken here.
pub const VERSION: u64 = 1;
/// Bytes before the body of every frame: kind, number, length.
pub const HEAD_LEN: usize = 13;

const KIND_HELLO: u8 = 1;
const KIND_ENVELOPE: u8 = 2;
const KIND_ACK: u8 = 3;
const KIND_REFUSAL: u8 = 4;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The first frame of each direction.
    Hello {
        /// The highest version the sender of this frame speaks, at least 1.
        version: u64,
    },
    /// An envelope, from the opener of the stream.
    Envelope {
        /// Its place in the stream: 1, 2, 3, …
        seq: u64,
        /// The encoded envelope, 1 to `MAX_ENVELOPE` bytes.
        bytes: Vec<u8>,
    },
    /// Every envelope up to this one is settled: stored, unless it was refused before.
    Ack {
        /// The last one.
        upto: u64,
    },
    /// The envelope after the last settled one is refused, and settled by it.
    Refusal {
        /// Which.
        seq: u64,
        /// Why.
        reason: RefuseReason,
    },
}

/// Names one received frame within a process: the stream (a number that is never used twice) and its sequence number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameToken {
    /// The stream.
    pub stream: u64,
    /// The frame.
    pub frame: u64,
}

/// Why an envelope was refused, on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RefuseReason {
    /// Unknown version or kind: the stream lives on.
    Unsupported = 1,
    /// Not a well-formed envelope.
    Malformed = 2,
    /// The prekey it was made for is not known (any more): fetch a card and begin again.
    PrekeyUnknown = 3,
    /// No such session, or it does not open: a contact may heal.
    SessionUnknown = 4,
    /// Too many: come back later.
    TooMany = 5,
    /// The receiver's own trouble (a full disk): come back later.
    Unavailable = 6,
}

impl RefuseReason {
    /// Its byte on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From its byte. A reason of a later version reads as *unavailable*: come back later (NET-14).
    pub fn from_code(code: u8) -> Self {
        use RefuseReason::{Malformed, PrekeyUnknown, SessionUnknown, TooMany, Unsupported};
        let known = [Unsupported, Malformed, PrekeyUnknown, SessionUnknown, TooMany];
        known.into_iter().find(|reason| reason.code() == code).unwrap_or(Self::Unavailable)
    }
}

/// Why bytes are no frame. The stream ends by it (NET-9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A kind that this version does not have.
    #[error("unknown kind of frame: {0}")]
    UnknownKind(u8),
    /// A body that is longer or shorter than its kind allows.
    #[error("a frame of kind {kind} cannot have a body of {len} bytes")]
    Length {
        /// The kind.
        kind: u8,
        /// The length that was announced.
        len: u32,
    },
    /// A number that its kind does not allow: version 0, sequence 0.
    #[error("a frame of kind {0} cannot have the number 0")]
    Zero(u8),
}

/// The checked head of a frame: its body is of a size that its kind allows (NET-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    kind: u8,
    number: u64,
    len: usize,
}

impl Head {
    /// Reads the head and checks it, before anything is allocated for the body.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn decode(bytes: &[u8; HEAD_LEN]) -> Result<Self, FrameError> {
        let [kind, n0, n1, n2, n3, n4, n5, n6, n7, l0, l1, l2, l3] = *bytes;
        let number = u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]);
        let announced = u32::from_be_bytes([l0, l1, l2, l3]);
        let wrong = FrameError::Length { kind, len: announced };
        let len = usize::try_from(announced).map_err(|_| wrong)?;
        let allowed = match kind {
            KIND_HELLO => 0..=MAX_HELLO,
            KIND_ENVELOPE => 1..=MAX_ENVELOPE,
            KIND_ACK => 0..=0,
            KIND_REFUSAL => 1..=1,
            _ => return Err(FrameError::UnknownKind(kind)),
        };
        if !allowed.contains(&len) {
            return Err(wrong);
        }
        if number == 0 {
            return Err(FrameError::Zero(kind));
        }
        Ok(Self { kind, number, len })
    }

    /// How many bytes the body has.
    pub const fn body_len(&self) -> usize {
        self.len
    }

    /// The frame, now that its body is there.
    ///
    /// # Errors
    /// [`FrameError::Length`] when the body is not of [`Self::body_len`] bytes.
    pub fn with_body(self, body: Vec<u8>) -> Result<Frame, FrameError> {
        let wrong = FrameError::Length { kind: self.kind, len: u32::try_from(body.len()).unwrap_or(u32::MAX) };
        if body.len() != self.len {
            return Err(wrong);
        }
        match (self.kind, body.as_slice()) {
            // What later versions add to the hello is not ours to read (NET-7).
            (KIND_HELLO, _) => Ok(Frame::Hello { version: self.number }),
            (KIND_ENVELOPE, _) => Ok(Frame::Envelope { seq: self.number, bytes: body }),
            (KIND_ACK, _) => Ok(Frame::Ack { upto: self.number }),
            (_, [code]) => Ok(Frame::Refusal { seq: self.number, reason: RefuseReason::from_code(*code) }),
            _ => Err(wrong),
        }
    }
}

/// Appends a hello.
pub fn put_hello(out: &mut Vec<u8>) {
    put_head(out, KIND_HELLO, VERSION, 0);
}

/// Appends an envelope. The caller has checked that it is of 1 to `MAX_ENVELOPE` bytes.
pub fn put_envelope(out: &mut Vec<u8>, seq: u64, bytes: &[u8]) {
    debug_assert!((1..=MAX_ENVELOPE).contains(&bytes.len()), "the size is checked where envelopes come in");
    put_head(out, KIND_ENVELOPE, seq, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(bytes);
}

/// Appends a cumulative acknowledgement.
pub fn put_ack(out: &mut Vec<u8>, upto: u64) {
    put_head(out, KIND_ACK, upto, 0);
}

/// Appends a refusal.
pub fn put_refusal(out: &mut Vec<u8>, seq: u64, reason: RefuseReason) {
    put_head(out, KIND_REFUSAL, seq, 1);
    out.push(reason.code());
}

/// Reads the first frame of the bytes, and how many bytes it took; `None` when it is not wholly
/// there yet.
///
/// # Errors
/// [`FrameError`].
pub fn decode(bytes: &[u8]) -> Result<Option<(Frame, usize)>, FrameError> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD_LEN>() else { return Ok(None) };
    let head = Head::decode(head)?;
    let Some(body) = rest.get(..head.body_len()) else { return Ok(None) };
    Ok(Some((head.with_body(body.to_vec())?, HEAD_LEN + head.body_len())))
}

fn put_head(out: &mut Vec<u8>, kind: u8, number: u64, len: u32) {
    out.push(kind);
    out.extend_from_slice(&number.to_be_bytes());
    out.extend_from_slice(&len.to_be_bytes());
}

#[cfg(test)]
mod tests;
