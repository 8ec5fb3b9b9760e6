//! Questions of others to our mailbox: each has a task of its own, from its first byte to the last of the answer.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::super::event::NetEvent;
use super::super::origin::Origin;
use super::super::shared::Shared;
use super::super::streams::Inbound;
use super::super::{from_libp2p, lock, span};
use super::gate::{Gate, Shut};
use super::wire;
use crate::base::PeerId;
use crate::base::limits::{MAIL_ANSWER_TIMEOUT, MAIL_PLACE_WAIT, MAIL_TRANSFER_TIMEOUT};

/// What is open at our mailbox.
#[derive(Debug, Default)]
pub(in crate::net) struct Desk {
    gate: Mutex<Gate>,
    /// A place is free.
    room: Notify,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    map: HashMap<u64, oneshot::Sender<Vec<u8>>>,
}

impl Desk {
    /// The node's answer; ignored when nobody waits for it any more.
    pub(in crate::net) fn answer(&self, request: u64, answer: Vec<u8>) {
        if let Some(waiting) = lock(&self.waiting).map.remove(&request) {
            let _ = waiting.send(answer);
        }
    }

    fn register(&self) -> (u64, oneshot::Receiver<Vec<u8>>) {
        let (reply, answer) = oneshot::channel();
        let mut waiting = lock(&self.waiting);
        waiting.last += 1;
        let request = waiting.last;
        waiting.map.insert(request, reply);
        (request, answer)
    }
}

/// The place of one question; given back when it is dropped, however the task ends.
struct Place {
    shared: Arc<Shared>,
    id: u64,
    request: Option<u64>,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.shared.desk.gate).leave(self.id);
        self.shared.desk.room.notify_waiters();
        if let Some(request) = self.request {
            lock(&self.shared.desk.waiting).map.remove(&request);
        }
    }
}

/// Takes a stream, if there is room for it, or will be in a moment: an asker who has his answer puts the next question before
/// we have heard that he has it. Otherwise the stream is dropped, which resets it.
pub(in crate::net) fn take(shared: &Arc<Shared>, inbound: Inbound) {
    let Some(from) = from_libp2p(&inbound.peer) else { return };
    let origin = Origin::of(&inbound.remote);
    let entered = enter(shared, from, origin);
    let waits = entered == Err(Shut::Full) && lock(&shared.desk.gate).wait(origin);
    if entered.is_err() && !waits {
        tracing::debug!("a question to the mailbox too many");
        return;
    }
    let shared = Arc::clone(shared);
    let busy = shared.activity.begin(inbound.connection);
    tokio::spawn(async move {
        let _busy = busy;
        let place = match entered {
            Ok(id) => Place { shared, id, request: None },
            Err(_) => match wait(&shared, from, origin).await {
                Some(id) => Place { shared, id, request: None },
                None => return,
            },
        };
        if let Err(error) = serve(place, from, inbound).await {
            // Not who: a mailbox keeps no record of who asks (MBX-40).
            tracing::debug!(%error, "a question to the mailbox failed");
        }
    });
}

fn enter(shared: &Shared, from: PeerId, origin: Option<Origin>) -> Result<u64, Shut> {
    lock(&shared.desk.gate).enter(from, shared.is_contact(&from), origin, shared.micros())
}

/// Waits for a place, not for long.
async fn wait(shared: &Shared, from: PeerId, origin: Option<Origin>) -> Option<u64> {
    let place = async {
        loop {
            let mut room = pin!(shared.desk.room.notified());
            // So that none is missed that comes free from here on.
            room.as_mut().enable();
            match enter(shared, from, origin) {
                Ok(id) => return Some(id),
                Err(Shut::TooMany) => return None,
                Err(Shut::Full) => room.await,
            }
        }
    };
    let place = timeout(span(MAIL_PLACE_WAIT), place).await;
    lock(&shared.desk.gate).waited(origin);
    place.ok().flatten()
}

async fn serve(mut place: Place, from: PeerId, mut inbound: Inbound) -> io::Result<()> {
    let stream = &mut inbound.stream;
    // MBX-71
    let question = timeout(span(MAIL_TRANSFER_TIMEOUT), wire::read_question(stream)).await??;
    let shared = Arc::clone(&place.shared);
    let (request, answer) = shared.desk.register();
    place.request = Some(request);
    let answered = async {
        // A node that no longer listens has stopped.
        let event = NetEvent::MailAsked { from, request, question };
        shared.lane(&from).send(event).await.map_err(io::Error::other)?;
        answer.await.map_err(io::Error::other)
    };
    let answer = timeout(span(MAIL_ANSWER_TIMEOUT), answered).await??;
    timeout(span(MAIL_TRANSFER_TIMEOUT), wire::write(stream, &answer)).await?
}
