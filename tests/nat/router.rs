//! The part of a router at home that forwards ports to whoever asks for it (UPnP): `miniupnpd`, as it runs in many of them.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::netns::Namespace;
use crate::node::becomes;

const PROGRAM: &str = "miniupnpd";

/// Where its rules go. The table and the chains are the gateway's.
pub(crate) const FORWARD: &str = "upnp";
pub(crate) const INWARD: &str = "upnp_in";
pub(crate) const OUTWARD: &str = "upnp_out";

/// It runs on a gateway, for those behind it.
pub(crate) struct Router {
    child: Child,
    _folder: tempfile::TempDir,
}

/// A port that is forwarded: the protocol's number, and the port inside and outside.
pub(crate) type Mapping = (u64, u64);

impl Router {
    /// Starts it, between these interfaces.
    pub(crate) fn start(gateway: &Namespace, inside: &str, outside: &str) -> Result<Self, String> {
        is_there()?;
        let folder = tempfile::tempdir().unwrap();
        let [config, pid, log] = ["config", "pid", "log"].map(|name| folder.path().join(name));
        fs::write(
            &config,
            format!(
                "ext_ifname={outside}\nlistening_ip={inside}\nenable_upnp=yes\nenable_natpmp=no\nsecure_mode=yes\n\
                 uuid=00000000-0000-4000-8000-000000000001\n\
                 upnp_table_name=filter\nupnp_nat_table_name=filter\nupnp_forward_chain={FORWARD}\n\
                 upnp_nat_chain={INWARD}\nupnp_nat_postrouting_chain={OUTWARD}\n\
                 allow 1024-65535 192.168.0.0/24 1024-65535\ndeny 0-65535 0.0.0.0/0 0-65535\n"
            ),
        )
        .unwrap();
        let mut command = gateway.command(Path::new(PROGRAM));
        command.arg("-d").arg("-f").arg(&config).arg("-P").arg(&pid);
        let output = File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let router = Self { child: command.spawn().map_err(|error| error.to_string())?, _folder: folder };
        becomes("a router that forwards ports", || fs::read_to_string(&log).unwrap().contains("HTTP listening"));
        Ok(router)
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The ports that a gateway forwards.
pub(crate) fn mappings(gateway: &Namespace) -> Vec<Mapping> {
    let mut command = gateway.command(Path::new("nft"));
    let output = command.args(["-j", "list", "chain", "inet", "filter", INWARD]).output().unwrap();
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rules = listed["nftables"].as_array().unwrap().iter().filter_map(|entry| entry["rule"]["expr"].as_array());
    let mapping = |rule: &Vec<Value>| {
        let of = |what: &str| {
            rule.iter().find(|part| {
                part["match"]["left"]["payload"][what].is_number() || part["match"]["left"]["payload"]["field"] == what
            })
        };
        let right = |part: Option<&Value>| part.unwrap()["match"]["right"].as_u64().unwrap();
        (right(of("offset")), right(of("dport")))
    };
    let mut mappings: Vec<Mapping> = rules.map(mapping).collect();
    mappings.sort_unstable();
    mappings
}

/// Whether the program is here.
pub(crate) fn is_there() -> Result<(), String> {
    let output = Command::new(PROGRAM).arg("--version").output();
    let output = output.map_err(|error| format!("cannot run {PROGRAM} (miniupnpd-nftables): {error}"))?;
    let version = String::from_utf8_lossy(&output.stdout);
    match version.contains("nftables") {
        true => Ok(()),
        false => Err(format!("{PROGRAM} without nftables: {version}")),
    }
}
