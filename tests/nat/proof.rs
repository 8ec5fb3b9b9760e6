//! That the lab is what it says, shown by plain sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::lab::{Gateway, Host, Nat, Net};
use crate::netns::{Namespace, names, sweep};

/// A failure guard; what is there comes at once.
const GUARD: Duration = Duration::from_secs(20);

/// The port of all sockets.
const PORT: u16 = 4001;

/// A socket of a host, on all its addresses: those that come later, too.
fn udp(host: &Host, port: u16) -> UdpSocket {
    let socket = host.within(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
    socket.set_read_timeout(Some(GUARD)).unwrap();
    socket
}

/// The next datagram, and whom it came from.
fn next(socket: &UdpSocket) -> (String, SocketAddr) {
    let mut buffer = [0; 64];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    (String::from_utf8_lossy(&buffer[..length]).into_owned(), from)
}

/// A server, and its only socket.
struct Server(Host, UdpSocket);

impl Server {
    fn on(net: &Net) -> Self {
        let host = net.host().unwrap();
        let socket = udp(&host, PORT);
        Self(host, socket)
    }

    /// As whom it sees a socket that asks; the answer finds back.
    fn sees(&self, socket: &UdpSocket) -> SocketAddr {
        socket.send_to(b"who am I?", (self.0.addr, PORT)).unwrap();
        let (question, outside) = next(&self.1);
        assert_eq!(question, "who am I?");
        self.1.send_to(b"you", outside).unwrap();
        assert_eq!(next(socket), ("you".to_owned(), (self.0.addr, PORT).into()));
        outside
    }
}

/// The ports at which two servers see one socket behind such a gateway, and that nobody comes in by these who was not
/// asked.
fn ports(nat: Nat) -> [u16; 2] {
    let net = Net::lay().unwrap();
    let (gateway, servers, stranger) =
        (net.gateway(nat).unwrap(), [Server::on(&net), Server::on(&net)], Server::on(&net));
    let home = gateway.home().unwrap();
    let socket = udp(&home, PORT);
    let outside = servers.each_ref().map(|server| server.sees(&socket));
    assert!(outside.iter().all(|outside| outside.ip() == gateway.addr()));

    // Nor is he who was asked let in by another port than the one that was asked.
    let [first, _] = &servers;
    for addr in outside {
        stranger.1.send_to(b"let me in", addr).unwrap();
    }
    udp(&first.0, PORT + 1).send_to(b"let me in", outside[0]).unwrap();
    first.1.send_to(b"once more", outside[0]).unwrap();
    assert_eq!(next(&socket).0, "once more");
    assert_eq!(gateway.dropped(), 3);
    outside.map(|outside| outside.port())
}

/// A router as at home has one port for all, and it is ours.
pub(crate) fn a_home_router_keeps_the_port() {
    assert_eq!(ports(Nat::Home), [PORT; 2]);
}

/// One port for all, though another one.
pub(crate) fn a_port_changing_gateway_has_one_port_for_all() {
    let [first, second] = ports(Nat::PortChanging);
    assert_eq!(first, second);
    assert_ne!(first, PORT);
}

/// One port for each.
pub(crate) fn a_symmetric_gateway_has_a_port_for_each() {
    let [first, second] = ports(Nat::Symmetric);
    assert!(first != second && first != PORT && second != PORT);
}

/// Two behind gateways who know each other's address at a server write to each other; whether that comes through.
fn punched(one: Nat, other: Nat) -> bool {
    let net = Net::lay().unwrap();
    let server = Server::on(&net);
    let gateways = [one, other].map(|nat| net.gateway(nat).unwrap());
    let homes = gateways.each_ref().map(|gateway| gateway.home().unwrap());
    // Both have the same private address.
    assert_eq!(homes[0].addr, homes[1].addr);
    let sockets = homes.each_ref().map(|home| udp(home, PORT));
    let outside = sockets.each_ref().map(|socket| server.sees(socket));
    // The first is always too early, and opens the way for the second, which opens it for the third.
    for turn in 0..3 {
        sockets[turn % 2].send_to(b"knock", outside[1 - turn % 2]).unwrap();
    }
    match gateways.each_ref().map(Gateway::dropped) {
        [0, 1] => {
            assert_eq!(sockets.each_ref().map(next), [1, 0].map(|peer: usize| ("knock".to_owned(), outside[peer])));
            true
        }
        [1, 2] => false,
        dropped => panic!("{dropped:?}"),
    }
}

/// What the scenarios expect of two gateways.
pub(crate) fn holes_are_punched_unless_ports_are_not_known() {
    assert!(punched(Nat::Home, Nat::Home));
    assert!(punched(Nat::PortChanging, Nat::PortChanging));
    assert!(punched(Nat::Home, Nat::PortChanging));
    assert!(!punched(Nat::Symmetric, Nat::Symmetric));
}

/// A socket for TCP that may have its port with others.
fn tcp(host: &Host) -> Socket {
    let socket = host.within(|| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap());
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)))).unwrap();
    socket
}

