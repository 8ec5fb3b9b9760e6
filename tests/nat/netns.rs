//! Network namespaces: machines that are not there. They vanish when dropped, and so does what is in them.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where `ip netns` keeps the names.
const NAMES: &str = "/var/run/netns";

/// How all our names begin; the ID of the process that made them follows.
const OURS: &str = "rohrpost-";

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
        let cable = Self { left: Namespace::add()?, right: Namespace::add()? };
        cable.left.plug("cable", &cable.right, "cable")?;
        for (end, addr) in [(&cable.left, "10.77.0.1/24"), (&cable.right, "10.77.0.2/24")] {
            end.ip(&["addr", "add", addr, "dev", "cable"])?;
            end.ip(&["link", "set", "cable", "up"])?;
            // A machine with a network has a default route; without one multicast has no way out.
            end.ip(&["route", "add", "224.0.0.0/4", "dev", "cable"])?;
        }
        Ok(cable)
    }
}

impl Namespace {
    /// A new one, in which there is only loopback.
    pub(crate) fn add() -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{OURS}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let namespace = Self::named(name)?;
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    pub(crate) fn named(name: String) -> Result<Self, String> {
        ip(&["netns", "add", &name])?;
        Ok(Self { name })
    }

    /// Leaves it there, as a test that is killed does.
    pub(crate) fn forget(self) {
        std::mem::forget(self);
    }

    /// Joins an interface of this name here to one of that name there.
    pub(crate) fn plug(&self, here: &str, other: &Self, there: &str) -> Result<(), String> {
        ip(&["link", "add", here, "netns", &self.name, "type", "veth", "peer", "name", there, "netns", &other.name])
    }

    /// `ip` inside.
    pub(crate) fn ip(&self, args: &[&str]) -> Result<(), String> {
        ip(&[&["-n", &self.name], args].concat())
    }

    /// Takes these rules in place of those that are there.
    pub(crate) fn filter(&self, rules: &str) -> Result<(), String> {
        let mut command = self.command(Path::new("nft"));
        let child = command.args(["-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("cannot run nft (nftables): {error}"))?;
        child.stdin.take().unwrap().write_all(format!("flush ruleset\n{rules}").as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("nft (nftables): {}\n{rules}", String::from_utf8_lossy(&output.stderr).trim())),
        }
    }

    /// `nft` inside.
    pub(crate) fn nft(&self, args: &[&str]) -> Result<(), String> {
        let output = self.command(Path::new("nft")).args(args).output();
        let output = output.map_err(|error| format!("cannot run nft (nftables): {error}"))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("nft {args:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        }
    }

    /// Sets what is below `/proc/sys/net`.
    pub(crate) fn set(&self, name: &str, value: &str) -> Result<(), String> {
        let path = Path::new("/proc/sys/net").join(name);
        self.within(|| std::fs::write(&path, value)).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Works inside. A socket that is made there stays there.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            let namespace = File::open(Path::new(NAMES).join(&self.name)).unwrap();
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        };
        thread::scope(|scope| scope.spawn(inside).join()).unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Its name, as `ip netns` knows it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs inside.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Its ends of cables, and so the other ends, go with it.
        if let Err(error) = ip(&["netns", "del", &self.name]) {
            eprintln!("{error}");
        }
    }
}

/// The names of all namespaces that are there.
pub(crate) fn names() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(NAMES) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Removes what tests left that were killed.
pub(crate) fn sweep() {
    for name in names() {
        let maker = name.strip_prefix(OURS).and_then(|rest| rest.split('-').next());
        if maker.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Somebody else may be sweeping, too.
            let _ = ip(&["netns", "del", &name]);
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
