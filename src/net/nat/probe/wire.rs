//! The messages of AutoNAT v2 as far as whoever asks needs them: protocol buffers, each with its length before it.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::Multiaddr;

/// No message is longer.
const MAX_MESSAGE: usize = 4_104;
/// Bytes that a peer may want before he dials an address that is not the one he sees, so that nobody makes him flood others.
const DATA: std::ops::RangeInclusive<u64> = 30_000..=100_000;
/// Of them in one message.
const MAX_DATA: usize = 4_096;

/// Fields of the outer message.
const DIAL_REQUEST: u64 = 1;
const DIAL_RESPONSE: u64 = 2;
const DATA_REQUEST: u64 = 3;
const DATA_RESPONSE: u64 = 4;

/// Said of a request, and of a dial.
const OK: u64 = 200;
const DIAL_FAILED: u64 = 100;
const SAYING_FAILED: u64 = 101;

/// That a number was understood: a message with every field at its default.
pub(super) const UNDERSTOOD: [u8; 1] = [0];

/// Whether the peer says that he has reached the address; nothing when he would not try.
///
/// # Errors
/// The stream breaks, or what comes is no answer.
pub(in crate::net) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    addr: &Multiaddr,
    number: u64,
) -> io::Result<Option<bool>> {
    send(stream, &request(addr, number)).await?;
    let mut said = read(stream).await?;
    if let Some(wanted) = field(&said, DATA_REQUEST) {
        // It is the second field; the only address is the one that is meant.
        let count = number_of(wanted, 2).filter(|count| DATA.contains(count)).ok_or(io::ErrorKind::InvalidData)?;
        let mut left = usize::try_from(count).map_err(io::Error::other)?;
        while left > 0 {
            let part = left.min(MAX_DATA);
            send(stream, &nested(DATA_RESPONSE, &bytes(1, &vec![0; part]))).await?;
            left -= part;
        }
        said = read(stream).await?;
    }
    let answer = field(&said, DIAL_RESPONSE).ok_or(io::ErrorKind::InvalidData)?;
    if number_of(answer, 1) != Some(OK) || number_of(answer, 2).is_some_and(|index| index != 0) {
        return Ok(None);
    }
    Ok(match number_of(answer, 3) {
        Some(OK) => Some(true),
        Some(DIAL_FAILED | SAYING_FAILED) => Some(false),
        _ => None,
    })
}

/// The number that somebody says who has reached us.
///
/// # Errors
/// The stream breaks, or what comes is no number.
pub(super) async fn read_number<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<u64> {
    let said = read(stream).await?;
    number_of(&said, 1).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn request(addr: &Multiaddr, number: u64) -> Vec<u8> {
    let mut inner = bytes(1, &addr.to_vec());
    // A field of eight bytes.
    inner.push(2 << 3 | 1);
    inner.extend(number.to_le_bytes());
    nested(DIAL_REQUEST, &inner)
}

fn nested(number: u64, inner: &[u8]) -> Vec<u8> {
    bytes(number, inner)
}

/// A field of bytes.
fn bytes(number: u64, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 4);
    put_varint(&mut out, number << 3 | 2);
    put_varint(&mut out, content.len() as u64);
    out.extend_from_slice(content);
    out
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, message: &[u8]) -> io::Result<()> {
    let mut framed = Vec::with_capacity(message.len() + 2);
    put_varint(&mut framed, message.len() as u64);
    framed.extend_from_slice(message);
    stream.write_all(&framed).await?;
    stream.flush().await
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Vec<u8>> {
    let (mut length, mut shift) = (0, 0);
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
        if shift > 7 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    if length > MAX_MESSAGE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The next field with its number; `None` at the end, and where it is none.
fn next<'a>(message: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let tag = varint(message)?;
    let field = match tag & 7 {
        0 => Field::Number(varint(message)?),
        1 => Field::Number(u64::from_le_bytes(*take(message, 8)?.as_array()?)),
        2 => {
            let length = usize::try_from(varint(message)?).ok()?;
            Field::Bytes(take(message, length)?)
        }
        5 => Field::Number(u32::from_le_bytes(*take(message, 4)?.as_array()?).into()),
        _ => return None,
    };
    Some((tag >> 3, field))
}

fn take<'a>(message: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = message.split_at_checked(count)?;
    *message = rest;
    Some(taken)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The fields with this number; the last counts.
fn last<'a>(mut message: &'a [u8], number: u64) -> Option<Field<'a>> {
    let fields = std::iter::from_fn(|| next(&mut message));
    fields.filter(|(found, _)| *found == number).last().map(|(_, field)| field)
}

