//! Takes questions of others to our node: each has a task of its own, from its first byte to the last of the answer.

use std::io;
use std::sync::Arc;

use tokio::time::timeout;

use super::super::addresses::is_circuit;
use super::super::origin::Origin;
use super::super::shared::Shared;
use super::super::streams::{Inbound, write};
use super::super::{from_libp2p, span};
use super::desk::{Desk, Said, answer};
use super::gate::Shut;
use super::wire;
use crate::base::PeerId;
use crate::base::limits::{MAIL_ANSWER_TIMEOUT, MAIL_TRANSFER_TIMEOUT, MAX_MAIL_WAIT};
use crate::envelope::border::Event;
use crate::envelope::mailbox::{Answer, Question};

/// The place of one question; given back when it is dropped, however the task ends.
struct Place {
    desk: Arc<Desk>,
    from: PeerId,
    origin: Option<Origin>,
    id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.desk.leave(self.from, self.id);
    }
}

/// Takes a stream, if there is room for it, or will be in a moment: an asker who has his answer puts the next question before
/// we have heard that he has it. Otherwise the stream is dropped, which resets it.
pub(in crate::net) fn take(shared: &Arc<Shared>, desk: &Arc<Desk>, inbound: Inbound) {
    let Some(from) = from_libp2p(&inbound.peer) else { return };
    let who = shared.who(from, Origin::of(&inbound.remote));
    let entered = desk.enter(who);
    let waits = if entered == Err(Shut::Full) { desk.queue(who) } else { None };
    if entered.is_err() && waits.is_none() {
        tracing::debug!("a question to the mailbox too many");
        return;
    }
    let (shared, desk) = (Arc::clone(shared), Arc::clone(desk));
    let busy = shared.activity.begin(inbound.connection);
    tokio::spawn(async move {
        let _busy = busy;
        let id = match waits {
            None => entered.ok(),
            Some(waits) => desk.wait(who, waits).await,
        };
        let Some(id) = id else { return };
        let place = Place { desk, from, origin: who.address, id };
        if let Err(error) = serve(&shared, place, inbound).await {
            // Not who: a mailbox keeps no record of who asks (MBX-40).
            tracing::debug!(%error, "a question to the mailbox failed");
        }
    });
}

async fn serve(shared: &Shared, place: Place, mut inbound: Inbound) -> io::Result<()> {
    // MBX-71
    let question = timeout(span(MAIL_TRANSFER_TIMEOUT), wire::read(&mut inbound.stream, Question::body_len)).await??;
    let from = place.from;
    let patience = Question::patience(&question);
    // NET-61: relays have few circuits, and none is kept for somebody who waits.
    let waits = patience.is_some() && !is_circuit(&inbound.remote);
    let said = place.desk.register(from, place.id, waits);
    let said = async {
        // A node that no longer listens has stopped.
        let event = Event::Mail { from, origin: place.origin, request: place.id, question };
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
                _ = inbound.gone.changed() => return Ok(()),
            }
        }
    };
    timeout(span(MAIL_TRANSFER_TIMEOUT), write(&mut inbound.stream, &answer)).await?
}
