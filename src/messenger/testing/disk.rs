//! The disks of messengers: somebody who copies them, snapshots, and what is made of them again.

use std::fs;

use super::Office;
use crate::base::Now;
use crate::messenger::recovery::{InOrder, SNAPSHOT, put_in_order};
use crate::store::salvage;
use crate::store::testing::{Dump, Place};

impl Office {
    /// Somebody copies the disk, without the keys, and keeps the copy.
    pub(crate) fn copy_disk(&mut self, who: usize) {
        let dump = self.desks[who].place.dump();
        self.desks[who].copies.push(dump);
    }

    /// Whether a text can be had of all that was ever copied, and of what is on the disk now, with the keys as they are
    /// now: the key file, and both files of erasable keys.
    pub(crate) fn can_be_had(&self, who: usize, text: &str) -> bool {
        let desk = &self.desks[who];
        let found = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        let present = desk.place.dump();
        let rows = desk.copies.iter().chain([&present]).flat_map(|dump| desk.place.open_all(dump));
        rows.into_iter().any(|(_, row)| found(&row))
    }

    /// Whether the files on the disk show it, as it is or in a usual dress.
    pub(crate) fn can_be_seen(&self, who: usize, text: &str) -> bool {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let dressed = [text.to_owned(), hex.to_uppercase(), hex, base64(text.as_bytes())];
        self.desks[who].place.files().iter().any(|path| {
            let bytes = fs::read(path).unwrap();
            dressed.iter().any(|dress| bytes.windows(dress.len()).any(|window| window == dress.as_bytes()))
        })
    }

    /// What somebody's node does daily.
    pub(crate) fn renew_state_key(&mut self, who: usize) {
        let (now, desk) = (self.now, &mut self.desks[who]);
        desk.messenger.as_ref().unwrap().store.renew_state_key(&mut desk.place.rng, now).unwrap();
    }

    /// Somebody's node makes a snapshot.
    pub(crate) fn take_snapshot(&mut self, who: usize) {
        let desk = &mut self.desks[who];
        let messenger = desk.messenger.as_mut().unwrap();
        messenger.mem.clock.look(self.now);
        let (now, store) = (Now { wall: messenger.earliest(), ..self.now }, &messenger.store);
        let mut new = store.begin_snapshot(SNAPSHOT, &mut desk.place.rng, now).unwrap();
        while !new.step(store, 100).unwrap() {}
    }

    /// How many snapshots somebody has.
    pub(crate) fn snapshots(&self, who: usize) -> usize {
        self.desks[who].place.snapshots().len()
    }

    /// In how many of the snapshots a text can be found, with the keys as they are now; and in how many not.
    pub(crate) fn snapshots_with(&self, who: usize, text: &str) -> (usize, usize) {
        let place = &self.desks[who].place;
        let found = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        let has = |dump: &Dump| {
            dump.iter().any(|(key, row)| found(key) || found(row))
                || place.open_all(dump).iter().any(|(_, row)| found(row))
        };
        let (with, without): (Vec<_>, Vec<_>) = place.snapshots().into_iter().partition(has);
        (with.len(), without.len())
    }

    /// Somebody recovers his profile, perhaps after the database was lost, and goes on with what that gives.
    pub(crate) fn recover(&mut self, who: usize, is_lost: bool) -> InOrder {
        self.close(who);
        let (now, desk) = (self.now, &mut self.desks[who]);
        let from = desk.place.path();
        if is_lost {
            fs::remove_dir_all(from.join("db")).unwrap();
        }
        let mut place = Place::new(1_000 + who as u64).with_key(&desk.place.key);
        let to = place.path().to_owned();
        let (store, told) = salvage(from, &to, &desk.place.key, SNAPSHOT, &mut place.rng, now).unwrap();
        assert!((told.from_snapshot > 0) == is_lost && (told.from_database > 0) != is_lost, "{told:?}");
        let done = put_in_order(&store, desk.id, told.keys, now, &mut place.rng).unwrap();
        store.close();
        drop(store);
        desk.place = place;
        self.open(who);
        done
    }

    /// How many rows of a table were ever copied and open with the keys of now.
    pub(crate) fn readable_rows(&self, who: usize, table: u8) -> usize {
        let desk = &self.desks[who];
        let rows = desk.copies.iter().flat_map(|dump| desk.place.open_all(dump));
        rows.filter(|(key, _)| key.first() == Some(&table)).count()
    }
}

/// Without the ends, which depend on what stands around.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (groups, _) = bytes.as_chunks::<3>();
    groups
        .iter()
        .flat_map(|[a, b, c]| {
            let bits = u32::from_be_bytes([0, *a, *b, *c]);
            [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(bits >> shift) as usize & 63]))
        })
        .collect()
}
