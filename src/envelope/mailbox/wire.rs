//! Heads and fields, shared by questions and answers.

use super::{HEAD_LEN, MailboxError, VERSION};

/// Takes fields off the front of a body.
pub(super) struct Take<'a>(pub(super) &'a [u8]);

impl<'a> Take<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], MailboxError> {
        let (field, rest) = self.0.split_first_chunk().ok_or(MailboxError::Malformed)?;
        self.0 = rest;
        Ok(field)
    }

    pub(super) fn u8(&mut self) -> Result<u8, MailboxError> {
        self.array::<1>().map(|[byte]| *byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, MailboxError> {
        self.array().map(|bytes| u16::from_be_bytes(*bytes))
    }

    pub(super) fn u32(&mut self) -> Result<u32, MailboxError> {
        self.array().map(|bytes| u32::from_be_bytes(*bytes))
    }

    pub(super) fn u64(&mut self) -> Result<u64, MailboxError> {
        self.array().map(|bytes| u64::from_be_bytes(*bytes))
    }

    /// A field of so many bytes.
    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], MailboxError> {
        let (field, rest) = self.0.split_at_checked(len).ok_or(MailboxError::Malformed)?;
        self.0 = rest;
        Ok(field)
    }

    /// `length (2) ‖ field`, of `min` to `max` bytes.
    pub(super) fn part(&mut self, min: usize, max: usize) -> Result<&'a [u8], MailboxError> {
        let len = usize::from(self.u16()?);
        if !(min..=max).contains(&len) {
            return Err(MailboxError::Malformed);
        }
        self.bytes(len)
    }

    /// All that is left.
    pub(super) const fn rest(&mut self) -> &'a [u8] {
        let rest = self.0;
        self.0 = &[];
        rest
    }

    /// Nothing may follow (MBX-3).
    pub(super) const fn end(&self) -> Result<(), MailboxError> {
        if self.0.is_empty() { Ok(()) } else { Err(MailboxError::Malformed) }
    }
}

/// 0 or 1.
pub(super) const fn flag(byte: u8) -> Result<bool, MailboxError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(MailboxError::Malformed),
    }
}

/// `length (2) ‖ field`.
pub(super) fn put_part(out: &mut Vec<u8>, part: &[u8], min: usize, max: usize) -> Result<(), MailboxError> {
    let len = u16::try_from(part.len()).map_err(|_| MailboxError::TooLarge)?;
    if part.len() < min {
        return Err(MailboxError::Malformed);
    }
    if part.len() > max {
        return Err(MailboxError::TooLarge);
    }
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(part);
    Ok(())
}

/// `version ‖ kind ‖ length (4) ‖ body`
pub(super) fn framed(kind: u8, body: &[u8]) -> Result<Vec<u8>, MailboxError> {
    let len = u32::try_from(body.len()).map_err(|_| MailboxError::TooLarge)?;
    let mut out = Vec::with_capacity(HEAD_LEN + body.len());
    out.extend_from_slice(&[VERSION, kind]);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(body);
    Ok(out)
}

/// Kind and length of the body, against the bounds of the kind: what is to be known before anything is allocated (MBX-3).
pub(super) fn head(
    bytes: &[u8; HEAD_LEN],
    bounds: fn(u8) -> Option<(usize, usize)>,
) -> Result<(u8, usize), MailboxError> {
    let [version, kind, len @ ..] = *bytes;
    if version != VERSION {
        return Err(MailboxError::UnknownVersion(version));
    }
    let (min, max) = bounds(kind).ok_or(MailboxError::UnknownKind(kind))?;
    let len = usize::try_from(u32::from_be_bytes(len)).map_err(|_| MailboxError::TooLarge)?;
    if len > max {
        return Err(MailboxError::TooLarge);
    }
    if len < min {
        return Err(MailboxError::Malformed);
    }
    Ok((kind, len))
}

/// Kind and body of what came whole.
pub(super) fn opened(bytes: &[u8], bounds: fn(u8) -> Option<(usize, usize)>) -> Result<(u8, Take<'_>), MailboxError> {
    let (first, body) = bytes.split_first_chunk().ok_or(MailboxError::Malformed)?;
    let (kind, len) = head(first, bounds)?;
    if body.len() == len { Ok((kind, Take(body))) } else { Err(MailboxError::Malformed) }
}
