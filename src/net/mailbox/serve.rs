//! Questions of others to our mailbox: each has a task of its own, from its first byte to the last of the answer.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

use super::super::addresses::is_circuit;
use super::super::budget::Who;
use super::super::origin::Origin;
use super::super::shared::Shared;
use super::super::streams::Inbound;
use super::super::{from_libp2p, lock, span};
use super::gate::{Gate, Shut};
use super::wire;
use crate::base::PeerId;
use crate::base::limits::{MAIL_ANSWER_TIMEOUT, MAIL_PLACE_WAIT, MAIL_TRANSFER_TIMEOUT, MAX_MAIL_WAIT};
use crate::envelope::border::Event;
use crate::envelope::mailbox::{Answer, Question};

/// What is open at our mailbox.
#[derive(Debug, Default)]
pub(in crate::net) struct Desk {
    gate: Mutex<Gate>,
    /// A place is free.
    room: Notify,
    waiting: Mutex<Waiting>,
    /// Questions of owners who wait for mail: one of each.
    held: Mutex<HashMap<PeerId, Held>>,
    /// How many places they have taken.
    #[cfg(test)]
    taken: tokio::sync::watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    map: HashMap<u64, Asked>,
}

/// A question that our node was asked.
#[derive(Debug)]
struct Asked {
    from: PeerId,
    /// Its place at the gate.
    place: u64,
    /// Whether it may be held.
    waits: bool,
    reply: oneshot::Sender<Said>,
}

/// What our node says to a question.
#[derive(Debug)]
enum Said {
    Answer(Vec<u8>),
    /// Nothing yet: it is held until this rings. Dropped when a newer one takes its place.
    Hold(oneshot::Receiver<()>),
}

/// A question that is held.
#[derive(Debug)]
struct Held {
    place: u64,
    ring: oneshot::Sender<()>,
}

impl Desk {
    /// The node's answer; ignored when nobody waits for it any more.
    pub(in crate::net) fn answer(&self, request: u64, answer: Vec<u8>) {
        if let Some(asked) = lock(&self.waiting).map.remove(&request) {
            let _ = asked.reply.send(Said::Answer(answer));
        }
    }

    /// The owner waits for mail: one question of each is held, the newest, if there is a place for it (MBX-82). It is held when
    /// this returns: nothing that is stored from here on is missed.
    pub(in crate::net) fn hold(&self, request: u64) {
        let Some(asked) = lock(&self.waiting).map.remove(&request) else { return };
        if let Some(older) = lock(&self.held).remove(&asked.from) {
            lock(&self.gate).leave(older.place);
        }
        if !asked.waits || !lock(&self.gate).hold(asked.place) {
            let _ = asked.reply.send(Said::Answer(answer(&Answer::Full { retry_after: retry_after() })));
            return;
        }
        let (ring, rung) = oneshot::channel();
        lock(&self.held).insert(asked.from, Held { place: asked.place, ring });
        #[cfg(test)]
        self.tell_taken();
        self.room.notify_waiters();
        if asked.reply.send(Said::Hold(rung)).is_err() {
            // Its task has just ended.
            self.release(asked.from, asked.place);
        }
    }

    /// Something was stored for this owner.
    pub(in crate::net) fn ring(&self, owner: &PeerId) {
        if let Some(held) = lock(&self.held).remove(owner) {
            let _ = held.ring.send(());
        }
    }

    /// How many questions are held.
    #[cfg(test)]
    pub(in crate::net) fn held(&self) -> usize {
        lock(&self.held).len()
    }

    #[cfg(test)]
    fn tell_taken(&self) {
        self.taken.send_replace(lock(&self.gate).held());
    }

    /// How many places are taken by them, as it changes.
    #[cfg(test)]
    pub(in crate::net) fn freed(&self) -> tokio::sync::watch::Receiver<usize> {
        self.taken.subscribe()
    }

    fn release(&self, owner: PeerId, place: u64) {
        let mut held = lock(&self.held);
        if held.get(&owner).is_some_and(|held| held.place == place) {
            held.remove(&owner);
        }
    }

    fn register(&self, from: PeerId, place: u64, waits: bool) -> (u64, oneshot::Receiver<Said>) {
        let (reply, said) = oneshot::channel();
        let mut waiting = lock(&self.waiting);
        waiting.last += 1;
        let request = waiting.last;
        waiting.map.insert(request, Asked { from, place, waits, reply });
        (request, said)
    }
}

