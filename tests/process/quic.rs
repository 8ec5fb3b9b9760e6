//! Loads over QUIC: libp2p's own transport with nothing of `rohrpost::net` above it, and datagrams made by hand.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::AsyncWriteExt;
use libp2p::Transport;
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox};
use libp2p::core::transport::{DialOpts, ListenerId, PortUse};
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::quic;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rohrpost::base::limits::MAX_STRANGER_CONNECTIONS;
use serde_json::json;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};

use crate::load::{from, say};
use crate::node::PATIENCE;
use crate::stranger::{Manner, Target, decline, spelled};

/// Streams that each connection is asked for, more than it may have.
const STREAMS: usize = 100;
/// How many of these only begin to agree upon a protocol: as long as so many do, the others are not even looked at.
const SILENT: usize = 16;
/// Sockets from which garbage comes.
const SOCKETS: usize = 8;

/// A connection that is kept as long as this lives.
struct QuicLine {
    opens: mpsc::Sender<oneshot::Sender<SubstreamBox>>,
}

impl QuicLine {
    /// Connects as somebody new, from this address of the local network.
    async fn connect(to: SocketAddr, origin: [u8; 4]) -> io::Result<Self> {
        let mut transport =
            quic::tokio::Transport::new(quic::Config::new(&libp2p::identity::Keypair::generate_ed25519()));
        // Whoever listens dials from there.
        let own = addr(SocketAddr::from((origin, 0)));
        transport.listen_on(ListenerId::next(), own).map_err(io::Error::other)?;
        let opts = DialOpts { role: Endpoint::Dialer, port_use: PortUse::Reuse };
        let dial = transport.dial(addr(to), opts).map_err(io::Error::other)?;
        let (_, connection) = dial.await.map_err(io::Error::other)?;
        let (opens, wanted) = mpsc::channel(1);
        tokio::spawn(drive(StreamMuxerBox::new(connection), wanted, transport));
        Ok(Self { opens })
    }

    fn is_open(&self) -> bool {
        !self.opens.is_closed()
    }

    /// A stream on which nothing has been said, when there is room for one.
    async fn raw(&self) -> io::Result<SubstreamBox> {
        let gone = || io::Error::from(io::ErrorKind::NotConnected);
        let (reply, stream) = oneshot::channel();
        self.opens.send(reply).await.map_err(|_| gone())?;
        stream.await.map_err(|_| gone())
    }
}

fn addr(socket: SocketAddr) -> Multiaddr {
    format!("/ip4/{}/udp/{}/quic-v1", socket.ip(), socket.port()).parse().unwrap()
}

