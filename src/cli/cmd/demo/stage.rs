//! The two people of the demonstration, their nodes, and the wire between them.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::api::{EventKind, Rpc};
use crate::base::{Millis, PeerId};
use crate::cli::error::{CliError, Result};
use crate::client::{self, Client, Heard, Node, Passphrase, Place, RunOptions};

use super::evidence::{Evidence, Needle};
use super::telling::bug;

/// What takes longer than this has failed.
pub(super) const DEADLINE: Millis = Millis::from_secs(30);

/// An envelope as the network saw it.
#[derive(Clone)]
pub(super) struct Envelope {
    /// `Alice → Bob`.
    pub(super) way: String,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
}

/// Everything that is there.
pub(super) struct Stage {
    /// Removed at the end, with all that is in it.
    folder: tempfile::TempDir,
    pub(super) alice: Person,
    pub(super) bob: Person,
    wire: Wire,
}

type Wire = Arc<Mutex<Vec<Envelope>>>;

impl Stage {
    /// A temporary folder with two new identities.
    pub(super) fn new() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("rohrpost-demo-")
            .tempdir()
            .map_err(|error| CliError::io("a temporary folder cannot be made", &error))?;
        let wire = Wire::default();
        let person = |name, other| Person::new(name, other, folder.path(), &wire);
        Ok(Self { alice: person("Alice", "Bob")?, bob: person("Bob", "Alice")?, wire, folder })
    }

    /// Where both profiles are.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What was sent so far.
    pub(super) fn envelopes(&self) -> Vec<Envelope> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Leaves a text in clear among the profiles, and looks whether it is found.
    pub(super) fn search_works(&self) -> Result<bool> {
        let text = "left in clear, on purpose";
        let path = self.folder().join("control");
        let io = |error| CliError::io("the temporary folder cannot be used", &error);
        std::fs::write(&path, format!("before {text} after")).map_err(io)?;
        let found = Evidence::collect(self.folder())?.find(&Needle::text(text)).is_some();
        std::fs::remove_file(&path).map_err(io)?;
        Ok(found)
    }
}

/// One of the two.
pub(super) struct Person {
    /// As shown.
    pub(super) name: &'static str,
    other: &'static str,
    place: Place,
    passphrase: Passphrase,
    pub(super) peer: PeerId,
    node: Option<Node>,
    wire: Wire,
    /// The last event seen.
    seen: u64,
}

impl Person {
    fn new(name: &'static str, other: &'static str, folder: &Path, wire: &Wire) -> Result<Self> {
        let place = Place::resolve(&name.to_lowercase(), Some(folder))?;
        let passphrase = Passphrase::new(format!("{name} keeps this to herself or himself"));
        let peer = client::create(&place, Some(&passphrase), Some(name))?.peer_id;
        Ok(Self { name, other, place, passphrase, peer, node: None, wire: Arc::clone(wire), seen: 0 })
    }

    /// Starts the node on loopback; what it sends is kept.
    pub(super) fn start(&mut self, bootstrap: Vec<String>) -> Result<()> {
        let (wire, way) = (Arc::clone(&self.wire), format!("{} → {}", self.name, self.other));
        let tap = move |bytes: &[u8]| {
            let envelope = Envelope { way: way.clone(), bytes: bytes.to_vec() };
            wire.lock().unwrap_or_else(PoisonError::into_inner).push(envelope);
        };
        let options = RunOptions {
            listen: Some(vec!["/ip4/127.0.0.1/tcp/0".to_owned()]),
            bootstrap: Some(bootstrap),
            mdns: Some(false),
            upnp: Some(false),
            tap: Some(Arc::new(tap)),
            brief: true,
            ..RunOptions::default()
        };
        self.node = Some(Node::start(&self.place, Some(&self.passphrase), options)?);
        Ok(())
    }

    /// Where the node listens.
    pub(super) fn addrs(&self) -> Vec<String> {
        self.node.as_ref().map(Node::addrs).unwrap_or_default()
    }

    /// Ends the node, if there is one.
    pub(super) fn stop(&mut self) -> Result<()> {
        match self.node.take() {
            Some(node) => Ok(node.shutdown()?),
            None => Ok(()),
        }
    }

    /// Asks the node, or the store where there is none.
    pub(super) fn ask<M: Rpc>(&mut self, params: &M::Params) -> Result<M::Result> {
        Ok(self.client()?.ask::<M>(params)?)
    }

    fn client(&self) -> Result<Client> {
        match &self.node {
            Some(node) => Ok(node.client()?),
            None => Ok(Client::open(&self.place, &mut || Ok(self.passphrase.clone()))?),
        }
    }

    /// Waits for an event, those already in the log included.
    #[expect(clippy::disallowed_methods, reason = "a deadline, so that a failure ends the demonstration")]
    pub(super) fn wait_for<T>(&mut self, what: &str, pick: impl Fn(&EventKind) -> Option<T>) -> Result<T> {
        let begin = Instant::now();
        let deadline = Duration::from_millis(DEADLINE.0);
        let mut events = self.client()?.events(Some(self.seen.into()))?;
        while let Some(left) = deadline.checked_sub(begin.elapsed()) {
            match events.next_timeout(left)? {
                Heard::Event(event) => {
                    self.seen = event.seq;
                    if let Some(found) = pick(&event.kind) {
                        return Ok(found);
                    }
                }
                Heard::TimedOut | Heard::Unread | Heard::Ended => break,
            }
        }
        Err(bug(format!("{} waited for {what} in vain", self.name)))
    }
}
