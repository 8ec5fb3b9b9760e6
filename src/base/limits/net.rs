//! Bounds of the network: connections, streams, questions to mailboxes, relays, the DHT.

use super::MAX_RELAYS;
use super::grant::By::{Address, All, Network, Peer};
use super::grant::Of::{Contacts, Everybody, Strangers};
use super::grant::{Grant, one_in, per_second, places};
use crate::base::time::Millis;

// ---- Network ------------------------------------------------------------------------------------

/// Connections in all.
pub const MAX_CONNECTIONS: u32 = 512;
/// Inbound connections in all, so that strangers leave room for our own dials.
pub const MAX_INBOUND_CONNECTIONS: u32 = 384;
/// Streams of one connection that are served, the peer's and ours: a node needs ten at a time, with 6 questions to a mailbox
/// ([`MAX_MAIL_STREAMS`]) or as many circuits among them. Over QUIC it is what a peer may open, whoever he is.
pub const MAX_STREAMS_PER_CONNECTION: usize = 24;
/// The same with a stranger (yamux). Ping, identify, a card and the DHT fit beside 6 questions or circuits.
pub const MAX_STRANGER_STREAMS: usize = 12;
/// Streams at which yamux ends the connection: a third more than are served, because one that was reset counts until the
/// reset is written. Only who opens streams faster than he reads comes there.
pub const MAX_YAMUX_STREAMS: usize = 32;
/// The same with a stranger.
pub const MAX_STRANGER_YAMUX_STREAMS: usize = 16;
/// Receive buffer of one yamux connection over all its streams: what a peer can make us hold while
/// nobody reads. Each stream has 256 KiB; what is above that, 8 MiB, is left for those to grow that carry much: enough for
/// 80 MB/s over 100 ms there and back.
pub const MAX_YAMUX_BUFFER: usize = 16 * 1024 * 1024;
/// The same with a stranger, whose streams do not grow: all that strangers can make us hold is this, times
/// [`MAX_STRANGER_CONNECTIONS`] or [`MAX_SERVED_STRANGERS`]; out of one network, times what [`INBOUND`] gives a network.
pub const MAX_STRANGER_YAMUX_BUFFER: usize = 4 * 1024 * 1024;
/// The same of one QUIC connection, with whomever: who it is comes out when it is too late to choose.
/// `MAX_IN_FLIGHT_BYTES` fit.
pub const MAX_QUIC_BUFFER: u32 = 4 * 1024 * 1024;
/// Receive buffer of one QUIC stream: 20 MB/s over 100 ms there and back.
pub const MAX_STREAM_BUFFER: u32 = 2 * 1024 * 1024;
/// Inbound connections of peers who are no contacts, so that they leave room for those who are.
pub const MAX_STRANGER_CONNECTIONS: usize = 128;
/// The same of a node that serves others (as a server of the DHT, a relay or a mailbox, or because its user says that it is
/// public); there are as many more connections in all, and inbound, too.
pub const MAX_SERVED_STRANGERS: usize = 512;
/// A stranger's connection on which nothing happened for so long may be closed to make room for another. Somebody who has
/// just come is about to ask, and an answer across the world takes a second.
pub const STRANGER_REST: Millis = Millis::from_secs(3);
/// Connections that are being closed to make room for others.
pub const MAX_LEAVING: usize = 16;
/// How long saying goodbye on a connection may take: whoever reads nothing would keep it for ever.
pub const CLOSE_TIMEOUT: Millis = Millis::from_secs(5);
/// Resident memory of the process above which no new connection is made or taken.
pub const MAX_PROCESS_MEMORY: usize = 1024 * 1024 * 1024;
/// Inbound streams of one connection whose protocol is not agreed upon yet.
pub const MAX_NEGOTIATING_STREAMS: usize = 16;
/// Envelope streams that a peer may have open on one connection: the one in use, and one that ends.
pub const MAX_ENVELOPE_STREAMS: usize = 2;
/// Card questions of a peer on one connection.
pub const MAX_CARD_STREAMS: usize = 8;
/// Our own card questions that wait for an answer.
pub const MAX_CARD_FETCHES: usize = 256;
/// Commands waiting for the swarm task.
pub const MAX_NET_COMMANDS: usize = 1_024;
/// Peers whom the node wants and who are dialled at a time: beside them there is room for the dials of the DHT, of relays
/// and of mailboxes among the [`DIALS`] under way, and a router at home forgets none of so few beginnings.
pub const MAX_DIALS: usize = 24;
/// Peers who wait for that. Beyond it one is unreachable, and the node comes again.
pub const MAX_DIALS_WAITING: usize = 4_096;
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
/// Once each listener has named an address: for how long nothing is heard when all are named, which come one after the other.
pub const LISTEN_QUIET: Millis = Millis(10);
/// After how long the local network is looked at again that was flooded with addresses.
pub const MDNS_AGAIN: Millis = Millis::from_hours(1);
/// How long opening a stream may take.
pub const STREAM_OPEN_TIMEOUT: Millis = Millis::from_secs(10);
/// Streams of one connection that wait for the peer to say by identify what he takes: those of the DHT, and a few others.
pub const MAX_STREAMS_HELD: usize = 40;
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
/// Whoever is connected over TCP and has said nothing for so long makes room, as soon as more than half of the
/// [`TCP_HANDSHAKES`] are taken: who dials speaks first, and at once.
pub const MUTE_TIMEOUT: Millis = Millis::from_secs(3);
/// First datagrams over QUIC that wait to be looked at, and handshakes that wait for the swarm: more than there are places.
pub const MAX_QUIC_KNOCKS: usize = 128;
/// Bytes behind such a datagram that wait with it.
pub const MAX_QUIC_KNOCK_BYTES: u64 = 16 * 1024;
/// A QUIC connection from which nothing comes for so long is dead.
pub const QUIC_IDLE: Millis = Millis::from_secs(15);
/// Two connections with one peer that were made within this time come from dials that crossed.
pub const CROSSING_WINDOW: Millis = Millis::from_secs(5);
/// A second connection without streams is closed after this time: the other side may just be
/// opening one.
pub const DOUBLE_LINGER: Millis = Millis::from_secs(1);
/// A second connection on which nothing was answered for so long is closed, though something is on its way there.
pub const DOUBLE_GRACE: Millis = Millis::from_secs(10);
/// It is closed after this time, whatever happens on it: what may be on its way (`MAX_IN_FLIGHT_BYTES`) is through by then
/// at 300 kbit/s.
pub const DOUBLE_LIFE: Millis = Millis::from_secs(120);
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
/// Addresses with names that may lead inside, because the user or a contact has named them.
pub const MAX_TRUSTED_NAMES: usize = 1_024;
/// Peers found by mDNS whose addresses are remembered.
pub const MAX_DISCOVERED: usize = 1_000;

