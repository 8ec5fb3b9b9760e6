//! The face of the network for the node: commands that never wait.

use std::fmt;
use std::sync::Arc;

use libp2p::Multiaddr;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::addresses;
use super::dht::{Find, MailboxReply};
use super::envelope::Verdict;
use super::error::SendError;
use super::mailbox::{self, ask::Question};
use super::nat::status::{NatKind, Reachability, RelayService, RelayStatus, UpnpStatus};
use super::shared::{Outgoing, Shared};
use crate::base::limits::MAX_ENVELOPE;
use crate::base::{PeerId, WallTime};
use crate::envelope::exchange::CardResponse;
use crate::envelope::frame::{FrameToken, RefuseReason};

/// A handle of the running network. Clones name the same network; it stops by
/// [`NetHandle::shutdown`], or when the last handle is dropped.
///
/// No method but `shutdown` waits. What cannot be taken is refused at once with a [`SendError`],
/// and then no event follows for that ticket: the caller treats it as [`super::NetEvent::Lost`],
/// `BundleFailed` or `Unreachable`.
#[derive(Clone)]
pub struct NetHandle {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
}

/// What the handle asks of the swarm task.
pub(super) enum Command {
    Connect {
        peer: PeerId,
        hints: Vec<Multiaddr>,
    },
    Fetch {
        peer: PeerId,
        ticket: u64,
        want_prekey: bool,
        permit: OwnedSemaphorePermit,
    },
    Answer {
        request: u64,
        response: CardResponse,
    },
    Ask {
        question: Question,
        anonymous: bool,
    },
    Publish {
        owner: PeerId,
        card: Vec<u8>,
    },
    Find(Find),
    FindMailboxes {
        reply: MailboxReply,
    },
    Announce {
        open: bool,
    },
    Shutdown {
        done: oneshot::Sender<()>,
    },
    /// Dials though there is a connection, to make a double.
    #[cfg(test)]
    DialAgain {
        peer: PeerId,
        addr: Multiaddr,
    },
}

impl NetHandle {
    pub(super) fn new(shared: Arc<Shared>, commands: mpsc::Sender<Command>) -> Self {
        Self { shared, commands }
    }

    /// Who we are.
    pub fn peer_id(&self) -> PeerId {
        self.shared.me
    }

    /// Asks for a connection. Nothing happens when there is one, or one is being dialled; otherwise
    /// [`super::NetEvent::Connected`] or [`super::NetEvent::Unreachable`] follows. The addresses are
    /// hints of third parties: at most `MAX_PEER_ADDRS` sensible ones are tried, besides those where
    /// the peer was found before.
    ///
    /// # Errors
    /// [`SendError::Oneself`]; [`SendError::Full`] when too many commands wait;
    /// [`SendError::Stopped`].
    pub fn connect(&self, peer: PeerId, addrs: &[String]) -> Result<(), SendError> {
        if peer == self.shared.me {
            return Err(SendError::Oneself);
        }
        if self.shared.is_connected(&peer) {
            return Ok(());
        }
        self.command(Command::Connect { peer, hints: addresses::hints(&peer, addrs) })
    }

    /// Sends an envelope on the stream to this peer. On `Ok` exactly one of `Acked`, `Refused`,
    /// `Lost` follows with this ticket, in the lane of contacts.
    ///
    /// # Errors
    /// [`SendError::NotConnected`]; [`SendError::Full`] when `MAX_IN_FLIGHT` envelopes or
    /// `MAX_IN_FLIGHT_BYTES` are on their way to this peer; [`SendError::TooLarge`].
    pub fn send_envelope(&self, peer: PeerId, ticket: u64, bytes: Arc<[u8]>) -> Result<(), SendError> {
        if !(1..=MAX_ENVELOPE).contains(&bytes.len()) {
            return Err(SendError::TooLarge);
        }
        self.shared.send(&peer, Outgoing { ticket, bytes })
    }

