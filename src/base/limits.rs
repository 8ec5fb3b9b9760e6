//! Every bound of the program, each with its reason. Numbers from `docs/protocol/`.
//!
//! A constant that only one algorithm needs and nobody else can grow (a block size, say) stays
//! beside that algorithm.

mod clocks;
mod grant;
mod group;
mod net;

use super::time::Millis;

pub use clocks::*;
pub use grant::{Amount, By, Grant, Of};
pub use group::*;
pub use net::*;

// ---- What travels -------------------------------------------------------------------------------

/// Largest payload of an envelope. Larger content is an attachment.
pub const MAX_PAYLOAD: usize = 64 * 1024;
/// Smallest padded envelope: below it, lengths would tell short messages apart.
pub const MIN_ENVELOPE: usize = 256;
/// Largest encoded envelope: payload, header, Padmé's at most 12 % and the seal.
pub const MAX_ENVELOPE: usize = 76 * 1024;
/// Largest contact card; it must fit a DHT record.
pub const MAX_CARD: usize = 4 * 1024;
/// Largest signed one-time prekey.
pub const MAX_ONE_TIME_PREKEY: usize = 2 * 1024;
/// Largest answer of the card protocol: a card and a one-time prekey, and their framing.
pub const MAX_CARD_RESPONSE: usize = MAX_CARD + MAX_ONE_TIME_PREKEY + 64;
/// Largest text of a message that is sent inline.
pub const MAX_TEXT: usize = 48 * 1024;
/// Items in one capsule (the plaintext of an envelope).
pub const MAX_CAPSULE_ITEMS: usize = 16;
/// Message IDs in one status report, and in all that a capsule reports and asks.
pub const MAX_STATUS_IDS: usize = 512;
/// Messages in one capsule: each costs some rows.
pub const MAX_CAPSULE_MESSAGES: usize = 8;
/// Nesting of MIMI parts.
pub const MAX_PART_DEPTH: usize = 4;
/// Parts of a MIMI message in all.
pub const MAX_PARTS: usize = 32;
/// Topic ID of a MIMI message; the draft calls longer ones malicious.
pub const MAX_TOPIC: usize = 4 * 1024;
/// Extensions of a MIMI message.
pub const MAX_EXTENSIONS: usize = 32;
/// Value of one extension, encoded.
pub const MAX_EXTENSION: usize = 4 * 1024 - 1;
/// Arrays, maps and tags within each other in the extensions, the extensions map itself included.
pub const MAX_EXTENSION_DEPTH: usize = 4;
/// Sender and room URI in a MIMI message; the message ID counts them with 16 bits.
pub const MAX_URI: usize = 1024;
/// Media type and language of a MIMI part.
pub const MAX_MEDIA_TYPE: usize = 255;
/// URL, description and file name of an external MIMI part.
pub const MAX_EXTERNAL_TEXT: usize = 2 * 1024;
/// Key, nonce, associated data and hash of an external MIMI part.
pub const MAX_EXTERNAL_BYTES: usize = 255;
/// Symbol of a reaction: the longest emoji sequences have some 40 bytes.
pub const MAX_SYMBOL: usize = 64;

// ---- Sessions -----------------------------------------------------------------------------------

