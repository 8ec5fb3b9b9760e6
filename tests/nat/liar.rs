//! A relay that lies. It speaks circuit relay v2 by hand, from the bytes upwards (TCP, multistream-select, Noise, yamux, the
//! messages of the relay), grants what it is asked for, and then does as it likes. It may offer to try addresses, too (AutoNAT v2), and says of them what it likes.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::core::upgrade::InboundConnectionUpgrade;
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId, noise};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};
use yamux::{Connection, Mode};

use crate::lab::{Host, Net};
use crate::messages::{self, Message};
use crate::node::PATIENCE;

const MULTISTREAM: &str = "/multistream/1.0.0";
const IDENTIFY: &str = "/ipfs/id/1.0.0";
const PING: &str = "/ipfs/ping/1.0.0";
const HOP: &str = "/libp2p/circuit/relay/0.2.0/hop";
const STOP: &str = "/libp2p/circuit/relay/0.2.0/stop";
const ASK: &str = "/libp2p/autonat/2/dial-request";
const HEAR: &str = "/libp2p/autonat/2/dial-back";
const PORT: u16 = 4001;

/// How much of a circuit [`Lie::Starves`] lets through: connections come about with less.
const FIRST: usize = 1_000;

/// What it must not find.
pub(crate) const MARK: &str = "Schnittlauch";

/// What it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Nothing: it is as good as any.
    #[default]
    None,
    /// Grants reservations and connects nobody.
    Forgets,
    /// What goes through a circuit is lost.
    Drops,
    /// It is lost when the connection stands.
    Starves,
    /// Nothing more is taken.
    Stalls,
    /// A bit of each piece is turned round.
    Flips,
    /// Each piece comes twice.
    Repeats,
    /// Pieces come in another order.
    Swaps,
    /// Says that there is a circuit, and there is nobody.
    Nobody,
    /// Is at the other end itself, and says what it hears.
    Echoes,
    /// Makes the circuit with somebody else.
    Misleads,
    /// Says that somebody else calls.
    Misnames,
    /// Names, as its own, addresses of others.
    Elsewhere(Ipv4Addr),
    /// A reservation ends when the world does.
    NeverEnds,
    /// A reservation is over when it is granted.
    EndsAtOnce,
    /// Says that it has reached whom it has not dialled, and the number of the question on the connection over which that came.
    Reached,
    /// Says that it has not reached whom it has not dialled.
    Unreached,
}

impl Lie {
    /// Whether it lies about pieces that go through circuits, and not about circuits.
    pub(crate) fn is_about_pieces(self) -> bool {
        matches!(self, Self::Drops | Self::Starves | Self::Stalls | Self::Flips | Self::Repeats | Self::Swaps)
    }
}

/// What it was asked for so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) reservations: usize,
    pub(crate) circuits: usize,
    /// Pieces about which it has lied.
    pub(crate) pieces: usize,
    /// Addresses to be tried.
    pub(crate) trials: usize,
    /// Whether it could read what goes through it.
    pub(crate) readable: bool,
}

/// The relay, on a host of its own.
pub(crate) struct Liar {
    runtime: Runtime,
    relay: Arc<Relay>,
    _host: Host,
}

impl Liar {
    pub(crate) fn on(net: &Net) -> Self {
        let host = net.host().unwrap();
        let addr = SocketAddr::from((host.addr, PORT));
        // What comes in stays in the namespace of the listener.
        let listener = host.within(|| StdListener::bind(addr).unwrap());
        listener.set_nonblocking(true).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let relay = Arc::new(Relay {
            keys: Keypair::generate_ed25519(),
            addr,
            lie: watch::Sender::default(),
            cuts: watch::Sender::default(),
            asked: watch::Sender::default(),
            guests: Mutex::default(),
        });
        runtime.spawn(Arc::clone(&relay).listen(listener));
        Self { runtime, relay, _host: host }
    }

    /// Where it is, with its peer ID.
    pub(crate) fn addr(&self) -> String {
        format!("{}/p2p/{}", self.relay.place(), self.relay.keys.public().to_peer_id())
    }

