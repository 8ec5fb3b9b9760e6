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

/// What is lost, in sentences; the last is about the sessions, which always are.
fn lost(told: &Salvaged, order: InOrder) -> Vec<String> {
    let mut lost = Vec::new();
    if told.from_database + told.from_snapshot == 0 {
        lost.push("everything but your identity: neither the database nor a snapshot could be read".to_owned());
    } else {
        lost.extend(of_the_database(told));
        if !order.profile {
            lost.push(
                "your name, policy and request token: links that you gave out are no invitations any more".to_owned(),
            );
        }
    }
    if !told.keys {
        lost.push(format!("the texts of {} conversations, and the requests: both key files are gone", order.emptied));
    }
    let sessions = "all sessions: fresh ones are made with your contacts when they can be reached";
    lost.push(if lost.is_empty() { format!("nothing but {sessions}") } else { sessions.to_owned() });
    lost
}

/// What its newest state had, as far as that is known.
fn of_the_database(told: &Salvaged) -> Vec<String> {
    let (snapshot, mut lost) = (told.snapshot.map(|(made, whole)| (time::format(made), whole)), Vec::new());
    match (told.gone, &snapshot) {
        (Some(gone), _) => {
            if gone.commits > 0 {
                lost.push(format!("the newest changes: the last {}", count(gone.commits, "commit", "commits")));
            }
            if gone.rows > 0 {
                let rows = count(gone.rows, "row", "rows");
                lost.push(format!(
                    "up to {rows} (a message, a contact, a session or the like each), which nothing has any more"
                ));
            }
            if gone.older {
                lost.push("the last change of some rows, such as the state of a message".to_owned());
            }
        }
        (None, Some((made, _))) => {
            lost.push(format!("what happened after {made} and could not be read in the database"));
        }
        (None, None) => {
            lost.push("what could not be read in the database: there was no snapshot to restore it from".to_owned());
        }
    }
    if let Some((made, whole)) = snapshot {
        if told.gone.is_some() && told.from_snapshot > 0 {
            let rows = count(told.from_snapshot, "row", "rows");
            lost.push(format!("what became of {rows} after {made}: they are as the snapshot had them"));
        }
        if !whole {
            lost.push(format!("what does not stand in the snapshot of {made}: it is not whole"));
        }
    }
    lost
}

fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::WallTime;
    use crate::store::Gone;

    fn told(gone: Option<Gone>, from_snapshot: u64) -> Vec<String> {
        let snapshot = (from_snapshot > 0).then_some((WallTime(1_710_252_131_042), true));
        let told = Salvaged { keys: true, from_database: 7, from_snapshot, snapshot, gone, ..Salvaged::default() };
        lost(&told, InOrder { profile: true, ..InOrder::default() })
    }

    #[test]
    fn what_is_lost_is_told_with_numbers_and_nothing_else() {
        let sessions = "all sessions: fresh ones are made with your contacts when they can be reached";
        assert_eq!(told(Some(Gone::default()), 0), [format!("nothing but {sessions}")]);
        let gone = Gone { commits: 17, rows: 1, older: true };
        let expected = [
            "the newest changes: the last 17 commits",
            "up to 1 row (a message, a contact, a session or the like each), which nothing has any more",
            "the last change of some rows, such as the state of a message",
            sessions,
        ];
        assert_eq!(told(Some(gone), 0), expected);
        let from_snapshot = told(Some(Gone::default()), 4);
        assert!(from_snapshot[0].starts_with("what became of 4 rows after 2024-03-12T14:02"), "{from_snapshot:?}");
        assert!(told(None, 4)[0].starts_with("what happened after 2024-03-12T14:02"));
        assert!(told(None, 0)[0].ends_with("there was no snapshot to restore it from"));
    }
}