/// How far a header's counter may jump ahead of what was received in its chain.
pub const MAX_JUMP: u32 = 1_000;
/// Messages beyond the lowest that nobody has taken, after which nothing more is sealed in a chain: half of what its
/// receiver would jump, so that what a restart loses twice does not break the session.
pub const MAX_UNTAKEN: u32 = MAX_JUMP / 2;
/// Turns of the ratchet that are made ahead and kept in memory: as many as the peers that are written to at a time.
pub const MAX_TURNS_AHEAD: usize = 64;
/// Skipped message keys kept in a session: a jump, and some. The row of the session, which most messages write, has less than 64 KiB.
pub const MAX_SKIPPED_KEYS: usize = 1_200;
/// Skipped message keys kept in a retired session. Ten retired ones with as many as the one that sends would be most of a
/// megabyte, of a peer's making; what comes late of what was sent before is few.
pub const MAX_RETIRED_SKIPPED_KEYS: usize = 200;
/// How long a skipped message key is kept.
pub const SKIPPED_KEY_LIFE: Millis = Millis::from_days(30);
/// Receiving chains kept in a session.
pub const MAX_RECEIVING_CHAINS: usize = 5;
/// Older receiving chains of which only skipped keys are left: each costs a row some 40 bytes beside its keys.
pub const MAX_LATE_CHAINS: usize = 64;
/// Used-up receiving chains whose short marks tell a late duplicate from a forgery (4 bytes each).
pub const MAX_USED_CHAIN_MARKS: usize = 128;
/// Retired sessions with one peer that still receive.
pub const MAX_ARCHIVED_SESSIONS: usize = 10;
/// How long a retired session still receives.
pub const ARCHIVED_SESSION_LIFE: Millis = Millis::from_days(30);
/// A new ML-KEM key is offered after so many messages…
pub const KEM_INTERVAL_MESSAGES: u32 = 50;
/// …or after so long, whichever comes first.
pub const KEM_INTERVAL: Millis = Millis::from_hours(24);
/// One healing handshake with a contact in this time.
pub const HEALING_INTERVAL: Millis = Millis::from_hours(1);
/// Nothing of a contact has opened for so long, though a message of ours has lain with him or at his mailboxes all that time:
/// perhaps nothing of either side opens with the other.
pub const HEALING_SILENCE: Millis = Millis::from_days(3);
/// One healing handshake in this time for silence alone: he may just be away.
pub const HEALING_SILENT_INTERVAL: Millis = Millis::from_days(7);
/// Of what a contact passed over in his reports so much goes again in one commit (SES-72).
pub const PASSED_OVER: usize = 16;
/// That it went again counts no more when there was nothing of it for so long after the pause.
pub const PASSED_OVER_FORGOTTEN: Millis = Millis::from_days(1);
/// When something of a contact opened is written down once in this time.
pub const HEARD_NOTE: Millis = Millis::from_days(1);
/// A sealed first contact without an answer is rebuilt with a fresh card after this time.
pub const FIRST_CONTACT_REBUILD: Millis = Millis::from_hours(72);

// ---- Cards and prekeys --------------------------------------------------------------------------

/// How long a card is valid.
pub const CARD_LIFE: Millis = Millis::from_days(9);
/// How often the keys in the card change.
pub const CARD_ROTATION: Millis = Millis::from_days(7);
/// Prekey and seal secrets outlive the last card that named them by this much.
pub const PREKEY_GRACE: Millis = Millis::from_days(22);
/// One-time prekeys in a batch.
pub const ONE_TIME_BATCH: usize = 100;
/// A batch is refilled when fewer are left.
pub const ONE_TIME_REFILL: usize = 20;
/// One-time prekeys with a secret here that no mailbox has: those that wait, and those that were handed out and are not used.
pub const MAX_OWN_ONE_TIME: usize = 800;
/// When there are so many, those go that were handed out first, but none that was within this time: who asks for one is about
/// to use it.
pub const ONE_TIME_HANDED_LIFE: Millis = Millis::from_hours(1);
/// How long a one-time prekey is valid after it was made.
pub const ONE_TIME_LIFE: Millis = Millis::from_days(60);
/// Mailboxes in a card.
pub const MAX_MAILBOXES: usize = 3;
/// Addresses of one mailbox or relay in a card.
pub const MAX_ADDRS: usize = 8;
/// Length of one address in its textual form.
pub const MAX_ADDR_LEN: usize = 256;
/// Relays in a card.
pub const MAX_RELAYS: usize = 3;
/// Leading zero bits that a card may ask of a stranger's proof of work: more would take minutes.
pub const MAX_WORK: u8 = 24;
/// Length of a `rohrpost:` link, with what stands around it: the longest name and the longest addresses fit in a third.
pub const MAX_LINK: usize = 8 * 1024;

