//! The face of the network for the node: orders that never wait.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::dht::MailboxReply;
use super::envelope::Verdict;
use super::envelope::inbound::Streams;
use super::error::SendError;
use super::mailbox::desk::Desk;
use super::mailbox::wire;
use super::places::{Permit, Places};
use super::shared::{Outgoing, Shared};
use super::status::NetStatus;
use crate::base::PeerId;
use crate::base::limits::MAX_ENVELOPE;
use crate::envelope::border::{Event, Order};
use crate::envelope::mailbox::{Answer, Question};

/// A handle of the running network. Clones name the same network; it stops by
/// [`NetHandle::shutdown`], or when the last handle is dropped.
#[derive(Clone)]
pub struct NetHandle {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    places: Places,
    streams: Arc<Streams>,
    desk: Arc<Desk>,
}

/// What the handle asks of the swarm task.
pub(super) enum Command {
    Order(Order, Permit),
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
        addr: libp2p::Multiaddr,
    },
}

impl NetHandle {
    /// `streams` and `desk` are the task's, too.
    pub(super) fn new(
        shared: Arc<Shared>,
        commands: mpsc::Sender<Command>,
        streams: Arc<Streams>,
        desk: Arc<Desk>,
    ) -> Self {
        Self { shared, commands, places: Places::default(), streams, desk }
    }

    /// Who we are.
    pub fn peer_id(&self) -> PeerId {
        self.shared.me
    }

    /// Takes an order, without waiting. On `Ok` its outcome, if it has one, follows in the lane of contacts.
    ///
    /// # Errors
    /// It is refused, and nothing follows: the caller takes [`Order::failed`] as told. [`SendError::Full`] when too many
    /// orders wait, or as many of its kind are under way as may be (`MAX_IN_FLIGHT`, `MAX_CARD_FETCHES`,
    /// `MAX_MAIL_QUESTIONS`, `MAX_CARD_SEARCHES`); [`SendError::NotConnected`] for what only a connected peer can be sent;
    /// [`SendError::TooLarge`] for what the protocol does not know; [`SendError::Oneself`]; [`SendError::Stopped`].
    pub fn order(&self, order: Order) -> Result<(), SendError> {
        match order {
            Order::Send { peer, ticket, bytes } if (1..=MAX_ENVELOPE).contains(&bytes.len()) => {
                self.shared.send(&peer, Outgoing { ticket, bytes })?;
            }
            Order::Send { .. } => return Err(SendError::TooLarge),
            Order::Acknowledge(token) => self.streams.answer(token, Verdict::Stored),
            Order::Refuse(token, reason) => self.streams.answer(token, Verdict::Refused(reason)),
            Order::AnswerMail { request, answer } if wire::is_whole(&answer, Answer::body_len) => {
                self.desk.answer(request, answer);
            }
            Order::AnswerMail { .. } => return Err(SendError::TooLarge),
            Order::HoldMail { request } => self.desk.hold(request),
            Order::RingMail { owner } => self.desk.ring(&owner),
            Order::Class { peer, class } => self.shared.classes.set(peer, class),
            Order::Connect { peer, .. } if self.shared.is_connected(&peer) => {}
            order => {
                self.check(&order)?;
                let permit = self.places.take(&order)?;
                self.command(Command::Order(order, permit))?;
            }
        }
        Ok(())
    }

    /// Whether the swarm task could carry it out.
    fn check(&self, order: &Order) -> Result<(), SendError> {
        match order {
            Order::Connect { peer, .. } | Order::AskMailbox { mailbox: peer, .. } if *peer == self.shared.me => {
                Err(SendError::Oneself)
            }
            Order::FetchBundle { peer, .. } if !self.shared.is_connected(peer) => Err(SendError::NotConnected),
            Order::AskMailbox { question, .. } if !wire::is_whole(question, Question::body_len) => {
                Err(SendError::TooLarge)
            }
            _ => Ok(()),
        }
    }

    /// What whoever begins anew must be told of the present, as if it happened now.
    pub fn present(&self) -> Vec<Event> {
        let status = self.status();
        let connected = status.peers.iter().map(|peer| Event::Connected(peer.peer_id));
        [Event::Relays(status.relay_places), Event::Listening(status.listen_addrs)]
            .into_iter()
            .chain(connected)
            .collect()
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
    pub(super) fn desk(&self) -> &Desk {
        &self.desk
    }

    #[cfg(test)]
    pub(super) const fn places(&self) -> &Places {
        &self.places
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
}

impl fmt::Debug for NetHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetHandle({:?})", self.shared.me)
    }
}
