//! Somebody who speaks the protocols by hand, from the bytes of `docs/protocol/` upwards: TCP, multistream-select,
//! Noise and yamux, and on a stream whatever a test wants. Nothing of `rohrpost::net` is used: it keeps to rules that a
//! hostile peer does not.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::core::upgrade::OutboundConnectionUpgrade;
use libp2p::noise;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rohrpost::base::{PeerId, Secret, WallTime};
use rohrpost::content::{self, Capsule, Introduction, Item, mimi};
use rohrpost::envelope::exchange::CardResponse;
use rohrpost::envelope::frame::{self, Frame};
use rohrpost::envelope::mailbox::{self, InvitationKey, OfferIn, Question, QueueKey};
use rohrpost::envelope::{self, EnvelopeKind};
use rohrpost::identity::{
    CardContent, CardIn, CardKeys, IdentityKey, IdentityKeypair, OneTimePrekeyIn, RequestToken, next_sequence,
};
use rohrpost::session::{RemoteBundle, SealedKind, SessionSet};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};
use yamux::{Connection, Mode};

use crate::refusing::{Meets, give_card, meet};

pub const ENVELOPES: &str = "/rohrpost/env/1";
pub const CARDS: &str = "/rohrpost/card/1";
const MAILBOX: &str = "/rohrpost/mbox/1";
const PING: &str = "/ipfs/ping/1.0.0";
const MULTISTREAM: &str = "/multistream/1.0.0";

/// How streams that the node opens are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// What is proposed is not spoken.
    Polite,
    /// The same, but a ping is taken and never answered.
    Dead,
    /// He gives this card, and meets envelopes so.
    Recipient(Meets, &'static [u8]),
}

/// The node that is attacked.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub addr: SocketAddr,
    pub peer: PeerId,
}

impl Target {
    /// From `/ip4/…/tcp/…/p2p/…` or `/ip4/…/udp/…/quic-v1/p2p/…`.
    pub fn parse(text: &str) -> Self {
        let parts: Vec<&str> = text.split('/').collect();
        let addr = format!("{}:{}", parts[2], parts[4]).parse().unwrap();
        Self { addr, peer: parts[parts.len() - 1].parse().unwrap() }
    }
}

/// An identity, and what it needs to begin sessions.
pub struct Stranger {
    keys: IdentityKeypair,
    rng: ChaCha20Rng,
    sessions: SessionSet,
    counter: u64,
}

impl Stranger {
    pub fn new(number: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(number);
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let keys = IdentityKeypair::from_seed(&Secret::new(seed));
        Self { keys, rng, sessions: SessionSet::default(), counter: 0 }
    }

    pub fn peer(&self) -> PeerId {
        self.keys.peer_id()
    }

    /// A card of his, with keys that nobody has.
    pub fn card(&self) -> Vec<u8> {
        let keys = CardKeys::generate(&mut self.rng.clone());
        CardContent::new(&keys, 1, now(), [9; 16]).sign(&self.keys)
    }

    /// Connects from this address of the local network (127.0.0.0/8 has many).
    pub async fn connect(&self, target: Target, from: [u8; 4]) -> io::Result<Line> {
        self.connect_as(target, from, Manner::Polite).await
    }

    /// The same, with other manners.
    pub async fn connect_as(&self, target: Target, from: [u8; 4], manner: Manner) -> io::Result<Line> {
        let mut socket = tcp(target.addr, from).await?.compat();
        negotiate(&mut socket, "/noise").await?;
        let mut seed = *self.keys.seed().expose();
        let keypair = libp2p::identity::Keypair::ed25519_from_bytes(&mut seed).unwrap();
        let noise = noise::Config::new(&keypair).unwrap();
        let (_, mut sealed) = noise.upgrade_outbound(socket, "/noise").await.map_err(io::Error::other)?;
        negotiate(&mut sealed, "/yamux/1.0.0").await?;
        Ok(Line::over(Connection::new(sealed, yamux::Config::default(), Mode::Client), manner))
    }

    /// Asks for the card and a one-time prekey, and begins a session with them.
    pub async fn begin(&mut self, line: &Line, target: Target) -> io::Result<()> {
        let answer = line.card().await?;
        self.begin_with(answer, target);
        Ok(())
    }

    /// Begins a session with what somebody was answered.
    pub fn begin_with(&mut self, answer: CardResponse, target: Target) {
        let owner = IdentityKey::from_peer_id(target.peer).unwrap();
        let card = CardIn::decode(&answer.card).unwrap().verify(&owner, now()).unwrap();
        let one_time =
            answer.prekey.map(|bytes| OneTimePrekeyIn::decode(&bytes).unwrap().verify(&owner, now()).unwrap());
        let content = card.content();
        let bundle = RemoteBundle {
            identity: owner,
            prekey_id: content.prekey_id,
            prekey: content.prekey,
            kem_id: content.kem_id,
            kem: content.kem.clone(),
            one_time,
        };
        self.sessions = SessionSet::default();
        self.sessions.begin(&self.keys, &bundle, &mut self.rng, now()).unwrap();
    }

