//! Questions and answers on their streams: the head first, then what it announces (MBX-3).

use std::io;

use futures::{AsyncRead, AsyncReadExt};

use crate::envelope::WireError;
use crate::envelope::mailbox::HEAD_LEN;

/// What the head of a question, or of an answer, says of the length of the rest.
type BodyLen = fn(&[u8; HEAD_LEN]) -> Result<usize, WireError>;

/// Whether this is as long as its head says.
pub(in crate::net) fn is_whole(bytes: &[u8], body_len: BodyLen) -> bool {
    bytes.split_first_chunk().is_some_and(|(head, body)| body_len(head) == Ok(body.len()))
}

/// Reads either to its end.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin), body_len: BodyLen) -> io::Result<Vec<u8>> {
    let mut head = [0; HEAD_LEN];
    stream.read_exact(&mut head).await?;
    let len = body_len(&head).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    // Memory grows with what comes, not with what was announced.
    let mut bytes = head.to_vec();
    (&mut *stream).take(len as u64).read_to_end(&mut bytes).await?;
    let mut beyond = [0];
    if bytes.len() != HEAD_LEN + len || stream.read(&mut beyond).await? != 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not as long as announced"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;
    use crate::envelope::mailbox::{Answer, Question};

    fn question(bytes: &[u8]) -> io::Result<Vec<u8>> {
        block_on(read(&mut Cursor::new(bytes), Question::body_len))
    }

    /// A stream on which a peer says only so much, and on which reading on is a fault.
    struct Silent<'a>(&'a [u8]);

    impl AsyncRead for Silent<'_> {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buffer: &mut [u8],
        ) -> std::task::Poll<io::Result<usize>> {
            assert!(!self.0.is_empty(), "read beyond the head");
            let len = buffer.len().min(self.0.len());
            buffer[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            std::task::Poll::Ready(Ok(len))
        }
    }

    /// MBX-3: the head is judged before anything behind it is waited for.
    #[test]
    fn a_bad_head_is_refused_when_it_has_come() {
        for head in [[2, 3, 0, 0, 0, 24], [1, 99, 0, 0, 0, 24], [1, 3, 0, 0, 0, 25], [1, 16, 0xff, 0xff, 0xff, 0xff]] {
            assert!(block_on(read(&mut Silent(&head), Question::body_len)).is_err(), "{head:?}");
            assert!(!is_whole(&head, Question::body_len));
        }
    }

    /// MBX-3
    #[test]
    fn a_body_is_as_long_as_announced_to_the_byte() {
        let whole = [&[1, 5, 0, 0, 0, 16][..], &[4; 16]].concat();
        assert_eq!(question(&whole).unwrap(), whole);
        assert!(is_whole(&whole, Question::body_len));
        for wrong in [&whole[..21], &[&whole[..], &[0]].concat(), &whole[..3], &[]] {
            assert!(question(wrong).is_err());
            assert!(!is_whole(wrong, Question::body_len));
        }
        let is_answer = |bytes: &[u8]| is_whole(bytes, Answer::body_len);
        assert!(is_answer(&[1, 4, 0, 0, 0, 0]) && !is_answer(&[1, 4, 0, 0, 0, 0, 0]) && !is_answer(&[1, 16]));
    }
}