// ---- Requests -----------------------------------------------------------------------------------

/// A message that a request holds, in bytes: its content in all its parts.
pub const MAX_REQUEST_CONTENT: usize = 2 * 1024;
/// What it has around its text at most: salt, names, counter, its heads.
pub const REQUEST_FRAME: usize = 512;
/// Text of a message to somebody who has not accepted, in bytes.
pub const MAX_REQUEST_TEXT: usize = MAX_REQUEST_CONTENT - REQUEST_FRAME;
/// Characters of a subject and of a name.
pub const MAX_NAME_CHARS: usize = 64;
/// Pending requests in all.
pub const MAX_REQUESTS: usize = 200;
/// Messages held of one request: the first, and two more.
pub const MAX_REQUEST_MESSAGES: usize = 3;
/// How long a request waits.
pub const REQUEST_LIFE: Millis = Millis::from_days(30);
/// Sessions of all who are no contacts together: some 2 KB each, and the oldest goes.
pub const MAX_STRANGER_SESSIONS: usize = 1_000;
/// Sessions that one of them may begin within a day: the first, and some for lost state.
pub const MAX_STRANGER_SESSIONS_A_DAY: usize = 4;
/// How long such a session is kept: as long as a request that began with it.
pub const STRANGER_SESSION_LIFE: Millis = REQUEST_LIFE;
/// How long a declined peer's requests are dropped quietly.
pub const DECLINE_LIFE: Millis = Millis::from_days(30);
/// Messages transmitted to somebody who has not accepted.
pub const MAX_UNACCEPTED_SENT: usize = 3;
/// How long each of them counts: it may go again until it is given up, and lie there as a request from then on.
pub const UNACCEPTED_LIFE: Millis = UNDELIVERED_AFTER.and(REQUEST_LIFE);

// ---- Marks --------------------------------------------------------------------------------------

/// How long an envelope ID is remembered.
pub const ENVELOPE_MARK_LIFE: Millis = Millis::from_days(60);
/// Envelope marks of all strangers together.
pub const MAX_STRANGER_MARKS: u64 = 200_000;
/// Envelope marks of all contacts together: of first contacts, and of what did not open.
pub const MAX_CONTACT_MARKS: u64 = 100_000;
/// Handshakes with one card's own prekey, of strangers, remembered until it takes no more: beyond that the card is made anew.
pub const MAX_CARD_PREKEY_MARKS: u64 = 5_000;
/// The same with those that came by invitation: what strangers cannot take.
pub const MAX_INVITED_PREKEY_MARKS: u64 = MAX_CARD_PREKEY_MARKS / 4 * 5;
/// The same with those of contacts.
pub const MAX_CONTACT_PREKEY_MARKS: u64 = MAX_CARD_PREKEY_MARKS / 4 * 6;
/// A card is made anew for its marks so often at most: each stands for 48 hours in the hash table of others.
pub const CROWDED_CARD_PAUSE: Millis = Millis::from_hours(1);
/// How long the prekey of such a card is good for those who have it.
pub const CROWDED_CARD_GRACE: Millis = Millis::from_hours(24);
/// Rows of marks that are read at a time.
pub const MARKS_PAGE: usize = 1_024;

// ---- Conversations and delivery -----------------------------------------------------------------

