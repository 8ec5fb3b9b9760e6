//! An internet on one machine: hosts in the net, homes behind gateways, and ways that are long and bad.
//!
//! Every host, every gateway and the net between them is a namespace. The net is a router; whoever is plugged into it has
//! an address of its own, and what is sent to any other address disappears, as it does out there. All homes have the
//! same private network, as most homes do.

use std::fs;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::Value;

use crate::netns::Namespace;
use crate::router::{FORWARD, INWARD, Mapping, OUTWARD, Router, mappings};
use crate::way::{LongWay, TUN};

/// The next hop of all that are plugged into the net.
const HOP: &str = "198.18.0.1";

/// The table of routes of what has still to go the long way.
const LONG_WAY: &str = "100";

/// The gateway of every home.
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
const ROUTER_MAC: &str = "02:00:c0:a8:00:01";

/// How many ports a port-changing gateway has to give away, and the first of them.
const PORTS: u32 = 1024;
const FIRST_PORT: u32 = 40_000;

/// What a gateway does with what goes out. None lets anything in that was not asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nat {
    /// A router as at home: it keeps the port when it can, for all whom we talk to.
    Home,
    /// One port, another than ours, for all whom we talk to.
    PortChanging,
    /// Another port for everyone whom we talk to.
    Symmetric,
}

/// The internet.
pub(crate) struct Net {
    // Before the namespace it runs in.
    way: Option<LongWay>,
    namespace: Namespace,
    /// How many were plugged in so far; it names their interfaces and addresses.
    plugged: AtomicU8,
}

/// Between the net and a home.
pub(crate) struct Gateway {
    /// What forwards ports for those at home. (Before the namespace it runs in.)
    router: Option<Router>,
    upnp: bool,
    namespace: Namespace,
    nat: Nat,
    udp: bool,
    link: String,
    addr: Ipv4Addr,
    homes: AtomicU8,
}

/// Somebody's machine.
pub(crate) struct Host {
    pub(crate) namespace: Namespace,
    /// In the net its address there, at home the private one.
    pub(crate) addr: Ipv4Addr,
}

impl Net {
    /// A net without delay.
    pub(crate) fn lay() -> Result<Self, String> {
        Self::new(None)
    }

    /// A net in which everything takes `delay` milliseconds to the other side, and `loss` of a thousand packets do not come
    /// there; the seed says which.
    pub(crate) fn long(delay: u32, loss: u32, seed: u64) -> Result<Self, String> {
        Self::new(Some((delay, loss, seed)))
    }

    fn new(way: Option<(u32, u32, u64)>) -> Result<Self, String> {
        let namespace = Namespace::add()?;
        namespace.set("ipv4/ip_forward", "1")?;
        // What comes out of the long way comes from where no route leads.
        namespace.set("ipv4/conf/all/rp_filter", "0")?;
        namespace.set("ipv4/conf/default/rp_filter", "0")?;
        namespace.ip(&["route", "add", "blackhole", "default"])?;
        let way = way.map(|(delay, loss, seed)| LongWay::lay(&namespace, delay, loss, seed)).transpose()?;
        if way.is_some() {
            namespace.ip(&["link", "set", TUN, "mtu", "1500", "up"])?;
            namespace.ip(&["route", "add", "default", "dev", TUN, "table", LONG_WAY])?;
        }
        Ok(Self { way, namespace, plugged: AtomicU8::new(1) })
    }

    /// A host in the net, without anything between.
    pub(crate) fn host(&self) -> Result<Host, String> {
        self.host_in([150, 51, 100])
    }

    /// The same, in this network of the net. (Gateways are in networks of their own.)
    pub(crate) fn host_in(&self, [a, b, c]: [u8; 3]) -> Result<Host, String> {
        let namespace = Namespace::add()?;
        let (_, number) = self.plug(&namespace, "eth0")?;
        let addr = Ipv4Addr::new(a, b, c, number);
        self.lead(&namespace, "eth0", number, addr)?;
        Ok(Host { namespace, addr })
    }

    /// A gateway, behind which there is nobody yet.
    pub(crate) fn gateway(&self, nat: Nat) -> Result<Gateway, String> {
        self.gateway_for(nat, true, false)
    }

    /// A gateway that lets no UDP through, as in some offices.
    pub(crate) fn gateway_without_udp(&self, nat: Nat) -> Result<Gateway, String> {
        self.gateway_for(nat, false, false)
    }

