//! Every bound of the program, each with its reason. Numbers from `docs/protocol/`.
//!
//! A constant that only one algorithm needs and nobody else can grow (a block size, say) stays
//! beside that algorithm.

use super::time::Millis;

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
/// Message IDs in one status report.
pub const MAX_STATUS_IDS: usize = 512;
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
/// Skipped message keys kept in a session.
pub const MAX_SKIPPED_KEYS: usize = 2_000;
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
/// How long a one-time prekey is valid after it was made.
pub const ONE_TIME_LIFE: Millis = Millis::from_days(60);
/// Mailboxes in a card.
pub const MAX_MAILBOXES: usize = 3;
/// Addresses of one mailbox or relay in a card, and of the owner in a link.
pub const MAX_ADDRS: usize = 8;
/// Length of one address in its textual form.
pub const MAX_ADDR_LEN: usize = 256;
/// Relays in a card.
pub const MAX_RELAYS: usize = 3;
/// Leading zero bits that a card may ask of a stranger's proof of work: more would take minutes.
pub const MAX_WORK: u8 = 24;
/// Length of a `rohrpost:` link: the longest name and all addresses, percent-encoded, fit.
pub const MAX_LINK: usize = 8 * 1024;

// ---- Requests -----------------------------------------------------------------------------------

/// Text of a first message, in bytes.
pub const MAX_REQUEST_TEXT: usize = 2 * 1024;
/// Characters of a subject and of a name.
pub const MAX_NAME_CHARS: usize = 64;
/// Pending requests in all.
pub const MAX_REQUESTS: usize = 200;
/// Messages held of one request: the first, and two more.
pub const MAX_REQUEST_MESSAGES: usize = 3;
/// How long a request waits.
pub const REQUEST_LIFE: Millis = Millis::from_days(30);
/// How long a declined peer's requests are dropped quietly.
pub const DECLINE_LIFE: Millis = Millis::from_days(30);
/// Messages transmitted to somebody who has not accepted.
pub const MAX_UNACCEPTED_SENT: usize = 3;

// ---- Marks --------------------------------------------------------------------------------------

/// How long an envelope ID is remembered.
pub const ENVELOPE_MARK_LIFE: Millis = Millis::from_days(60);
/// Envelope marks of all strangers together.
pub const MAX_STRANGER_MARKS: u64 = 200_000;
/// Envelope marks of one contact.
pub const MAX_CONTACT_MARKS: u64 = 100_000;
/// Handshakes with the card's own prekey remembered until that prekey dies.
pub const MAX_CARD_PREKEY_MARKS: u64 = 100_000;

// ---- Conversations and delivery -----------------------------------------------------------------

/// Messages waiting for one recipient.
pub const MAX_OUTBOX_PER_PEER: u64 = 20_000;
/// Capsules of receipts waiting for one peer; more are not made until some are taken.
pub const MAX_CONTROL_ROWS: usize = 256;
/// Envelopes on their way to one peer at a time.
pub const MAX_IN_FLIGHT: usize = 256;
/// Bytes on their way to one peer at a time.
pub const MAX_IN_FLIGHT_BYTES: usize = 4 * 1024 * 1024;
/// What was not delivered in this time is told as undelivered.
pub const UNDELIVERED_AFTER: Millis = Millis::from_days(30);
/// First pause before another try; it doubles, with jitter.
pub const RETRY_FIRST: Millis = Millis::from_secs(5);
/// Longest pause between two tries.
pub const RETRY_MAX: Millis = Millis::from_hours(1);
/// Contacts of a profile.
pub const MAX_CONTACTS: u64 = 50_000;
/// Events kept in the log for clients that were away.
pub const MAX_EVENTS: u64 = 100_000;
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
/// A clock that differs by more is warned about.
pub const CLOCK_WARNING: Millis = Millis::from_hours(24);

// ---- Mailboxes ----------------------------------------------------------------------------------

