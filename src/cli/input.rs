//! What is read from standard input.

use std::io::Read;

use super::error::{CliError, Result};

/// All of it, which has at most so many bytes: more is too long, whatever it is.
pub(crate) fn text(from: impl Read, longest: usize, too_long: impl FnOnce() -> CliError) -> Result<String> {
    let mut bytes = Vec::new();
    let read = from.take(longest as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| CliError::io("standard input cannot be read", &error))?;
    if bytes.len() > longest {
        return Err(too_long());
    }
    String::from_utf8(bytes).map_err(|_| CliError::mendable("not_text", "standard input is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_not_judged_by_its_first_part() {
        let read = |bytes: &[u8]| text(bytes, 4, || CliError::usage("too long")).map_err(|error| error.exit());
        assert_eq!(read("äö".as_bytes()), Ok("äö".to_owned()));
        // Cut in the middle of a character.
        assert_eq!(read("äöü".as_bytes()), Err(2));
        assert_eq!(read("aäöü".as_bytes()), Err(2));
        assert_eq!(read(b"\xff"), Err(1));
        assert_eq!(read(b"\xff\xff\xff\xff\xff"), Err(2));
    }
}
