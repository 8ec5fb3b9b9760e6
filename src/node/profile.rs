//! A profile, opened: folder, lock, key file, store and messenger, in this order.

use std::time::Duration;

use crate::api::{ApiError, Code, Identity, LinkParams};
use crate::base::{CryptoRng, Now, PeerId, Progress};
use crate::crypto::password::{Cost, Passphrase};
use crate::identity::{self, IdentityKeypair, KeyMaterial};
use crate::messenger::{Command, Input, Messenger, Output};
use crate::store::{ProfileDir, ProfileLock, StagedDir, Store, StoreError};

use super::clock::Clock;
use super::place::Place;
use super::{errors, random, views};

/// What may take longer than a moment.
#[derive(Clone, Copy, Debug)]
pub enum Work<'a> {
    /// Somebody else is waited for: why.
    Waiting(&'a str),
    /// The store is opened.
    Opening,
    /// All of it is read.
    Looking,
    /// A new one is made of what can be read.
    Saving,
    /// A node is started. Signals are its own.
    Starting,
    /// A delivery is waited for, for so long at most.
    Delivering(Duration),
}

/// Who can be asked, and told what is waited for.
pub trait Person {
    /// Asks for the passphrase.
    ///
    /// # Errors
    /// `passphrase_needed` when there is nobody, or nobody says it.
    fn passphrase(&mut self) -> Result<Passphrase, ApiError>;

    /// Says why somebody else is waited for.
    fn waits(&mut self, _why: &str) {}

    /// Something begins that may take longer than a moment; gives what counts its rows. What was before has ended.
    fn begins(&mut self, _work: Work<'_>) -> Progress {
        Progress::default()
    }

    /// It has ended, and what was done cannot be taken back any more.
    fn rests(&mut self) {}
}

impl<F: FnMut() -> Result<Passphrase, ApiError>> Person for F {
    fn passphrase(&mut self) -> Result<Passphrase, ApiError> {
        self()
    }
}

/// The person, wherever something may have to be asked.
pub type Ask<'a> = &'a mut dyn Person;

/// The secrets of a profile. Whoever opens its store holds its lock.
pub(crate) struct Profile {
    pub(super) material: KeyMaterial,
    pub(super) dir: ProfileDir,
}

/// An open store and the messenger over it.
pub(crate) struct Open {
    pub(crate) store: Store,
    pub(crate) messenger: Messenger,
}

impl Drop for Open {
    fn drop(&mut self) {
        // Readers on other threads keep a clone of the store; the database is to be closed all the same.
        self.store.close();
    }
}

impl Profile {
    /// Opens the key file.
    pub(crate) fn unlock(place: &Place, ask: Ask<'_>) -> Result<Self, ApiError> {
        let dir = folder(place)?;
        let file = key_file(place, &dir)?;
        let locked = identity::key_file_needs_passphrase(&file)?;
        let passphrase = if locked { Some(ask.passphrase()?) } else { None };
        let material = identity::open_key_file(&file, passphrase.as_ref())?;
        Ok(Self { material, dir })
    }

    /// The bytes of the key file, as they are.
    pub(super) fn key_file(&self) -> Result<Vec<u8>, StoreError> {
        self.dir.read_key_file()?.ok_or_else(|| StoreError::damaged("the key file is missing"))
    }

    pub(crate) fn keypair(&self) -> IdentityKeypair {
        IdentityKeypair::from_seed(&self.material.identity_seed)
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        self.keypair().peer_id()
    }

    /// Opens the store for who may only want to look: nothing changes until the messenger is asked to begin.
    pub(super) fn open_at_rest(&self, now: Now, rng: &mut dyn CryptoRng) -> Result<Open, StoreError> {
        let store = match Store::open_existing(self.dir.path(), &self.material.store_key, rng, now) {
            Err(error) => self.frozen(error)?,
            Ok(store) => store,
        };
        match Messenger::at_rest(store.clone(), self.keypair()) {
            Ok(messenger) => Ok(Open { store, messenger }),
            Err(error) => {
                store.close();
                Err(error)
            }
        }
    }

    /// As [`Self::open`]; where nothing can be written, for reading only.
    pub(super) fn open_or_read(&self, now: Now, rng: &mut dyn CryptoRng) -> Result<(Open, Vec<Output>), StoreError> {
        match self.open(now, rng) {
            Err(error) => self.over(self.frozen(error)?, now, rng),
            opened => opened,
        }
    }

    /// The store for reading only, where that is what an error leaves.
    fn frozen(&self, error: StoreError) -> Result<Store, StoreError> {
        if !matches!(error, StoreError::Full | StoreError::ReadOnly { .. }) {
            return Err(error);
        }
        tracing::warn!(%error, "the store can only be read");
        Store::open_frozen(self.dir.path(), &self.material.store_key, error)
    }

    /// Opens the store and the messenger over it.
    pub(crate) fn open(&self, now: Now, rng: &mut dyn CryptoRng) -> Result<(Open, Vec<Output>), StoreError> {
        self.over(Store::open_existing(self.dir.path(), &self.material.store_key, rng, now)?, now, rng)
    }

    pub(super) fn over(
        &self,
        store: Store,
        now: Now,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Open, Vec<Output>), StoreError> {
        let opened = Messenger::open(store.clone(), self.keypair(), now, rng);
        match opened {
            Ok((messenger, outputs)) => Ok((Open { store, messenger }, outputs)),
            Err(error) => {
                store.close();
                Err(error)
            }
        }
    }
}