/// Envelopes that wait in one box.
pub const BOX_ENVELOPES: u32 = 4_096;
/// Bytes of them.
pub const BOX_BYTES: u64 = 32 * 1024 * 1024;
/// Envelopes that wait under one token: an eighth of the box, so that no single contact fills it.
pub const TOKEN_ENVELOPES: u32 = BOX_ENVELOPES / 8;
/// Bytes of them.
pub const TOKEN_BYTES: u64 = BOX_BYTES / 8;
/// Envelopes that wait without a token, of all strangers together.
pub const SLOT_ENVELOPES: u32 = 32;
/// Bytes of them.
pub const SLOT_BYTES: u64 = 256 * 1024;
/// Largest envelope that is taken without a token: a request of 2 KiB of text with everything around it has half of it,
/// and one stranger cannot fill the slot with four.
pub const MAX_SLOT_DEPOSIT: usize = 16 * 1024;
/// Days that an envelope waits, beside the one on which it came.
pub const BOX_ENVELOPE_DAYS: u32 = 21;
/// Days after which a box is dropped whose owner did not come: all that he left there is over by then.
pub const BOX_LEASE_DAYS: u32 = 60;
/// Boxes that one node keeps.
pub const MAX_BOXES: u32 = 10_000;
/// Bytes of envelopes in all of them.
pub const MAX_MAIL_BYTES: u64 = 1024 * 1024 * 1024;
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
/// Rows of the outbox that one commit looks at for one peer, to leave them at mailboxes.
pub const MAX_POSTED_AT_ONCE: usize = 256;
/// Bytes of sealed envelopes that are kept after a deposit without an answer, to be sent again as they are.
pub const MAX_SEALED_BYTES: usize = 2 * 1024 * 1024;
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
/// How long a mailbox is told that we leave; the lease of the box ends by itself.
pub const BOX_LEAVING: Millis = Millis::from_days(7);
/// One-time prekeys with a secret here that one mailbox was given: whatever it says of those it holds, it gets no more.
pub const MAX_BOXED_PREKEYS: usize = 400;
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
/// Cards of others that are put there by one commit…
pub const MAX_CARDS_PUBLISHED: usize = 16;
/// …and the pause behind it: those of a full mailbox take two hours.
pub const CARDS_PUBLISHED_PAUSE: Millis = Millis::from_secs(10);
/// Level of work that the card asks for while three quarters of the requests are taken.
pub const WORK_WHEN_BUSY: u8 = 16;
/// The same for nine tenths.
pub const WORK_WHEN_CROWDED: u8 = 20;

// ---- Store --------------------------------------------------------------------------------------

/// Largest sealed row: above about 128 KiB sled writes side files that are never synced, and small
/// rows keep its pages small. Larger values are split over chunk rows.
pub const MAX_ROW: usize = 4 * 1024;
/// Largest value in all chunks.
pub const MAX_VALUE: usize = 1024 * 1024;
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

// ---- Network ------------------------------------------------------------------------------------

