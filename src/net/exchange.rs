//! The card protocol: asks peers for their card, and takes their questions to the node. Each question has a stream and a task
//! of its own, within 10 s on both sides (NET-34).

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use futures::AsyncReadExt;
use libp2p::Stream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::budget::{Budget, Who};
use super::origin::Origin;
use super::places::Permit;
use super::shared::{Shared, hand_over};
use super::streams::{Inbound, write};
use super::{from_libp2p, lock, span};
use crate::base::PeerId;
use crate::base::limits::{CARD_TIMEOUT, CARDS, MAX_CARD_RESPONSE, PREKEYS};
use crate::envelope::border::Event;
use crate::envelope::exchange::{CardRequest, CardResponse, REQUEST_LEN};

/// A question of ours. The permit is held until its outcome is told.
pub(super) struct Fetch {
    pub(super) peer: PeerId,
    pub(super) ticket: u64,
    pub(super) want_prekey: bool,
    pub(super) permit: Permit,
}

impl Fetch {
    /// Puts it on the stream that comes, and tells the outcome; the permits bound these tasks.
    pub(super) async fn put(self, shared: Arc<Shared>, stream: oneshot::Receiver<Stream>) {
        let Self { peer, ticket, want_prekey, permit } = self;
        let answered = timeout(span(CARD_TIMEOUT), async {
            let mut stream = stream.await.map_err(io::Error::other)?;
            write(&mut stream, &CardRequest { want_prekey }.encode()).await?;
            CardResponse::decode(&read(&mut stream, MAX_CARD_RESPONSE).await?).map_err(invalid)
        });
        let event = match answered.await.map_err(io::Error::from).flatten() {
            Ok(CardResponse { card, prekey }) => Event::Bundle { peer, ticket, card, prekey },
            Err(error) => {
                tracing::debug!(%error, "a card question failed");
                Event::BundleFailed { peer, ticket }
            }
        };
        hand_over(shared.lanes.contacts.clone(), event, permit).await;
    }
}

/// The questions of peers that wait for our node's answer.
#[derive(Debug)]
pub(super) struct Cards(Mutex<Asked>);

#[derive(Debug)]
struct Asked {
    last: u64,
    places: Budget<u64>,
    prekeys: Budget,
    replies: HashMap<u64, oneshot::Sender<Vec<u8>>>,
}

impl Default for Cards {
    fn default() -> Self {
        let (places, prekeys) = (Budget::new(CARDS), Budget::new(PREKEYS));
        Self(Mutex::new(Asked { last: 0, places, prekeys, replies: HashMap::new() }))
    }
}

/// The place of one question; given back when it is dropped, however the task ends.
struct Place<'a> {
    cards: &'a Cards,
    request: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let asked = &mut *lock(&self.cards.0);
        asked.places.leave(&self.request);
        asked.replies.remove(&self.request);
    }
}

impl Cards {
    /// The node's answer; ignored when nobody waits for it any more.
    pub(super) fn answer(&self, request: u64, response: &CardResponse) {
        let Ok(response) = response.encode() else {
            return tracing::warn!(request, "a card question stays unanswered");
        };
        if let Some(reply) = lock(&self.0).replies.remove(&request) {
            // The peer no longer waits.
            let _ = reply.send(response);
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        let asked = lock(&self.0);
        asked.places.held().len() + asked.replies.len()
    }

    /// Lets a question in, unless there are too many, and says what is answered to it.
    fn enter(&self, who: Who) -> Option<(Place<'_>, oneshot::Receiver<Vec<u8>>)> {
        let asked = &mut *lock(&self.0);
        let request = asked.last + 1;
        if !asked.places.take(&who, Instant::now()) || asked.places.enter(request, who).is_err() {
            return None;
        }
        let (reply, response) = oneshot::channel();
        asked.replies.insert(request, reply);
        asked.last = request;
        Some((Place { cards: self, request }, response))
    }

    /// Takes a peer's question to the node, and the answer to him, as long as he is there. When there are too many the stream is
    /// dropped, which tells him.
    pub(super) async fn serve(self: Arc<Self>, shared: Arc<Shared>, mut inbound: Inbound) {
        let mut gone = inbound.gone.clone();
        let served = timeout(span(CARD_TIMEOUT), self.take(&shared, &mut inbound));
        tokio::select! {
            served = served => if let Err(error) = served.map_err(io::Error::from).flatten() {
                tracing::debug!(%error, "a card question of a peer failed");
            },
            _ = gone.changed() => {}
        }
    }

    async fn take(&self, shared: &Shared, inbound: &mut Inbound) -> io::Result<()> {
        let from = from_libp2p(&inbound.peer).ok_or_else(|| invalid("a key of another kind"))?;
        let question = CardRequest::decode(&read(&mut inbound.stream, REQUEST_LEN).await?).map_err(invalid)?;
        let _busy = shared.activity.begin(inbound.connection);
        let who = shared.who(from, Origin::of(&inbound.remote));
        let (place, response) = self.enter(who).ok_or_else(|| io::Error::other("too many"))?;
        // NET-33: beyond the rate there is still a card, but no prekey.
        let want_prekey = question.want_prekey && lock(&self.0).prekeys.take(&who, Instant::now());
        let event = Event::BundleRequested { from, request: place.request, want_prekey };
        // A node that no longer listens has stopped.
        shared.lane(&from).send(event).await.map_err(io::Error::other)?;
        write(&mut inbound.stream, &response.await.map_err(io::Error::other)?).await
    }
}

/// Reads to the end, but never more than one byte beyond the bound: decoding refuses that byte.
async fn read(stream: &mut Stream, max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(max as u64 + 1).read_to_end(&mut bytes).await?;
    if bytes.len() > max { Err(invalid("too long")) } else { Ok(bytes) }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