/// Looks after a connection: opens streams, and turns down those that the node opens, politely.
async fn drive(
    mut connection: StreamMuxerBox,
    mut wanted: mpsc::Receiver<oneshot::Sender<SubstreamBox>>,
    _transport: quic::tokio::Transport,
) {
    let mut waiting: Option<oneshot::Sender<SubstreamBox>> = None;
    poll_fn(|cx| {
        loop {
            if waiting.is_none() {
                match wanted.poll_recv(cx) {
                    Poll::Ready(Some(reply)) => waiting = Some(reply),
                    Poll::Ready(None) => return Poll::Ready(()),
                    Poll::Pending => {}
                }
            }
            if waiting.is_some() {
                match connection.poll_outbound_unpin(cx) {
                    Poll::Ready(Ok(stream)) => {
                        // Who gave up waiting drops it.
                        let _ = waiting.take().unwrap().send(stream);
                        continue;
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => {}
                }
            }
            if let Poll::Ready(Err(_)) = connection.poll_unpin(cx) {
                return Poll::Ready(());
            }
            match connection.poll_inbound_unpin(cx) {
                Poll::Ready(Ok(stream)) => {
                    tokio::spawn(decline(stream, Arc::default(), Manner::Polite));
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
}

/// Connections on which nothing is said, all held: two thirds from one address, the others each from its own.
pub async fn connections(count: u64, target: Target) {
    let (mut held, mut failed) = (Vec::new(), 0);
    for number in 0..count {
        let origin = if number % 3 == 0 { from(number) } else { [127, 0, 0, 1] };
        match QuicLine::connect(target.addr, origin).await {
            Ok(line) => held.push((line, number % 3 != 0)),
            Err(_) => failed += 1,
        }
    }
    // That one was turned away comes to light after its handshake.
    let open = |held: &[(QuicLine, bool)]| {
        let open = held.iter().filter(|(line, _)| line.is_open());
        open.fold((0, 0), |(all, near), (_, is_near)| (all + 1, near + usize::from(*is_near)))
    };
    let settled = async {
        while open(&held).0 > MAX_STRANGER_CONNECTIONS || open(&held).1 > 32 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let _ = tokio::time::timeout(PATIENCE, settled).await;
    let (all, near) = open(&held);
    say(
        &json!({"event": "attacking", "opened": held.len(), "failed": failed, "still_open": all, "of_one_address": near}),
    );
    std::future::pending::<()>().await;
}

/// Handshakes of which only the first datagram ever comes: true ones, taken from dials to ourselves, and passed on from
/// another address, to which the answers go in vain.
pub async fn half_open(count: u64, target: Target) {
    let relay = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let here = relay.local_addr().unwrap();
    let (mut sockets, mut seen, mut datagram) = (Vec::new(), BTreeSet::new(), [0; 2048]);
    for number in 0..count {
        let dial = tokio::spawn(QuicLine::connect(here, [127, 0, 0, 1]));
        let (length, _) = loop {
            let (length, dialler) = relay.recv_from(&mut datagram).await.unwrap();
            // What comes later is a second try, or a farewell.
            if seen.insert(dialler.port()) {
                break (length, dialler);
            }
        };
        dial.abort();
        let origin = if number % 3 == 0 { from(number) } else { [127, 0, 0, 1] };
        let socket = UdpSocket::bind(SocketAddr::from((origin, 0))).await.unwrap();
        socket.send_to(&datagram[..length], target.addr).await.unwrap();
        sockets.push(socket);
        // Ports of dials that are over are given out again.
        if seen.len() > 1_000 {
            seen.clear();
            while relay.try_recv_from(&mut datagram).is_ok() {}
        }
    }
    let answered = sockets.iter().filter(|socket| socket.try_recv_from(&mut datagram).is_ok()).count();
    say(&json!({"event": "attacking", "begun": sockets.len(), "answered": answered}));
    std::future::pending::<()>().await;
}

/// Datagrams that mean nothing: noise, first packets that do not open, versions that nobody speaks, connections that
/// nobody has. They go on until the end.
pub async fn garbage(count: u64, target: Target) {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let mut sockets = Vec::new();
    for number in 0..SOCKETS as u64 {
        sockets.push(UdpSocket::bind(SocketAddr::from((from(number), 0))).await.unwrap());
    }
    let (mut sent, mut turn) = (0_u64, (0..SOCKETS).cycle());
    loop {
        let mut datagram = vec![0; 1 + rng.next_u32() as usize % 1_400];
        rng.fill_bytes(&mut datagram);
        match sent % 4 {
            0 => {}
            // A first packet of version 1 has at least 1,200 bytes, and names of 8 bytes on either side.
            1 => {
                datagram.resize(1_200, 0);
                datagram[..6].copy_from_slice(&[0xc3, 0, 0, 0, 1, 8]);
                datagram[14] = 8;
                datagram[23..26].copy_from_slice(&[0, 0x44, 0x96]);
            }
            2 => {
                datagram.resize(1_200, 0);
                datagram[0] |= 0xc0;
            }
            _ => datagram[0] = 0x40 | datagram[0] & 0x3f,
        }
        // A full buffer of our own is no reason to stop.
        let _ = sockets[turn.next().unwrap()].send_to(&datagram, target.addr).await;
        sent += 1;
        if sent == count {
            say(&json!({"event": "attacking", "sent": sent}));
        }
        if sent.is_multiple_of(100) {
            // The load's own pace: nobody tells when a datagram was read.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// On each connection as many streams as there may be: some are begun, and the others filled for as long as anything is
/// taken.
pub async fn streams(count: u64, target: Target) {
    let (mut lines, mut denied) = (Vec::new(), 0);
    for number in 0..count {
        match QuicLine::connect(target.addr, from(number)).await {
            Ok(line) => lines.push(Arc::new(line)),
            Err(_) => denied += 1,
        }
    }
    let mut tasks = tokio::task::JoinSet::new();
    for line in &lines {
        let line = Arc::clone(line);
        tasks.spawn(async move {
            let (mut kept, mut written) = (Vec::new(), 0);
            while kept.len() < STREAMS {
                // Where no more is given or taken, there is nothing to wait for but the other side.
                let Ok(Ok(mut stream)) = tokio::time::timeout(Duration::from_secs(2), line.raw()).await else { break };
                let is_silent = kept.len() < SILENT;
                let filled = async {
                    stream.write_all(&spelled("/multistream/1.0.0")[..7]).await?;
                    stream.flush().await?;
                    if is_silent {
                        return io::Result::Ok(());
                    }
                    loop {
                        stream.write_all(&[0; 16 * 1024]).await?;
                        stream.flush().await?;
                        written += 16;
                    }
                };
                let _ = tokio::time::timeout(Duration::from_millis(500), filled).await;
                kept.push(stream);
            }
            (kept, written)
        });
    }
    let (mut kept, mut written) = (Vec::new(), 0);
    while let Some(done) = tasks.join_next().await {
        let (streams, bytes) = done.unwrap();
        kept.extend(streams);
        written += bytes;
    }
    let open = lines.iter().filter(|line| line.is_open()).count();
    let told = json!({"event": "attacking", "connections": lines.len(), "denied": denied, "still_open": open,
        "streams": kept.len(), "written_kib": written});
    say(&told);
    std::future::pending::<()>().await;
}