/// Connections in all.
pub const MAX_CONNECTIONS: u32 = 512;
/// Inbound connections in all, so that strangers leave room for our own dials.
pub const MAX_INBOUND_CONNECTIONS: u32 = 384;
/// Connections that are being set up, in each direction.
pub const MAX_PENDING_CONNECTIONS: u32 = 64;
/// Connections with one peer: of one who was killed and is back, a dead circuit and a dead direct one, two circuits, the
/// two that punching a hole makes, and a trial.
pub const MAX_CONNECTIONS_PER_PEER: u32 = 8;
/// Connections from one IP address.
pub const MAX_CONNECTIONS_PER_IP: u32 = 32;
/// Streams of one connection.
pub const MAX_STREAMS_PER_CONNECTION: usize = 64;
/// The same with a peer who is no contact (yamux). His node needs four or five at a time.
pub const MAX_STRANGER_STREAMS: usize = 16;
/// Receive buffer of one yamux connection over all its streams: what a peer can make us hold while
/// nobody reads. At least 256 KiB for each stream.
pub const MAX_YAMUX_BUFFER: usize = 16 * 1024 * 1024;
/// The same with a peer who is no contact: all that strangers can make us hold is this, times
/// [`MAX_STRANGER_CONNECTIONS`].
pub const MAX_STRANGER_YAMUX_BUFFER: usize = 4 * 1024 * 1024;
/// The same of one QUIC connection, with whomever: who it is comes out when it is too late to choose.
/// [`MAX_IN_FLIGHT_BYTES`] fit.
pub const MAX_QUIC_BUFFER: u32 = 4 * 1024 * 1024;
/// Receive buffer of one QUIC stream.
pub const MAX_STREAM_BUFFER: u32 = 2 * 1024 * 1024;
/// Inbound connections of peers who are no contacts, so that they leave room for those who are.
pub const MAX_STRANGER_CONNECTIONS: usize = 128;
/// Inbound connections from one IP address that are being set up.
pub const MAX_PENDING_PER_IP: usize = 16;
/// Resident memory of the process above which no new connection is made or taken.
pub const MAX_PROCESS_MEMORY: usize = 1024 * 1024 * 1024;
/// Inbound streams of one connection whose protocol is not agreed upon yet.
pub const MAX_NEGOTIATING_STREAMS: usize = 16;
/// Envelope streams that a peer may have open on one connection: the one in use, and one that ends.
pub const MAX_ENVELOPE_STREAMS: usize = 2;
/// Card questions in both directions on one connection.
pub const MAX_CARD_STREAMS: usize = 8;
/// Card questions of others that wait for our answer.
pub const MAX_CARD_REQUESTS: usize = 64;
/// Of these, questions of peers who are no contacts.
pub const MAX_STRANGER_CARD_REQUESTS: usize = 32;
/// Our own card questions that wait for an answer.
pub const MAX_CARD_FETCHES: usize = 256;
/// Commands waiting for the swarm task.
pub const MAX_NET_COMMANDS: usize = 1_024;
/// Peers of whom something is to be told and is not told yet.
pub const MAX_NOTICES: usize = 4_096;
/// Addresses a node may be told to listen on, and listen addresses it keeps in its status.
pub const MAX_LISTEN: usize = 64;
/// Consecutive envelopes refused for the rate of their sender before the stream is closed.
pub const MAX_REFUSED_RUN: u32 = 256;
/// How long a dial may take: both handshakes. A dial that tries an address for somebody must fail before he gives up
/// waiting for the answer, after 10 s.
pub const DIAL_TIMEOUT: Millis = Millis::from_secs(7);
/// How long a wildcard listener may take to name its first address.
pub const LISTEN_TIMEOUT: Millis = Millis::from_secs(3);
/// How long opening a stream may take.
pub const STREAM_OPEN_TIMEOUT: Millis = Millis::from_secs(10);
/// How long a stream that was closed and dropped is still read: as long as the other side may take to agree on a protocol.
pub const LINGER_TIMEOUT: Millis = STREAM_OPEN_TIMEOUT;
/// And how much: such an agreement is two short lines.
pub const LINGER_BYTES: usize = 1024;
/// A frame that has begun ends in this time, and a hello comes: else half-open streams pile up.
pub const FRAME_TIMEOUT: Millis = Millis::from_secs(30);
/// A stream on which nothing moves for so long, though something should, is given up.
pub const STALL_TIMEOUT: Millis = Millis::from_secs(60);
/// An envelope stream with a peer who is no contact is closed when idle for so long.
pub const STRANGER_IDLE: Millis = Millis::from_secs(120);
/// A connection without streams, with a peer who is no contact, is closed after this time.
pub const CONNECTION_IDLE: Millis = Millis::from_secs(60);
/// How often it is looked up again who is a contact.
pub const CLASS_REFRESH: Millis = Millis::from_secs(30);
/// How long a card question may take, the answer of the node included.
pub const CARD_TIMEOUT: Millis = Millis::from_secs(10);
/// A connection is asked for a sign of life so often…
pub const PING_INTERVAL: Millis = Millis::from_secs(15);
/// …and closed when none comes in this time.
pub const PING_TIMEOUT: Millis = Millis::from_secs(10);
/// How often peers are asked what they speak and how they see us: nothing else tells that one has become a relay.
/// Longer than [`CONNECTION_IDLE`], so that it does not keep a connection open by itself.
pub const IDENTIFY_INTERVAL: Millis = Millis::from_secs(150);
/// A QUIC connection from which nothing comes for so long is dead.
pub const QUIC_IDLE: Millis = Millis::from_secs(15);
/// Two connections with one peer that were made within this time come from dials that crossed.
pub const CROSSING_WINDOW: Millis = Millis::from_secs(5);
/// A second connection without streams is closed after this time: the other side may just be
/// opening one.
pub const DOUBLE_LINGER: Millis = Millis::from_secs(1);
/// A second connection is closed after this time, whatever happens on it.
pub const DOUBLE_GRACE: Millis = Millis::from_secs(10);
/// Burst of envelopes that a peer who is not a contact may send.
pub const STRANGER_BURST: u32 = 60;
/// Envelopes a second that he may send after it.
pub const STRANGER_RATE: u32 = 1;
/// Burst of envelopes that a contact may send.
pub const CONTACT_BURST: u32 = 20_000;
/// Envelopes a second that he may send after it.
pub const CONTACT_RATE: u32 = 10_000;
/// Burst of one-time prekeys handed to one peer.
pub const PREKEY_BURST: u32 = 6;
/// After it, one in this time.
pub const PREKEY_INTERVAL: Millis = Millis(600_000);
/// Peers whose rates are remembered; the longest idle is forgotten first.
pub const MAX_RATED_PEERS: usize = 10_000;
/// Inputs waiting in the lane of the user and the timers.
pub const LANE_USER: usize = 256;
/// Inputs waiting in the lane of contacts.
pub const LANE_CONTACTS: usize = 256;
/// Inputs waiting in the lane of strangers.
pub const LANE_STRANGERS: usize = 64;
/// Longest body of the hello of a stream: room for what later versions say.
pub const MAX_HELLO: usize = 64;
/// Addresses remembered of one peer.
pub const MAX_PEER_ADDRS: usize = 16;
/// Peers found by mDNS whose addresses are remembered.
pub const MAX_DISCOVERED: usize = 1_000;

