//! Somebody who writes addresses that are not his on his datagrams: the beginnings of handshakes over QUIC, true ones, whose
//! answers go to where nobody is.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use libp2p::identity::Keypair;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;

use crate::lab::{Host, Net};
use crate::machine::Machine;

/// What is his to write: a network of documentation, to which no route leads.
const FORGED: [u8; 2] = [203, 0];

/// How many he begins with: more than a node has places. `ROHRPOST_TEST_SCALE` times as many for the figures of the threat model.
fn burst() -> usize {
    128 * std::env::var("ROHRPOST_TEST_SCALE").map_or(1, |scale| scale.parse().unwrap())
}

/// The pace at which he goes on.
const PACE: Duration = Duration::from_millis(10);

/// Newcomers come in by either transport while somebody forges a hundred handshakes a second.
#[expect(clippy::disallowed_methods, reason = "a measurement, not a condition")]
pub(crate) fn handshakes_keep_nobody_out() {
    let net = Net::lay().unwrap();
    let (home, forger) = (net.host().unwrap(), net.host().unwrap());
    let addr = |kind: &str| format!("/ip4/{}/{kind}", home.addr);
    let (quic, tcp) = (addr("udp/4001/quic-v1"), addr("tcp/4001"));
    let node = Machine::boot_at(&home.namespace, 1, &[&quic, &tcp]);
    forger.namespace.ip(&["route", "add", "local", "203.0.0.0/16", "dev", "lo"]).unwrap();
    let to = SocketAddr::from((home.addr, 4001));
    let (begun, has_begun) = oneshot::channel();
    let (stop, stopped) = oneshot::channel();
    thread::scope(|scope| {
        let forging = scope.spawn(|| forge(&forger, to, begun, stopped));
        let before = cost(node.pid());
        has_begun.blocking_recv().unwrap();
        let after = cost(node.pid());
        let (count, ticks) = (burst(), after.0 - before.0);
        eprintln!(
            "{count} forged: {} ms of processor, memory {} → {} MiB",
            ticks * 10,
            before.1 / 1024,
            after.1 / 1024
        );
        for (seed, addr) in [(2, &quic), (3, &tcp)] {
            let host = net.host().unwrap();
            let mut newcomer = Machine::boot_at(&host.namespace, seed, &[&format!("/ip4/{}/tcp/0", host.addr)]);
            let since = Instant::now();
            newcomer.order(&format!("connect {} {addr}", node.id));
            newcomer.hears(&format!("connected {}", node.id));
            eprintln!("{addr}: in after {} ms", since.elapsed().as_millis());
        }
        stop.send(()).unwrap();
        eprintln!("{} handshakes were forged", forging.join().unwrap());
    });
}

/// The processor time of a process, in clock ticks of 10 ms, and its resident memory in KiB.
fn cost(pid: u32) -> (u64, u64) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let number = |field: usize| fields[field].parse::<u64>().unwrap();
    (number(11) + number(12), number(21) * 4)
}

/// Forges until it is told to stop; gives how many.
fn forge(forger: &Host, to: SocketAddr, begun: oneshot::Sender<()>, stop: oneshot::Receiver<()>) -> usize {
    let forging = async {
        let (mut forge, mut sent) = (Forge::new().await, 0);
        while sent < burst() {
            sent += forge.send(to, sent).await;
        }
        begun.send(()).unwrap();
        let mut pace = tokio::time::interval(PACE);
        tokio::pin!(stop);
        loop {
            tokio::select! {
                _ = pace.tick() => sent += forge.send(to, sent).await,
                _ = &mut stop => return sent,
            }
        }
    };
    forger.within(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(forging))
}

/// Makes beginnings of handshakes: dials to a socket that answers nothing.
struct Forge {
    dialler: Endpoint,
    nobody: UdpSocket,
}

impl Forge {
    async fn new() -> Self {
        let tls = libp2p::tls::make_client_config(&Keypair::generate_ed25519(), None).unwrap();
        let mut dialler = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        dialler.set_default_client_config(ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap())));
        Self { dialler, nobody: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap() }
    }

    /// Sends one in the name of the n-th address; gives how many were sent.
    async fn send(&mut self, to: SocketAddr, n: usize) -> usize {
        let dial = self.dialler.connect(self.nobody.local_addr().unwrap(), "l").unwrap();
        let (mut datagrams, mut buffer) = (BTreeMap::<Vec<u8>, Vec<Vec<u8>>>::new(), [0; 2048]);
        // Its first flight has two, because a key of after-quantum times is long. What others say goodbye with is shorter.
        let flight = loop {
            let (length, _) = self.nobody.recv_from(&mut buffer).await.unwrap();
            let datagram = &buffer[..length];
            let flight = datagrams.entry(datagram[6..][..usize::from(datagram[5])].to_vec()).or_default();
            flight.push(datagram.to_vec());
            if let [_, second] = flight.as_slice()
                && second.len() >= 1_200
            {
                break std::mem::take(flight);
            }
        };
        drop(dial);
        let [_, _, high, low] = u32::try_from(n).unwrap().to_be_bytes();
        let [a, b] = FORGED;
        let Ok(socket) = UdpSocket::bind((Ipv4Addr::new(a, b, high, low), 0)).await else { return 0 };
        for datagram in flight {
            socket.send_to(&datagram, to).await.unwrap();
        }
        1
    }
}