/// When to come again because no more questions are held: one of those that are has ended by then.
#[allow(clippy::cast_possible_truncation)] // Some minutes.
const fn retry_after() -> u32 {
    (MAX_MAIL_WAIT.0 / 1000) as u32
}

/// It has no field that could be out of bounds.
fn answer(answer: &Answer) -> Vec<u8> {
    answer.encode().unwrap_or_default()
}

/// The place of one question; given back when it is dropped, however the task ends.
struct Place {
    shared: Arc<Shared>,
    from: PeerId,
    id: u64,
    request: Option<u64>,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.shared.desk.gate).leave(self.id);
        self.shared.desk.release(self.from, self.id);
        self.shared.desk.room.notify_waiters();
        #[cfg(test)]
        self.shared.desk.tell_taken();
        if let Some(request) = self.request {
            lock(&self.shared.desk.waiting).map.remove(&request);
        }
    }
}

/// Takes a stream, if there is room for it, or will be in a moment: an asker who has his answer puts the next question before
/// we have heard that he has it. Otherwise the stream is dropped, which resets it.
pub(in crate::net) fn take(shared: &Arc<Shared>, inbound: Inbound) {
    let Some(from) = from_libp2p(&inbound.peer) else { return };
    let who = shared.who(from, Origin::of(&inbound.remote));
    let entered = enter(shared, who);
    let waits = if entered == Err(Shut::Full) { lock(&shared.desk.gate).wait(who) } else { None };
    if entered.is_err() && waits.is_none() {
        tracing::debug!("a question to the mailbox too many");
        return;
    }
    let shared = Arc::clone(shared);
    let busy = shared.activity.begin(inbound.connection);
    tokio::spawn(async move {
        let _busy = busy;
        let id = match waits {
            None => entered.ok(),
            Some(waits) => wait(&shared, who, waits).await,
        };
        let Some(id) = id else { return };
        let place = Place { shared, from, id, request: None };
        if let Err(error) = serve(place, from, inbound).await {
            // Not who: a mailbox keeps no record of who asks (MBX-40).
            tracing::debug!(%error, "a question to the mailbox failed");
        }
    });
}

fn enter(shared: &Shared, who: Who) -> Result<u64, Shut> {
    lock(&shared.desk.gate).enter(who, Instant::now())
}

/// Waits for a place, not for long. `waits` is the number under which it does.
async fn wait(shared: &Shared, who: Who, waits: u64) -> Option<u64> {
    let place = async {
        loop {
            let mut room = pin!(shared.desk.room.notified());
            // So that none is missed that comes free from here on.
            room.as_mut().enable();
            match enter(shared, who) {
                Ok(id) => return Some(id),
                Err(Shut::TooMany) => return None,
                Err(Shut::Full) => room.await,
            }
        }
    };
    let place = timeout(span(MAIL_PLACE_WAIT), place).await;
    lock(&shared.desk.gate).leave(waits);
    place.ok().flatten()
}

async fn serve(mut place: Place, from: PeerId, mut inbound: Inbound) -> io::Result<()> {
    // MBX-71
    let question = timeout(span(MAIL_TRANSFER_TIMEOUT), wire::read_question(&mut inbound.stream)).await??;
    let shared = Arc::clone(&place.shared);
    let patience = Question::patience(&question);
    // NET-61: relays have few circuits, and none is kept for somebody who waits.
    let waits = patience.is_some() && !is_circuit(&inbound.remote);
    let (request, said) = shared.desk.register(from, place.id, waits);
    place.request = Some(request);
    let said = async {
        // A node that no longer listens has stopped.
        let event = Event::Mail { from, request, question };
        shared.lane(&from).send(event).await.map_err(io::Error::other)?;
        said.await.map_err(io::Error::other)
    };
    let answer = match timeout(span(MAIL_ANSWER_TIMEOUT), said).await?? {
        Said::Answer(answer) => answer,
        Said::Hold(rung) => {
            let patience = patience.unwrap_or_default().min(MAX_MAIL_WAIT);
            tokio::select! {
                rung = timeout(span(patience), rung) => answer(&Answer::Waited { came: matches!(rung, Ok(Ok(()))) }),
                // MBX-83: nobody is there any more who could be told.
                () = inbound.gone.wait() => return Ok(()),
            }
        }
    };
    timeout(span(MAIL_TRANSFER_TIMEOUT), wire::write(&mut inbound.stream, &answer)).await?
}
