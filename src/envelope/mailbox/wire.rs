//! Heads, shared by questions and answers.

use super::{HEAD_LEN, VERSION};
use crate::envelope::wire::{Take, WireError};

/// `version ‖ kind ‖ length (4) ‖ body`
pub(super) fn framed(kind: u8, body: &[u8]) -> Result<Vec<u8>, WireError> {
    let len = u32::try_from(body.len()).map_err(|_| WireError::TooLarge)?;
    let mut out = Vec::with_capacity(HEAD_LEN + body.len());
    out.extend_from_slice(&[VERSION, kind]);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(body);
    Ok(out)
}

/// Kind and length of the body, against the bounds of the kind: what is to be known before anything is allocated (MBX-3).
pub(super) fn head(bytes: &[u8; HEAD_LEN], bounds: fn(u8) -> Option<(usize, usize)>) -> Result<(u8, usize), WireError> {
    let [version, kind, len @ ..] = *bytes;
    if version != VERSION {
        return Err(WireError::UnknownVersion(version));
    }
    let (min, max) = bounds(kind).ok_or(WireError::UnknownKind(kind))?;
    let len = usize::try_from(u32::from_be_bytes(len)).map_err(|_| WireError::TooLarge)?;
    if len > max {
        return Err(WireError::TooLarge);
    }
    if len < min {
        return Err(WireError::Malformed);
    }
    Ok((kind, len))
}

/// Kind and body of what came whole.
pub(super) fn opened(bytes: &[u8], bounds: fn(u8) -> Option<(usize, usize)>) -> Result<(u8, Take<'_>), WireError> {
    let (first, body) = bytes.split_first_chunk().ok_or(WireError::Malformed)?;
    let (kind, len) = head(first, bounds)?;
    if body.len() == len { Ok((kind, Take(body))) } else { Err(WireError::Malformed) }
}
