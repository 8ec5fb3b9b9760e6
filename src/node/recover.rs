//! `recover`: a new profile folder of what is left in a damaged one, which is kept beside it.

use std::path::{Path, PathBuf};

use crate::api::{ApiError, Code, Recovery, time};
use crate::base::Now;
use crate::messenger::query;
use crate::messenger::recovery::{InOrder, SNAPSHOT, put_in_order};
use crate::store::{Salvaged, StagedDir, Store, StoreError, examine, salvage};

use super::clock::Clock;
use super::doctor;
use super::place::Place;
use super::profile::{Ask, Profile, Work};
use super::{find, profile, random};

/// Makes the profile anew of what is left of it.
///
/// # Errors
/// `sound` when nothing is wrong; `busy` while somebody works on it; the passphrase's errors; `io`, `disk_full`.
pub fn recover(place: &Place, ask: Ask<'_>) -> Result<Recovery, ApiError> {
    let lock = profile::lock(place).map_err(|error| match find::connect(place) {
        Ok(Some(_)) if error.is(Code::Busy) => error.with_hint("its node runs: `rohrpost stop` ends it"),
        _ => error,
    })?;
    let profile = Profile::unlock(place, ask)?;
    let now = Clock::new().now();
    let damage = ask.begins(Work::Looking).during(|| damage(&profile, now))?;
    let staged = StagedDir::begin(&place.dir)?;
    let saving = ask.begins(Work::Saving);
    let (told, order, name) = saving.during(|| rebuild(&profile, &place.dir, &staged, now))?;
    ask.rests();
    let aside = aside(&place.dir, now);
    let new_lock = staged.replace(&aside)?;
    drop((lock, new_lock));
    Ok(Recovery {
        peer_id: profile.peer_id(),
        name,
        damage: told.damage.clone().unwrap_or(damage),
        kept: aside,
        from_database: told.from_database,
        from_snapshot: told.from_snapshot,
        snapshot: told.snapshot.map(|(made, _)| made),
        contacts: order.contacts,
        conversations: order.conversations,
        messages: order.messages,
        requests: order.requests,
        queued: order.queued,
        lost: lost(&told, order),
    })
}

/// What is wrong. A store that looks sound is opened: only then is nothing to be done.
fn damage(profile: &Profile, now: Now) -> Result<String, ApiError> {
    match examine(profile.dir.path(), &profile.material.store_key) {
        Ok(Some(what)) => return Ok(what),
        Ok(None) => {}
        Err(error) => return Err(error.into()),
    }
    // Before anything is opened that would write some of them anew.
    let because = StoreError::ReadOnly { path: profile.dir.path().to_owned() };
    let looked = Store::open_frozen(profile.dir.path(), &profile.material.store_key, because)
        .and_then(|store| query::unsound(&store.reader()));
    match looked {
        Ok(unsound) if unsound.is_empty() => {}
        Ok(unsound) => return Ok(doctor::rows_that_do_not_open(&unsound)),
        Err(StoreError::Damaged { what }) => return Ok(what),
        Err(error) => return Err(error.into()),
    }
    match profile.open(now, &mut random::system()) {
        Ok(_) => Err(ApiError::new(Code::Sound, "the store of this profile is sound: there is nothing to recover")),
        Err(StoreError::Damaged { what }) => Ok(what),
        Err(error) => Err(error.into()),
    }
}

fn rebuild(
    profile: &Profile,
    from: &Path,
    staged: &StagedDir,
    now: Now,
) -> Result<(Salvaged, InOrder, String), StoreError> {
    let mut rng = random::system();
    let to = staged.dir();
    let (store, told) = salvage(from, to.path(), &profile.material.store_key, SNAPSHOT, &mut rng, now)?;
    let order = put_in_order(&store, profile.peer_id(), told.keys, now, &mut rng)?;
    // The new card, and its prekeys.
    let (open, _) = profile.over(store, now, &mut rng)?;
    let name = query::link(&open.messenger.reader(), profile.peer_id())?.and_then(|link| link.name);
    drop(open);
    let key_file = profile.key_file()?;
    to.write_key_file(&key_file)?;
    Ok((told, order, name.unwrap_or_default()))
}

/// A name for the damaged folder that nobody has: a profile's, so that it can be looked at with `-P`.
fn aside(dir: &Path, now: Now) -> PathBuf {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let mut path = dir.with_file_name(format!("{name}.damaged-{}", now.wall.0 / 1000));
    while path.exists() {
        path.as_mut_os_string().push("x");
    }
    path
}

fn lost(told: &Salvaged, order: InOrder) -> Vec<String> {
    let mut lost = Vec::new();
    if told.from_database + told.from_snapshot == 0 {
        lost.push("everything but your identity: neither the database nor a snapshot could be read".to_owned());
    } else {
        match told.snapshot {
            Some((made, whole)) => {
                let made = time::format(made);
                lost.push(format!("what happened after {made} and could not be read in the database"));
                if !whole {
                    lost.push(format!("what does not stand in the snapshot of {made}: it is not whole"));
                }
            }
            None => {
                lost.push(
                    "what could not be read in the database: there was no snapshot to restore it from".to_owned(),
                );
            }
        }
        if !order.profile {
            lost.push(
                "your name, policy and request token: links that you gave out are no invitations any more".to_owned(),
            );
        }
    }
    if !told.keys {
        lost.push(format!("the texts of {} conversations, and the requests: both key files are gone", order.emptied));
    }
    lost.push("all sessions: fresh ones are made with your contacts when they can be reached".to_owned());
    lost
}
