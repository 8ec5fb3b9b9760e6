//! What a service manager is told, and the units that we give for one.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::person::Person;

/// Waits for the next word.
fn hear(socket: &UnixDatagram) -> String {
    let mut word = [0; 256];
    let read = socket.recv(&mut word).expect("something is told");
    String::from_utf8_lossy(&word[..read]).trim().to_owned()
}

#[test]
fn the_service_manager_hears_that_it_is_up_alive_and_ends() {
    let alice = Person::new("Alice");
    let at = alice.path().join("notify");
    let socket = UnixDatagram::bind(&at).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let with = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    alice.surround(vec![with("NOTIFY_SOCKET", at.to_str().unwrap()), with("WATCHDOG_USEC", "200000")]);
    let node = alice.on();
    assert_eq!(hear(&socket), "READY=1");
    for _ in 0..3 {
        assert_eq!(hear(&socket), "WATCHDOG=1");
    }
    node.off();
    let mut last = hear(&socket);
    while last == "WATCHDOG=1" {
        last = hear(&socket);
    }
    assert_eq!(last, "STOPPING=1");

    // Nobody listens there, or nothing is said of a manager: that is no reason not to run.
    fs::remove_file(&at).unwrap();
    for place in [at.to_str().unwrap(), ""] {
        alice.surround(vec![with("NOTIFY_SOCKET", place)]);
        let node = alice.on();
        assert_eq!(alice.status()["running"], true);
        node.off();
    }
}

/// The units of the guide and of the volunteers' guide are sound by systemd's own word.
#[test]
fn the_units_that_are_given_are_sound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(root.join("docs/guide.md")).unwrap();
    let block: Vec<&str> = guide
        .lines()
        .skip_while(|line| *line != "    [Service]")
        .take_while(|line| line.is_empty() || line.starts_with("    "))
        .map(str::trim)
        .collect();
    let ours = fs::read_to_string(root.join("docs/rohrpost.service")).unwrap();
    let required = std::env::var_os("ROHRPOST_REQUIRE_SYSTEMD").is_some();
    for (unit, program, user) in
        [(ours, "/usr/local/bin/rohrpost", false), (block.join("\n") + "\n", "%h/.cargo/bin/rohrpost", true)]
    {
        assert!(unit.contains("Type=notify") && unit.contains(program), "{unit}");
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("rohrpost.service");
        fs::write(&at, unit.replace(program, env!("CARGO_BIN_EXE_rohrpost"))).unwrap();
        let mut verify = Command::new("systemd-analyze");
        verify.args(user.then_some("--user")).arg("verify").arg(&at).env("XDG_RUNTIME_DIR", folder.path());
        match verify.stdin(Stdio::null()).output() {
            Ok(said) => {
                let told = String::from_utf8_lossy(&said.stderr);
                assert!(said.status.success() && told.is_empty(), "{told}");
            }
            Err(error) if required => panic!("systemd-analyze: {error}"),
            Err(error) => eprintln!("not checked: {error}"),
        }
    }
}
