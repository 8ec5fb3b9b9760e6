//! The card protocol: asks peers for their card, and takes their questions to the node.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response::{self, Codec, Message, OutboundRequestId, ProtocolSupport, ResponseChannel};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::budget::{Budget, Who, room};
use super::limits::activity::UnderWay;
use super::places::Permit;
use super::shared::{Shared, hand_over};
use super::{from_libp2p, span, to_libp2p};
use crate::base::PeerId;
use crate::base::limits::{CARD_TIMEOUT, CARDS, MAX_CARD_REQUESTS, MAX_CARD_RESPONSE, MAX_CARD_STREAMS, PREKEYS};
use crate::envelope::border;
use crate::envelope::exchange::{CardRequest, CardResponse, PROTOCOL, REQUEST_LEN};

/// The behaviour that carries questions and answers.
pub(super) type Behaviour = request_response::Behaviour<CardCodec>;
/// What it tells.
pub(super) type Event = request_response::Event<CardRequest, CardResponse>;

pub(super) fn behaviour() -> Behaviour {
    let config = request_response::Config::default()
        // NET-34, on both sides.
        .with_request_timeout(span(CARD_TIMEOUT))
        .with_max_concurrent_streams(MAX_CARD_STREAMS);
    Behaviour::new([(StreamProtocol::new(PROTOCOL), ProtocolSupport::Full)], config)
}

/// A question of ours that has no answer yet. The permit is held until the outcome is told.
struct Fetch {
    peer: PeerId,
    ticket: u64,
    permit: Permit,
}

/// A question of a peer that the node has not answered yet.
struct Pending {
    from: Who,
    channel: ResponseChannel<CardResponse>,
    _busy: UnderWay,
}

/// Open questions in both directions.
pub(super) struct Cards {
    shared: Arc<Shared>,
    fetches: HashMap<OutboundRequestId, Fetch>,
    pending: HashMap<u64, Pending>,
    last: u64,
    /// One permit for each question that waits for its lane.
    waiting: Arc<Semaphore>,
    cards: Budget,
    prekeys: Budget,
}

impl Cards {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let waiting = Arc::new(Semaphore::new(MAX_CARD_REQUESTS));
        let (cards, prekeys) = (Budget::new(CARDS), Budget::new(PREKEYS));
        Self { shared, fetches: HashMap::new(), pending: HashMap::new(), last: 0, waiting, cards, prekeys }
    }

    /// Asks a peer. `connected` is whether the swarm has a connection with him: without one the
    /// behaviour would dial on its own.
    pub(super) fn fetch(
        &mut self,
        behaviour: &mut Behaviour,
        connected: bool,
        peer: PeerId,
        ticket: u64,
        want_prekey: bool,
        permit: Permit,
    ) {
        let fetch = Fetch { peer, ticket, permit };
        if connected {
            let id = behaviour.send_request(&to_libp2p(&peer), CardRequest { want_prekey });
            self.fetches.insert(id, fetch);
        } else {
            self.tell(fetch, None);
        }
    }

    /// The node's answer to a question.
    pub(super) fn answer(&mut self, behaviour: &mut Behaviour, request: u64, response: CardResponse) {
        if response.check().is_err() {
            return tracing::warn!(request, "a card question stays unanswered");
        }
        if let Some(pending) = self.pending.remove(&request) {
            // The peer no longer waits.
            let _ = behaviour.send_response(pending.channel, response);
        }
    }

    pub(super) fn on_event(&mut self, event: Event) {
        match event {
            Event::Message { peer, connection_id, message: Message::Request { request, channel, .. } } => {
                if let Some(peer) = from_libp2p(&peer) {
                    let busy = self.shared.activity.begin(connection_id);
                    let from = self.shared.who(peer, self.shared.activity.origin(connection_id));
                    self.ask_node(peer, from, request, channel, busy);
                }
            }
            Event::Message { message: Message::Response { request_id, response }, .. } => {
                self.settle(request_id, Some(response));
            }
            Event::OutboundFailure { request_id, error, .. } => {
                tracing::debug!(%error, "a card question failed");
                self.settle(request_id, None);
            }
            Event::InboundFailure { .. } | Event::ResponseSent { .. } => {
                self.pending.retain(|_, pending| pending.channel.is_open());
            }
        }
    }

    fn settle(&mut self, id: OutboundRequestId, response: Option<CardResponse>) {
        if let Some(fetch) = self.fetches.remove(&id) {
            self.tell(fetch, response);
        }
    }

    /// Tells the outcome, by a task that may wait for the lane; the permits bound these tasks.
    fn tell(&self, Fetch { peer, ticket, permit }: Fetch, response: Option<CardResponse>) {
        let event = match response {
            Some(CardResponse { card, prekey }) => border::Event::Bundle { peer, ticket, card, prekey },
            None => border::Event::BundleFailed { peer, ticket },
        };
        tokio::spawn(hand_over(self.shared.lanes.contacts.clone(), event, permit));
    }

    /// Takes a question to the node, unless there are too many; a dropped channel tells the peer.
    fn ask_node(
        &mut self,
        peer: PeerId,
        from: Who,
        question: CardRequest,
        channel: ResponseChannel<CardResponse>,
        busy: UnderWay,
    ) {
        let now = Instant::now();
        self.pending.retain(|_, pending| pending.channel.is_open());
        let pending = self.pending.values().map(|pending| pending.from);
        if !self.cards.take(&from, now) || room(CARDS, &pending, &from).is_err() {
            return;
        }
        let Ok(permit) = Arc::clone(&self.waiting).try_acquire_owned() else { return };
        // NET-33: beyond the rate there is still a card, but no prekey.
        let want_prekey = question.want_prekey && self.prekeys.take(&from, now);
        self.last += 1;
        let request = self.last;
        self.pending.insert(request, Pending { from, channel, _busy: busy });
        let event = border::Event::BundleRequested { from: peer, request, want_prekey };
        tokio::spawn(hand_over(self.shared.lane(&peer).clone(), event, permit));
    }
}

/// Reads and writes questions and answers, each to the end of its side of the stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CardCodec;

impl Codec for CardCodec {
    type Protocol = StreamProtocol;
    type Request = CardRequest;
    type Response = CardResponse;

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        stream: &mut T,
    ) -> io::Result<CardRequest> {
        let bytes = read_bounded(stream, REQUEST_LEN).await?;
        CardRequest::decode(&bytes).map_err(invalid)
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        stream: &mut T,
    ) -> io::Result<CardResponse> {
        let bytes = read_bounded(stream, MAX_CARD_RESPONSE).await?;
        CardResponse::decode(&bytes).map_err(invalid)
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        stream: &mut T,
        request: CardRequest,
    ) -> io::Result<()> {
        stream.write_all(&request.encode()).await?;
        stream.close().await
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        stream: &mut T,
        response: CardResponse,
    ) -> io::Result<()> {
        stream.write_all(&response.encode().map_err(invalid)?).await?;
        stream.close().await
    }
}

/// Reads to the end, but never more than one byte beyond the bound: decoding refuses that byte.
async fn read_bounded<T: AsyncRead + Unpin + Send>(stream: &mut T, max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(max as u64 + 1).read_to_end(&mut bytes).await?;
    if bytes.len() > max {
        return Err(invalid("too long"));
    }
    Ok(bytes)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
