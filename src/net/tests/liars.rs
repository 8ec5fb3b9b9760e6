//! Somebody who lies about whether he has reached us (NET-71).

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::swarm::SwarmEvent;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, identify, ping};

use super::*;
use crate::base::words::Reachability;
use crate::net::nat::probe::{ASK, HEAR, wire};

/// On which connection the number is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    /// On the one over which it came.
    Same,
    /// On another, made before.
    Before,
    /// On none.
    Silent,
    /// None: on one that is made to the address that was asked for.
    Honest,
}

#[derive(NetworkBehaviour)]
struct Liar {
    asked: streams::Behaviour,
    heard: streams::Behaviour,
    identify: identify::Behaviour,
    /// Who gives no sign of life when he is asked for one (the network of this machine has changed, he makes another connection) loses his
    /// connections before he can lie.
    ping: ping::Behaviour,
}

/// Connects with the node, and answers its questions; how many there were.
async fn liar(seed: u8, node: &Node, lie: Lie) -> tokio::sync::watch::Receiver<usize> {
    let (keypair, _) = identity(&config(seed, &[])).unwrap();
    let stream =
        |protocol, slots| streams::Behaviour::new(StreamProtocol::new(protocol), slots, Classes::all(Class::Contact));
    let behaviour = Liar {
        asked: stream(ASK, 8),
        heard: stream(HEAR, 0),
        identify: identify::Behaviour::new(identify::Config::new("liar".to_owned(), keypair.public())),
        ping: ping::Behaviour::default(),
    };
    let transport =
        transport::build(&keypair, &Classes::default(), None, &crate::net::handshakes::Entrances::default()).unwrap();
    let config = libp2p::swarm::Config::with_tokio_executor();
    let mut swarm = Swarm::new(transport, behaviour, keypair.public().to_peer_id(), config);
    let (target, place): (_, Multiaddr) = (to_libp2p(&node.id()), node.addrs()[0].parse().unwrap());
    let dial = move |swarm: &mut Swarm<Liar>, addr: &Multiaddr| {
        let opts = DialOpts::peer_id(target).condition(PeerCondition::Always).addresses(vec![addr.clone()]);
        swarm.dial(opts.allocate_new_port().build()).unwrap();
    };
    let (asked, count) = tokio::sync::watch::channel(0);
    dial(&mut swarm, &place);
    tokio::spawn(async move {
        let (mut connections, mut open) = (Vec::new(), None::<(Stream, u64)>);
        let (said, mut says) = mpsc::channel::<Stream>(4);
        loop {
            tokio::select! {
                event = swarm.select_next_some() => match event {
                    SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                        connections.push(connection_id);
                        match (lie, open.take()) {
                            (Lie::Before, _) if connections.len() == 1 => dial(&mut swarm, &place),
                            (Lie::Honest, Some((stream, number))) => {
                                tell(&mut swarm, target, connection_id, number, stream, &said);
                            }
                            (_, waiting) => open = waiting,
                        }
                    }
                    SwarmEvent::Behaviour(LiarEvent::Asked(mut inbound)) => {
                        let Some((addr, number)) = question(&mut inbound.stream).await else { continue };
                        asked.send_modify(|asked| *asked += 1);
                        let other = connections.iter().find(|id| **id != inbound.connection).copied();
                        match lie {
                            Lie::Same => tell(&mut swarm, target, inbound.connection, number, inbound.stream, &said),
                            Lie::Before => tell(&mut swarm, target, other.unwrap(), number, inbound.stream, &said),
                            Lie::Silent => said.send(inbound.stream).await.unwrap(),
                            Lie::Honest => {
                                dial(&mut swarm, &addr);
                                open = Some((inbound.stream, number));
                            }
                        }
                    }
                    _ => {}
                },
                Some(mut stream) = says.recv() => {
                    // A response: all went well, and so did the dial.
                    let _ = stream.write_all(&[8, 0x12, 6, 0x08, 0xc8, 1, 0x18, 0xc8, 1]).await;
                    let _ = stream.close().await;
                }
            }
        }
    });
    count
}

