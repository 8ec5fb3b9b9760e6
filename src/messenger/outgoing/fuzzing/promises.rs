//! What must hold, after every step and from one to the next.

use super::*;

impl Desk {
    /// What must hold at all times.
    pub(super) fn look(&self) {
        let letters = self
            .out
            .peers()
            .flat_map(|(peer, waiting)| waiting.letters.iter().map(|(number, letter)| ((*peer, *number), letter)));
        let letters: BTreeMap<(PeerId, u64), &Letter> = letters.collect();
        let rows = letters.iter().map(|(key, letter)| (*key, row(letter)));
        assert_eq!(rows.collect::<BTreeMap<_, _>>(), self.rows, "rows are what is in memory");
        let mut tickets = BTreeSet::new();
        for letter in letters.values() {
            let asked = letter.deposits.iter().filter_map(|deposit| match deposit.stage {
                Stage::Asked(ticket) => Some(ticket),
                _ => None,
            });
            assert!(asked.chain(letter.ticket).all(|ticket| tickets.insert(ticket)), "a ticket of two");
            let mailboxes: BTreeSet<_> = letter.deposits.iter().map(|deposit| deposit.mailbox).collect();
            assert_eq!(mailboxes.len(), letter.deposits.len(), "twice on its way to one mailbox");
            let under_way: Vec<_> = letter.deposits.iter().filter(|deposit| deposit.is_under_way()).collect();
            let held: BTreeSet<_> = holds(letter, self.now).collect();
            assert!(held.len() + under_way.len() <= limits::DEPOSIT_COPIES, "more copies than are to be");
            assert!(under_way.iter().all(|deposit| !held.contains(&deposit.mailbox)), "it has it and is asked");
            assert!(letter.ticket.is_none() || letter.sealed.is_some(), "nothing is on the stream");
            let is_empty = letter.sealed.is_none() && letter.ticket.is_none() && letter.deposits.is_empty();
            assert!(is_empty || !(letter.way.sent || letter.unreadable), "what is there keeps its envelope");
        }
        let mut sums = [0; 4];
        for (peer, waiting) in self.out.peers() {
            let totals = waiting.totals;
            let count = |counts: fn(&Letter) -> bool| waiting.letters.values().filter(|letter| counts(letter)).count();
            assert_eq!([totals.messages, totals.sent], [count(Letter::is_message), count(|letter| letter.way.sent)]);
            let on_stream = waiting.letters.iter().filter_map(|(number, letter)| Some((letter.ticket?, *number)));
            let has_frame =
                |(ticket, number): (_, u64)| waiting.frames.get(&ticket).map(|frame| frame.0) == Some(number);
            assert!(on_stream.into_iter().all(has_frame), "the network has it");
            let bytes: usize = waiting.frames.values().map(|(_, len)| len).sum();
            assert!(bytes < limits::MAX_IN_FLIGHT_BYTES + SIZES[2], "beyond the window");
            assert_eq!((totals.kept, totals.barred), (self.kept(peer), count(|letter| letter.barred)));
            let idle = count(|letter| !(letter.way.sent || letter.unreadable || letter.ticket.is_some()));
            assert_eq!(waiting.idle(0..).count(), idle, "what may go");
            assert!(totals.deposits <= limits::MAX_DEPOSITS_PER_PEER);
            let envelopes = waiting.letters.values().filter_map(|letter| letter.sealed.as_ref());
            let envelopes: usize = envelopes.map(|sealed| sealed.bytes.len()).sum();
            assert!(envelopes < limits::MAX_SEALED_PER_PEER + SIZES[2], "one beyond its room at most");
            let more = [totals.messages, totals.kept, totals.deposits, envelopes];
            sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        let totals = self.out.totals;
        assert_eq!([totals.messages, totals.kept, totals.deposits], sums[..3]);
        assert!(totals.deposits <= limits::MAX_DEPOSITS);
        assert!(sums[3] <= limits::MAX_SEALED + PEERS * SIZES[2], "one for each beyond the room of all");
    }
}

/// How far it is does not go back but where a new session is begun or time has passed.
pub(super) fn never_goes_back(before: &Letter, event: &Happening, after: &Letter) {
    assert!(after.way.counted || !before.way.counted, "it was counted");
    assert!(after.way.sent || !before.way.sent, "it was sent");
    assert!(after.unreadable || !before.unreadable, "it was not to be read");
    let may_lose = matches!(event, Happening::Aged | Happening::Answered(..)) || after.way.sent;
    assert!(may_lose || before.way.held.iter().all(|held| after.way.held.contains(held)), "a mailbox had it");
    assert_eq!((before.what, before.queued_at), (after.what, after.queued_at));
}
