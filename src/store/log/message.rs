//! Messages: the pieces of a segment, each with a checksum of its own.

/// Length of a segment.
pub(super) const SEGMENT: usize = 512 * 1024;
/// Length of its header.
pub(super) const HEADER: usize = 20;
/// No message begins in the last bytes of a segment.
pub(super) const LAST: usize = 32;
/// The highest kind.
const MAX_KIND: u8 = 11;

/// A sound message.
pub(super) struct Message<'a> {
    pub(super) kind: Kind,
    /// The page it is about.
    pub(super) page: u64,
    /// Where in the segment it begins.
    pub(super) start: usize,
    /// Where its body begins.
    pub(super) body_start: usize,
    /// Where it ends; one that fills the segment up ends with it.
    pub(super) end: usize,
    pub(super) body: &'a [u8],
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A batch begins; its last position.
    Batch(u64),
    /// A change of a page.
    Link,
    /// A whole page.
    Node,
    /// A page is gone.
    Free,
    /// One of the two pages in which sled keeps what it has to know itself.
    Root,
    /// What stands in a file of its own, of which there are none.
    Blob,
    /// Something that holds no rows.
    Other,
}

/// The messages of a segment, one after another. What does not read is passed over.
pub(super) struct Segment<'a> {
    bytes: &'a [u8],
    number: u64,
    at: usize,
    /// The end of the last sound message.
    sound_until: usize,
    /// Behind it there are only zeros.
    written: usize,
    /// How often something was passed over that was followed by something sound.
    pub(super) gaps: usize,
}

impl<'a> Segment<'a> {
    pub(super) fn new(bytes: &'a [u8], position: u64) -> Self {
        let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Self { bytes, number: position / SEGMENT as u64, at: HEADER, sound_until: HEADER, written, gaps: 0 }
    }

    /// The end of the last sound message; of a segment that is full, its end.
    pub(super) const fn end(&self) -> usize {
        if self.is_full() { SEGMENT } else { self.sound_until }
    }

    /// Whether sound messages went on to its end.
    pub(super) const fn is_full(&self) -> bool {
        self.sound_until + LAST > SEGMENT
    }

    /// The next, if nothing was passed over before it.
    pub(super) fn next_in_row(&mut self) -> Option<Message<'a>> {
        self.next().filter(|_| self.gaps == 0)
    }

    /// The next sound message.
    pub(super) fn next(&mut self) -> Option<Message<'a>> {
        let mut passed_over = false;
        while self.at + LAST <= SEGMENT && self.at < self.written {
            let found = parse(self.bytes, self.at).filter(|(number, _)| *number == self.number);
            if let Some((_, message)) = found {
                self.gaps += usize::from(passed_over);
                self.at = message.end;
                self.sound_until = message.end;
                return Some(message);
            }
            passed_over = true;
            self.at += 1;
        }
        None
    }
}

/// The position that a segment's header names, if it is sound.
pub(super) fn position(segment: &[u8]) -> Option<u64> {
    header(segment).map(|(position, _)| position)
}

/// What a segment's header says, if it is sound: its position, and up to where the log was written for certain then.
pub(super) fn header(segment: &[u8]) -> Option<(u64, u64)> {
    let (crc, rest) = segment.get(..HEADER)?.split_first_chunk()?;
    let ([position, stable], _) = rest.as_chunks::<8>() else { return None };
    let sound = crc32fast::hash(rest) == u32::from_le_bytes(*crc) ^ u32::MAX;
    let [position, stable] = [position, stable].map(|bytes| i64::from_le_bytes(*bytes) ^ i64::MAX);
    let position = position.cast_unsigned();
    (sound && position % SEGMENT as u64 == 0).then_some((position, stable.max(0).cast_unsigned()))
}

/// The position of a segment whose header is damaged: its messages know.
pub(super) fn guess_position(segment: &[u8]) -> Option<u64> {
    // One that sled has given up is all zeros; of a large store there are many, and byte by byte they take long.
    const EMPTY: [u8; 4096] = [0; 4096];
    if segment.chunks(EMPTY.len()).all(|part| EMPTY.starts_with(part)) {
        return None;
    }
    let (number, _) = (HEADER..segment.len()).find_map(|at| parse(segment, at))?;
    number.checked_mul(SEGMENT as u64)
}

/// The message at `at`, with the number of the segment it was written for.
pub(super) fn parse(segment: &[u8], at: usize) -> Option<(u64, Message<'_>)> {
    let bytes = segment.get(at..)?;
    let (crc, rest) = bytes.split_first_chunk::<4>()?;
    let (&kind, rest) = rest.split_first()?;
    // Kind 0 is what the unwritten end of a segment looks like.
    if kind == 0 || kind > MAX_KIND {
        return None;
    }
    let (length, rest) = varint(rest)?;
    let (number, rest) = varint(rest)?;
    let (page, rest) = varint(rest)?;
    let length = usize::try_from(length).ok()?;
    let body = rest.get(..length)?;
    let head = bytes.len() - rest.len();
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body);
    hasher.update(bytes.get(4..head)?);
    if hasher.finalize() ^ u32::MAX != u32::from_le_bytes(*crc) {
        return None;
    }
    let kind = match kind {
        3 => Kind::Batch(u64::from_le_bytes(*body.first_chunk()?)),
        4 => Kind::Free,
        5 | 6 => Kind::Root,
        7 | 9 | 11 => Kind::Blob,
        8 => Kind::Node,
        10 => Kind::Link,
        _ => Kind::Other,
    };
    let body_start = at + head;
    Some((number, Message { kind, page, start: at, body_start, end: body_start + length, body }))
}

/// sled's numbers of one to nine bytes.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let first = u64::from(first);
    match first {
        0..=240 => Some((first, rest)),
        241..=248 => rest.split_first().map(|(&next, rest)| (240 + 256 * (first - 241) + u64::from(next), rest)),
        249 => rest
            .split_first_chunk::<2>()
            .map(|(&[high, low], rest)| (2288 + 256 * u64::from(high) + u64::from(low), rest)),
        _ => {
            let (number, rest) = rest.split_at_checked(usize::try_from(first - 247).ok()?)?;
            let mut bytes = [0; 8];
            bytes.iter_mut().zip(number).for_each(|(to, from)| *to = *from);
            Some((u64::from_le_bytes(bytes), rest))
        }
    }
}
