//! Accepts clients on the Unix socket.

use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connection;
use super::dispatch::Dispatcher;
use crate::api::rpc::{Id, Response};
use crate::api::{ApiError, Code};
use crate::base::limits::MAX_RPC_CLIENTS;

/// How long clients may take to read their last answers when the node ends.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// Pause after an error of `accept`: out of descriptors, it would fail again at once, and nothing tells when there are
/// some again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves clients until the node ends. What is returned are their connections, still open: closing them tells the
/// clients that the profile is free.
pub(crate) async fn serve(
    listener: UnixListener,
    dispatcher: Dispatcher,
    stop: watch::Receiver<bool>,
) -> Vec<UnixStream> {
    let mut stopped = stop.clone();
    let mut clients = JoinSet::new();
    let mut open = Vec::new();
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
            // Also when the node ends: a client may notice that before this loop does.
            Some(client) = clients.join_next() => {
                open.extend(client.ok().flatten());
                continue;
            }
        };
        match accepted {
            Ok((stream, _)) if !same_user(&stream) => tracing::warn!("a client of another user was refused"),
            Ok((stream, _)) if clients.len() >= MAX_RPC_CLIENTS => refuse(&stream),
            Ok((stream, _)) => {
                clients.spawn(connection::serve(stream, dispatcher.clone(), stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "no client could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(LAST_ANSWERS, async {
        while let Some(client) = clients.join_next().await {
            open.extend(client.ok().flatten());
        }
    })
    .await;
    open
}

/// Whether the client is a process of the user to whom the node belongs.
fn same_user(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| is_own(peer.uid()))
}

fn is_own(uid: u32) -> bool {
    uid == rustix::process::geteuid().as_raw()
}

fn refuse(stream: &UnixStream) {
    let error = ApiError::new(Code::TooManyClients, format!("the node serves {MAX_RPC_CLIENTS} clients already"));
    let line = Response { id: Id::NULL, outcome: Err(error) }.to_line() + "\n";
    // It has just been accepted: its buffer is empty.
    let _ = stream.try_write(line.as_bytes());
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