// ---- Mailboxes on the wire ----------------------------------------------------------------------

/// Questions of others that are being read, answered or written at a time: with the longest page each is 16 MiB.
pub const MAX_MAIL_REQUESTS: usize = 64;
/// Of these, questions of peers who are no contacts; most are, as depositors ask under keys made for it.
pub const MAX_STRANGER_MAIL_REQUESTS: usize = 48;
/// Of these, from one IP address, whatever keys are used there…
pub const MAX_MAIL_PER_HOST: usize = 8;
/// …and from one /24 or /48: two networks do not fill the house.
pub const MAX_MAIL_PER_NETWORK: usize = 16;
/// Questions that a peer may have open on one connection.
pub const MAX_MAIL_STREAMS: usize = 8;
/// Questions at once by one key that is no contact's: a page full of deposits…
pub const MAIL_STRANGER_BURST: u32 = 256;
/// …and a second after it.
pub const MAIL_STRANGER_RATE: u32 = 8;
/// Questions at once from one IP address, of all strangers there…
pub const MAIL_HOST_BURST: u32 = 512;
/// …and a second after it.
pub const MAIL_HOST_RATE: u32 = 16;
/// Questions at once from one /24 or /48…
pub const MAIL_NETWORK_BURST: u32 = 2_048;
/// …and a second after it.
pub const MAIL_NETWORK_RATE: u32 = 64;
/// How long a question or an answer may take on its stream: the longest, 256 KiB, by a slow line.
pub const MAIL_TRANSFER_TIMEOUT: Millis = Millis::from_secs(15);
/// How long our node may take to answer, the wait for its lane included.
pub const MAIL_ANSWER_TIMEOUT: Millis = Millis::from_secs(10);
/// How long we wait for an answer: as long as a mailbox takes at most.
pub const MAIL_TIMEOUT: Millis = Millis::from_secs(40);
/// After it a question of ours has failed, whatever it waited for.
pub const MAIL_DEADLINE: Millis = Millis::from_secs(60);
/// Questions of ours that have no outcome yet.
pub const MAX_MAIL_QUESTIONS: usize = 128;
/// Of these, to one mailbox at a time: fewer than it takes.
pub const MAX_MAIL_PARALLEL: usize = 4;
/// Mailboxes that are asked anonymously at a time: each has a key and sockets of its own.
pub const MAX_COURIERS: usize = 16;
/// How long an anonymous connection stays without a question.
pub const COURIER_IDLE: Millis = Millis::from_secs(60);
/// How long one key is used for one mailbox.
pub const COURIER_KEY_LIFE: Millis = Millis::from_hours(1);
/// Keys that are kept for it; beyond that they are made anew.
pub const MAX_COURIER_KEYS: usize = 1_024;

