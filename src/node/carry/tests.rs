use std::sync::Mutex;

use super::*;

/// A network that has room for so many envelopes, and remembers what it was told.
#[derive(Default)]
struct Script {
    room: usize,
    connected: bool,
    sent: Vec<u64>,
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
    fn order(&self, order: Order) -> Result<(), SendError> {
        let mut script = self.0.lock().unwrap();
        match order {
            Order::Send { bytes, .. } if bytes.is_empty() => Err(SendError::TooLarge),
            Order::Send { .. } | Order::FetchBundle { .. } if !script.connected => Err(SendError::NotConnected),
            Order::Send { ticket, .. } => {
                script.room = script.room.checked_sub(1).ok_or(SendError::Full)?;
                script.sent.push(ticket);
                Ok(())
            }
            _ => Err(SendError::Full),
        }
    }

    fn present(&self) -> Vec<Event> {
        vec![Event::Listening(vec!["/ip4/127.0.0.1/tcp/1".to_owned()])]
    }
}

const PEER: PeerId = PeerId::from_key_bytes([1; 32]);
const FETCH: Order = Order::FetchBundle { peer: PEER, ticket: 3, want_prekey: true };

fn carrier(room: usize) -> (FakeNet, Carrier) {
    let net = FakeNet(Arc::new(Mutex::new(Script { room, connected: true, sent: Vec::new() })));
    let carrier = Carrier::new(Some(Box::new(net.clone())), None);
    (net, carrier)
}

fn send(carrier: &mut Carrier, ticket: u64) -> Option<Event> {
    carrier.order(Order::Send { peer: PEER, ticket, bytes: Arc::from([1_u8].as_slice()) })
}

fn told(carrier: &mut Carrier, event: Event) -> Vec<Event> {
    carrier.told(event).collect()
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
    let said = told(&mut carrier, Event::Acked { peer: PEER, ticket: 1 });
    assert!(matches!(said[..], [Event::Acked { ticket: 1, .. }]));
    assert_eq!(net.sent(), [1, 2, 3, 4]);
    net.give_room(9);
    told(&mut carrier, Event::Lost { peer: PEER, ticket: 2 });
    assert_eq!(net.sent(), [1, 2, 3, 4, 5, 6]);
    assert!(send(&mut carrier, 7).is_none());
    assert_eq!(net.sent().last(), Some(&7));
}

#[test]
fn a_lost_connection_returns_everything() {
    let (net, mut carrier) = carrier(0);
    assert!(send(&mut carrier, 1).is_none());
    net.0.lock().unwrap().connected = false;
    assert!(matches!(told(&mut carrier, Event::Disconnected(PEER))[..], [Event::Disconnected(_)]));
    assert!(matches!(send(&mut carrier, 2), Some(Event::Disconnected(PEER))));
    assert!(matches!(carrier.order(FETCH), Some(Event::Disconnected(PEER))));
    net.0.lock().unwrap().connected = true;
    net.give_room(9);
    // What waited is the messenger's again; it is not sent behind its back.
    told(&mut carrier, Event::Acked { peer: PEER, ticket: 9 });
    assert!(net.sent().is_empty());
}

#[test]
fn what_is_refused_at_once_is_told_as_an_event_would_tell_it() {
    let (_net, mut carrier) = carrier(0);
    assert!(matches!(carrier.order(Order::Connect { peer: PEER, addrs: vec![] }), Some(Event::Unreachable(PEER))));
    assert!(matches!(carrier.order(FETCH), Some(Event::BundleFailed { ticket: 3, .. })));
    let said = carrier.order(Order::Send { peer: PEER, ticket: 4, bytes: Arc::from([].as_slice()) });
    assert!(matches!(said, Some(Event::Refused { ticket: 4, reason: RefuseReason::Malformed, .. })));
}

#[test]
fn a_ticket_of_a_former_messenger_is_not_taken_for_a_new_one() {
    let (net, mut carrier) = carrier(9);
    send(&mut carrier, 1);
    carrier.reopened();
    assert!(matches!(carrier.present()[..], [Event::Listening(_)]));
    assert!(told(&mut carrier, Event::Acked { peer: PEER, ticket: 1 }).is_empty());
    send(&mut carrier, 1);
    let second = *net.sent().last().unwrap();
    assert_ne!(second, 1);
    let said = told(&mut carrier, Event::Acked { peer: PEER, ticket: second });
    assert!(matches!(said[..], [Event::Acked { ticket: 1, .. }]));
}
