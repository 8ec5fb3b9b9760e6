//! What the profile stands in: the clock, the configuration, the socket, the network.

use std::fs;
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::os::unix::fs::FileTypeExt;

use crate::api::{self, ApiError, Area};
use crate::base::shown::{ClockFault, ClockWarning, Elsewhere, span};
use crate::base::{Millis, WallTime};
use crate::messenger::query::ClockRow;
use crate::net::{MdnsStatus, NetStatus};
use crate::node::config::{RunOptions, Settings};
use crate::node::place::Place;
use crate::node::socket::{self, SOCKET_NAME};

use super::findings::Findings;

/// 1 January 2025: before it there was no rohrpost.
const BEGINNING: WallTime = WallTime(1_735_689_600_000);
const SET_IT: &str = "set it: `timedatectl set-ntp true`, or by hand";

pub(super) fn look_at_clock(now: WallTime, clock: Option<&ClockRow>, found: &mut Findings) {
    if now < BEGINNING {
        return found.problem(Area::Clock, "it stands before 2025", SET_IT);
    }
    let Some(clock) = clock else {
        return found.ok(Area::Clock, "not compared: no time in the store could be read");
    };
    let Some(ClockWarning { fault, seconds }) = clock.warning() else {
        return found.ok(Area::Clock, "it agrees with the times in the store");
    };
    let by = span(Millis::from_secs(seconds));
    match fault {
        ClockFault::Behind => {
            let hint = "if it is wrong, set it (`timedatectl set-ntp true`); if it is right, `rohrpost doctor --clock` says so";
            found.problem(Area::Clock, format!("it stands {by} before the time that it showed already"), hint);
        }
        ClockFault::Ahead => {
            let message =
                format!("it stands {by} further ahead than time was seen to pass: nothing is given up because of it");
            let hint = "if you were away, it is believed in a while, or with `rohrpost doctor --clock`; if it is wrong, set it";
            found.note(Area::Clock, message, hint);
        }
    }
}

/// Whether a card was found that this profile did not make.
pub(super) fn look_at_identity(elsewhere: Option<Elsewhere>, found: &mut Findings) {
    match elsewhere {
        None => found.ok(Area::Identity, "no other node was seen under it"),
        Some(Elsewhere { issued, running: true }) => {
            let message = format!(
                "another node runs under it, with a copy of this profile: it made a contact card on {}. \
                Each of the two gets a part of what is written to you, and sessions break again and again",
                api::time::format(issued)
            );
            let hint = "stop one of the two for good, best the one with the older messages; a day later this is over";
            found.problem(Area::Identity, message, hint);
        }
        Some(Elsewhere { issued, running: false }) => {
            let message =
                format!("a contact card was made on {} by another copy of this profile", api::time::format(issued));
            let hint = "if you have put back an old copy, all is well; if not, another node runs somewhere: stop one of the two";
            found.note(Area::Identity, message, hint);
        }
    }
}

pub(super) fn look_at_config(place: &Place, found: &mut Findings) -> Option<Settings> {
    match RunOptions::default().settled(place) {
        Ok(settings) => {
            let path = place.config.as_ref().filter(|path| path.exists());
            found.ok(
                Area::Config,
                path.map_or_else(|| "none: the defaults hold".to_owned(), |p| p.display().to_string()),
            );
            Some(settings)
        }
        Err(error) => {
            found.error(Area::Config, error);
            None
        }
    }
}

/// Whether a node could have its socket in the folder. It is tried: no file system says beforehand whether it knows sockets.
pub(super) fn look_at_socket(place: &Place, found: &mut Findings) {
    let path = place.dir.join(SOCKET_NAME);
    let shown = path.display();
    if let Ok(about) = fs::symlink_metadata(&path) {
        if about.file_type().is_socket() {
            let hint = "nothing to do: the next node removes it";
            return found.note(Area::Socket, format!("{shown} was left over by a node that was killed"), hint);
        }
        let hint = "move it away; a node has its socket elsewhere meanwhile";
        return found.note(Area::Socket, format!("{shown} is in the way of the socket, and is none"), hint);
    }
    match socket::try_in(place) {
        Ok(()) => found.ok(Area::Socket, format!("{shown} is free for a node")),
        Err(error) => {
            let message = format!("a node cannot have its socket at {shown} ({error})");
            let hint = "nothing to do: it is elsewhere then, as `rohrpost status` says; commands find it";
            found.note(Area::Socket, message, hint);
        }
    }
}

pub(super) fn look_at_network(settings: Option<&Settings>, net: Option<&NetStatus>, found: &mut Findings) {
    if !has_way_out() {
        let hint = "connect the machine; what you write waits in the outbox until then";
        found.problem(Area::Network, "this machine has no way to any network", hint);
    }
    if let Some(net) = net {
        if net.listen_addrs.is_empty() {
            let hint = "nobody can reach this node; start it with other `--listen` addresses, or without any";
            found.problem(Area::Network, "the node listens nowhere", hint);
        } else {
            let peers = net.peers.len();
            found.ok(Area::Network, format!("listening at {}; {peers} connected", net.listen_addrs.join(", ")));
        }
    }
    if let Some(net) = net {
        return look_at_mdns(net.mdns, found);
    }
    if let Some(settings) = settings {
        for (addr, error) in settings.listen.iter().flatten().filter_map(|addr| Some((addr, taken(addr)?))) {
            let hint = "choose another port, or end the program that has it";
            found.problem(Area::Network, format!("a node could not listen at {addr}: {error}"), hint);
        }
        look_at_mdns(if settings.mdns { MdnsStatus::On } else { MdnsStatus::Off }, found);
    }
}

/// Of the node that runs, or as the next one will be set up.
fn look_at_mdns(mdns: MdnsStatus, found: &mut Findings) {
    match mdns {
        MdnsStatus::On => found.ok(Area::Network, "peers in the local network are looked for (mDNS)"),
        MdnsStatus::Off => {
            let hint = "leave `--no-mdns` out, and set `mdns = true`, if that was not meant";
            found.note(Area::Network, "peers in the local network are not looked for: mDNS is off", hint);
        }
        MdnsStatus::Flooded => {
            let hint = "start the node again when that has ended; who has a link reaches you meanwhile";
            found.note(Area::Network, "somebody floods the local network: peers are no longer looked for there", hint);
        }
    }
}

/// Whether the system knows where it would send to somewhere else; nothing is sent.
fn has_way_out() -> bool {
    let reaches = |from: &str, to: &str| UdpSocket::bind(from).is_ok_and(|socket| socket.connect(to).is_ok());
    // Addresses that are nobody's, for documentation.
    reaches("0.0.0.0:0", "192.0.2.1:9") || reaches("[::]:0", "[2001:db8::1]:9") || has_interface()
}

/// Whether there is an interface besides the loopback one that is up: a network without a way to others is one, too.
fn has_interface() -> bool {
    let entries = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name() != "lo").any(|entry| {
        let state = fs::read_to_string(entry.path().join("operstate")).unwrap_or_default();
        state.trim() == "up"
    })
}

/// Why nobody could listen at this TCP address with a port of its own, if nobody could.
fn taken(addr: &str) -> Option<ApiError> {
    let mut parts = addr.split('/').skip(1);
    let (Some("ip4" | "ip6"), Some(ip), Some("tcp"), Some(port)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let (ip, port): (IpAddr, u16) = (ip.parse().ok()?, port.parse().ok().filter(|port| *port > 0)?);
    let error = TcpListener::bind((ip, port)).err()?;
    Some(ApiError::new(crate::api::Code::Network, error.to_string()))
}
