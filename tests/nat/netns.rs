//! Two machines on one cable: network namespaces joined by a veth pair. They vanish when dropped.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A network namespace of our own.
pub(crate) struct Namespace {
    name: String,
}

/// Two namespaces that reach each other, and nothing else.
pub(crate) struct Cable {
    pub(crate) left: Namespace,
    pub(crate) right: Namespace,
}

impl Cable {
    /// Lays a cable.
    pub(crate) fn lay() -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let tag = format!("rohrpost-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let cable = Self { left: Namespace::add(format!("{tag}-l"))?, right: Namespace::add(format!("{tag}-r"))? };
        let (left, right) = (&cable.left.name, &cable.right.name);
        ip(&["link", "add", "cable", "netns", left, "type", "veth", "peer", "name", "cable", "netns", right])?;
        cable.left.up("10.77.0.1/24")?;
        cable.right.up("10.77.0.2/24")?;
        Ok(cable)
    }
}

impl Namespace {
    fn add(name: String) -> Result<Self, String> {
        ip(&["netns", "add", &name])?;
        Ok(Self { name })
    }

    fn up(&self, addr: &str) -> Result<(), String> {
        ip(&["-n", &self.name, "link", "set", "lo", "up"])?;
        ip(&["-n", &self.name, "addr", "add", addr, "dev", "cable"])?;
        ip(&["-n", &self.name, "link", "set", "cable", "up"])?;
        // A machine with a network has a default route; without one multicast has no way out.
        ip(&["-n", &self.name, "route", "add", "224.0.0.0/4", "dev", "cable"])
    }

    /// Its name, as `ip netns` knows it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs inside.
    pub(crate) fn command(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Its end of the cable, and so the other end, goes with it.
        if let Err(error) = ip(&["netns", "del", &self.name]) {
            eprintln!("{error}");
        }
    }
}

fn ip(args: &[&str]) -> Result<(), String> {
    let output =
        Command::new("ip").args(args).output().map_err(|error| format!("cannot run ip (iproute2): {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}
