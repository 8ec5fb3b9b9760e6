use std::sync::Mutex;

use super::*;

/// A network that has room for so many envelopes, and remembers what it was told.
#[derive(Default)]
struct Script {
    room: usize,
    connected: bool,
    sent: Vec<u64>,
    dialled: Vec<String>,
}

#[derive(Clone, Default)]
struct FakeNet(Arc<Mutex<Script>>);

impl FakeNet {
    fn give_room(&self, room: usize) {
        self.0.lock().unwrap().room = room;
    }

    fn sent(&self) -> Vec<u64> {
        self.0.lock().unwrap().sent.clone()
    }
}

impl Port for FakeNet {
    fn connect(&self, _: PeerId, addrs: &[String]) -> Result<(), SendError> {
        self.0.lock().unwrap().dialled = addrs.to_vec();
        Err(SendError::Full)
    }

    fn send_envelope(&self, _: PeerId, ticket: u64, bytes: Arc<[u8]>) -> Result<(), SendError> {
        let mut script = self.0.lock().unwrap();
        if bytes.is_empty() {
            return Err(SendError::TooLarge);
        }
        if !script.connected {
            return Err(SendError::NotConnected);
        }
        script.room = script.room.checked_sub(1).ok_or(SendError::Full)?;
        script.sent.push(ticket);
        Ok(())
    }

    fn fetch_bundle(&self, _: PeerId, _: u64, _: bool) -> Result<(), SendError> {
        if self.0.lock().unwrap().connected { Err(SendError::Full) } else { Err(SendError::NotConnected) }
    }

    fn answer_bundle(&self, _: u64, _: Vec<u8>, _: Option<Vec<u8>>) {}

    fn answer_mail(&self, _: u64, _: Vec<u8>) {}

    fn hold_mail(&self, _: u64) {}

    fn ring_mail(&self, _: &PeerId) {}

    fn ask_mailbox(&self, _: MailAsk) -> Result<(), SendError> {
        Err(SendError::Full)
    }

    fn find_card(&self, _: PeerId, _: u64) -> Result<(), SendError> {
        Err(SendError::Full)
    }

    fn publish_card(&self, _: PeerId, _: Vec<u8>) {}

    fn acknowledge(&self, _: FrameToken) {}

    fn refuse(&self, _: FrameToken, _: RefuseReason) {}

    fn status(&self) -> NetStatus {
        NetStatus { listen_addrs: vec!["/ip4/127.0.0.1/tcp/1".to_owned()], ..NetStatus::default() }
    }
}

const PEER: PeerId = PeerId::from_key_bytes([1; 32]);

fn carrier(room: usize) -> (FakeNet, Carrier) {
    let net = FakeNet(Arc::new(Mutex::new(Script { room, connected: true, sent: Vec::new(), dialled: Vec::new() })));
    let carrier = Carrier::new(Some(Box::new(net.clone())), Contacts::default(), None);
    (net, carrier)
}

fn send(carrier: &mut Carrier, ticket: u64) -> Option<PeerInput> {
    carrier.send(PEER, ticket, Arc::from([1_u8].as_slice()))
}

#[test]
fn what_finds_no_room_goes_later_and_in_its_order() {
    let (net, mut carrier) = carrier(2);
    for ticket in 1..=5 {
        assert!(send(&mut carrier, ticket).is_none());
    }
    assert_eq!(net.sent(), [1, 2]);
    net.give_room(2);
    // Sent behind what waits, though there is room.
    assert!(send(&mut carrier, 6).is_none());
    assert_eq!(net.sent(), [1, 2]);
    let said = carrier.understand(NetEvent::Acked { peer: PEER, ticket: 1 });
    assert!(matches!(said[..], [PeerInput::Acked { ticket: 1, .. }]));
    assert_eq!(net.sent(), [1, 2, 3, 4]);
    net.give_room(9);
    carrier.understand(NetEvent::Lost { peer: PEER, ticket: 2 });
    assert_eq!(net.sent(), [1, 2, 3, 4, 5, 6]);
    assert!(send(&mut carrier, 7).is_none());
    assert_eq!(net.sent().last(), Some(&7));
}

#[test]
fn a_lost_connection_returns_everything() {
    let (net, mut carrier) = carrier(0);
    assert!(send(&mut carrier, 1).is_none());
    net.0.lock().unwrap().connected = false;
    assert!(matches!(carrier.understand(NetEvent::Disconnected(PEER))[..], [PeerInput::Disconnected(_)]));
    assert!(matches!(send(&mut carrier, 2), Some(PeerInput::Disconnected(PEER))));
    assert!(matches!(carrier.fetch_bundle(PEER, 3, true), Some(PeerInput::Disconnected(PEER))));
    net.0.lock().unwrap().connected = true;
    net.give_room(9);
    // What waited is the messenger's again; it is not sent behind its back.
    carrier.understand(NetEvent::Acked { peer: PEER, ticket: 9 });
    assert!(net.sent().is_empty());
}

#[test]
fn what_is_refused_at_once_is_told_as_an_event_would_tell_it() {
    let (_net, mut carrier) = carrier(0);
    assert!(matches!(carrier.connect(PEER, &[]), Some(PeerInput::Unreachable(PEER))));
    assert!(matches!(carrier.fetch_bundle(PEER, 3, true), Some(PeerInput::BundleFailed { ticket: 3, .. })));
    let said = carrier.send(PEER, 4, Arc::from([].as_slice()));
    assert!(matches!(said, Some(PeerInput::Refused { ticket: 4, reason: RefuseReason::Malformed, .. })));
}

#[test]
fn a_ticket_of_a_former_messenger_is_not_taken_for_a_new_one() {
    let (net, mut carrier) = carrier(9);
    send(&mut carrier, 1);
    carrier.reopened();
    assert!(matches!(carrier.present()[..], [PeerInput::Listening(_), PeerInput::Relays(_)]));
    assert!(carrier.understand(NetEvent::Acked { peer: PEER, ticket: 1 }).is_empty());
    send(&mut carrier, 1);
    let second = *net.sent().last().unwrap();
    assert_ne!(second, 1);
    let said = carrier.understand(NetEvent::Acked { peer: PEER, ticket: second });
    assert!(matches!(said[..], [PeerInput::Acked { ticket: 1, .. }]));
}

#[test]
fn what_the_user_said_is_tried_at_every_dial() {
    let net = FakeNet::default();
    let given = vec!["/ip4/192.0.2.1/tcp/1".to_owned()];
    let carrier =
        Carrier::new(Some(Box::new(net.clone())), Contacts::default(), None).with_bootstrap([(PEER, given.clone())]);
    let known = ["/ip4/192.0.2.2/tcp/2".to_owned()];
    for _ in 0..2 {
        carrier.connect(PEER, &known);
        assert_eq!(net.0.lock().unwrap().dialled, [given[0].clone(), known[0].clone()]);
    }
    carrier.connect(PeerId::from_key_bytes([2; 32]), &known);
    assert_eq!(net.0.lock().unwrap().dialled, known);
}