/// Messages waiting for one recipient.
pub const MAX_OUTBOX_PER_PEER: u64 = 20_000;
/// Second copies from one peer that make a receipt while others wait to be sent.
pub const MAX_REPEATED_RECEIPTS: usize = 2 * MAX_STATUS_IDS;
/// Of what a peer has and did not say so by this time after a connection with him came up it is asked (CON-32)…
pub const RECEIPTS_OVERDUE: Millis = Millis::from_secs(60);
/// …and again after this time, if the connection lasts.
pub const INQUIRY_PAUSE: Millis = Millis::from_hours(1);
/// Nothing of whoever took such a question opens for so long over the same connection: nothing of either side opens with the other.
pub const INQUIRY_ANSWERED: Millis = Millis::from_secs(300);
/// Capsules of receipts waiting for one peer; more are not made until some are taken.
pub const MAX_CONTROL_ROWS: usize = 256;
/// Envelopes on their way to one peer at a time.
pub const MAX_IN_FLIGHT: usize = 256;
/// Bytes on their way to one peer at a time.
pub const MAX_IN_FLIGHT_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of sealed envelopes kept in memory until they are taken: what four peers may have on their way at a time. What does
/// not fit is sealed when others were taken.
pub const MAX_SEALED: usize = 4 * MAX_SEALED_PER_PEER;
/// The same for one peer: as many as may be on their way to him.
pub const MAX_SEALED_PER_PEER: usize = MAX_IN_FLIGHT_BYTES;
/// What was not delivered in this time is told as undelivered.
pub const UNDELIVERED_AFTER: Millis = Millis::from_days(30);
/// First pause before another try, to reach a peer or to send to one who is there; it doubles, with jitter.
pub const RETRY_FIRST: Millis = Millis::from_secs(5);
/// Longest pause between two tries.
pub const RETRY_MAX: Millis = Millis::from_hours(1);
/// So many failures of one who is there are forgiven when there is a new connection, and with the first acknowledgement his window is
/// whole again: ordinary lines break.
pub const RETRY_FORGIVEN: u32 = 2;
/// After more of them a new connection leaves this part of the pause (one eighth): whoever comes and goes makes it grow.
pub const RETRY_CONNECTED_SHARE: u64 = 8;
/// So many acknowledgements in a row end the counting of failures, and open the window of whoever has failed more often.
pub const RETRY_PROGRESS: u32 = 16;
/// Whatever a peer takes between them: so many failures of his at once…
pub const FAILURES_AT_ONCE: u64 = 3;
/// …and then one in this time.
pub const FAILURE_INTERVAL: Millis = Millis::from_secs(4);
/// Failures are forgotten after this time without another: more than the longest pause.
pub const RETRY_FORGOTTEN: Millis = Millis::from_hours(2);
/// Who is said to be in the local network is dialled after this time at the soonest: anybody there can say so.
pub const DISCOVERED_PAUSE: Millis = Millis::from_secs(1);
/// The first connection after there was none ends all pauses, but not again within this time: whoever makes it may come and go.
pub const NETWORK_BACK_PAUSE: Millis = Millis::from_secs(60);
/// That a contact has come or gone is told so often at most, and so often is written down when he is tried again: whoever comes
/// and goes would fill the log. What holds when this is over is told then.
pub const PRESENCE_PAUSE: Millis = Millis::from_secs(10);
/// Contacts of a profile.
pub const MAX_CONTACTS: u64 = 50_000;
/// What is kept of the messages of one contact, unless the user says otherwise: beyond it they are not taken.
pub const CONTACT_QUOTA: u64 = 1024 * 1024 * 1024;
/// The least that the user can say.
pub const MIN_CONTACT_QUOTA: u64 = 1024 * 1024;
/// What a message takes beside what it says, in rows: it counts towards the quota.
pub const MESSAGE_ROWS: u64 = 512;
/// Where less than this is free, or a twentieth of the disk if that is less, no envelopes are taken: what is left is for the user.
pub const DISK_FLOOR: u64 = 512 * 1024 * 1024;
/// The part of the disk (one twentieth).
pub const DISK_FLOOR_SHARE: u64 = 20;
/// How often free space is looked at.
pub const DISK_GLANCE: Millis = Millis::from_secs(1);
/// Sessions that one contact may begin at once, and an hour later again.
pub const CONTACT_HANDSHAKES: u64 = 20;
/// Times that a contact may change what is known of him on his stream (name, addresses, card, token)…
pub const CONTACT_CHANGES: u64 = 32;
/// …and then one after this time.
pub const CONTACT_CHANGE_PAUSE: Millis = Millis::from_secs(10);
/// Events kept in the log for clients that were away.
pub const MAX_EVENTS: u64 = 100_000;
/// Events in one row, which is read as a whole: what one commit tells is one row, unless it tells of very much.
pub const MAX_EVENTS_ROW: usize = 1_000;
/// Idempotency keys of clients that are remembered.
pub const MAX_CLIENT_IDS: u64 = 10_000;
/// Length of a client's idempotency key.
pub const MAX_CLIENT_ID_LEN: usize = 128;
/// How long a message with a time to live lives at least: the format counts in seconds.
pub const MIN_LIFETIME: Millis = Millis::from_secs(1);
/// How long it lives at most, here or with a peer: one erasable key an hour is kept for what is to come, and no peer
/// makes us keep more of them.
pub const MAX_LIFETIME: Millis = Millis::from_days(366);
/// A message that arrives when its time is over by our clock (it came late, or a clock is wrong) stays so long, or as long
/// as it was to live.
pub const EXPIRY_GRACE: Millis = Millis::from_hours(1);
/// Rows of a slot, which share an erasable key: what one key opens is bounded, and a long conversation has some thousand keys.
pub const KEY_SLOT_ROWS: u64 = 512;
/// Their length in all. What is longer is a slot by itself.
pub const KEY_SLOT_BYTES: u64 = 256 * 1024;
/// Messages that expire in one commit.
pub const MAX_EXPIRED_AT_ONCE: usize = 256;
/// When messages expire, the others of their hour move to a new key, if they are no more than these; else the key waits
/// for the end of its hour.
pub const MAX_MOVED_EARLY: usize = 256;
/// Messages that move to a new key in one commit.
pub const MAX_MOVED_AT_ONCE: usize = 256;
/// How long it is remembered that a forgotten message was received, so that it does not come back: twice as long as
/// its sender may try.
pub const FORGOTTEN_LIFE: Millis = Millis::from_days(60);
/// Index rows of forgotten messages looked at in one commit.
pub const MAX_BURIED_AT_ONCE: usize = 1_024;

