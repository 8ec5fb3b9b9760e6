//! What happens in a run: steps, drawn at random.

use proptest::prelude::*;

use crate::base::{Millis, limits};
use crate::envelope::mailbox::Answer as MailAnswer;
use crate::messenger::io::RefuseReason;

/// Where the process dies at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    No,
    /// The commit fails; the messenger is opened again.
    Commit,
    /// Behind the commit: nothing of what follows from it is carried out.
    Committed,
    /// When everything was carried out.
    Done,
}

/// What becomes of an envelope on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Bob gets it, and says so.
    Arrives,
    /// Bob gets it, and the stream ends before he says so.
    ArrivesUnsaid,
    /// The stream ends.
    Lost,
    /// It is refused (by whomever).
    Refused(RefuseReason),
}

/// What a mailbox answers.
#[derive(Clone, Debug)]
pub(super) enum Mail {
    Honest,
    /// It does what it is asked, and that does not become known.
    Unheard,
    /// It says that it has it, and does not.
    Lies,
    Says(MailAnswer),
    Silent,
}

/// One step. Numbers choose among what there is.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Say {
        len: usize,
        life: Option<u64>,
    },
    Burst {
        count: usize,
        len: usize,
    },
    /// What is refused.
    SayNothing,
    Connect,
    Disconnect,
    Unreachable,
    Envelope(usize, Way),
    /// So many envelopes arrive.
    Envelopes(usize),
    /// An outcome of what has one, or was never sent.
    Stale(usize, usize),
    Bundle(bool),
    Search(bool),
    Mailbox(usize, Mail),
    /// A late answer of a mailbox.
    LateMail(usize),
    /// So many letters of Bob's arrive; or are lost.
    Bob(usize),
    BobLost,
    BobReads,
    BobAccepts,
    /// Bob is given again what he had.
    BobAgain(usize),
    /// Bob says that he has these (and read them), whether he has or not.
    BobSays {
        first: usize,
        count: usize,
        read: bool,
    },
    /// Somebody else's message is told by Bob.
    BobSaysOthers,
    /// Bob does not open what comes, and begins a session anew.
    BobHeals(usize),
    Pass(Millis),
    Block,
    Unblock,
    Delete,
}

fn crash() -> impl Strategy<Value = Crash> {
    prop_oneof![
        16 => Just(Crash::No),
        1 => Just(Crash::Commit),
        1 => Just(Crash::Committed),
        1 => Just(Crash::Done),
    ]
}

fn way() -> impl Strategy<Value = Way> {
    use RefuseReason::{Malformed, PrekeyUnknown, SessionUnknown, TooMany, Unavailable, Unsupported};
    let reasons = [Unsupported, Malformed, PrekeyUnknown, SessionUnknown, TooMany, Unavailable];
    prop_oneof![
        6 => Just(Way::Arrives),
        2 => Just(Way::ArrivesUnsaid),
        2 => Just(Way::Lost),
        3 => prop::sample::select(reasons.to_vec()).prop_map(Way::Refused),
    ]
}

fn mail() -> impl Strategy<Value = Mail> {
    let says = [
        MailAnswer::NoBox,
        MailAnswer::Full { retry_after: 5_000 },
        MailAnswer::TooLarge,
        MailAnswer::Refused,
        MailAnswer::Work { level: 3 },
        MailAnswer::Unavailable,
        MailAnswer::Malformed,
        MailAnswer::Done,
    ];
    prop_oneof![
        8 => Just(Mail::Honest),
        1 => Just(Mail::Unheard),
        1 => Just(Mail::Lies),
        4 => prop::sample::select(says.to_vec()).prop_map(Mail::Says),
        1 => Just(Mail::Silent),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let len = prop_oneof![6 => 1..200_usize, 1 => Just(2_000), 1 => Just(20_000), 1 => Just(limits::MAX_TEXT)];
    let life = prop_oneof![5 => Just(None), 1 => prop::sample::select(vec![Some(30), Some(7_200), Some(500_000)])];
    let span = vec![3, 60, 61, 3_600, 4 * 86_400, 22 * 86_400, 31 * 86_400];
    let burst = prop_oneof![(20..300_usize, 1..50_usize), (5..95_usize, Just(47_000_usize))];
    let often = prop_oneof![
        14 => (len, life).prop_map(|(len, life)| Act::Say { len, life }),
        6 => Just(Act::Connect),
        3 => Just(Act::Disconnect),
        10 => (any::<usize>(), way()).prop_map(|(pick, way)| Act::Envelope(pick, way)),
        5 => (1..300_usize).prop_map(Act::Envelopes),
        6 => any::<bool>().prop_map(Act::Bundle),
        12 => (any::<usize>(), mail()).prop_map(|(pick, mail)| Act::Mailbox(pick, mail)),
        4 => any::<bool>().prop_map(Act::Search),
        8 => (1..20_usize).prop_map(Act::Bob),
        8 => prop::sample::select(span).prop_map(|secs| Act::Pass(Millis::from_secs(secs))),
    ];
    let seldom = prop_oneof![
        burst.prop_map(|(count, len)| Act::Burst { count, len }),
        Just(Act::SayNothing),
        Just(Act::Unreachable),
        (any::<usize>(), 0..3_usize).prop_map(|(pick, what)| Act::Stale(pick, what)),
        any::<usize>().prop_map(Act::LateMail),
        Just(Act::BobLost),
        Just(Act::BobReads),
        Just(Act::BobAccepts),
        any::<usize>().prop_map(Act::BobAgain),
        (any::<usize>(), 1..4_usize, any::<bool>()).prop_map(|(first, count, read)| Act::BobSays {
            first,
            count,
            read
        }),
        Just(Act::BobSaysOthers),
        any::<usize>().prop_map(Act::BobHeals),
        Just(Act::Block),
        Just(Act::Unblock),
        Just(Act::Unblock),
        Just(Act::Delete),
    ];
    prop_oneof![5 => often, 1 => seldom]
}

/// A whole run.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) seed: u64,
    /// Whether Bob has accepted before it begins.
    pub(super) friends: bool,
    pub(super) mailboxes: usize,
    pub(super) acts: Vec<(Act, Crash)>,
}

pub(super) fn story() -> impl Strategy<Value = Story> {
    let acts = prop::collection::vec((act(), crash()), 1..60);
    (any::<u64>(), prop::bool::weighted(0.7), 0..4_usize, acts).prop_map(|(seed, friends, mailboxes, acts)| Story {
        seed,
        friends,
        mailboxes,
        acts,
    })
}