    /// A gateway that forwards ports to those at home who ask for it.
    pub(crate) fn gateway_with_upnp(&self, nat: Nat) -> Result<Gateway, String> {
        let mut gateway = self.gateway_for(nat, true, true)?;
        gateway.router_on()?;
        Ok(gateway)
    }

    fn gateway_for(&self, nat: Nat, udp: bool, upnp: bool) -> Result<Gateway, String> {
        let namespace = Namespace::add()?;
        namespace.set("ipv4/ip_forward", "1")?;
        // With an address of its own: it would have one of a socket, and another one whenever that is unplugged, so that those at
        // home would send to nobody until they ask again, for a minute.
        namespace.ip(&["link", "add", "lan", "address", ROUTER_MAC, "type", "bridge"])?;
        namespace.ip(&["addr", "add", &format!("{ROUTER}/24"), "dev", "lan"])?;
        namespace.ip(&["link", "set", "lan", "up"])?;
        let (link, number) = self.plug(&namespace, "wan")?;
        let addr = outside(upnp, number);
        let gateway = Gateway { router: None, upnp, namespace, nat, udp, link, addr, homes: AtomicU8::new(1) };
        gateway.namespace.filter(&gateway.rules())?;
        self.lead(&gateway.namespace, "wan", number, addr)?;
        Ok(gateway)
    }

    /// The gateway gets another address, as from a provider at night. What went by the old one is over.
    pub(crate) fn readdress(&self, gateway: &mut Gateway) -> Result<(), String> {
        let number = self.plugged.fetch_add(1, Ordering::Relaxed);
        let (old, new) = (format!("{}/32", gateway.addr), outside(gateway.upnp, number));
        self.namespace.ip(&["route", "del", &old])?;
        gateway.namespace.ip(&["addr", "del", &old, "dev", "wan"])?;
        gateway.addr = new;
        gateway.namespace.filter(&gateway.rules())?;
        self.address(&gateway.namespace, "wan", new)?;
        self.namespace.ip(&["route", "add", &format!("{new}/32"), "dev", &gateway.link])
    }

    /// Plugs an interface of somebody into the net: the name of its other end, and its number.
    fn plug(&self, namespace: &Namespace, interface: &str) -> Result<(String, u8), String> {
        let number = self.plugged.fetch_add(1, Ordering::Relaxed);
        let link = format!("v{number}");
        self.namespace.plug(&link, namespace, interface)?;
        Ok((link, number))
    }

    /// Both ends get their addresses and routes.
    fn lead(&self, namespace: &Namespace, interface: &str, number: u8, addr: Ipv4Addr) -> Result<(), String> {
        let link = format!("v{number}");
        self.namespace.ip(&["addr", "add", &format!("{HOP}/32"), "dev", &link])?;
        self.namespace.ip(&["link", "set", &link, "up"])?;
        self.namespace.ip(&["route", "add", &format!("{addr}/32"), "dev", &link])?;
        if self.way.is_some() {
            self.namespace.ip(&["rule", "add", "iif", &link, "lookup", LONG_WAY])?;
        }
        self.address(namespace, interface, addr)
    }

    fn address(&self, namespace: &Namespace, interface: &str, addr: Ipv4Addr) -> Result<(), String> {
        namespace.ip(&["addr", "add", &format!("{addr}/32"), "dev", interface])?;
        namespace.ip(&["link", "set", interface, "up"])?;
        namespace.ip(&["route", "replace", "default", "via", HOP, "dev", interface, "onlink"])
    }
}

/// The address of a gateway. One that forwards ports, and who asks for it, take an address set aside for documentation for
/// none of the internet.
fn outside(upnp: bool, number: u8) -> Ipv4Addr {
    if upnp { Ipv4Addr::new(11, 0, 0, number) } else { Ipv4Addr::new(152, 0, 113, number) }
}

impl Gateway {
    /// Its address in the net.
    pub(crate) fn addr(&self) -> Ipv4Addr {
        self.addr
    }

    /// What it does.
    pub(crate) fn nat(&self) -> Nat {
        self.nat
    }

    /// A host behind it.
    pub(crate) fn home(&self) -> Result<Host, String> {
        let mut host = Host { namespace: Namespace::add()?, addr: Ipv4Addr::UNSPECIFIED };
        self.takes(&mut host)?;
        Ok(host)
    }