// ---- Mailboxes on the wire ----------------------------------------------------------------------

/// Questions that a peer may have open on one connection, those included that wait for a place: he puts 4 at a time, one more
/// waits for mail, and one is about to end.
pub const MAX_MAIL_STREAMS: usize = 6;
/// How long a question waits for a place: somebody else's answer may just be going out.
pub const MAIL_PLACE_WAIT: Millis = Millis::from_secs(2);
/// How long a question or an answer may take on its stream: the longest, 256 KiB, by a slow line.
pub const MAIL_TRANSFER_TIMEOUT: Millis = Millis::from_secs(15);
/// How long our node may take to answer, the wait for its lane included.
pub const MAIL_ANSWER_TIMEOUT: Millis = Millis::from_secs(10);
/// How long an owner may have his question held until something comes: what is lost of his connection, or of the mailbox's
/// memory, without anybody noticing costs no more than this.
pub const MAX_MAIL_WAIT: Millis = Millis::from_secs(300);
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
/// A reservation that ends sooner is none: its relay would have us ask without end. One that was lost sooner counts as not
/// granted.
pub const RESERVATION_SHORTEST: Millis = Millis::from_secs(60);
/// The first pause before a relay that refused or was lost is asked again; it doubles.
pub const RELAY_PAUSE_FIRST: Millis = Millis::from_secs(2);
/// The longest.
pub const RELAY_PAUSE_MAX: Millis = Millis::from_secs(300);
/// A relay through which a circuit has just broken is tried after others, for this time.
pub const CIRCUIT_DISTRUST: Millis = Millis::from_secs(600);
/// Reservations that our own relay grants, in all…
pub const MAX_RESERVATIONS: usize = 128;
/// …and to one peer: his own, and one of a connection that is about to end.
pub const MAX_RESERVATIONS_PER_PEER: usize = 2;
/// How often the router at home is looked for again, and asked to forward our ports: it forgets them when it is switched
/// off, and a search is three small packets.
pub const ROUTER_ASKED_AGAIN: Millis = Millis::from_secs(600);
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
/// A circuit on which nothing was on its way for so long is closed, with contacts too: relays have few.
pub const CIRCUIT_IDLE: Millis = Millis::from_secs(60);
/// Relays of one peer that are tried.
pub const MAX_RELAYS_TRIED: usize = MAX_RELAYS;
/// How long a dial through a relay waits for the relay to be there, and to have told how it sees us.
pub const RELAY_WAIT: Millis = Millis::from_secs(8);
/// After how long a connection with a peer who offers a relay goes before younger ones.
pub const RELAY_KNOWN: Millis = Millis::from_secs(600);
/// Our own addresses that others are asked to try.
pub const MAX_ADDRESS_CANDIDATES: usize = 16;
/// Peers that are asked to try one of them, until all are tried anew.
pub const MAX_TRIALS: usize = 6;
/// Addresses that one peer is asked to try at a time.
pub const MAX_TRIALS_OF_PEER: usize = 4;
/// How long such a trial may take: libp2p takes 10 s to give a dial up.
pub const TRIAL_TIMEOUT: Millis = Millis::from_secs(20);
/// How long the number of a trial may take to be said.
pub const TRIAL_HEARD_TIMEOUT: Millis = Millis::from_secs(5);
/// Streams of one connection on which such a number is said.
pub const MAX_TRIAL_STREAMS: usize = 2;
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
/// Peers who could not be reached: told as worth a try when the network has changed; not waited for again.
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
/// With fewer peers in the routing table, more of the known ones are dialled; with as many, a client looks around no further.
pub const DHT_FEW_PEERS: usize = 8;
/// Dials in a row after which a peer that is not there is no longer in the routing table.
pub const DHT_MISSES: u32 = 3;
/// A peer that is not found is looked for again after this time.
pub const DHT_SEEK_AGAIN: Millis = Millis::from_secs(300);