// ---- Mailboxes ----------------------------------------------------------------------------------

/// Envelopes that wait in one box.
pub const BOX_ENVELOPES: u32 = 4_096;
/// Bytes of them.
pub const BOX_BYTES: u64 = 32 * 1024 * 1024;
/// Envelopes that wait under one token: an eighth of the box, so that no single contact fills it.
pub const TOKEN_ENVELOPES: u32 = BOX_ENVELOPES / 8;
/// Bytes of them.
pub const TOKEN_BYTES: u64 = BOX_BYTES / 8;
/// Envelopes that wait without a token, of all strangers together: half of them with an invitation, half without.
pub const SLOT_ENVELOPES: u32 = 32;
/// Bytes of them.
pub const SLOT_BYTES: u64 = 256 * 1024;
/// Days on which its owner has to come back to a box before it is more than a trial: whoever fills the house with boxes has
/// to come for each.
pub const BOX_TRIAL_VISITS: u8 = 2;
/// Bytes for which there is always room in a box, whatever others do: some dozens of messages. More do not wait in one that is
/// on trial; a stranger's letter fits into its slot.
pub const BOX_SURE_BYTES: u64 = 64 * 1024;
/// Days after which a box on trial is dropped whose owner did not come.
pub const BOX_TRIAL_DAYS: u32 = 2;
/// Largest envelope that is taken without a token: a request of 2 KiB with everything around it has half of it,
/// and one stranger cannot fill the slot with four.
pub const MAX_SLOT_DEPOSIT: usize = 16 * 1024;
/// Days that an envelope waits, beside the one on which it came.
pub const BOX_ENVELOPE_DAYS: u32 = 21;
/// Days after which a box is dropped whose owner did not come: all that he left there is over by then.
pub const BOX_LEASE_DAYS: u32 = 60;
/// Boxes that one node keeps. A quarter is for those whom its operator knows.
pub const MAX_BOXES: u32 = 10_000;
/// Bytes of envelopes in all of them.
pub const MAX_MAIL_BYTES: u64 = 1024 * 1024 * 1024;
/// Of these, for what boxes have beyond [`BOX_SURE_BYTES`]. A quarter is for those whom its operator knows.
pub const MAX_MAIL_BEYOND: u64 = MAX_MAIL_BYTES - MAX_BOXES as u64 * BOX_SURE_BYTES;
/// A box may have this part of what is free of that (one sixteenth): the fuller the house, the less.
pub const MAIL_SHARE: u64 = 16;
/// Tags that are revoked in one box; with more the owner makes a new key of the queue.
pub const MAX_REVOKED_TAGS: u32 = 1_024;
/// Tags revoked by one question.
pub const MAX_REVOKED_AT_ONCE: usize = 256;
/// Envelopes in one page.
pub const MAX_BOX_PAGE: usize = 256;
/// Bytes of envelopes in one page: small, because a page is in memory until it is sent, and many may be asked for at once.
pub const MAX_BOX_PAGE_BYTES: usize = 256 * 1024;
/// Numbers in one deletion.
pub const MAX_DELETED_AT_ONCE: usize = 256;
/// When to come again to a box that is full. The same whatever is full, so that it tells nothing.
pub const BOX_RETRY: Millis = Millis::from_hours(1);
/// One-time prekeys of one box that are handed out at once…
pub const BOX_PREKEY_BURST: u32 = 12;
/// …and after it one an hour: a batch lasts for four days of somebody who does nothing but ask.
pub const BOX_PREKEY_INTERVAL: Millis = Millis::from_hours(1);
/// Owners on the list of a node that serves only those.
pub const MAX_SERVED_OWNERS: usize = 1_000;
/// Nodes that are remembered for the next start.
pub const MAX_KNOWN_PEERS: usize = 64;
/// Boxes whose age is looked at in one commit.
pub const MAX_BOXES_AT_ONCE: usize = 64;
/// Envelopes of one box that expire in one commit.
pub const MAX_MAIL_EXPIRED_AT_ONCE: usize = 256;

