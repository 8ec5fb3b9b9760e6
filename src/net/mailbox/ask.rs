//! Our own questions to mailboxes (MBX-74), as ourselves, over the connection that everything goes over.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Weak};

use libp2p::{Multiaddr, Stream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::super::places::Permit;
use super::super::shared::{Shared, hand_over};
use super::super::span;
use super::super::streams::{self, Reply};
use super::wire;
use crate::base::limits::{MAIL_DEADLINE, MAIL_TIMEOUT, MAX_MAIL_PARALLEL, MAX_MAIL_QUESTIONS};
use crate::base::{Millis, PeerId};
use crate::envelope::border::Event;
use crate::envelope::mailbox;

/// A question of ours. It holds its permit until its one outcome is told.
#[derive(Debug)]
pub(in crate::net) struct Question {
    pub(in crate::net) ticket: u64,
    pub(in crate::net) mailbox: PeerId,
    pub(in crate::net) addrs: Vec<Multiaddr>,
    pub(in crate::net) bytes: Vec<u8>,
    /// When it has failed, whatever it waits for.
    deadline: Instant,
    /// For how long the mailbox may hold it.
    patience: Option<Millis>,
    permit: Permit,
}

impl Question {
    pub(in crate::net) fn new(
        ticket: u64,
        mailbox: PeerId,
        addrs: Vec<Multiaddr>,
        bytes: Vec<u8>,
        permit: Permit,
    ) -> Self {
        let patience = mailbox::Question::patience(&bytes);
        let deadline = Instant::now() + span(MAIL_DEADLINE) + span(patience.unwrap_or_default());
        Self { ticket, mailbox, addrs, bytes, deadline, patience, permit }
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Puts it on the stream that comes, and tells the outcome.
    pub(super) async fn put(self, shared: &Shared, stream: oneshot::Receiver<Stream>) {
        let answered = timeout_at(self.deadline, async {
            let mut stream = stream.await.map_err(io::Error::other)?;
            let longest = span(MAIL_TIMEOUT) + span(self.patience.unwrap_or_default());
            let exchange = async {
                streams::write(&mut stream, &self.bytes).await?;
                wire::read(&mut stream, mailbox::Answer::body_len).await
            };
            timeout(longest, exchange).await?
        });
        let answer = answered.await.map_err(io::Error::from).flatten();
        let answer = answer.inspect_err(|error| tracing::debug!(%error, "a mailbox did not answer")).ok();
        self.tell(shared, answer).await;
    }

    /// Tells the outcome; waits for the lane, so only in tasks that the permits bound.
    pub(super) async fn tell(self, shared: &Shared, answer: Option<Vec<u8>>) {
        let Self { ticket, mailbox, permit, .. } = self;
        let event = match answer {
            Some(answer) => Event::MailAnswered { mailbox, ticket, answer },
            None => Event::MailFailed { mailbox, ticket },
        };
        hand_over(shared.lanes.contacts.clone(), event, permit).await;
    }
}

/// A stream to a mailbox is wanted of the swarm task; the reply is dropped when there will be none.
#[derive(Debug)]
pub(in crate::net) struct Want {
    pub(in crate::net) mailbox: PeerId,
    pub(in crate::net) addrs: Vec<Multiaddr>,
    /// Only by a direct connection that stands: what waits for mail dials nobody, and keeps no circuit.
    pub(in crate::net) as_it_is: bool,
    pub(in crate::net) reply: Reply,
}

/// Our questions as ourselves.
pub(in crate::net) struct Asks {
    shared: Arc<Shared>,
    /// The places of each mailbox, shared by the tasks of its questions.
    lines: HashMap<PeerId, Weak<Semaphore>>,
    wants: mpsc::Sender<Want>,
    /// For mailboxes that are being dialled.
    waiting: HashMap<PeerId, Vec<Reply>>,
}

impl Asks {
    /// With the streams that are wanted.
    pub(in crate::net) fn new(shared: Arc<Shared>) -> (Self, mpsc::Receiver<Want>) {
        let (wants, wanted) = mpsc::channel(MAX_MAIL_QUESTIONS);
        (Self { shared, lines: HashMap::new(), wants, waiting: HashMap::new() }, wanted)
    }

    /// Begins a question; the permits bound these tasks.
    pub(in crate::net) fn ask(&mut self, mut question: Question) {
        let (line, wants, shared) = (self.line(question.mailbox), self.wants.clone(), Arc::clone(&self.shared));
        tokio::spawn(async move {
            let as_it_is = question.patience.is_some();
            // MBX-74: what is held takes no place of those that are answered at once.
            let turn = async { if as_it_is { None } else { line.acquire().await.ok() } };
            let turn = timeout_at(question.deadline, turn).await;
            let (reply, stream) = oneshot::channel();
            if turn.is_ok() {
                let addrs = std::mem::take(&mut question.addrs);
                // When it is not taken, the reply is dropped.
                let _ = wants.send(Want { mailbox: question.mailbox, addrs, as_it_is, reply }).await;
            } else {
                drop(reply);
            }
            question.put(&shared, stream).await;
        });
    }

    /// Keeps a reply until the mailbox is connected.
    pub(in crate::net) fn wait(&mut self, mailbox: PeerId, reply: Reply) {
        let waiting = self.waiting.entry(mailbox).or_default();
        // Those whose deadline has passed.
        waiting.retain(|reply| !reply.is_closed());
        waiting.push(reply);
    }

    /// The replies that waited for this peer; dropped, they say that there is no connection.
    pub(in crate::net) fn waiting(&mut self, mailbox: &PeerId) -> Vec<Reply> {
        self.waiting.remove(mailbox).unwrap_or_default()
    }

    #[cfg(test)]
    pub(in crate::net) fn count(&self) -> usize {
        self.waiting.len()
    }

    fn line(&mut self, mailbox: PeerId) -> Arc<Semaphore> {
        self.lines.retain(|_, line| line.strong_count() > 0);
        let line = self.lines.get(&mailbox).and_then(Weak::upgrade);
        line.unwrap_or_else(|| {
            let line = Arc::new(Semaphore::new(MAX_MAIL_PARALLEL));
            self.lines.insert(mailbox, Arc::downgrade(&line));
            line
        })
    }
}
