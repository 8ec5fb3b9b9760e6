//! Lines of bounded length.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::OwnedReadHalf;

use crate::base::limits::MAX_RPC_LINE;

pub(super) enum Line {
    Full(Vec<u8>),
    /// It was longer than any line may be, and was skipped.
    TooLong,
    End,
}

/// A read that is given up in the middle loses nothing.
pub(super) struct Lines {
    reader: BufReader<OwnedReadHalf>,
    partial: Vec<u8>,
    /// The rest of a line that is too long is thrown away as it comes.
    skipping: bool,
}

impl Lines {
    pub(super) fn new(reader: OwnedReadHalf) -> Self {
        Self { reader: BufReader::new(reader), partial: Vec::new(), skipping: false }
    }

    pub(super) fn into_inner(self) -> OwnedReadHalf {
        self.reader.into_inner()
    }

    pub(super) async fn next(&mut self) -> io::Result<Line> {
        loop {
            // One byte more than a line may have: its end, or what is too much.
            let room = MAX_RPC_LINE + 1 - self.partial.len();
            (&mut self.reader).take(room as u64).read_until(b'\n', &mut self.partial).await?;
            let too_long = self.partial.len() > MAX_RPC_LINE;
            let ended = self.partial.pop_if(|last| *last == b'\n').is_some();
            let line = std::mem::take(&mut self.partial);
            if ended {
                return Ok(if std::mem::take(&mut self.skipping) { Line::TooLong } else { Line::Full(line) });
            }
            if !too_long {
                // The last line may lack its end.
                return Ok(if line.is_empty() || self.skipping { Line::End } else { Line::Full(line) });
            }
            self.skipping = true;
        }
    }
}