// ---- Using mailboxes ----------------------------------------------------------------------------

/// What waits for somebody who was not reached in this time is left at his mailboxes.
pub const DEPOSIT_AFTER: Millis = Millis::from_secs(3);
/// It is not waited for again within this time, unless there was a connection meanwhile: he is dialled all the same.
pub const MISSED_LIFE: Millis = Millis::from_secs(600);
/// Receipts wait so long for others to share an envelope with.
pub const RECEIPTS_DEPOSIT_AFTER: Millis = Millis::from_secs(10);
/// Mailboxes at which an envelope is left: one that drops it is not enough to lose it.
pub const DEPOSIT_COPIES: usize = 2;
/// How long an envelope counts as waiting there: a mailbox keeps it so many days.
pub const DEPOSIT_LIFE: Millis = Millis::from_days(BOX_ENVELOPE_DAYS as u64);
/// Deposits for one peer on their way at a time.
pub const MAX_DEPOSITS_PER_PEER: usize = 16;
/// Deposits on their way at a time: with the largest envelopes some 5 MiB.
pub const MAX_DEPOSITS: usize = 64;
/// Other people's mailboxes whose failures are remembered.
pub const MAX_HOUSES: usize = 1_000;
/// First pause after a mailbox of somebody else's did not answer; it doubles, with jitter.
pub const DEPOSIT_RETRY_FIRST: Millis = Millis::from_secs(10);
/// The longest.
pub const DEPOSIT_RETRY_MAX: Millis = Millis::from_secs(900);
/// Longest retry-after of a mailbox that is believed.
pub const MAX_RETRY_AFTER: Millis = Millis::from_hours(24);
/// Cards that are looked for at a time.
pub const MAX_SEEKS: usize = 16;
/// First pause before the card of the same peer is looked for again; it doubles, with jitter.
pub const SEEK_FIRST: Millis = Millis::from_secs(30);
/// The longest.
pub const SEEK_MAX: Millis = Millis::from_hours(1);
/// Hashes for a proof of work between two commits: some 10 ms.
pub const WORK_SLICE: u64 = 1 << 14;
/// Hashes in an hour for whatever mailboxes ask: some four times what the highest level takes.
pub const WORK_PER_HOUR: u64 = 1 << 26;
/// Deposits that wait for their work.
pub const MAX_WORKS: usize = 64;
/// The own mailboxes are emptied so often while there was something in them…
pub const FETCH_PAUSE_MIN: Millis = Millis::from_secs(20);
/// …and so often at least.
pub const FETCH_PAUSE_MAX: Millis = Millis::from_secs(60);
/// …and so often while it holds a question of ours: whose end, a little earlier, brings us there anyway.
pub const FETCH_PAUSE_WAITING: Millis = Millis::from_secs(450);
/// What was left in an own mailbox, for there was no room for it, is fetched again so often.
pub const FETCH_LEFT_PAUSE: Millis = Millis::from_hours(1);
/// The own mailboxes are asked to tell what comes so often at most. For each page of a visit as much is added: no more than
/// a page of whatever a mailbox makes up is fetched in this time.
pub const WAIT_PAUSE: Millis = Millis::from_secs(1);
/// A question that was held so long was held in earnest.
pub const WAIT_LASTED: Millis = FETCH_PAUSE_MIN;
/// Pages of one visit to an own mailbox: twice what a full box has. A mailbox may have no end.
pub const MAX_FETCHED_PAGES: u32 = 256;
/// First pause after an own mailbox did not answer; it doubles, with jitter.
pub const BOX_RETRY_FIRST: Millis = Millis::from_secs(2);
/// The longest.
pub const BOX_RETRY_MAX: Millis = Millis::from_secs(300);
/// A mailbox that refused us, or has no room, is asked again after this time.
pub const BOX_ASK_AGAIN: Millis = Millis::from_hours(6);
/// Failures in a row after which an own mailbox is shown as unreachable.
pub const BOX_UNREACHABLE_AFTER: u32 = 3;
/// How long we take to leave a mailbox that does not answer, or in which something is left; the lease of the box ends by itself.
pub const BOX_LEAVING: Millis = Millis::from_days(7);
/// One-time prekeys with a secret here that one mailbox was given: whatever it says of those it holds, it gets no more.
pub const MAX_BOXED_PREKEYS: usize = 400;
/// The same of all mailboxes there ever were.
pub const MAX_ALL_BOXED_PREKEYS: usize = MAX_BOXED_PREKEYS * MAX_MAILBOXES;
/// A mailbox gets a batch of prekeys once in this time at most.
pub const BOX_REFILL_PAUSE: Millis = Millis::from_hours(1);
/// When a mailbox was last emptied is written down once in this time.
pub const FETCHED_NOTE: Millis = Millis::from_secs(300);
/// A question to a mailbox, or for a card, that has no outcome after this time counts as failed.
pub const ASK_TIMEOUT: Millis = Millis::from_secs(120);
/// What changes a card waits so long for more of it.
pub const CARD_DEBOUNCE: Millis = Millis(500);
/// How often a card is put into the hash table again; a record lives four times as long.
pub const CARD_REPUBLISH: Millis = Millis::from_hours(12);
/// How often the own card is looked for, in the hash table and at own mailboxes…
pub const OWN_CARD_LOOK: Millis = Millis::from_hours(12);
/// …and how soon after the start, or after a look that nobody answered: the network has to find its way first.
pub const OWN_CARD_LOOK_FIRST: Millis = Millis::from_secs(5);
/// How long after a mailbox seemed to serve another node of ours it is asked for our card: that node has made one by then.
pub const OWN_CARD_HINT_PAUSE: Millis = Millis::from_secs(15);
/// A card that was made elsewhere is spoken of so long after the last was found: two looks, in which another node would have
/// made one more.
pub const ELSEWHERE_LIFE: Millis = Millis::from_hours(26);
/// Cards of others that are put there by one commit…
pub const MAX_CARDS_PUBLISHED: usize = 16;
/// …and the pause behind it: those of a full mailbox take two hours.
pub const CARDS_PUBLISHED_PAUSE: Millis = Millis::from_secs(10);
/// Level of work that the card asks for while, within a day, strangers come who would take three quarters of the requests.
pub const WORK_WHEN_BUSY: u8 = 16;
/// The same for nine tenths.
pub const WORK_WHEN_CROWDED: u8 = 20;