    /// From now on. Circuits that stand go on with a lie about pieces; otherwise they end.
    pub(crate) fn lies(&self, lie: Lie) {
        self.relay.lie.send_replace(lie);
        if !lie.is_about_pieces() {
            self.relay.cuts.send_modify(|cuts| *cuts += 1);
        }
    }

    pub(crate) fn asked(&self) -> Asked {
        *self.relay.asked.borrow()
    }

    /// Waits until it was asked for so much.
    pub(crate) fn is_asked(&self, what: &str, is: impl Fn(&Asked) -> bool) -> Asked {
        let mut asked = self.relay.asked.subscribe();
        let guarded = async { tokio::time::timeout(PATIENCE, asked.wait_for(is)).await.map(|asked| *asked.unwrap()) };
        self.runtime.block_on(guarded).unwrap_or_else(|_| panic!("not {what}, but {:?}", self.asked()))
    }
}

struct Relay {
    keys: Keypair,
    addr: SocketAddr,
    lie: watch::Sender<Lie>,
    /// Changes when all circuits are to end.
    cuts: watch::Sender<usize>,
    asked: watch::Sender<Asked>,
    /// Who is connected.
    guests: Mutex<HashMap<PeerId, Opens>>,
}

/// Asks for a stream.
type Opens = mpsc::Sender<oneshot::Sender<yamux::Stream>>;

impl Relay {
    fn place(&self) -> Multiaddr {
        format!("/ip4/{}/tcp/{}", self.addr.ip(), self.addr.port()).parse().unwrap()
    }

    fn lie(&self) -> Lie {
        *self.lie.borrow()
    }

    fn lies_of_addresses(&self) -> bool {
        matches!(self.lie(), Lie::Reached | Lie::Unreached)
    }