/// Says the number on this connection; then the question is answered.
fn tell(
    swarm: &mut Swarm<Liar>,
    target: libp2p::PeerId,
    connection: ConnectionId,
    number: u64,
    question: Stream,
    said: &mpsc::Sender<Stream>,
) {
    let (reply, stream) = oneshot::channel();
    swarm.behaviour_mut().heard.open(target, connection, reply);
    let said = said.clone();
    tokio::spawn(async move {
        let mut stream: Stream = stream.await.unwrap();
        let message = [&[9, 0x09][..], &number.to_le_bytes()].concat();
        stream.write_all(&message).await.unwrap();
        stream.flush().await.unwrap();
        // Understood, or refused.
        let _ = stream.read(&mut [0]).await;
        said.send(question).await.unwrap();
    });
}

/// The address of a question, and its number.
async fn question(stream: &mut Stream) -> Option<(Multiaddr, u64)> {
    let mut length = [0];
    stream.read_exact(&mut length).await.ok()?;
    let mut message = vec![0; length[0].into()];
    stream.read_exact(&mut message).await.ok()?;
    // The outer head, the head of the address; behind it one byte and the number.
    let (addr, number) = message[4..].split_at(message[3].into());
    Some((Multiaddr::try_from(addr.to_vec()).ok()?, u64::from_le_bytes(number[1..9].try_into().ok()?)))
}

/// At these addresses, in a network that is this machine.
fn here(seed: u8, listen: &[&str]) -> NetConfig {
    let nobody = (peer_of(79), vec!["/ip4/127.0.0.1/tcp/1".to_owned()]);
    NetConfig { bootstrap: vec![nobody], ..config(seed, listen) }
}

/// NET-72: whoever says the number where it proves nothing makes nobody public; nor does one who says none. The truth does.
#[tokio::test]
async fn nobody_is_public_by_the_word_of_a_liar() {
    for listen in [TCP, QUIC, ALL_TCP, ALL_QUIC] {
        for lie in [Lie::Same, Lie::Before, Lie::Silent, Lie::Honest] {
            let node = Node::with(here(70, &[listen])).await;
            let mut asked = liar(71, &node, lie).await;
            timeout(GUARD, asked.wait_for(|asked| *asked > 0)).await.unwrap().unwrap();
            if lie == Lie::Honest {
                node.status(|status| status.reachability == Reachability::Public).await;
                continue;
            }
            let mut counts = node.net.shared().counts.subscribe();
            // The question is answered, and nothing is under way any more.
            let probed =
                |counts: &Vec<(&str, usize)>| counts.iter().any(|(name, count)| *name == "trials" && *count == 0);
            counts.mark_unchanged();
            timeout(GUARD, counts.wait_for(probed)).await.unwrap().unwrap();
            assert_eq!(node.net.status().reachability, Reachability::Unknown, "{lie:?}");
            assert!(node.net.status().external_addrs.is_empty());
        }
    }
}

/// NET-72: who listens as by default, on all addresses of the machine, is found reachable over both transports.
#[tokio::test]
async fn who_listens_on_all_addresses_is_found_reachable() {
    let mut node = Node::with(here(72, &[ALL_QUIC, ALL_TCP])).await;
    for (seed, listen) in [(73, QUIC), (74, TCP)] {
        let mut server = Node::start(seed, &[listen]).await;
        connect(&mut node, &mut server).await;
        let way = |addr: &String| addr.contains("/udp/") == (listen == QUIC);
        node.status(|status| status.external_addrs.iter().any(way)).await;
    }
}

/// NET-66: whoever has asked for all that he is given is told that he was not tried, and not that he was not reached.
#[tokio::test]
async fn who_is_not_tried_is_not_told_that_he_was_not_reached() {
    let node = Node::start(75, &[TCP]).await;
    let asker = Raw::connect_by(76, &node, ASK).await;
    let nobody = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    let mut tried = 0;
    loop {
        let mut stream = asker.open().await;
        match timeout(GUARD, wire::ask(&mut stream, &nobody, 7)).await.unwrap().unwrap() {
            Some(false) => tried += 1,
            said => break assert_eq!(said, None),
        }
        assert!(tried < 100, "without end");
    }
    assert!(tried >= 32, "{tried}");
}