    /// Asks a connected peer for the card. On `Ok` exactly one of `Bundle`, `BundleFailed` follows,
    /// in the lane of contacts.
    ///
    /// # Errors
    /// [`SendError::NotConnected`]; [`SendError::Full`] when `MAX_CARD_FETCHES` questions are open,
    /// or too many commands wait; [`SendError::Stopped`].
    pub fn fetch_bundle(&self, peer: PeerId, ticket: u64, want_prekey: bool) -> Result<(), SendError> {
        if !self.shared.is_connected(&peer) {
            return Err(SendError::NotConnected);
        }
        let permit = Arc::clone(&self.shared.fetches).try_acquire_owned().map_err(|_| SendError::Full)?;
        self.command(Command::Fetch { peer, ticket, want_prekey, permit })
    }

    /// The envelope with this token is stored: the sender may forget it. Unknown tokens (the stream
    /// has ended) are ignored.
    pub fn acknowledge(&self, token: FrameToken) {
        self.answer_frame(token, Verdict::Stored);
    }

    /// The envelope with this token is refused. Unknown tokens are ignored.
    pub fn refuse(&self, token: FrameToken, reason: RefuseReason) {
        self.answer_frame(token, Verdict::Refused(reason));
    }

    /// Answers `BundleRequested`. Ignored when the question is no longer open, or the answer is
    /// larger than the protocol allows; the peer's question then fails, and he asks again.
    pub fn answer_bundle(&self, request: u64, card: Vec<u8>, prekey: Option<Vec<u8>>) {
        let response = CardResponse { card, prekey };
        let taken = response.check().is_ok() && self.command(Command::Answer { request, response }).is_ok();
        if !taken {
            tracing::warn!(request, "a card question stays unanswered");
        }
    }

    /// Asks a mailbox. On `Ok` exactly one of `MailAnswered`, `MailFailed` follows, in the lane of contacts.
    ///
    /// # Errors
    /// [`SendError::Oneself`]; [`SendError::TooLarge`] when it is no question of the protocol; [`SendError::Full`] when
    /// `MAX_MAIL_QUESTIONS` are open, or too many commands wait; [`SendError::Stopped`].
    pub fn ask_mailbox(&self, ask: MailAsk) -> Result<(), SendError> {
        if ask.mailbox == self.shared.me {
            return Err(SendError::Oneself);
        }
        if !mailbox::wire::is_question(&ask.question) {
            return Err(SendError::TooLarge);
        }
        let permit = Arc::clone(&self.shared.questions).try_acquire_owned().map_err(|_| SendError::Full)?;
        let addrs = addresses::hints(&ask.mailbox, &ask.addrs);
        let question = Question::new(ask.ticket, ask.mailbox, addrs, ask.question, permit);
        self.command(Command::Ask { question, anonymous: ask.anonymous })
    }

    /// Answers `MailAsked`. Ignored when the question is no longer open, or this is no answer of the protocol; the peer's
    /// question then fails, and he asks again.
    pub fn answer_mail(&self, request: u64, answer: Vec<u8>) {
        if mailbox::wire::is_answer(&answer) {
            self.shared.desk.answer(request, answer);
        } else {
            tracing::warn!(request, "a question to the mailbox stays unanswered");
        }
    }

    /// The other answer to `MailAsked`, when its owner wants to wait for mail and there is none: it is held, within the bounds
    /// of the mailbox, until [`NetHandle::ring_mail`] names him or his time is over. Ignored when it is no longer open.
    pub fn hold_mail(&self, request: u64) {
        self.shared.desk.hold(request);
    }

    /// Something was stored for this owner: his question that is held, if there is one, is answered.
    pub fn ring_mail(&self, owner: &PeerId) {
        self.shared.desk.ring(owner);
    }

    /// Puts a signed card into the DHT, and reads it back, again and again until it stands; then `CardPublished` follows.
    /// A newer card of the same owner takes its place. While there is nobody to put it to, it waits.
    pub fn publish_card(&self, owner: PeerId, card: Vec<u8>) {
        if self.command(Command::Publish { owner, card }).is_err() {
            tracing::warn!(?owner, "a card is not published");
        }
    }

    /// Looks for the card of a peer in the DHT. On `Ok` exactly one of `CardFound`, `CardNotFound` follows, in the lane of
    /// contacts.
    ///
    /// # Errors
    /// [`SendError::Full`] when `MAX_CARD_SEARCHES` are open, or too many commands wait; [`SendError::Stopped`].
    pub fn find_card(&self, peer: PeerId, ticket: u64) -> Result<(), SendError> {
        let permit = Arc::clone(&self.shared.searches).try_acquire_owned().map_err(|_| SendError::Full)?;
        self.command(Command::Find(Find { peer, ticket, permit }))
    }