    /// What it takes: addresses to be tried only if it lies about them.
    fn spoken(&self) -> &'static [&'static str] {
        if self.lies_of_addresses() { &[IDENTIFY, PING, HOP, ASK] } else { &[IDENTIFY, PING, HOP] }
    }

    async fn listen(self: Arc<Self>, listener: StdListener) {
        let listener = TcpListener::from_std(listener).unwrap();
        loop {
            let (socket, from) = listener.accept().await.unwrap();
            // Who breaks off has done so.
            tokio::spawn(Arc::clone(&self).receive(socket, from));
        }
    }

    async fn receive(self: Arc<Self>, socket: TcpStream, from: SocketAddr) -> io::Result<()> {
        let mut socket = socket.compat();
        accept(&mut socket, &["/noise"]).await?;
        let noise = noise::Config::new(&self.keys).unwrap();
        let (guest, mut sealed) = noise.upgrade_inbound(socket, "/noise").await.map_err(io::Error::other)?;
        accept(&mut sealed, &["/yamux/1.0.0"]).await?;
        let connection = Connection::new(sealed, yamux::Config::default(), Mode::Server);
        let (opens, wanted) = mpsc::channel(8);
        self.guests.lock().unwrap().insert(guest, opens);
        self.drive(connection, wanted, (guest, from)).await;
        Ok(())
    }

    /// Opens streams, and serves those that the guest opens.
    async fn drive(
        self: Arc<Self>,
        mut connection: Connection<noise::Output<Compat<TcpStream>>>,
        mut wanted: mpsc::Receiver<oneshot::Sender<yamux::Stream>>,
        (guest, from): (PeerId, SocketAddr),
    ) {
        let mut waiting: Option<oneshot::Sender<yamux::Stream>> = None;
        poll_fn(|cx| {
            loop {
                if waiting.is_none()
                    && let Poll::Ready(Some(reply)) = wanted.poll_recv(cx)
                {
                    waiting = Some(reply);
                }
                if waiting.is_some() {
                    match connection.poll_new_outbound(cx) {
                        Poll::Ready(Ok(stream)) => {
                            let _ = waiting.take().unwrap().send(stream);
                            continue;
                        }
                        Poll::Ready(Err(_)) => return Poll::Ready(()),
                        Poll::Pending => {}
                    }
                }
                match connection.poll_next_inbound(cx) {
                    Poll::Ready(Some(Ok(stream))) => _ = tokio::spawn(Arc::clone(&self).serve(stream, guest, from)),
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
    }

    async fn serve(self: Arc<Self>, mut stream: yamux::Stream, guest: PeerId, from: SocketAddr) -> io::Result<()> {
        match accept(&mut stream, self.spoken()).await? {
            IDENTIFY => {
                let seen = format!("/ip4/{}/tcp/{}", from.ip(), from.port()).parse().unwrap();
                let identity = messages::identity(&self.keys.public(), self.spoken(), &seen);
                stream.write_all(&messages::framed(&identity)).await?;
                stream.close().await
            }
            PING => loop {
                let mut ping = [0; 32];
                stream.read_exact(&mut ping).await?;
                stream.write_all(&ping).await?;
                stream.flush().await?;
            },
            ASK => self.answer(stream, guest).await,
            _ => match Message::read(&mut stream).await? {
                message if message.kind == messages::RESERVE => self.reserve(stream).await,
                message => self.connect(stream, guest, message.peer().unwrap()).await,
            },
        }
    }

    /// A guest asks whether he can be reached at an address.
    async fn answer(&self, mut stream: yamux::Stream, guest: PeerId) -> io::Result<()> {
        let number = messages::question(&mut stream).await?;
        let says = self.lie() == Lie::Reached;
        let opens = self.guests.lock().unwrap().get(&guest).cloned();
        if let Some(opens) = opens.filter(|_| says) {
            let mut saying = open(&opens, HEAR).await?;
            saying.write_all(&messages::framed(&messages::said(number))).await?;
            saying.close().await?;
            // Nobody thanks for it.
            let _ = saying.read(&mut [0]).await;
        }
        stream.write_all(&messages::framed(&messages::tried(says))).await?;
        self.asked.send_modify(|asked| asked.trials += 1);
        stream.close().await
    }

    /// Everybody gets a reservation.
    async fn reserve(&self, mut stream: yamux::Stream) -> io::Result<()> {
        #[expect(clippy::disallowed_methods, reason = "a relay has a clock of its own")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let (mut addrs, mut end) = (vec![self.place()], now + 3600);
        match self.lie() {
            Lie::Elsewhere(other) => {
                let others = ["tcp/25", "udp/53/quic-v1", "tcp/4001"].map(|at| format!("/ip4/{other}/{at}"));
                addrs.splice(0..0, others.map(|addr| addr.parse().unwrap()));
            }
            Lie::NeverEnds => end = u64::MAX,
            Lie::EndsAtOnce => end = now,
            _ => {}
        }
        let me = self.keys.public().to_peer_id();
        let addrs: Vec<Multiaddr> = addrs.into_iter().map(|addr| addr.with_p2p(me).unwrap()).collect();
        stream.write_all(&messages::framed(&messages::granted(end, &addrs))).await?;
        self.asked.send_modify(|asked| asked.reservations += 1);
        stream.close().await
    }

    /// A guest wants to talk with another.
    async fn connect(self: Arc<Self>, mut stream: yamux::Stream, guest: PeerId, wanted: PeerId) -> io::Result<()> {
        let lie = self.lie();
        self.asked.send_modify(|asked| asked.circuits += 1);
        let (mut callee, mut caller) = (wanted, guest);
        let third = || {
            let guests = self.guests.lock().unwrap();
            *guests.keys().find(|other| **other != guest && **other != wanted).unwrap()
        };
        match lie {
            Lie::Forgets => {
                stream.write_all(&messages::framed(&messages::hop_status(messages::NO_RESERVATION))).await?;
                return stream.close().await;
            }
            Lie::Nobody | Lie::Echoes => {
                stream.write_all(&messages::framed(&messages::hop_status(messages::OK))).await?;
                let mut cuts = self.cuts.subscribe();
                return tokio::select! {
                    ended = echo(&mut stream, lie == Lie::Echoes) => ended,
                    _ = cuts.changed() => Ok(()),
                };
            }
            Lie::Misleads => callee = third(),
            Lie::Misnames => caller = third(),
            _ => {}
        }
        let opens = self.guests.lock().unwrap().get(&callee).cloned();
        let other = match opens {
            Some(opens) => call(&opens, caller).await,
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        let Ok(other) = other else {
            stream.write_all(&messages::framed(&messages::hop_status(messages::NO_RESERVATION))).await?;
            return stream.close().await;
        };
        stream.write_all(&messages::framed(&messages::hop_status(messages::OK))).await?;
        stream.flush().await?;
        let mut cuts = self.cuts.subscribe();
        let ((here, to_here), (there, to_there)) = (stream.split(), other.split());
        tokio::select! {
            ended = self.carry(here, to_there) => ended,
            ended = self.carry(there, to_here) => ended,
            _ = cuts.changed() => Ok(()),
        }
    }

    /// Carries what comes to the other side, as well as it likes.
    async fn carry(&self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
        let (mut buffer, mut through, mut kept) = (vec![0; 4096], 0, None::<Vec<u8>>);
        loop {
            let length = from.read(&mut buffer).await?;
            if length == 0 {
                return to.close().await;
            }
            through += length;
            let mut piece = buffer[..length].to_vec();
            let lie = self.lie();
            let lies = lie.is_about_pieces() && (lie != Lie::Starves || through > FIRST);
            if piece.windows(MARK.len()).any(|part| part == MARK.as_bytes()) {
                self.asked.send_modify(|asked| asked.readable = true);
            }
            if lies {
                self.asked.send_modify(|asked| asked.pieces += 1);
            }
            match lie {
                Lie::Drops => continue,
                Lie::Starves if lies => continue,
                Lie::Stalls => std::future::pending().await,
                Lie::Flips => piece[length / 2] ^= 4,
                Lie::Repeats => piece = [piece.as_slice(), &piece].concat(),
                Lie::Swaps => match kept.take() {
                    Some(before) => piece.extend(before),
                    None => {
                        kept = Some(piece);
                        continue;
                    }
                },
                _ => {}
            }
            to.write_all(&piece).await?;
            to.flush().await?;
        }
    }
}

/// A stream to a guest, of this protocol.
async fn open(opens: &Opens, protocol: &str) -> io::Result<yamux::Stream> {
    let (reply, stream) = oneshot::channel();
    opens.send(reply).await.map_err(io::Error::other)?;
    let mut stream = tokio::time::timeout(Duration::from_secs(5), stream).await?.map_err(io::Error::other)?;
    stream.write_all(&[spelled(MULTISTREAM), spelled(protocol)].concat()).await?;
    stream.flush().await?;
    for expected in [MULTISTREAM, protocol] {
        if line(&mut stream).await? != expected {
            return Err(io::ErrorKind::Unsupported.into());
        }
    }
    Ok(stream)
}

/// Tells a guest that somebody calls, who takes the call.
async fn call(opens: &Opens, caller: PeerId) -> io::Result<yamux::Stream> {
    let mut stream = open(opens, STOP).await?;
    stream.write_all(&messages::framed(&messages::called(&caller))).await?;
    stream.flush().await?;
    match Message::read(&mut stream).await?.stop_status {
        Some(messages::OK) => Ok(stream),
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}

/// Takes all that comes, and perhaps gives it back.
async fn echo(stream: &mut yamux::Stream, back: bool) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return stream.close().await;
        }
        if back {
            stream.write_all(&buffer[..length]).await?;
            stream.flush().await?;
        }
    }
}

/// Agrees to one of these protocols.
async fn accept<'a>(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), spoken: &[&'a str]) -> io::Result<&'a str> {
    if line(stream).await? != MULTISTREAM {
        return Err(io::ErrorKind::InvalidData.into());
    }
    stream.write_all(&spelled(MULTISTREAM)).await?;
    loop {
        let wanted = line(stream).await?;
        let found = spoken.iter().find(|protocol| **protocol == wanted);
        stream.write_all(&spelled(found.unwrap_or(&"na"))).await?;
        stream.flush().await?;
        if let Some(protocol) = found {
            return Ok(protocol);
        }
    }
}

fn spelled(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len() + 1).unwrap()], text.as_bytes(), b"\n"].concat()
}

async fn line(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let length = messages::length(stream).await?;
    let mut text = vec![0; length];
    stream.read_exact(&mut text).await?;
    Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
}