// ---- What is given to whom ----------------------------------------------------------------------
//
// `base::budget` counts these: a line speaks of a class of peers, counts by something, and gives each so much. A level without a
// line has no bound of its own.

/// Card questions of others that wait for our answer.
pub const MAX_CARD_REQUESTS: usize = 64;
/// Keys (peers, addresses, networks) that one line with a rate remembers; a full bucket is forgotten first.
pub const MAX_RATED_KEYS: usize = 10_000;

/// Inbound connections over TCP that are being set up; who it is comes out later. Nobody is refused for them: when one is full, one
/// of those whom it counts ends. Networks are those of the internet. The rates are for what handshakes cost that follow each
/// other: some 0.3 ms each.
pub const TCP_HANDSHAKES: &[Grant] = &[
    places(Everybody, Address, 16),
    places(Everybody, Network, 32),
    places(Everybody, All, 64),
    per_second(Everybody, Address, 256, 32),
    per_second(Everybody, Network, 1_024, 128),
];

/// The same over QUIC, of those who have shown that they are at their address.
pub const QUIC_HANDSHAKES: &[Grant] = TCP_HANDSHAKES;

/// The same of those who have not, and may be nowhere; whoever comes beside them is asked to show it. A household that is woken
/// together does not notice.
pub const QUIC_UNPROVED_HANDSHAKES: &[Grant] = &[places(Everybody, All, 8)];

