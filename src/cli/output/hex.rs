//! Bytes to look at: offset, sixteen bytes, and what of them is printable.

use std::fmt::Write as _;

/// At most `lines` lines of sixteen bytes; what is left out is counted.
pub(crate) fn dump(bytes: &[u8], lines: usize) -> String {
    let mut out = String::new();
    for (i, row) in bytes.chunks(16).take(lines).enumerate() {
        let mut digits = String::new();
        for (place, byte) in row.iter().enumerate() {
            // Writing to a string does not fail.
            let _ = write!(digits, "{}{byte:02x} ", if place == 8 { " " } else { "" });
        }
        let printable: String =
            row.iter().map(|&byte| if matches!(byte, 0x20..=0x7e) { char::from(byte) } else { '.' }).collect();
        let _ = writeln!(out, "{:06x}  {digits:<49} |{printable}|", i * 16);
    }
    let left = bytes.len().saturating_sub(lines * 16);
    if left > 0 {
        let _ = writeln!(out, "… and {left} more bytes");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_like_a_hexdump() {
        let expected = "\
000000  48 65 6c 6c 6f 00 1b 7f  ff 20 21 22 23 24 25 26  |Hello.... !\"#$%&|
000010  27                                                |'|
";
        let bytes = b"Hello\x00\x1b\x7f\xff !\"#$%&'";
        assert_eq!(dump(bytes, 4), expected);
        assert!(dump(bytes, 1).ends_with("|\n… and 1 more bytes\n"));
        assert_eq!(dump(b"", 4), "");
    }
}