// ---- Network: reachability and relays -----------------------------------------------------------

/// Relays through which we can be reached at a time: one may be lost while the other stands.
pub const OWN_RELAYS: usize = 2;
/// Peers that offer a relay, of whom we remember it.
pub const MAX_RELAY_CANDIDATES: usize = 64;
/// Addresses of one relay that we tell others: a relay can name as many as it likes.
pub const MAX_RELAY_ADDRS: usize = 4;
/// How long a relay may take to grant a reservation.
pub const RESERVATION_TIMEOUT: Millis = Millis::from_secs(15);
/// The first pause before a relay that refused or was lost is asked again; it doubles.
pub const RELAY_PAUSE_FIRST: Millis = Millis::from_secs(2);
/// The longest.
pub const RELAY_PAUSE_MAX: Millis = Millis::from_secs(300);
/// Reservations that our own relay grants, in all…
pub const MAX_RESERVATIONS: usize = 128;
/// …and to one peer: his own, and one of a connection that is about to end.
pub const MAX_RESERVATIONS_PER_PEER: usize = 2;
/// Reservations granted to one peer at once (a node behind a bad line comes back often); then one in two minutes.
pub const RESERVATION_BURST: u32 = 30;
/// The same from one IP address: a household, or a small company.
pub const RESERVATION_BURST_PER_IP: u32 = 60;
/// How long a reservation holds; it is renewed before.
pub const RESERVATION_LIFE: Millis = Millis::from_hours(1);
/// Circuits through our own relay, in all…
pub const MAX_RELAYED_CIRCUITS: usize = 16;
/// …and of one peer.
pub const MAX_RELAYED_CIRCUITS_PER_PEER: usize = 4;
/// Bytes that one circuit through our own relay carries: envelopes, no files.
pub const MAX_CIRCUIT_BYTES: u64 = 1024 * 1024;
/// How long it stands.
pub const MAX_CIRCUIT_TIME: Millis = Millis::from_secs(600);
/// Circuits opened by one peer at once; then one in 30 seconds.
pub const CIRCUIT_BURST: u32 = 30;
/// The same from one IP address.
pub const CIRCUIT_BURST_PER_IP: u32 = 60;
/// Connections that come to us through relays, in all.
pub const MAX_INBOUND_CIRCUITS: usize = 64;
/// Of these, of peers who are no contacts…
pub const MAX_STRANGER_CIRCUITS: usize = 32;
/// …and through one relay: whose circuits have no IP address of their own but the relay's.
pub const MAX_STRANGER_CIRCUITS_PER_RELAY: usize = 16;
/// Circuits that strangers may open to us at once…
pub const STRANGER_CIRCUIT_BURST: u32 = 32;
/// …and after it one in this time: each costs us handshakes, and dials for a hole.
pub const STRANGER_CIRCUIT_INTERVAL: Millis = Millis::from_secs(2);
/// A circuit on which nothing was on its way for so long is closed, with contacts too: relays have few.
pub const CIRCUIT_IDLE: Millis = Millis::from_secs(60);
/// Dials to addresses that a peer has named (for a hole, or to test whether he can be reached) that are under way.
pub const MAX_TOLD_DIALS: usize = 16;
/// Such dials that may be made at once…
pub const TOLD_DIAL_BURST: u32 = 64;
/// …and after it one in this time.
pub const TOLD_DIAL_INTERVAL: Millis = Millis::from_secs(1);
/// Relays of one peer that are tried.
pub const MAX_RELAYS_TRIED: usize = MAX_RELAYS;
/// How long a dial through a relay waits for the relay to be there, and to have told how it sees us.
pub const RELAY_WAIT: Millis = Millis::from_secs(8);
/// Our own addresses that others are asked to try.
pub const MAX_ADDRESS_CANDIDATES: usize = 16;
/// How often untried addresses are looked at.
pub const ADDRESS_TEST_INTERVAL: Millis = Millis::from_secs(3);
/// Addresses that were tried are tried again after this time: a router may have been set up anew.
pub const ADDRESS_RETEST: Millis = Millis::from_secs(1_800);
/// A connection that comes from a peer who is asked to try our addresses is taken for such a trial for so long.
pub const TRIAL_WINDOW: Millis = Millis::from_secs(20);
/// A connection that is suspected to be dead has so long to answer.
pub const CHECK_TIMEOUT: Millis = Millis(2_000);
/// Silence for so long, while an answer is due, makes it suspected.
pub const UNANSWERED: Millis = Millis::from_secs(3);
/// Suspicions that wait for the swarm task.
pub const MAX_SUSPICIONS: usize = 64;
/// How often the clocks are compared, and what is due is looked at.
pub const TICK: Millis = Millis::from_secs(1);
/// The clocks differ by more, or a look comes so late: the machine was asleep.
pub const SLEEP_SUSPECTED: Millis = Millis::from_secs(10);
/// The first pause before a bootstrap peer is dialled again; it doubles. That a machine can be reached again is told by
/// nobody but an answer to a dial.
pub const REDIAL_FIRST: Millis = Millis::from_secs(2);
/// The longest.
pub const REDIAL_MAX: Millis = Millis::from_secs(60);
/// The pause after a connection with one ended that was had and is not needed.
pub const REDIAL_IDLE: Millis = Millis::from_secs(300);
/// Peers that are redialled.
pub const MAX_BOOTSTRAP: usize = 64;
/// Peers who could not be reached and are told as worth a try when the network has changed.
pub const MAX_MISSED: usize = 256;

