//! What a node writes down beside the lock: where its socket is, and a nonce by which it is known again.
//!
//! ```text
//! nonce, 32 hex digits ‖ line feed ‖ path of the socket
//! ```
//!
//! A path inside the profile's folder stands there without it, so that the node is found by whoever sees the folder under
//! another name, as from outside of a container. The nonce is another one at each start: who answers at the socket with it
//! serves this folder, and not one that this is a copy of.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::random;
use crate::base::CryptoRng;

/// Where a node is, and how it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whereabouts {
    pub(crate) nonce: String,
    pub(crate) socket: PathBuf,
}

/// A nonce that nobody has.
pub(crate) fn nonce(rng: &mut dyn CryptoRng) -> String {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    data_encoding::HEXLOWER.encode(&bytes)
}

/// How a node is known, and where it is at the moment.
pub(crate) struct Address {
    /// Written beside the lock; another one at each start.
    pub(crate) nonce: String,
    socket: Mutex<Option<PathBuf>>,
}

impl Address {
    /// With no socket yet.
    pub(crate) fn new() -> Self {
        Self { nonce: nonce(&mut random::system()), socket: Mutex::default() }
    }

    /// Where the socket is; `None` when there is none.
    pub(crate) fn socket(&self) -> Option<PathBuf> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on it is there.
    pub(crate) fn is_at(&self, socket: PathBuf) {
        *self.socket.lock().unwrap_or_else(PoisonError::into_inner) = Some(socket);
    }
}

impl Whereabouts {
    /// As it is written beside the lock of the profile in `dir`.
    pub(crate) fn to_bytes(&self, dir: &Path) -> Vec<u8> {
        let path = self.socket.strip_prefix(dir).unwrap_or(&self.socket);
        [self.nonce.as_bytes(), b"\n", path.as_os_str().as_bytes()].concat()
    }

    /// What is written there; `None` when a holder has written nothing, or something else.
    pub(crate) fn from_bytes(bytes: &[u8], dir: &Path) -> Option<Self> {
        let (nonce, path) = bytes.split_at_checked(32)?;
        let path = path.strip_prefix(b"\n").filter(|path| !path.is_empty())?;
        let nonce =
            std::str::from_utf8(nonce).ok().filter(|nonce| nonce.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        Some(Self { nonce: nonce.to_owned(), socket: dir.join(OsStr::from_bytes(path)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_wherever_the_folder_is_seen() {
        let nonce = nonce(&mut crate::node::random::system());
        let at = |socket: &str| Whereabouts { nonce: nonce.clone(), socket: socket.into() };
        let (here, there) = (Path::new("/data/a"), Path::new("/var/lib/box/a"));
        let inside = at("/data/a/node.sock").to_bytes(here);
        assert_eq!(Whereabouts::from_bytes(&inside, here), Some(at("/data/a/node.sock")));
        assert_eq!(Whereabouts::from_bytes(&inside, there), Some(at("/var/lib/box/a/node.sock")));
        let odd = Whereabouts { socket: OsStr::from_bytes(b"/tmp/\xff\n/x").into(), ..at("") };
        assert_eq!(Whereabouts::from_bytes(&odd.to_bytes(here), there), Some(odd));
    }

    #[test]
    fn what_is_nothing_of_it_is_nothing() {
        let dir = Path::new("/data/a");
        for bytes in [&b""[..], b"short", &[b'a'; 32], &[b'a'; 33], &[&[b'a'; 32][..], b"\n"].concat(), &[0xff; 40]] {
            assert_eq!(Whereabouts::from_bytes(bytes, dir), None, "{bytes:?}");
        }
    }
}