/// The folder of a profile that exists.
fn folder(place: &Place) -> Result<ProfileDir, ApiError> {
    ProfileDir::open(&place.dir)?.ok_or_else(|| place.missing())
}

fn key_file(place: &Place, dir: &ProfileDir) -> Result<Vec<u8>, ApiError> {
    match dir.read_key_file()? {
        Some(file) => Ok(file),
        None if dir.has_store() => Err(ApiError::new(
            Code::Damaged,
            format!("the key file of the profile in {} is missing", dir.path().display()),
        )
        .with_hint("put it back from a copy; without it the profile cannot be opened")),
        None => Err(place.missing()),
    }
}

/// Whether there is such a profile (a damaged one is there, too).
///
/// # Errors
/// `other_user`, and `config` where a file stands on the way.
pub fn exists(place: &Place) -> Result<bool, ApiError> {
    match folder(place).and_then(|dir| key_file(place, &dir)) {
        Err(error) if error.is(Code::NoProfile) => Ok(false),
        Err(error) if error.is(Code::OtherUser) || error.is(Code::Config) => Err(error),
        _ => Ok(true),
    }
}

/// The profiles in the folder in which this one is, or would be, by their names.
pub fn beside(place: &Place) -> Vec<Place> {
    let folders = place.dir.parent().and_then(|folder| std::fs::read_dir(folder).ok());
    let names = folders.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut all: Vec<Place> = names.filter_map(|name| place.sibling(&name)).filter(is_there).collect();
    all.sort_by(|a, b| a.profile.cmp(&b.profile));
    all
}

/// Whoever's it is.
fn is_there(place: &Place) -> bool {
    exists(place).unwrap_or_else(|error| error.is(Code::OtherUser))
}

/// Whether the key file of a profile needs a passphrase.
///
/// # Errors
/// `no_profile`, `damaged`, `too_new`.
pub fn needs_passphrase(place: &Place) -> Result<bool, ApiError> {
    let file = key_file(place, &folder(place)?)?;
    identity::key_file_needs_passphrase(&file).map_err(ApiError::from)
}

/// The passphrase of the key file, tried; `None` when it has none.
///
/// # Errors
/// `passphrase_needed`, `wrong_passphrase`, `no_profile`, `damaged`, `too_new`.
pub fn unlock(place: &Place, ask: Ask<'_>) -> Result<Option<Passphrase>, ApiError> {
    let file = key_file(place, &folder(place)?)?;
    let passphrase = identity::key_file_needs_passphrase(&file)?.then(|| ask.passphrase()).transpose()?;
    identity::open_key_file(&file, passphrase.as_ref())?;
    Ok(passphrase)
}

/// Takes the lock of a profile that exists.
pub(crate) fn lock(place: &Place) -> Result<ProfileLock, ApiError> {
    let dir = folder(place)?;
    // Whoever asks for what does not exist learns that first, and makes no lock file.
    key_file(place, &dir)?;
    dir.lock().map_err(ApiError::from)
}

/// Makes an identity in a new profile: keys, store and name.
///
/// # Errors
/// `exists` when there is one already; `too_long` and `control_characters` for the name; `io`, `store` and their kin.
pub fn create(place: &Place, passphrase: Option<&Passphrase>, name: Option<&str>) -> Result<Identity, ApiError> {
    let (now, rng) = (Clock::new().now(), &mut random::system());
    let there = || {
        ApiError::new(Code::Exists, format!("there is a profile '{}' already: {}", place.profile, place.dir.display()))
    };
    if exists(place)? {
        return Err(there());
    }
    let staged = StagedDir::begin(&place.dir)?;
    // Another process may have been quicker.
    if exists(place)? {
        return Err(there());
    }
    let material = KeyMaterial::generate(rng);
    let file = identity::seal_key_file(&material, passphrase, Cost::DEFAULT, rng);
    staged.dir().write_key_file(&file)?;
    let profile = Profile { material, dir: staged.dir().clone() };
    let store = Store::open(profile.dir.path(), &profile.material.store_key, rng, now)?;
    let (mut open, _) = profile.over(store, now, rng)?;
    if let Some(name) = name {
        let command = Input::Command(0, Command::SetName { name: name.to_owned() });
        for output in open.messenger.handle(vec![command], now, rng) {
            if let Output::Reply(_, Err(refusal)) = output {
                return Err(refusal.into());
            }
        }
    }
    let found = crate::messenger::query::link(&open.messenger.reader(), profile.peer_id());
    let found = found?.ok_or_else(|| errors::internal("the new profile is empty"))?;
    drop(open);
    drop(staged.publish()?);
    Ok(views::identity(found, Vec::new(), LinkParams::default()))
}

/// Wraps the key file anew. The store's key stays, so a running node is not disturbed.
///
/// # Errors
/// `passphrase_needed`, `wrong_passphrase`, `no_profile`, `io`.
pub fn change_passphrase(place: &Place, old: Option<&Passphrase>, new: Option<&Passphrase>) -> Result<(), ApiError> {
    let dir = folder(place)?;
    let file = key_file(place, &dir)?;
    let material = identity::open_key_file(&file, old)?;
    let file = identity::seal_key_file(&material, new, Cost::DEFAULT, &mut random::system());
    dir.write_key_file(&file).map_err(ApiError::from)
}
