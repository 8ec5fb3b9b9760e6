//! How the node of a profile is found: by what it wrote down beside the lock, whoever asks and in whatever environment.
//!
//! Who answers at the socket proves by the nonce that he serves this very folder. The number of a process is told to people
//! and decides nothing: in a container of its own it has another one.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::fd::OwnedFd;
use socket2::{Domain, SockAddr, Socket, Type};

use super::place::Place;
use super::socket::SOCKET_NAME;
use super::whereabouts::Whereabouts;
use crate::api::rpc::{FromNode, Id, Request, parse_from_node};
use crate::api::{ApiError, Code, Pong, Rpc, method};
use crate::base::limits::MAX_RPC_LINE;
use crate::store::{Holder, Process, ProfileDir, ProfileLock};

/// A node that gives no sign of life for so long does not answer.
pub(crate) const SILENCE: Duration = Duration::from_secs(2);

/// Who serves a profile.
pub(crate) enum Found {
    /// A node, which answers.
    Node(UnixStream),
    /// Nobody has it.
    Nobody,
    /// Another process has it and cannot be asked: a command, or a node that begins, ends or has lost its socket. The error
    /// says which.
    Held(ApiError),
    /// The node does not answer. The error says which process it is, and what helps.
    Silent(ApiError),
}

/// Looks for the node of a profile.
///
/// # Errors
/// What the node says instead of who it is; those of the disk.
pub(crate) fn find(place: &Place) -> Result<Found, ApiError> {
    // Whose it is comes first: who looks at another user's profile leaves no trace in it.
    ProfileDir::own(&place.dir)?;
    let Some(holder) = ProfileLock::holder(&place.dir)? else { return Ok(Found::Nobody) };
    let told = Whereabouts::from_bytes(&holder.told, &place.dir);
    // On a full disk the node could write down nothing; who listens in the folder itself serves it.
    let inside = place.dir.join(SOCKET_NAME);
    let path = told.as_ref().map_or(inside.as_path(), |told| &told.socket);
    let stream = match dial(path) {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Found::Silent(silent(holder.process))),
        Err(error) if told.is_some() => return Ok(Found::Held(unreachable(&holder, path, &error))),
        Err(_) => return Ok(Found::Held(busy(holder.process))),
    };
    match ask(&stream) {
        Said::Nonce(nonce) if told.as_ref().is_none_or(|told| told.nonce == nonce) => Ok(Found::Node(stream)),
        Said::Refusal(error) => Err(error),
        // It serves another folder, or has closed the connection: it ends.
        Said::Nonce(_) | Said::Nothing => Ok(Found::Held(busy(holder.process))),
        // A node that ends closes its door first, and answers nobody.
        Said::Late if dial(path).is_err_and(|error| error.kind() != ErrorKind::WouldBlock) => {
            Ok(Found::Held(busy(holder.process)))
        }
        Said::Late => Ok(Found::Silent(silent(holder.process))),
    }
}

/// Connects; `WouldBlock` when as many wait there as can, and nobody lets them in.
fn dial(path: &Path) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_write_timeout(Some(SILENCE))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(UnixStream::from(OwnedFd::from(socket)))
}

/// What was said at the other end.
enum Said {
    Nonce(String),
    /// Why it does not say more.
    Refusal(ApiError),
    /// The connection was closed.
    Nothing,
    Late,
}

/// Asks who is there.
fn ask(stream: &UnixStream) -> Said {
    match exchange(stream) {
        Ok(line) if line.ends_with(b"\n") => understand(&line),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Said::Late,
        Ok(_) | Err(_) => Said::Nothing,
    }
}

fn exchange(mut stream: &UnixStream) -> io::Result<Vec<u8>> {
    let request = Request { id: Some(Id::number(0)), method: method::Ping::NAME.to_owned(), params: None };
    stream.set_read_timeout(Some(SILENCE))?;
    // Who is sent away may have been told why before he has asked.
    let written = stream.write_all(format!("{}\n", request.to_line()).as_bytes());
    let mut line = Vec::new();
    // Nothing follows the answer before something else is asked: no byte of it stays in the buffer.
    BufReader::new(stream).take(MAX_RPC_LINE as u64).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        written?;
    }
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)?;
    Ok(line)
}

fn understand(line: &[u8]) -> Said {
    match parse_from_node(line) {
        Ok(FromNode::Response(response)) => match response.outcome.map(serde_json::from_value::<Pong>) {
            Ok(Ok(pong)) => Said::Nonce(pong.nonce),
            Ok(Err(_)) => Said::Nothing,
            Err(error) => Said::Refusal(error),
        },
        Ok(FromNode::Event(_)) => Said::Nothing,
        Err(error) => Said::Refusal(error),
    }
}

/// That another process has the profile, and cannot be asked.
pub(crate) fn busy(process: Process) -> ApiError {
    let message = format!("this profile is in use by {}", about(process));
    ApiError::new(Code::Busy, message).with_hint(match process {
        Process::Number(number) if is_stopped(number) => goes_on(number),
        Process::Number(number) => format!("wait until it has ended, or end it: `kill {number}`"),
        Process::Contained | Process::Unknown => "wait until it has ended, or end it where it runs".to_owned(),
    })
}

/// That a node has its socket where it cannot be reached from here.
fn unreachable(holder: &Holder, path: &Path, error: &io::Error) -> ApiError {
    let mut told = busy(holder.process);
    told.message = format!(
        "the node of this profile, {}, cannot be reached at {} ({error})",
        about(holder.process),
        path.display()
    );
    told
}

