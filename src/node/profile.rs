//! A profile, opened: folder, lock, key file, store and messenger, in this order.

use crate::api::{ApiError, Code};
use crate::base::{CryptoRng, Now, PeerId, limits};
use crate::crypto::password::{Cost, Passphrase};
use crate::identity::{self, IdentityKeypair, KeyMaterial};
use crate::messenger::{Command, Input, Messenger, Output};
use crate::store::{ProfileDir, ProfileLock, Store, StoreError};

use super::place::Place;
use super::{errors, views};

/// Asks the person for the passphrase.
pub type Ask<'a> = &'a mut dyn FnMut() -> Result<Passphrase, ApiError>;

/// The secrets of a profile that this process has to itself.
pub(crate) struct Profile {
    pub(crate) place: Place,
    material: KeyMaterial,
    dir: ProfileDir,
    // Last: the profile is free only when everything else is closed.
    lock: ProfileLock,
}

impl Profile {
    /// Unlocks a profile whose lock was taken.
    pub(crate) fn unlock(place: &Place, lock: ProfileLock, ask: Ask<'_>) -> Result<Self, ApiError> {
        let dir = folder(place)?;
        let file = key_file(place, &dir)?;
        let locked = identity::key_file_needs_passphrase(&file).map_err(|e| errors::key_file(&e))?;
        let passphrase = if locked { Some(ask()?) } else { None };
        let material = identity::open_key_file(&file, passphrase.as_ref()).map_err(|e| errors::key_file(&e))?;
        Ok(Self { place: place.clone(), material, dir, lock })
    }

    pub(crate) fn keypair(&self) -> IdentityKeypair {
        IdentityKeypair::from_seed(&self.material.identity_seed)
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        self.keypair().peer_id()
    }

    /// Opens the store and the messenger over it. The store is handed out, too: it closes for good only when it is told.
    pub(crate) fn open(
        &self,
        now: Now,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Store, Messenger, Vec<Output>), StoreError> {
        let store = Store::open(self.dir.path(), &self.material.store_key, rng, now)?;
        let (messenger, outputs) = Messenger::open(store.clone(), self.keypair(), now, rng)?;
        Ok((store, messenger, outputs))
    }

    /// Lets others have the profile.
    pub(crate) fn release(self) {
        drop(self.lock);
    }
}

/// The folder of a profile that exists.
fn folder(place: &Place) -> Result<ProfileDir, ApiError> {
    let missing = || ApiError::new(Code::NoProfile, format!("there is no profile '{}'", place.profile()));
    ProfileDir::open(place.dir()).map_err(|e| errors::store(&e))?.ok_or_else(missing)
}

fn key_file(place: &Place, dir: &ProfileDir) -> Result<Vec<u8>, ApiError> {
    match dir.read_key_file().map_err(|e| errors::store(&e))? {
        Some(file) => Ok(file),
        None if dir.has_store() => Err(ApiError::new(
            Code::Damaged,
            format!("the key file of the profile in {} is missing", dir.path().display()),
        )
        .with_hint("put it back from a copy; without it the profile cannot be opened")),
        None => Err(ApiError::new(Code::NoProfile, format!("there is no profile '{}'", place.profile()))),
    }
}

/// Whether there is such a profile (a damaged one is there, too).
pub(crate) fn exists(place: &Place) -> bool {
    match folder(place) {
        Ok(dir) => !matches!(key_file(place, &dir), Err(error) if error.is(Code::NoProfile)),
        Err(error) => !error.is(Code::NoProfile),
    }
}

/// Whether the key file needs a passphrase.
pub(crate) fn needs_passphrase(place: &Place) -> Result<bool, ApiError> {
    let file = key_file(place, &folder(place)?)?;
    identity::key_file_needs_passphrase(&file).map_err(|e| errors::key_file(&e))
}

/// Takes the lock of a profile that exists.
pub(crate) fn lock(place: &Place) -> Result<ProfileLock, ApiError> {
    let dir = folder(place)?;
    // Whoever asks for what does not exist learns that first, and makes no lock file.
    key_file(place, &dir)?;
    dir.lock().map_err(|e| errors::store(&e))
}

/// Makes a profile: identity, store and name.
pub(crate) fn create(
    place: &Place,
    passphrase: Option<&Passphrase>,
    name: Option<&str>,
    now: Now,
    rng: &mut dyn CryptoRng,
) -> Result<crate::api::Identity, ApiError> {
    if let Some(name) = name {
        check_name(name)?;
    }
    let there = || {
        ApiError::new(Code::Exists, format!("there is a profile '{}' already: {}", place.profile(), place.dir().display()))
    };
    if exists(place) {
        return Err(there());
    }
    let dir = ProfileDir::create(place.dir()).map_err(|e| errors::store(&e))?;
    let lock = dir.lock().map_err(|e| errors::store(&e))?;
    // Another process may have been quicker.
    if exists(place) {
        return Err(there());
    }
    let material = KeyMaterial::generate(rng);
    let file = identity::seal_key_file(&material, passphrase, Cost::DEFAULT, rng);
    dir.write_key_file(&file).map_err(|e| errors::store(&e))?;
    let profile = Profile { place: place.clone(), material, dir, lock };
    let (store, mut messenger, _) = profile.open(now, rng).map_err(|e| errors::store(&e))?;
    if let Some(name) = name {
        let command = Input::Command(0, Command::SetName { name: name.to_owned() });
        for output in messenger.handle(vec![command], now, rng) {
            if let Output::Reply(_, Err(refusal)) = output {
                return Err(errors::refusal(&refusal));
            }
        }
    }
    let found = crate::messenger::query::identity(&messenger.reader(), profile.peer_id());
    let found = found.map_err(|e| errors::store(&e))?.ok_or_else(|| errors::internal("the new profile is empty"))?;
    drop(messenger);
    store.close();
    profile.release();
    Ok(views::identity(&found, Vec::new()))
}

/// What the messenger would say about the name, before anything is made.
fn check_name(name: &str) -> Result<(), ApiError> {
    let chars = name.chars().count();
    if chars > limits::MAX_NAME_CHARS {
        let message = format!("the name is too long: {chars}, at most {} characters", limits::MAX_NAME_CHARS);
        return Err(ApiError::new(Code::TooLong, message));
    }
    if name.chars().any(char::is_control) {
        return Err(ApiError::new(Code::ControlCharacters, "the name contains control characters"));
    }
    Ok(())
}

/// Wraps the key file anew. The store's key stays, so a running node is not disturbed.
pub(crate) fn change_passphrase(
    place: &Place,
    old: Option<&Passphrase>,
    new: Option<&Passphrase>,
    rng: &mut dyn CryptoRng,
) -> Result<(), ApiError> {
    let dir = folder(place)?;
    let file = key_file(place, &dir)?;
    let material = identity::open_key_file(&file, old).map_err(|e| errors::key_file(&e))?;
    let file = identity::seal_key_file(&material, new, Cost::DEFAULT, rng);
    dir.write_key_file(&file).map_err(|e| errors::store(&e))
}