/// TCP goes out, and does not come in, by every gateway.
pub(crate) fn tcp_goes_out_and_not_in() {
    let net = Net::lay().unwrap();
    let server = net.host().unwrap();
    let listener = server.within(|| TcpListener::bind((server.addr, PORT)).unwrap());
    for nat in [Nat::Home, Nat::PortChanging, Nat::Symmetric] {
        let gateway = net.gateway(nat).unwrap();
        let home = gateway.home().unwrap();
        let mut out = home.within(|| TcpStream::connect_timeout(&(server.addr, PORT).into(), GUARD).unwrap());
        let (mut come, from) = listener.accept().unwrap();
        assert_eq!(
            (from.ip(), from.port() == out.local_addr().unwrap().port()),
            (gateway.addr().into(), nat == Nat::Home)
        );
        come.write_all(b"welcome").unwrap();
        come.shutdown(Shutdown::Write).unwrap();
        let mut heard = String::new();
        out.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "welcome");

        let _listening = home.within(|| TcpListener::bind((home.addr, PORT)).unwrap());
        let addr = SocketAddr::from((gateway.addr(), PORT));
        // It says nothing; for as long as somebody waits.
        let refused = server.within(|| TcpStream::connect_timeout(&addr, Duration::from_millis(100)).unwrap_err());
        assert_eq!((refused.kind(), gateway.dropped()), (ErrorKind::TimedOut, 1));
    }
}

/// Both connect, and none listens.
pub(crate) fn tcp_opens_from_both_sides() {
    let net = Net::lay().unwrap();
    let gateways = [net.gateway(Nat::Home).unwrap(), net.gateway(Nat::Home).unwrap()];
    let homes = gateways.each_ref().map(|gateway| gateway.home().unwrap());
    let sockets = homes.each_ref().map(tcp);
    let [one, other] = &sockets;
    thread::scope(|scope| {
        let early = scope.spawn(|| one.connect_timeout(&SocketAddr::from((gateways[1].addr(), PORT)).into(), GUARD));
        // The first was too early when it was dropped; it is sent again after the way has been opened for it.
        crate::node::becomes("a packet that is too early", || gateways[1].dropped() > 0);
        other.connect_timeout(&SocketAddr::from((gateways[0].addr(), PORT)).into(), GUARD).unwrap();
        early.join().unwrap().unwrap();
    });
    let peers = sockets.map(|socket| socket.peer_addr().unwrap().as_socket().unwrap().ip());
    assert_eq!(peers, [gateways[1].addr(), gateways[0].addr()]);
}

/// Where no UDP passes TCP does.
pub(crate) fn a_gateway_may_let_no_udp_through() {
    let net = Net::lay().unwrap();
    let server = net.host().unwrap();
    let listener = server.within(|| TcpListener::bind((server.addr, PORT)).unwrap());
    let gateway = net.gateway_without_udp(Nat::Home).unwrap();
    let home = gateway.home().unwrap();
    udp(&home, PORT).send_to(b"hello", (server.addr, PORT)).unwrap();
    assert_eq!(gateway.dropped(), 1);
    let _out = home.within(|| TcpStream::connect_timeout(&(server.addr, PORT).into(), GUARD).unwrap());
    assert_eq!(listener.accept().unwrap().1.ip(), gateway.addr());
}

/// A home that gets another address, and a host that goes to another home, are seen there; the old way is closed.
pub(crate) fn addresses_change() {
    let net = Net::lay().unwrap();
    let server = Server::on(&net);
    let (mut gateway, elsewhere) = (net.gateway(Nat::Home).unwrap(), net.gateway(Nat::Symmetric).unwrap());
    let mut home = gateway.home().unwrap();
    let socket = udp(&home, PORT);
    let first = server.sees(&socket);
    net.readdress(&mut gateway).unwrap();
    let second = server.sees(&socket);
    assert_eq!((second.ip(), first.ip() == second.ip()), (gateway.addr().into(), false));
    home.moves_behind(&elsewhere).unwrap();
    let third = server.sees(&socket);
    assert_eq!((third.ip(), third.port() == PORT), (elsewhere.addr().into(), false));
    for old in [first, second] {
        server.1.send_to(b"are you there?", old).unwrap();
    }
    server.1.send_to(b"you are here", third).unwrap();
    assert_eq!(next(&socket).0, "you are here");
}