fn silent(process: Process) -> ApiError {
    let message = format!("the node of this profile, {}, does not answer", about(process));
    ApiError::new(Code::NotAnswering, message).with_hint(match process {
        Process::Number(number) if is_stopped(number) => goes_on(number),
        Process::Number(number) => {
            format!("`kill {number}` ends it, or `kill -KILL {number}`: what was confirmed is kept")
        }
        Process::Contained | Process::Unknown => "look after it where it runs: what was confirmed is kept".to_owned(),
    })
}

fn about(process: Process) -> String {
    match process {
        Process::Number(number) if is_stopped(number) => format!("{process}, which was stopped (Ctrl-Z)"),
        _ => process.to_string(),
    }
}

fn goes_on(number: u32) -> String {
    format!(
        "`fg` in its terminal, or `kill -CONT {number}`, lets it go on; `kill -KILL {number}` ends it: what was confirmed is kept"
    )
}

/// Whether a process was stopped, as by Ctrl-Z; `false` where that cannot be told.
fn is_stopped(number: u32) -> bool {
    let about = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    // The name of the program, in brackets, may hold anything.
    about.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't']))
}

/// The process that has a profile, for people.
///
/// # Errors
/// Those of the disk.
pub(crate) fn holder(place: &Place) -> Result<Option<Process>, ApiError> {
    Ok(ProfileLock::holder(&place.dir)?.map(|holder| holder.process))
}

/// As [`find`], where only a node that answers counts.
///
/// # Errors
/// As [`find`], and that the node does not answer.
pub(crate) fn connect(place: &Place) -> Result<Option<UnixStream>, ApiError> {
    match find(place)? {
        Found::Node(stream) => Ok(Some(stream)),
        Found::Nobody | Found::Held(_) => Ok(None),
        Found::Silent(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::node::whereabouts;

    /// A profile that is held by this test, and what is told of the socket at `path`.
    fn held(dir: &Path, nonce: &str) -> (Place, ProfileLock) {
        let place = Place::resolve_with("a", Some(dir), &|_| None).unwrap();
        std::fs::create_dir(&place.dir).unwrap();
        let lock = ProfileLock::acquire(&place.dir).unwrap();
        let told = Whereabouts { nonce: nonce.to_owned(), socket: place.dir.join("node.sock") };
        lock.tell(&told.to_bytes(&place.dir));
        (place, lock)
    }

    fn nonce() -> String {
        whereabouts::nonce(&mut crate::node::random::system())
    }

    /// Answers one client with this, and keeps the connection.
    fn answer(place: &Place, line: String) -> std::thread::JoinHandle<UnixStream> {
        let listener = UnixListener::bind(place.dir.join("node.sock")).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(line.as_bytes()).unwrap();
            stream
        })
    }

    fn pong(nonce: &str) -> String {
        format!("{{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{{\"nonce\":\"{nonce}\",\"pid\":1}}}}\n")
    }

    #[test]
    fn who_answers_proves_whose_node_he_is() {
        let (ours, other) = (nonce(), nonce());
        for (said, is_ours) in [(&ours, true), (&other, false)] {
            let dir = tempfile::tempdir().unwrap();
            let (place, lock) = held(dir.path(), &ours);
            let answering = answer(&place, pong(said));
            assert_eq!(matches!(find(&place).unwrap(), Found::Node(_)), is_ours);
            answering.join().unwrap();
            // Nobody has the profile: whatever is written there, and whoever listens, nobody serves it.
            drop(lock);
            assert!(matches!(find(&place).unwrap(), Found::Nobody));
        }
    }

    #[test]
    fn what_is_no_answer_is_no_node() {
        let refusal = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32032,"message":"the node serves 64 clients already","data":{"code":"too_many_clients","exit":5,"hint":null}}}"#;
        for (line, code) in [("", None), ("{\"jsonrpc\":", None), (refusal, Some(Code::TooManyClients))] {
            let dir = tempfile::tempdir().unwrap();
            let (place, _lock) = held(dir.path(), &nonce());
            let line = if code.is_some() { format!("{line}\n") } else { line.to_owned() };
            let answering = answer(&place, line);
            // The connection is closed behind it.
            let closing = std::thread::spawn(move || drop(answering.join().unwrap()));
            match (find(&place), code) {
                (Ok(Found::Held(error)), None) => assert!(error.is(Code::Busy), "{error:?}"),
                (Err(error), Some(code)) => assert!(error.is(code), "{error:?}"),
                _ => panic!("{code:?}"),
            }
            closing.join().unwrap();
        }
    }

    /// As many wait as the system lets wait, and nobody is let in: to connect would be to wait for ever.
    #[test]
    fn a_door_that_nobody_opens_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let (place, _lock) = held(dir.path(), &nonce());
        let door = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        let address = SockAddr::unix(place.dir.join("node.sock")).unwrap();
        door.bind(&address).unwrap();
        door.listen(0).unwrap();
        let waiting: Vec<Socket> = std::iter::repeat_with(|| {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        })
        .take_while(|socket| socket.connect(&address).is_ok())
        .collect();
        assert!(!waiting.is_empty());
        let Found::Silent(error) = find(&place).unwrap() else { panic!("it was let in") };
        assert!(error.is(Code::NotAnswering) && error.message.contains("does not answer"), "{error:?}");
    }
}
