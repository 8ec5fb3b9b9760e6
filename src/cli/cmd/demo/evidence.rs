//! What is really in the files: read byte by byte, and searched.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::PeerId;
use crate::cli::error::{CliError, Result};

/// Bytes shown of a file.
const EXCERPT: usize = 96;
/// Different values among the bytes shown, from which on they are worth showing: not an empty page.
const VARIED: usize = 76;

/// Something that must not be found.
pub(super) struct Needle {
    /// What it is, for people.
    pub(super) what: String,
    forms: Vec<Vec<u8>>,
}

impl Needle {
    /// A text.
    pub(super) fn text(text: &str) -> Self {
        let utf16 = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        Self { what: format!("'{text}'"), forms: vec![text.into(), utf16] }
    }

    /// Somebody's peer ID: as text, as bytes, and the key alone.
    pub(super) fn key(name: &str, peer: PeerId) -> Self {
        Self {
            what: format!("the peer ID of {name}"),
            forms: vec![peer.to_string().into_bytes(), peer.key_bytes().to_vec()],
        }
    }

    /// Whether it is in there, in any form.
    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        self.forms.iter().any(|form| bytes.windows(form.len()).any(|window| window == form))
    }
}

/// All files of both profiles.
pub(super) struct Evidence {
    files: Vec<(String, Vec<u8>)>,
}

impl Evidence {
    /// Reads them.
    pub(super) fn collect(folder: &Path) -> Result<Self> {
        let mut paths = Vec::new();
        let io = |error| CliError::io("the demonstration's folder cannot be read", &error);
        walk(folder, &mut paths).map_err(io)?;
        let read = |path: PathBuf| {
            let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            fs::read(&path).map(|bytes| (name, bytes)).map_err(io)
        };
        let mut files = paths.into_iter().map(read).collect::<Result<Vec<_>>>()?;
        files.sort();
        Ok(Self { files })
    }

    /// Names and lengths.
    pub(super) fn listing(&self) -> impl Iterator<Item = (&str, usize)> {
        self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.len()))
    }

    /// The first file that holds it.
    pub(super) fn find(&self, needle: &Needle) -> Option<&str> {
        self.files.iter().find(|(_, bytes)| needle.is_in(bytes)).map(|(name, _)| name.as_str())
    }

    /// A piece of the largest file that is no empty page: name, offset, bytes.
    pub(super) fn excerpt(&self) -> Option<(&str, usize, &[u8])> {
        let (name, bytes) = self.files.iter().max_by_key(|(_, bytes)| bytes.len())?;
        let mut pieces = bytes.windows(EXCERPT).step_by(16).enumerate();
        let (index, piece) = pieces.find(|(_, piece)| values(piece) >= VARIED)?;
        Some((name, index * 16, piece))
    }
}

/// How many different bytes there are.
fn values(bytes: &[u8]) -> usize {
    bytes.iter().collect::<std::collections::BTreeSet<_>>().len()
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let (kind, path) = entry.and_then(|entry| Ok((entry.file_type()?, entry.path())))?;
        if kind.is_dir() {
            walk(&path, into)?;
        } else if kind.is_file() {
            into.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(files: &[(&str, &[u8])]) -> Evidence {
        Evidence { files: files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect() }
    }

    #[test]
    fn a_text_is_found_in_both_encodings_and_nothing_else_is() {
        let needle = Needle::text("Hello");
        let utf16: Vec<u8> = "..Hello".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(evidence(&[("a", b"xx"), ("b", b"..Hello..")]).find(&needle), Some("b"));
        assert_eq!(evidence(&[("a", &utf16)]).find(&needle), Some("a"));
        assert_eq!(evidence(&[("a", b"Hell"), ("b", b"o"), ("c", b"")]).find(&needle), None);
    }

    #[test]
    fn a_peer_is_found_as_text_and_as_key() {
        let peer = PeerId::from_key_bytes([0xA7; 32]);
        let needle = Needle::key("Alice", peer);
        assert!(needle.is_in(format!("<{peer}>").as_bytes()));
        assert!(needle.is_in(&peer.to_multihash()));
        assert!(!needle.is_in(&[0xA7; 31]));
    }

    #[test]
    fn the_excerpt_is_no_empty_page() {
        let mut bytes = vec![0; EXCERPT * 3];
        (0..EXCERPT).for_each(|i| bytes[EXCERPT + i] = u8::try_from(i).unwrap());
        let evidence = evidence(&[("small", b"abc"), ("large", &bytes)]);
        let (name, offset, piece) = evidence.excerpt().unwrap();
        assert_eq!((name, piece.len()), ("large", EXCERPT));
        assert!(values(piece) >= VARIED && piece == &bytes[offset..offset + EXCERPT]);
    }
}