    /// Begins a session with the card's own prekey.
    pub async fn begin_with_card_alone(&mut self, line: &Line, target: Target) -> io::Result<()> {
        let card = line.ask_card(false).await?;
        self.begin_with(card, target);
        Ok(())
    }

    /// A request with the token of a link, or without.
    pub fn invited_request(&mut self, target: Target, text: &str, token: Option<[u8; 16]>) -> Vec<u8> {
        let message = self.message(target, text);
        self.sealed(vec![Item::Introduction(Introduction { token, ..Introduction::default() }), message])
    }

    /// Asks the mailbox there: the answer to these bytes.
    pub async fn ask_mailbox(&self, line: &Line, question: &[u8]) -> io::Result<mailbox::Answer> {
        let mut stream = line.open(MAILBOX).await?;
        stream.write_all(question).await?;
        stream.close().await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        mailbox::Answer::decode(&answer).map_err(io::Error::other)
    }

    /// To have a box.
    pub fn register(&mut self) -> Vec<u8> {
        let mut queue = [0; 16];
        self.rng.fill_bytes(&mut queue);
        let keys = CardKeys::generate(&mut self.rng);
        let card = CardContent::new(&keys, next_sequence(0, now()), now(), queue).sign(&self.keys);
        let invitation = InvitationKey::of(&RequestToken::from_bytes(queue));
        let offer = OfferIn { batch: 1, card: &card, prekeys: Vec::new() };
        let key = QueueKey::from_bytes([1; 32]);
        Question::Register { key, invitation, offer }.encode().unwrap()
    }

    /// The next message of the session, in its envelope: as good a request as any.
    pub fn request(&mut self, target: Target, text: &str) -> Vec<u8> {
        let message = self.message(target, text);
        self.envelope(vec![message])
    }

    /// A message as an item of a capsule.
    pub fn message(&mut self, target: Target, text: &str) -> Item {
        self.counter += 1;
        let mut salt = [0; 16];
        self.rng.fill_bytes(&mut salt);
        let (sender, room) = (content::sender_uri(self.peer()), content::direct_room_uri(self.peer(), target.peer));
        let body = mimi::text(salt, &sender, &room, self.counter, text, None).encode();
        Item::Message { sent_at: now(), body }
    }

    /// These items behind an introduction, in the next envelope of the session.
    pub fn envelope(&mut self, items: Vec<Item>) -> Vec<u8> {
        let introduction = Introduction { name: Some("A stranger".to_owned()), ..Introduction::default() };
        self.sealed([vec![Item::Introduction(introduction)], items].concat())
    }

    /// The next envelope of the session, with nothing but these.
    pub fn sealed(&mut self, items: Vec<Item>) -> Vec<u8> {
        let sealed = self.sessions.encrypt(&Capsule { items }.encode(), &mut self.rng, now()).unwrap();
        let kind = match sealed.kind {
            SealedKind::First => EnvelopeKind::FirstContact,
            SealedKind::Session => EnvelopeKind::Session,
        };
        envelope::encode(kind, &sealed.payload).unwrap()
    }
}

/// A connection that is kept as long as this lives.
pub struct Line {
    opens: mpsc::Sender<oneshot::Sender<yamux::Stream>>,
    /// The protocols that the node wanted to speak with us.
    proposed: Arc<Mutex<Vec<String>>>,
    gone: oneshot::Receiver<()>,
}

impl Line {
    fn over(connection: Connection<noise::Output<Compat<TcpStream>>>, manner: Manner) -> Self {
        let (opens, wanted) = mpsc::channel(1);
        let (alive, gone) = oneshot::channel();
        let proposed = Arc::<Mutex<Vec<String>>>::default();
        tokio::spawn(drive(connection, wanted, (Arc::clone(&proposed), manner), alive));
        Self { opens, proposed, gone }
    }

    /// What the node has proposed to speak so far.
    pub fn proposed(&self) -> Vec<String> {
        self.proposed.lock().unwrap().clone()
    }

    /// Ends when the connection does.
    pub async fn gone(&mut self) {
        let _ = (&mut self.gone).await;
    }

    /// A stream on which nothing has been said.
    pub async fn raw(&self) -> io::Result<yamux::Stream> {
        let (reply, stream) = oneshot::channel();
        let gone = |_| io::Error::from(io::ErrorKind::NotConnected);
        self.opens.send(reply).await.map_err(|_| io::Error::from(io::ErrorKind::NotConnected))?;
        stream.await.map_err(gone)
    }

    /// A stream of this protocol.
    pub async fn open(&self, protocol: &str) -> io::Result<yamux::Stream> {
        let mut stream = self.raw().await?;
        negotiate(&mut stream, protocol).await?;
        Ok(stream)
    }

    /// The card, and a one-time prekey.
    pub async fn card(&self) -> io::Result<CardResponse> {
        self.ask_card(true).await
    }

