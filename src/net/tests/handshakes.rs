use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use futures::StreamExt;
use libp2p::core::Endpoint;
use libp2p::core::transport::{DialOpts, PortUse, Transport};
use libp2p::identity::Keypair;
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use super::*;

/// The address of this kind at which the node listens.
fn socket_of(node: &Node, kind: &str) -> SocketAddr {
    let addrs = node.addrs();
    let addr = addrs.iter().find(|addr| addr.contains(kind)).unwrap();
    let parts: Vec<_> = addr.split('/').collect();
    format!("{}:{}", parts[2], parts[4]).parse().unwrap()
}

/// Somebody new comes in by this kind of address.
async fn comes_in(seed: u8, node: &mut Node, kind: &str) -> Node {
    let mut newcomer = Node::start(seed, &[TCP]).await;
    let addrs: Vec<_> = node.addrs().into_iter().filter(|addr| addr.contains(kind)).collect();
    newcomer.net.connect(node.id(), &addrs).unwrap();
    newcomer.expect_connected(node.id()).await;
    node.expect_connected(newcomer.id()).await;
    newcomer
}

/// Addresses of networks of their own.
fn far(n: u16) -> Ipv4Addr {
    let [a, b] = n.to_be_bytes();
    Ipv4Addr::new(127, 1 + a, b, 1)
}

/// TCP connections on which nothing is said.
async fn mute(to: SocketAddr, from: &[Ipv4Addr]) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for addr in from {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((*addr, 0).into()).unwrap();
        held.push(socket.connect(to).await.unwrap());
    }
    held
}

/// The first datagrams of so many true handshakes over QUIC, which were never sent to anybody.
async fn initials(count: usize) -> Vec<Vec<Vec<u8>>> {
    let nobody = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = format!("/ip4/127.0.0.1/udp/{}/quic-v1", nobody.local_addr().unwrap().port());
    let mut dialler =
        transport::build(&Keypair::generate_ed25519(), &Classes::default(), None, &Entrances::default()).unwrap();
    let mut dials = futures::stream::FuturesUnordered::new();
    for _ in 0..count {
        let opts = DialOpts { role: Endpoint::Dialer, port_use: PortUse::Reuse };
        dials.push(dialler.dial(addr.parse().unwrap(), opts).unwrap());
    }
    let (mut begun, mut buffer) = (BTreeMap::<Vec<u8>, Vec<Vec<u8>>>::new(), [0; 2048]);
    // A question for a key of after-quantum times has two datagrams.
    while begun.len() < count || begun.values().any(|datagrams| datagrams.len() < 2) {
        tokio::select! {
            _ = dials.next() => {}
            got = nobody.recv_from(&mut buffer) => {
                let datagram = &buffer[..got.unwrap().0];
                let name = datagram[6..][..usize::from(datagram[5])].to_vec();
                begun.entry(name).or_default().push(datagram.to_vec());
            }
        }
    }
    begun
        .into_values()
        .map(|mut datagrams| {
            datagrams.truncate(2);
            datagrams
        })
        .collect()
}

/// Sends them from these addresses, and waits each time until it is answered. Gives how many answers were retries.
async fn forge(to: SocketAddr, from: &[Ipv4Addr]) -> (Vec<UdpSocket>, usize) {
    let (mut sockets, mut retries, mut answer) = (Vec::new(), 0, [0; 2048]);
    for (addr, datagrams) in from.iter().zip(initials(from.len()).await) {
        let socket = UdpSocket::bind((*addr, 0)).await.unwrap();
        for datagram in datagrams {
            socket.send_to(&datagram, to).await.unwrap();
        }
        timeout(GUARD, socket.recv_from(&mut answer)).await.expect("no answer").unwrap();
        retries += usize::from(answer[0] & 0xf0 == 0xf0);
        sockets.push(socket);
    }
    (sockets, retries)
}

fn entrances(node: &Node) -> Entrances {
    node.net.shared().entrances.clone()
}

/// Waits until no handshake holds a place.
async fn nobody_is_under_way(node: &Node) {
    let Entrances { tcp, quic, unproved, circuits } = entrances(node);
    for places in [tcp, quic, unproved, circuits] {
        timeout(GUARD, places.until(0)).await.expect("some are left");
    }
}

/// NET-91: neither those of the same household, nor anybody over the other transport.
#[tokio::test]
async fn mute_connections_of_one_address_keep_nobody_out() {
    mute_keep_nobody_out(&[Ipv4Addr::LOCALHOST; 64]).await;
}

/// NET-91
#[tokio::test]
async fn mute_connections_of_many_addresses_keep_nobody_out() {
    mute_keep_nobody_out(&(0..200).map(far).collect::<Vec<_>>()).await;
}

async fn mute_keep_nobody_out(from: &[Ipv4Addr]) {
    let mut node = Node::start(1, &[TCP, QUIC]).await;
    let held = mute(socket_of(&node, "/tcp/"), from).await;
    let newcomers = [comes_in(2, &mut node, "/tcp/").await, comes_in(3, &mut node, "/udp/").await];
    drop(held);
    nobody_is_under_way(&node).await;
    drop(newcomers);
}

/// NET-91: of many the first goes, unless he has said something.
#[tokio::test]
async fn whoever_speaks_stays_before_those_who_do_not() {
    let node = Node::start(1, &[TCP]).await;
    let to = socket_of(&node, "/tcp/");
    let [mut speaker] = mute(to, &[far(0)]).await.try_into().unwrap();
    let mut agrees = async |said: &[u8]| {
        tokio::io::AsyncWriteExt::write_all(&mut speaker, said).await.unwrap();
        let mut answer = vec![0; said.len()];
        timeout(GUARD, tokio::io::AsyncReadExt::read_exact(&mut speaker, &mut answer)).await.unwrap().unwrap();
        assert_eq!(answer, said);
    };
    agrees(b"\x13/multistream/1.0.0\n").await;
    let mut held = mute(to, &(1..=64).map(far).collect::<Vec<_>>()).await;
    // A reset is an end, too.
    let ended = timeout(GUARD, tokio::io::AsyncReadExt::read(&mut held[0], &mut [0])).await.expect("it has not ended");
    assert_eq!(ended.unwrap_or_default(), 0);
    agrees(b"\x07/noise\n").await;
    drop(held);
}

/// NET-92: handshakes begun from addresses at which nobody is. Most are asked to come again and hold no place.
#[tokio::test]
async fn forged_handshakes_keep_nobody_out() {
    let mut node = Node::start(1, &[TCP, QUIC]).await;
    let (sockets, retries) = forge(socket_of(&node, "/udp/"), &(0..100).map(far).collect::<Vec<_>>()).await;
    entrances(&node).unproved.until(8).await;
    entrances(&node).quic.until(0).await;
    let newcomers = [comes_in(2, &mut node, "/udp/").await, comes_in(3, &mut node, "/tcp/").await];
    // Those eight whose first datagrams were taken at their word give up in time.
    assert_eq!(retries, 92);
    nobody_is_under_way(&node).await;
    drop((sockets, newcomers));
}