// ---- Store --------------------------------------------------------------------------------------

/// Largest sealed row: above about 128 KiB sled writes side files that are never synced, and small
/// rows keep its pages small. Larger values are split over chunk rows.
pub const MAX_ROW: usize = 4 * 1024;
/// Largest value in all chunks.
pub const MAX_VALUE: usize = 1024 * 1024;
/// What a row carries for versions that come later: read with the row, whatever it is.
pub const MAX_TAIL: usize = 64 * 1024;
/// Snapshots that are kept: a few days in which damage may be noticed.
pub const MAX_SNAPSHOTS: usize = 3;
/// A snapshot is made when the newest is so old: daily, however the hours fall.
pub const SNAPSHOT_INTERVAL: Millis = Millis::from_hours(20);
/// Older ones are removed, but for the newest.
pub const SNAPSHOT_LIFE: Millis = Millis::from_days(30);
/// Longest snapshot; messages come last, and what does not fit of them is left out.
pub const MAX_SNAPSHOT: u64 = 256 * 1024 * 1024;
/// A snapshot takes at most this part of the free space of the disk (one fourth).
pub const SNAPSHOT_SHARE: u64 = 4;
/// Space put by for deleting on a full disk: two segments of sled's log.
pub const RESERVE_BYTES: u64 = 1024 * 1024;
/// It is put by where so many times as much is free.
pub const RESERVE_SHARE: u64 = 4;
/// Inputs that may share one durable commit.
pub const MAX_GROUP_COMMIT: usize = 256;
/// Work of one commit behind which what else waits is left for the next, so that a command of the user does not wait for
/// more than that: some 50 ms. In microseconds, about as docs/benchmarks.md has them; only their ratios matter.
pub const MAX_COMMIT_WORK: u64 = 50_000;
/// Work of any input: it is looked at, and rows are written.
pub const INPUT_WORK: u64 = 100;
/// An envelope: it is opened, with a turn of the ratchet, and answered.
pub const ENVELOPE_WORK: u64 = 400;
/// A first contact beside that: signatures are verified, a handshake is made.
pub const HANDSHAKE_WORK: u64 = 800;
/// A KiB of an envelope beyond the first, which may be full of IDs of messages that were read, or of a page of an own mailbox, which may
/// be full of small envelopes.
pub const KIB_WORK: u64 = 1_000;
/// A KiB of a question to our mailbox: it may be full of signed prekeys.
pub const QUESTION_KIB_WORK: u64 = 100;

// ---- Local API ----------------------------------------------------------------------------------

/// Largest JSON-RPC request line.
pub const MAX_RPC_LINE: usize = 1024 * 1024;
/// Clients at a time.
pub const MAX_RPC_CLIENTS: usize = 64;
/// Clients beyond these, who may ask how the node is and end it. The longest there makes room for the next.
pub const MAX_RPC_SPARES: usize = 8;
/// Rows in one page of an answer.
pub const MAX_PAGE: usize = 1_000;