/// The gateway of a home is the same to those who are there when others have come and gone.
pub(crate) fn a_gateway_stays_the_same() {
    let net = Net::lay().unwrap();
    let server = Server::on(&net);
    let gateway = net.gateway(Nat::Home).unwrap();
    let home = gateway.home().unwrap();
    let socket = udp(&home, PORT);
    let first = server.sees(&socket);
    for _ in 0..8 {
        let others = [(); 2].map(|()| gateway.home().unwrap());
        assert_eq!(server.sees(&socket), first);
        drop(others);
        assert_eq!(server.sees(&socket), first);
    }
}

/// What a host sends is counted, and nothing else.
pub(crate) fn bytes_are_counted() {
    let net = Net::lay().unwrap();
    let server = Server::on(&net);
    let gateway = net.gateway(Nat::Home).unwrap();
    let home = gateway.home().unwrap();
    let socket = udp(&home, PORT);
    server.sees(&socket);
    let before = [home.sent(), server.0.sent()];
    let mut buffer = [0; 1000];
    for _ in 0..100 {
        socket.send_to(&buffer, (server.0.addr, PORT)).unwrap();
        server.1.recv(&mut buffer).unwrap();
    }
    // What the kernel says to its neighbours is little.
    let [more, less] = [home.sent() - before[0], server.0.sent() - before[1]];
    assert!((100_000..120_000).contains(&more) && less < 10_000, "{more} {less}");
}

/// 50 ms to the other side, and two of a hundred are lost.
#[expect(clippy::disallowed_methods, reason = "the way is long, which a clock shows")]
pub(crate) fn a_way_is_long_and_bad() {
    const BURSTS: usize = 16;
    const BURST: usize = 128;
    let net = Net::long(50, 20, 1).unwrap();
    let server = net.host().unwrap();
    let echo = udp(&server, PORT);
    let gateway = net.gateway(Nat::Home).unwrap();
    let home = gateway.home().unwrap();
    let socket = udp(&home, PORT);
    let addr = SocketAddr::from((server.addr, PORT));
    thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((length, from)) = echo.recv_from(&mut buffer) {
            echo.send_to(&buffer[..length], from).unwrap();
        }
    });

    let (mut shortest, mut came) = (GUARD, 0);
    for burst in 0..BURSTS {
        let begun = Instant::now();
        for _ in 0..BURST {
            socket.send_to(format!("{burst}").as_bytes(), addr).unwrap();
        }
        // The end of a burst may be lost as well: it is sent until it comes back.
        let end = format!("end of {burst}");
        let mut ended = false;
        socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        while !ended {
            socket.send_to(end.as_bytes(), addr).unwrap();
            let mut buffer = [0; 64];
            while let Ok(length) = socket.recv(&mut buffer) {
                shortest = shortest.min(begun.elapsed());
                let text = &buffer[..length];
                came += usize::from(text == burst.to_string().as_bytes());
                if text == end.as_bytes() {
                    ended = true;
                    break;
                }
            }
        }
    }
    assert!(shortest >= Duration::from_millis(100), "{shortest:?}");
    // Twice two of a hundred, of 2,048: 81, give or take 9.
    let lost = BURSTS * BURST - came;
    assert!((40..=130).contains(&lost), "{lost} of {} lost", BURSTS * BURST);
}

/// Nothing is left, neither by a test that fails nor by one that was killed.
pub(crate) fn nothing_is_left() {
    let mut all = Vec::new();
    let failed = catch_unwind(AssertUnwindSafe(|| {
        let net = Net::long(1, 0, 1).unwrap();
        let (host, gateway) = (net.host().unwrap(), net.gateway(Nat::Home).unwrap());
        let home = gateway.home().unwrap();
        all.extend([&host, &home].map(|host| host.name().to_owned()));
        let there = names();
        assert!(all.iter().all(|name| there.contains(name)));
        // Not `panic!`, which would tell of it.
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(failed.is_err());
    let there = names();
    assert!(!all.iter().any(|name| there.contains(name)), "{there:?}");

    // The highest ID there can be, of which nobody is.
    let left = "rohrpost-4194305-0";
    Namespace::named(left.to_owned()).unwrap().forget();
    assert!(names().iter().any(|name| name == left));
    sweep();
    assert!(!names().iter().any(|name| name == left));
}
