//! Accepts clients on the Unix socket, and sees that it stays where it is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

use super::connection::{self, Seat};
use super::dispatch::Dispatcher;
use super::errors;
use super::place::Place;
use super::socket::{self, Bound, SocketFile};
use super::whereabouts::{Address, Whereabouts};
use crate::api::ApiError;
use crate::base::limits::{MAX_RPC_CLIENTS, MAX_RPC_SPARES};
use crate::store::ProfileLock;

/// How long clients may take to read their last answers when the node ends.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// Pause after an error of `accept`: out of descriptors, it would fail again at once, and nothing tells when there are
/// some again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often is looked whether the socket is still there. Whoever cleans up tells nobody, and commands wait longer than this.
const LOOK: Duration = Duration::from_secs(2);

/// The door of a node: clients come in by it, and it is made anew when it is gone.
pub(crate) struct Door {
    place: Place,
    lock: Arc<ProfileLock>,
    address: Arc<Address>,
    listener: UnixListener,
    file: SocketFile,
}

impl Door {
    /// Binds the socket, and writes down beside the lock where it is.
    pub(crate) fn open(place: &Place, lock: Arc<ProfileLock>, address: Arc<Address>) -> Result<Self, ApiError> {
        let (listener, file) = bind(place)?;
        let door = Self { place: place.clone(), lock, address, listener, file };
        door.tell();
        Ok(door)
    }

    fn tell(&self) {
        let socket = self.file.path().to_owned();
        let told = Whereabouts { nonce: self.address.nonce.clone(), socket: socket.clone() };
        self.address.is_at(socket);
        self.lock.tell(&told.to_bytes(&self.place.dir));
    }

    /// Makes the socket anew when its file is gone.
    fn look_after(&mut self) {
        if self.file.is_there() {
            return;
        }
        match bind(&self.place) {
            Ok((listener, file)) => {
                self.file.is_gone();
                (self.listener, self.file) = (listener, file);
                self.tell();
                tracing::warn!(at = %self.file.path().display(), "the socket was removed, and is made anew");
            }
            Err(error) => tracing::warn!(%error, "the socket was removed, and cannot be made anew"),
        }
    }
}

fn bind(place: &Place) -> Result<(UnixListener, SocketFile), ApiError> {
    let Bound { listener, file } = socket::bind(place)?;
    let listener = UnixListener::from_std(listener).map_err(|error| errors::io(file.path(), &error))?;
    Ok((listener, file))
}

/// What is left when the node ends.
pub(crate) struct Served {
    /// The connections of clients, still open: closing them tells the clients that the profile is free.
    pub(crate) clients: Vec<UnixStream>,
    /// The file of the socket, on which nobody listens any more.
    pub(crate) file: SocketFile,
}

/// Serves clients until the node ends.
pub(crate) async fn serve(mut door: Door, dispatcher: Dispatcher, stop: watch::Receiver<bool>) -> Served {
    let mut stopped = stop.clone();
    let mut clients = Clients::default();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            accepted = door.listener.accept() => accepted,
            // Also when the node ends: a client may notice that before this loop does.
            () = clients.ended() => continue,
            _ = look.tick() => {
                door.look_after();
                continue;
            }
        };
        match accepted {
            Ok((stream, _)) if !same_user(&stream) => tracing::warn!("a client of another user was refused"),
            Ok((stream, _)) => {
                clients.begin(|seat| connection::serve(stream, dispatcher.clone(), stop.clone(), seat));
            }
            Err(error) => {
                tracing::warn!(%error, "no client could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    let Door { listener, file, .. } = door;
    drop(listener);
    let _ = tokio::time::timeout(LAST_ANSWERS, async {
        while !clients.is_empty() {
            clients.ended().await;
        }
    })
    .await;
    Served { clients: clients.open, file }
}

/// Those who are connected.
#[derive(Default)]
struct Clients {
    served: JoinSet<Option<UnixStream>>,
    spare: JoinSet<Option<UnixStream>>,
    /// The spare ones, in the order in which they came.
    order: VecDeque<AbortHandle>,
    /// Connections that the end of the node left open.
    open: Vec<UnixStream>,
}

impl Clients {
    /// Begins to serve one: with everything, if there is a place.
    fn begin<F: Future<Output = Option<UnixStream>> + Send + 'static>(&mut self, serve: impl FnOnce(Seat) -> F) {
        // Who has gone has left his place.
        while let Some(client) = self.served.try_join_next() {
            self.open.extend(client.ok().flatten());
        }
        if self.served.len() < MAX_RPC_CLIENTS {
            self.served.spawn(serve(Seat::Whole));
            return;
        }
        self.order.retain(|spare| !spare.is_finished());
        if self.order.len() >= MAX_RPC_SPARES
            && let Some(longest) = self.order.pop_front()
        {
            longest.abort();
        }
        self.order.push_back(self.spare.spawn(serve(Seat::Spare)));
    }

    /// Waits until one of them has ended; for ever, when there is none.
    async fn ended(&mut self) {
        let ended = tokio::select! {
            Some(client) = self.served.join_next() => client,
            Some(client) = self.spare.join_next() => client,
            else => std::future::pending().await,
        };
        self.open.extend(ended.ok().flatten());
    }

    fn is_empty(&self) -> bool {
        self.served.is_empty() && self.spare.is_empty()
    }
}

/// Whether the client is a process of the user to whom the node belongs.
fn same_user(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| is_own(peer.uid()))
}

fn is_own(uid: u32) -> bool {
    uid == rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_user_is_served() {
        let me = rustix::process::geteuid().as_raw();
        assert!(is_own(me) && !is_own(me + 1));
    }
}