    /// The card, with a one-time prekey if wanted.
    pub async fn ask_card(&self, want_prekey: bool) -> io::Result<CardResponse> {
        let mut stream = self.open(CARDS).await?;
        stream.write_all(&[1, want_prekey.into()]).await?;
        stream.close().await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        CardResponse::decode(&answer).map_err(io::Error::other)
    }

    /// Sends envelopes on a stream of their own and closes it: every frame that comes back, to the end.
    pub async fn deliver(&self, envelopes: &[Vec<u8>]) -> io::Result<Vec<Frame>> {
        let mut bytes = Vec::new();
        frame::put_hello(&mut bytes);
        for (i, envelope) in envelopes.iter().enumerate() {
            frame::put_envelope(&mut bytes, i as u64 + 1, envelope);
        }
        self.say(&bytes).await
    }

    /// The same with any bytes.
    pub async fn say(&self, bytes: &[u8]) -> io::Result<Vec<Frame>> {
        let (mut reader, mut writer) = self.open(ENVELOPES).await?.split();
        let write = async {
            writer.write_all(bytes).await?;
            writer.close().await
        };
        let mut answer = Vec::new();
        let (_, read) = futures::join!(write, reader.read_to_end(&mut answer));
        // A stream that was cut off has an end, too.
        let _ = read;
        Ok(frames(&answer))
    }
}

/// Every frame of these bytes, to the last.
pub fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((frame, used)) = frame::decode(bytes).unwrap() {
        frames.push(frame);
        bytes = &bytes[used..];
    }
    assert!(bytes.is_empty(), "half a frame came");
    frames
}

/// A TCP connection from this address.
pub async fn tcp(to: SocketAddr, from: [u8; 4]) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(to).await
}

/// Looks after a connection: opens streams, and turns down those that the node opens, politely.
async fn drive(
    mut connection: Connection<noise::Output<Compat<TcpStream>>>,
    mut wanted: mpsc::Receiver<oneshot::Sender<yamux::Stream>>,
    (proposed, manner): (Arc<Mutex<Vec<String>>>, Manner),
    _alive: oneshot::Sender<()>,
) {
    let mut waiting: Option<oneshot::Sender<yamux::Stream>> = None;
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
                Poll::Ready(Some(Ok(stream))) => _ = tokio::spawn(decline(stream, Arc::clone(&proposed), manner)),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
}

/// Notes what the node wants to speak, and says that we do not.
pub async fn decline(
    mut stream: impl futures::AsyncRead + futures::AsyncWrite + Unpin,
    proposed: Arc<Mutex<Vec<String>>>,
    manner: Manner,
) -> io::Result<()> {
    assert_eq!(line(&mut stream).await?, MULTISTREAM);
    let protocol = line(&mut stream).await?;
    stream.write_all(&spelled(MULTISTREAM)).await?;
    if manner == Manner::Dead && protocol == PING {
        stream.write_all(&spelled(PING)).await?;
        stream.flush().await?;
        return std::future::pending().await;
    }
    proposed.lock().unwrap().push(protocol.clone());
    if let Manner::Recipient(meets, card) = manner
        && [CARDS, ENVELOPES].contains(&protocol.as_str())
    {
        stream.write_all(&spelled(&protocol)).await?;
        stream.flush().await?;
        if protocol == CARDS {
            give_card(stream, card).await;
            return Ok(());
        }
        return meet(stream, meets, || proposed.lock().unwrap().push("envelope".to_owned())).await;
    }
    stream.write_all(&spelled("na")).await?;
    stream.close().await
}

/// Agrees upon a protocol: a line each way for multistream-select, and one for the protocol.
async fn negotiate(
    stream: &mut (impl futures::AsyncRead + futures::AsyncWrite + Unpin),
    protocol: &str,
) -> io::Result<()> {
    stream.write_all(&[spelled(MULTISTREAM), spelled(protocol)].concat()).await?;
    stream.flush().await?;
    for expected in [MULTISTREAM, protocol] {
        let said = line(stream).await?;
        if said != expected {
            return Err(io::Error::other(format!("{said} instead of {expected}")));
        }
    }
    Ok(())
}

pub fn spelled(text: &str) -> Vec<u8> {
    let mut out = vec![u8::try_from(text.len() + 1).unwrap()];
    out.extend_from_slice(text.as_bytes());
    out.push(b'\n');
    out
}

async fn line(stream: &mut (impl futures::AsyncRead + Unpin)) -> io::Result<String> {
    let mut len = [0];
    stream.read_exact(&mut len).await?;
    let mut text = vec![0; usize::from(len[0])];
    stream.read_exact(&mut text).await?;
    Ok(String::from_utf8(text).unwrap().trim_end().to_owned())
}

#[expect(clippy::disallowed_methods, reason = "a stranger has a clock of his own")]
fn now() -> WallTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    WallTime(u64::try_from(since.as_millis()).unwrap())
}
