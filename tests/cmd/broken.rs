//! Profiles that cannot be used.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rohrpost::crypto::hash::sha256;

use super::Home;

/// Where the version stands in the files of erasable keys, which end with a checksum.
const KEYS_VERSION: usize = 7;
const CHECKSUM: usize = 16;

/// Changes a file.
pub(crate) fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Makes a file of erasable keys one of another version, sound but for that.
pub(crate) fn make_of_version(path: &Path, other: impl FnOnce(u8) -> u8) {
    change(path, |bytes| {
        bytes[KEYS_VERSION] = other(bytes[KEYS_VERSION]);
        let end = bytes.len() - CHECKSUM;
        let sum = sha256(&[&bytes[..end]]);
        bytes[end..].copy_from_slice(&sum[..CHECKSUM]);
    });
}

/// One of each kind, named by it.
pub(crate) fn make(home: &Home) {
    for profile in ["keyless", "novel", "swapped", "future"] {
        home.succeed(&["-P", profile, "init", "--no-passphrase"]);
    }
    let key = |profile: &str| home.profile_of(profile).join("key");
    fs::copy(key("novel"), key("swapped")).unwrap();
    fs::remove_file(key("keyless")).unwrap();
    fs::write(key("novel"), "It was a dark and stormy night.").unwrap();
    for file in ["keys.a", "keys.b"] {
        make_of_version(&home.profile_of("future").join(file), |version| version + 1);
    }
    // Folders of something else, one of which others can read.
    for (name, mode) in [("letters", 0o755), ("mine", 0o700)] {
        let folder = home.profile_of(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("letter.txt"), "Dear Bob,").unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
    }
}