/// The same through relays; the address is the relay's.
pub const CIRCUIT_HANDSHAKES: &[Grant] = &[places(Everybody, Address, 16), places(Everybody, All, 32)];

/// Our own dials under way.
pub const DIALS: &[Grant] = &[places(Everybody, All, 64)];

/// Of these, to addresses that a peer has named, for a hole or to test whether he can be reached.
/// Who is alone asks for his own no more than [`MAX_TRIALS_OF_PEER`] at a time, of [`MAX_ADDRESS_CANDIDATES`] every half an hour.
/// A network leaves some to others, at a time and of each burst.
pub const TOLD_DIALS: &[Grant] = &[
    places(Everybody, All, 16),
    places(Strangers, Peer, MAX_TRIALS_OF_PEER),
    places(Strangers, Address, 8),
    places(Strangers, Network, 12),
    one_in(Everybody, All, 64, Millis::from_secs(1)),
    one_in(Strangers, Peer, 32, Millis::from_secs(60)),
    one_in(Strangers, Address, 48, Millis::from_secs(10)),
    one_in(Strangers, Network, 56, Millis::from_secs(5)),
];

/// Connections, both ways. With one peer, who was killed and is back: a dead circuit and a dead direct one, two circuits, the
/// two that punching a hole makes, and a trial.
pub const CONNECTIONS: &[Grant] = &[places(Everybody, Peer, 8)];

/// Inbound connections that go straight, if a stranger comes; contacts are not denied. Of one public network: a house with
/// many tenants, and half of the places of those who serve nobody.
pub const INBOUND: &[Grant] = &[places(Strangers, Address, 32), places(Strangers, Network, 64)];

/// Connections that come to us through relays. They have no address but the relay's, and each costs us handshakes, dials
/// for a hole, and a stream of our connection with the relay, of which a stranger's has [`MAX_STRANGER_STREAMS`]. Whoever calls without end through
/// one relay shuts out nobody who comes through the other.
pub const INBOUND_CIRCUITS: &[Grant] = &[
    places(Everybody, All, 64),
    places(Strangers, All, 32),
    places(Strangers, Address, 6),
    one_in(Strangers, Address, 16, Millis::from_secs(4)),
    one_in(Strangers, Network, 16, Millis::from_secs(4)),
    per_second(Strangers, All, 64, 2),
];

/// Reservations that our own relay grants (a node behind a bad line comes back often; an address is a household, or a small
/// company). How many there are, in all and of one peer, the crate counts. Within a site, where all are of few networks, none counts.
pub const RESERVATIONS: &[Grant] = &[
    one_in(Everybody, Peer, 30, Millis::from_secs(120)),
    one_in(Everybody, Address, 60, Millis::from_secs(60)),
    places(Everybody, Network, 8),
];

/// Circuits through our own relay, by who opens them. How many there are, in all and of one peer, the crate counts.
pub const CIRCUITS: &[Grant] = &[
    one_in(Everybody, Peer, 30, Millis::from_secs(30)),
    one_in(Everybody, Address, 60, Millis::from_secs(15)),
    places(Everybody, Network, 4),
];

/// Envelopes. A stranger writes few, and there are few strangers at one place; each is looked at, which costs a handshake.
pub const ENVELOPES: &[Grant] = &[
    per_second(Contacts, Peer, 20_000, 10_000),
    per_second(Strangers, Peer, 60, 1),
    per_second(Strangers, Address, 240, 4),
    per_second(Strangers, Network, 480, 8),
];

/// Questions for our card, and those that wait for our answer.
pub const CARDS: &[Grant] = &[
    per_second(Contacts, Peer, 20_000, 10_000),
    per_second(Strangers, Peer, 60, 1),
    per_second(Strangers, Address, 240, 4),
    per_second(Strangers, Network, 480, 8),
    places(Everybody, All, MAX_CARD_REQUESTS),
    places(Strangers, All, 32),
    places(Strangers, Address, 8),
    places(Strangers, Network, 16),
];

