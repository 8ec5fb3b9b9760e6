//! A way that is long and bad: a process reads the packets of the net from a TUN device, waits, and gives them back, but for
//! some. (`netem` does the same, where a kernel has it.)

use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::netns::Namespace;

/// The device.
pub(crate) const TUN: &str = "tun0";

/// The largest packet there is.
const LARGEST: usize = 65_536;

/// How many packets are on the way at most; what is too much is lost, as on any way.
const ON_THE_WAY: usize = 8_192;

/// The process that keeps the packets of a net back.
pub(crate) struct LongWay(Child);

impl LongWay {
    /// Starts it in the net, whose routes have to lead there.
    pub(crate) fn lay(net: &Namespace, delay: u32, loss: u32, seed: u64) -> Result<Self, String> {
        let mut command = net.command(opener()?);
        command.arg(TUN).arg(std::env::current_exe().unwrap()).arg(crate::WAY);
        command.args([delay.to_string(), loss.to_string(), seed.to_string()]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let way = Self(child);
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).unwrap();
        match line.as_str() {
            "ready\n" => Ok(way),
            _ => Err(format!("no TUN device ({line:?})")),
        }
    }
}

impl Drop for LongWay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What opens the device, for that is a call to the system that safe code cannot make (`tun.c`); compiled once.
fn opener() -> Result<&'static Path, String> {
    static OPENER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let compiled = OPENER.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nat/tun.c");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (program, fresh) = (folder.join("tun"), folder.join(format!("tun-{}", std::process::id())));
        let flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-o"];
        let output = Command::new("cc").args(flags).arg(&fresh).arg(source).output();
        let output = output.map_err(|error| format!("cannot run a C compiler (cc): {error}"))?;
        if !output.status.success() {
            return Err(format!("cc: {}", String::from_utf8_lossy(&output.stderr)));
        }
        std::fs::rename(fresh, &program).map_err(|error| error.to_string())?;
        Ok(program)
    });
    compiled.as_deref().map_err(Clone::clone)
}

/// Carries packets, with the device as its input, until it is killed.
#[expect(clippy::disallowed_methods, reason = "to wait is what it is for")]
pub(crate) fn run(delay: Duration, loss: u32, seed: u64) {
    let (enter, leave) = sync_channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    thread::spawn(move || {
        let device = std::io::stdin();
        for (due, packet) in leave {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // Where it is going may just have been unplugged.
            let _ = rustix::io::write(device.as_fd(), &packet);
        }
    });
    println!("ready");
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let device = std::io::stdin();
    let mut packet = vec![0; LARGEST];
    loop {
        let length = rustix::io::read(device.as_fd(), &mut packet).unwrap();
        if dice.next_u32() % 1000 >= loss {
            // Lost, when too many are on the way.
            let _ = enter.try_send((Instant::now() + delay, packet[..length].to_vec()));
        }
    }
}