fn field(message: &[u8], number: u64) -> Option<&[u8]> {
    match last(message, number)? {
        Field::Bytes(bytes) => Some(bytes),
        Field::Number(_) => None,
    }
}

fn number_of(message: &[u8], number: u64) -> Option<u64> {
    match last(message, number)? {
        Field::Number(number) => Some(number),
        Field::Bytes(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;
    use proptest::prelude::*;

    use super::*;

    /// What comes of a question that is answered so, and what was said.
    fn asked(answers: &[Vec<u8>]) -> (io::Result<Option<bool>>, Vec<u8>) {
        struct Both(Cursor<Vec<u8>>, Vec<u8>);
        impl AsyncRead for Both {
            fn poll_read(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &mut [u8],
            ) -> std::task::Poll<io::Result<usize>> {
                std::pin::Pin::new(&mut self.0).poll_read(cx, buf)
            }
        }
        impl AsyncWrite for Both {
            fn poll_write(
                mut self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
                buf: &[u8],
            ) -> std::task::Poll<io::Result<usize>> {
                self.1.extend_from_slice(buf);
                std::task::Poll::Ready(Ok(buf.len()))
            }
            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }
            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }
        }
        let framed = answers.iter().flat_map(|message| {
            let mut framed = Vec::new();
            put_varint(&mut framed, message.len() as u64);
            framed.extend_from_slice(message);
            framed
        });
        let mut both = Both(Cursor::new(framed.collect()), Vec::new());
        let addr = "/ip4/203.0.113.7/tcp/4001".parse().unwrap();
        let said = futures::executor::block_on(ask(&mut both, &addr, 0x0102));
        (said, both.1)
    }

    fn answer(status: u64, dial: u64) -> Vec<u8> {
        let mut inner = Vec::new();
        for (number, value) in [(1, status), (3, dial)] {
            put_varint(&mut inner, number << 3);
            put_varint(&mut inner, value);
        }
        nested(DIAL_RESPONSE, &inner)
    }

    fn wants(count: u64) -> Vec<u8> {
        let mut inner = Vec::new();
        put_varint(&mut inner, 2 << 3);
        put_varint(&mut inner, count);
        nested(DATA_REQUEST, &inner)
    }

    /// The bytes that libp2p's specification has for them.
    #[test]
    fn a_question_and_its_answers() {
        let (said, asked_with) = asked(&[answer(OK, OK)]);
        assert_eq!(said.unwrap(), Some(true));
        let addr = [4, 203, 0, 113, 7, 6, 0x0f, 0xa1];
        let expected = [&[21, 0x0a, 19, 0x0a, 8][..], &addr, &[0x11, 2, 1, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(asked_with, expected);
        for (status, dial, said) in [
            (OK, DIAL_FAILED, Some(false)),
            (OK, SAYING_FAILED, Some(false)),
            (OK, 0, None),
            (OK, 7, None),
            (100, OK, None),
            (101, 0, None),
            (0, OK, None),
        ] {
            assert_eq!(asked(&[answer(status, dial)]).0.unwrap(), said);
        }
        assert!(asked(&[]).0.is_err() && asked(&[vec![]]).0.is_err() && asked(&[wants(30_000)]).0.is_err());
    }

    #[test]
    fn so_much_is_sent_on_demand_and_no_more() {
        for (count, good) in [(29_999, false), (30_000, true), (100_000, true), (100_001, false), (u64::MAX, false)] {
            let (said, sent) = asked(&[wants(count), answer(OK, DIAL_FAILED)]);
            assert_eq!(said.ok().flatten(), good.then_some(false));
            let data = usize::try_from(count).unwrap_or(0);
            assert!(
                if good { sent.len() > data && sent.len() < data + 400 } else { sent.len() < 100 },
                "{}",
                sent.len()
            );
        }
        assert!(asked(&[wants(30_000), wants(30_000)]).0.is_err(), "once");
    }

    #[test]
    fn a_number_is_eight_bytes() {
        let mut said = Cursor::new([9, 0x09, 7, 0, 0, 0, 0, 0, 0, 1].as_slice());
        assert_eq!(futures::executor::block_on(read_number(&mut said)).unwrap(), 1 << 56 | 7);
        for bad in [&[][..], &[0], &[2, 0x09, 7], &[0xff, 0xff, 0xff], &[0x89, 0x20], &[1, 0x09]] {
            assert!(futures::executor::block_on(read_number(&mut Cursor::new(bad))).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = asked(std::slice::from_ref(&bytes));
            let _ = futures::executor::block_on(read_number(&mut Cursor::new(&bytes)));
        }
    }
}