/// One-time prekeys handed out with it. Who gets none gets the card, whose own keys serve.
pub const PREKEYS: &[Grant] = &[
    one_in(Everybody, Peer, 6, Millis::from_secs(600)),
    one_in(Strangers, Address, 24, Millis::from_secs(120)),
    one_in(Strangers, Network, 48, Millis::from_secs(60)),
];

/// Sessions that strangers begin with us, each of which leaves rows, by where they are; by peer: what one of our mailboxes
/// brings. Twelve networks together use up a card's prekey in an hour ([`MAX_CARD_PREKEY_MARKS`]).
///
/// [`MAX_CARD_PREKEY_MARKS`]: super::MAX_CARD_PREKEY_MARKS
pub const SESSIONS: &[Grant] = &[
    one_in(Strangers, Peer, 480, Millis::from_secs(8)),
    one_in(Strangers, Address, 240, Millis::from_secs(16)),
    one_in(Strangers, Network, 480, Millis::from_secs(8)),
];

/// The same of those who come with the token of our link: what others cannot take. A link may be known to many.
pub const INVITED_SESSIONS: &[Grant] = &[
    one_in(Strangers, Peer, 120, Millis::from_secs(32)),
    one_in(Strangers, Address, 60, Millis::from_secs(64)),
    one_in(Strangers, Network, 120, Millis::from_secs(32)),
];

/// Boxes that are made in our mailbox for owners whom its operator does not know. One that nobody comes back to lives two days:
/// a network has some seventy of those at a time.
pub const MAIL_BOXES: &[Grant] =
    &[one_in(Strangers, Address, 8, Millis::from_hours(3)), one_in(Strangers, Network, 16, Millis::from_hours(1))];

/// Questions to our mailbox, and those that are being read, answered or written: with the longest page each is 16 MiB. Most
/// are strangers', as depositors ask under keys made for it. A burst of a key is a page full of deposits; two networks do
/// not fill the house.
pub const MAIL_QUESTIONS: &[Grant] = &[
    per_second(Contacts, Peer, 20_000, 10_000),
    per_second(Strangers, Peer, 256, 8),
    per_second(Strangers, Address, 512, 16),
    per_second(Strangers, Network, 2_048, 64),
    places(Everybody, All, 64),
    places(Strangers, All, 48),
    places(Strangers, Address, 8),
    places(Strangers, Network, 16),
];

/// Such questions that wait for a place.
pub const MAIL_WAITING: &[Grant] =
    &[places(Everybody, All, 64), places(Everybody, Address, 8), places(Everybody, Network, 16)];

/// Owners' questions that are held until something comes: a stream and a connection each, and some 2 KiB. Half of strangers'
/// connections ([`MAX_STRANGER_CONNECTIONS`]) stay free for depositors.
pub const MAIL_HELD: &[Grant] = &[
    places(Everybody, All, 256),
    places(Strangers, All, 64),
    places(Strangers, Address, 8),
    places(Strangers, Network, 16),
];

/// Records of the DHT that are put here; a mailbox puts those of its sleepers. Within a site, which has no networks, an address has
/// what a network has; so it is with what follows.
pub const DHT_PUTS: &[Grant] = &[
    per_second(Everybody, Peer, 512, 8),
    per_second(Everybody, Address, 2_048, 32),
    per_second(Everybody, Network, 2_048, 32),
];

/// Signatures of them that are looked at: a few hundredths of one core. A network that puts rubbish has a fortieth of it; an
/// owner puts a card in twelve hours, a mailbox two a second.
pub const DHT_CHECKS: &[Grant] = &[
    per_second(Everybody, All, 2_000, 200),
    per_second(Everybody, Address, 50, 5),
    per_second(Everybody, Network, 50, 5),
];

/// Questions and answers of the DHT heard by one connection; beyond it that connection waits.
pub const DHT_HEARD: &[Grant] = &[per_second(Everybody, All, 512, 64)];

/// Open mailboxes that one node knows: what it answers is one packet.
pub const DHT_PROVIDERS: &[Grant] =
    &[places(Everybody, Address, 4), places(Everybody, Network, 4), places(Everybody, All, 256)];