// ---- DHT ----------------------------------------------------------------------------------------

/// How long a record is held: owners renew theirs four times meanwhile.
pub const DHT_RECORD_LIFE: Millis = Millis::from_hours(48);
/// How long it is held that somebody keeps an open mailbox; it is renewed far more often.
pub const DHT_PROVIDER_LIFE: Millis = Millis::from_hours(24);
/// Cards that one node holds for others.
pub const MAX_DHT_RECORDS: usize = 20_000;
/// Bytes of them: in memory, some 2 KiB each.
pub const MAX_DHT_BYTES: usize = 48 * 1024 * 1024;
/// Open mailboxes that one node knows: what it answers is one packet.
pub const MAX_DHT_PROVIDERS: usize = 256;
/// Of these, in one /24 or /48.
pub const MAX_DHT_PROVIDERS_PER_NETWORK: usize = 4;
/// Records that one peer may put at once, a mailbox those of its sleepers…
pub const DHT_PUT_BURST: u32 = 512;
/// …and a second after it.
pub const DHT_PUT_RATE: u32 = 8;
/// Records that may be put from one /24 or /48 at once…
pub const DHT_NETWORK_BURST: u32 = 2_048;
/// …and a second after it.
pub const DHT_NETWORK_RATE: u32 = 32;
/// Questions and answers of the DHT heard by one connection at once…
pub const DHT_REQUEST_BURST: u32 = 512;
/// …and a second after it: beyond it that connection waits.
pub const DHT_REQUEST_RATE: u32 = 64;
/// Signatures looked at at once, for everybody together…
pub const DHT_CHECK_BURST: u32 = 2_000;
/// …and a second after it: a few hundredths of one core.
pub const DHT_CHECK_RATE: u32 = 200;
/// How long a query may take.
pub const DHT_QUERY_TIMEOUT: Millis = Millis::from_secs(30);
/// How long it is waited for all who are to hold a card to say so; then it is read back.
pub const DHT_PUT_PATIENCE: Millis = Millis::from_secs(3);
/// How long one peer may take to answer.
pub const DHT_STEP_TIMEOUT: Millis = Millis::from_secs(10);
/// How long a peer is looked for whom we want to connect with.
pub const DHT_SEEK_TIMEOUT: Millis = Millis::from_secs(10);
/// Sound copies of a card after which no more are waited for.
pub const DHT_ENOUGH_COPIES: usize = 5;
/// Addresses of a peer in the routing table: twenty such peers and a card fit into an answer of 16 KiB.
pub const MAX_ROUTED_ADDRS: usize = 4;
/// Peers of one /24 or /48 in the routing table.
pub const MAX_ROUTED_PER_NETWORK: usize = 8;
/// Cards that wait to be published: our own, and those of boxes kept for others.
pub const MAX_DHT_PUBLISHES: usize = 10_000;
/// Of these, under way at a time.
pub const MAX_DHT_PUBLISHING: usize = 4;
/// First pause before a card is put again; it doubles.
pub const DHT_RETRY_FIRST: Millis = Millis::from_secs(5);
/// Longest pause.
pub const DHT_RETRY_MAX: Millis = Millis::from_secs(600);
/// Searches for cards that have no outcome yet.
pub const MAX_CARD_SEARCHES: usize = 64;
/// Of these, under way at a time; as many for open mailboxes.
pub const MAX_DHT_FINDS: usize = 8;
/// Peers being looked for at a time.
pub const MAX_DHT_SEEKS: usize = 4;
/// Peers waiting to be looked for.
pub const MAX_DHT_WAITING: usize = 64;
/// Open mailboxes that are shown.
pub const MAX_DHT_MAILBOXES: usize = 64;
/// How often the surroundings in the DHT are looked at again.
pub const DHT_REFRESH: Millis = Millis::from_secs(600);
/// How often an open mailbox is announced, the first few times…
pub const DHT_ANNOUNCE_FIRST: Millis = Millis::from_secs(60);
/// …and then.
pub const DHT_ANNOUNCE_INTERVAL: Millis = Millis::from_hours(3);
/// How often queries are looked after.
pub const DHT_TICK: Millis = Millis(500);
/// Peers that are kept for the next start.
pub const MAX_DHT_KNOWN: usize = 64;
/// How often they are told at most, and dialled again when none is left.
pub const DHT_KNOWN_INTERVAL: Millis = Millis::from_secs(60);
/// Of them, dialled at a time.
pub const MAX_DHT_DIALS: usize = 4;
/// With fewer peers in the routing table, more of the known ones are dialled.
pub const DHT_FEW_PEERS: usize = 8;
/// Dials in a row after which a peer that is not there is no longer in the routing table.
pub const DHT_MISSES: u32 = 3;
/// A peer that is not found is looked for again after this time.
pub const DHT_SEEK_AGAIN: Millis = Millis::from_secs(300);

// ---- Local API ----------------------------------------------------------------------------------

/// Largest JSON-RPC request line.
pub const MAX_RPC_LINE: usize = 1024 * 1024;
/// Clients at a time.
pub const MAX_RPC_CLIENTS: usize = 64;
/// Rows in one page of an answer.
pub const MAX_PAGE: usize = 1_000;
