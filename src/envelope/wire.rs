//! Fields of what travels, and why bytes are nothing of it.

use crate::base::limits::{MAX_CARD, MAX_ONE_TIME_PREKEY};

/// Why bytes are no envelope, question or answer, in the order in which it is checked (ENV-1, NET-31, NET-32, MBX-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Of a version that is not spoken here.
    #[error("unknown version {0}")]
    UnknownVersion(u8),
    /// Of a kind that is not known here.
    #[error("unknown kind {0}")]
    UnknownKind(u8),
    /// Larger than any of its kind; or something that is to be sent is.
    #[error("too large")]
    TooLarge,
    /// A field outside its bounds, or bytes too few or too many.
    #[error("malformed")]
    Malformed,
}

/// Takes fields off the front of a body.
pub(super) struct Take<'a>(pub(super) &'a [u8]);

impl<'a> Take<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], WireError> {
        let (field, rest) = self.0.split_first_chunk().ok_or(WireError::Malformed)?;
        self.0 = rest;
        Ok(field)
    }

    pub(super) fn u8(&mut self) -> Result<u8, WireError> {
        self.array::<1>().map(|[byte]| *byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(|bytes| u16::from_be_bytes(*bytes))
    }

    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(|bytes| u32::from_be_bytes(*bytes))
    }

    pub(super) fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(|bytes| u64::from_be_bytes(*bytes))
    }

    /// A version, which must be this one.
    pub(super) fn version(&mut self, known: u8) -> Result<(), WireError> {
        let version = self.u8()?;
        if version == known { Ok(()) } else { Err(WireError::UnknownVersion(version)) }
    }

    /// A field of so many bytes.
    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (field, rest) = self.0.split_at_checked(len).ok_or(WireError::Malformed)?;
        self.0 = rest;
        Ok(field)
    }

    /// A number of two bytes, from `min` to `max`.
    pub(super) fn count(&mut self, min: usize, max: usize) -> Result<usize, WireError> {
        Some(self.u16()?.into()).filter(|count| (min..=max).contains(count)).ok_or(WireError::Malformed)
    }

    /// `length (2) ‖ field`, of `min` to `max` bytes.
    pub(super) fn part(&mut self, min: usize, max: usize) -> Result<&'a [u8], WireError> {
        let len = self.count(min, max)?;
        self.bytes(len)
    }

    /// All that is left.
    pub(super) const fn rest(&mut self) -> &'a [u8] {
        let rest = self.0;
        self.0 = &[];
        rest
    }

    /// Nothing may follow (NET-32, MBX-3).
    pub(super) const fn end(&self) -> Result<(), WireError> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError::Malformed) }
    }
}

/// 0 or 1.
pub(super) const fn flag(byte: u8) -> Result<bool, WireError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(WireError::Malformed),
    }
}

/// A number of things that go out, at most `max`.
pub(super) fn count<T: TryFrom<usize>>(len: usize, max: usize) -> Result<T, WireError> {
    T::try_from(len).ok().filter(|_| len <= max).ok_or(WireError::TooLarge)
}

/// `length (2) ‖ field`, of 1 to `max` bytes.
pub(super) fn put_part(out: &mut Vec<u8>, part: &[u8], max: usize) -> Result<(), WireError> {
    let len: u16 = count(part.len(), max)?;
    if part.is_empty() {
        return Err(WireError::Malformed);
    }
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(part);
    Ok(())
}

/// `length (2) ‖ card ‖ length (2) ‖ one-time prekey`; a length of 0 is no prekey.
pub(super) fn put_card(out: &mut Vec<u8>, card: &[u8], prekey: Option<&[u8]>) -> Result<(), WireError> {
    put_part(out, card, MAX_CARD)?;
    match prekey {
        Some(prekey) => put_part(out, prekey, MAX_ONE_TIME_PREKEY)?,
        None => out.extend_from_slice(&[0, 0]),
    }
    Ok(())
}

/// The reverse of [`put_card`].
pub(super) fn take_card(body: &mut Take<'_>) -> Result<(Vec<u8>, Option<Vec<u8>>), WireError> {
    let card = body.part(1, MAX_CARD)?.to_vec();
    let prekey = body.part(0, MAX_ONE_TIME_PREKEY)?;
    Ok((card, (!prekey.is_empty()).then(|| prekey.to_vec())))
}