    /// Its router is switched on; it knows of no port that it has forwarded before.
    pub(crate) fn router_on(&mut self) -> Result<(), String> {
        self.router = None;
        for chain in [FORWARD, INWARD, OUTWARD] {
            self.namespace.nft(&["flush", "chain", "inet", "filter", chain])?;
        }
        self.router = Some(Router::start(&self.namespace, "lan", "wan")?);
        Ok(())
    }

    /// The ports that it forwards.
    pub(crate) fn mappings(&self) -> Vec<Mapping> {
        mappings(&self.namespace)
    }

    /// How many packets were not let in.
    pub(crate) fn dropped(&self) -> u64 {
        let mut command = self.namespace.command(std::path::Path::new("nft"));
        let output = command.args(["-j", "list", "counter", "inet", "filter", "dropped"]).output().unwrap();
        let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
        let counters = listed["nftables"].as_array().unwrap();
        counters.iter().find_map(|entry| entry["counter"]["packets"].as_u64()).unwrap()
    }

    /// Plugs a host in.
    fn takes(&self, host: &mut Host) -> Result<(), String> {
        let number = self.homes.fetch_add(1, Ordering::Relaxed);
        let socket = format!("h{number}");
        self.namespace.plug(&socket, &host.namespace, "eth0")?;
        self.namespace.ip(&["link", "set", &socket, "master", "lan", "up"])?;
        host.addr = Ipv4Addr::new(192, 168, 0, 1 + number);
        host.namespace.ip(&["addr", "add", &format!("{}/24", host.addr), "dev", "eth0"])?;
        host.namespace.ip(&["link", "set", "eth0", "up"])?;
        host.namespace.ip(&["route", "add", "default", "via", &ROUTER.to_string()])
    }

    /// What it does with packets. Without the last rule a packet that comes too early would be answered by the gateway
    /// itself, and the port be taken when ours goes out.
    fn rules(&self) -> String {
        let udp = if self.udp { "" } else { "meta l4proto udp counter name dropped drop" };
        let (chains, forward) = match self.upnp {
            true => (
                format!(
                    "chain {FORWARD} {{ }}\nchain {OUTWARD} {{ }}\n\
                     chain {INWARD} {{ type nat hook prerouting priority dstnat; }}"
                ),
                format!("jump {FORWARD}"),
            ),
            false => (String::new(), String::new()),
        };
        format!(
            r#"
            table ip nat {{
                chain out {{
                    type nat hook postrouting priority srcnat
                    {}
                }}
            }}
            table inet filter {{
                counter dropped {{ }}
                {chains}
                chain through {{
                    type filter hook forward priority filter; policy drop
                    {udp}
                    iifname "lan" accept
                    ct state established,related accept
                    {forward}
                    counter name dropped
                }}
                chain in {{
                    type filter hook input priority filter
                    ct state established,related accept
                    iifname "wan" counter name dropped drop
                }}
            }}
            "#,
            self.translation()
        )
    }

    fn translation(&self) -> String {
        let masquerade = r#"oifname "wan" masquerade"#;
        match self.nat {
            Nat::Home => masquerade.to_owned(),
            Nat::Symmetric => format!("{masquerade} fully-random"),
            Nat::PortChanging => {
                let ports: Vec<String> = (0..PORTS).map(|n| format!("{n} : {}", FIRST_PORT + n)).collect();
                let (addr, ports) = (self.addr, ports.join(", "));
                format!(
                    r#"oifname "wan" meta l4proto {{ tcp, udp }} snat to {addr} : jhash ip saddr . th sport mod {PORTS} seed 1 map {{ {ports} }}
                    {masquerade}"#
                )
            }
        }
    }
}

impl Host {
    /// The name of its namespace.
    pub(crate) fn name(&self) -> &str {
        self.namespace.name()
    }

    /// It leaves where it is, and comes to this gateway: as one who takes a notebook along.
    pub(crate) fn moves_behind(&mut self, gateway: &Gateway) -> Result<(), String> {
        self.namespace.ip(&["link", "del", "eth0"])?;
        gateway.takes(self)
    }

    /// Works there, see [`Namespace::within`].
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.namespace.within(work)
    }

    /// How many bytes it has sent by its interface, in the life of that.
    pub(crate) fn sent(&self) -> u64 {
        let table = self.within(|| fs::read_to_string("/proc/thread-self/net/dev").unwrap());
        let line = table.lines().find_map(|line| line.trim().strip_prefix("eth0:")).unwrap();
        let columns: Vec<u64> = line.split_whitespace().map(|column| column.parse().unwrap()).collect();
        columns[8]
    }
}