    /// Looks for mailboxes that serve everybody, and where they are. Unverified: anybody can say that he is one.
    pub async fn find_mailboxes(&self) -> Vec<(PeerId, Vec<String>)> {
        let (reply, found) = oneshot::channel();
        match self.command(Command::FindMailboxes { reply }) {
            // Dropped: there is nobody to ask, or the network stops.
            Ok(()) => found.await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }

    /// Says in the DHT that our mailbox serves everybody, or no longer says so.
    pub fn announce_mailbox(&self, open: bool) {
        if self.command(Command::Announce { open }).is_err() {
            tracing::warn!(open, "whether our mailbox is open is not told");
        }
    }

    /// Where we listen and with whom we are connected.
    pub fn status(&self) -> NetStatus {
        self.shared.status()
    }

    /// Closes every connection and listener, and returns when that is done. (The socket of a QUIC
    /// listener may stay for a moment, until the other sides have heard of the end.) Envelopes on
    /// their way are reported lost; card questions have no outcome any more.
    pub async fn shutdown(&self) {
        let (done, wait) = oneshot::channel();
        if self.commands.send(Command::Shutdown { done }).await.is_ok() {
            // It is dropped, too, when the task ends.
            let _ = wait.await;
        }
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    #[cfg(test)]
    pub(super) fn dial_again(&self, peer: PeerId, addr: &str) {
        self.command(Command::DialAgain { peer, addr: addr.parse().unwrap() }).unwrap();
    }

    fn command(&self, command: Command) -> Result<(), SendError> {
        self.commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Full,
            mpsc::error::TrySendError::Closed(_) => SendError::Stopped,
        })
    }

    fn answer_frame(&self, token: FrameToken, verdict: Verdict) {
        if let Some(answers) = self.shared.answers(token.stream) {
            answers.answer(token.frame, verdict);
        }
    }
}

impl fmt::Debug for NetHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetHandle({:?})", self.shared.me)
    }
}

/// Where we listen and with whom we are connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetStatus {
    /// Where we can be reached, multiaddresses in textual form: the listeners first, then what was confirmed from
    /// outside, then the relays.
    pub listen_addrs: Vec<String>,
    /// The connected peers, in the order of their IDs.
    pub peers: Vec<PeerStatus>,
    /// Our part in the DHT.
    pub dht: DhtStatus,
    /// Whether peers can reach us without help.
    pub reachability: Reachability,
    /// Addresses that were reached from outside.
    pub external_addrs: Vec<String>,
    /// The relays through which we can be reached.
    pub relays: Vec<RelayStatus>,
    /// The router before us.
    pub nat: NatKind,
    /// What it grants.
    pub upnp: UpnpStatus,
    /// Our own relay, if it is offered.
    pub relay_service: Option<RelayService>,
    /// Whether peers are looked for in the local network.
    pub mdns: MdnsStatus,
}

/// Whether peers are looked for in the local network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MdnsStatus {
    /// They are not.
    #[default]
    Off,
    /// They are.
    On,
    /// No longer: somebody told of more addresses there than are kept.
    Flooded,
}

/// Our part in the DHT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DhtStatus {
    /// Whether we hold records for others.
    pub server: bool,
    /// Peers in our routing table.
    pub peers: usize,
    /// Records that we hold.
    pub records: usize,
    /// Whether our own card stands there.
    pub published: bool,
}

/// A question to a mailbox.
#[derive(Clone, Debug)]
pub struct MailAsk {
    /// Returned with the outcome.
    pub ticket: u64,
    /// Which mailbox.
    pub mailbox: PeerId,
    /// Where it may be found: multiaddresses, hints of third parties.
    pub addrs: Vec<String>,
    /// Whether it must not learn who asks: the question goes under a key made for this mailbox and this hour, from a socket of
    /// its own. Else as ourselves.
    pub anonymous: bool,
    /// The encoded question.
    pub question: Vec<u8>,
}

/// One connected peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Who.
    pub peer: PeerId,
    /// The remote address of the preferred connection.
    pub addr: String,
    /// Since when there is a connection.
    pub since: WallTime,
    /// Whether the preferred connection goes straight to the peer, not through a relay.
    pub direct: bool,
}
