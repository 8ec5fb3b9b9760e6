//! How we are reached, and how one peer is: what stands in the way, and what would help.

use crate::api::{ApiError, Area, Contact, Diagnosis, Mailbox};
use crate::base::shown::span;
use crate::base::words::{BoxState, Nat, NodeState, Reachability, Upnp};
use crate::base::{PeerId, WallTime, limits};
use crate::identity::RequestPolicy;
use crate::messenger::query;
use crate::messenger::query::ReachView;
use crate::net::NetStatus;
use crate::node::clock::Clock;
use crate::store::Reader;

use super::findings::{Findings, count};

/// What brings a node into the network.
const A_WAY_IN: &str = "start the node with `--bootstrap` and the address of one that is always on: a friend's, as \
    `rohrpost id` shows it there";
/// What brings others to a node behind a NAT.
const A_WAY_TO_US: &str =
    "give the node one that runs with `--serve-relay` by `--bootstrap`, or forward its port at the router";

/// Whether others can dial us, who helps them, and whether strangers find our card.
pub(super) fn look_at_reach(net: &NetStatus, found: &mut Findings) {
    let relays = match net.relays.len() {
        0 => String::new(),
        1 => "; a relay passes others on to it".to_owned(),
        n => format!("; {n} relays pass others on to it"),
    };
    let nat = match net.nat {
        Nat::Symmetric => ", which gives each peer another port: straight connections succeed seldom",
        Nat::Stable | Nat::PortChanging => ", which lets straight connections be made",
        Nat::None | Nat::Unknown => "",
    };
    let router = match net.upnp {
        Upnp::Mapped => "; the router forwards a port",
        Upnp::NonRoutable => "; the router itself is behind another one",
        Upnp::Off | Upnp::Searching | Upnp::NotFound => "",
    };
    match net.reachability {
        Reachability::Public => {
            found.ok(Area::Reachability, format!("others can dial this node at {}", net.external_addrs.join(", ")));
        }
        Reachability::Private if net.relays.is_empty() => {
            let message = format!("others cannot dial this node: a NAT or firewall is between{nat}{router}");
            found.note(Area::Reachability, message, A_WAY_TO_US);
        }
        Reachability::Private => {
            let message = format!("a NAT or firewall is between this node and others{nat}{router}{relays}");
            found.ok(Area::Reachability, message);
        }
        // Who has not tried is told below, with what helps.
        Reachability::Unknown if net.relays.is_empty() && net.dht.peers > 0 => {
            let message = format!("nobody has tried yet whether this node can be dialled{router}");
            found.note(Area::Reachability, message, A_WAY_IN);
        }
        Reachability::Unknown => {
            let message = format!("nobody has tried yet whether this node can be dialled{router}{relays}");
            found.ok(Area::Reachability, message);
        }
    }
    if net.dht.peers == 0 {
        let message = "no peer of the DHT is known: who has only a peer ID is not found, and you are not";
        found.note(Area::Dht, message, A_WAY_IN);
        return;
    }
    let peers = count(usize::try_from(net.dht.peers).unwrap_or(usize::MAX), "peer", "peers");
    if net.dht.published {
        found.ok(Area::Dht, format!("your card can be found there; {peers} known"));
    } else {
        let hint = "wait a minute; a message by link does not need it";
        found.note(Area::Dht, format!("your card is not there yet; {peers} known"), hint);
    }
}

/// Whether messages wait for us somewhere while we are off.
pub(super) fn look_at_mailboxes(mailboxes: &[Mailbox], found: &mut Findings) {
    if mailboxes.is_empty() {
        // Many need none: to have none is no fault.
        let none = "none: what is written to you while this node is off waits with its sender (`rohrpost mailbox use ADDR` takes one)";
        return found.ok(Area::Mailboxes, none);
    }
    for mailbox in mailboxes {
        let who = format!("…{}", mailbox.peer_id.short());
        match mailbox.state {
            BoxState::InUse => found.ok(Area::Mailboxes, format!("{who} keeps one for you")),
            BoxState::Asking => {
                found.note(Area::Mailboxes, format!("{who} was asked to keep one"), "it is asked while a node runs");
            }
            BoxState::Leaving => {
                found.note(Area::Mailboxes, format!("{who} is being told that you leave"), "nothing to do");
            }
            BoxState::Refused => {
                let hint = "ask its owner to let you in, or leave it with `rohrpost mailbox drop` and take another";
                found.problem(Area::Mailboxes, format!("{who} keeps none for you: it serves others"), hint);
            }
            BoxState::Full => {
                let hint = "it may have room later; take another one besides";
                found.problem(Area::Mailboxes, format!("{who} has no room for you"), hint);
            }
            BoxState::Unreachable => {
                let hint = "it is tried again; if its address has changed, `rohrpost mailbox use` with the new one";
                found.problem(Area::Mailboxes, format!("{who} does not answer"), hint);
            }
        }
    }
}

/// Why a peer can or cannot be reached.
///
/// # Errors
/// Those of the store.
pub(crate) fn of_a_peer(
    reader: &Reader,
    me: PeerId,
    peer: PeerId,
    net: Option<&NetStatus>,
) -> Result<Diagnosis, ApiError> {
    let mut found = Findings::default();
    let now = Clock::wall();
    let known = query::reach(reader, &peer, now)?;
    let contact = query::contact(reader, me, &peer)?;
    let name = query::name(reader, &peer)?;
    look_at_person(contact.as_ref(), &known, &name, &peer, &mut found);
    look_at_card(&known, now, &mut found);
    look_at_acceptance(&known, &mut found);
    look_at_way(&known, now, &peer, net, &mut found);
    look_at_outbox(&known, &mut found);
    Ok(found.done(if net.is_some() { NodeState::On } else { NodeState::Off }))
}

fn look_at_person(contact: Option<&Contact>, known: &ReachView, name: &str, peer: &PeerId, found: &mut Findings) {
    let who = if name.is_empty() { peer.to_string() } else { format!("{name} ({peer})") };
    if contact.is_some_and(|contact| contact.blocked) {
        let hint = "`rohrpost contacts unblock` takes the block away";
        found.problem(Area::Peer, format!("{who}: blocked by you, nothing is sent"), hint);
    } else if !contact.is_some_and(|contact| contact.contact) {
        found.note(Area::Peer, format!("{who}: no contact of yours"), "write to them, or accept their request");
    } else if known.has_session {
        found.ok(Area::Peer, format!("{who}: a contact, with a session to write in"));
    } else {
        let hint = "nothing to do: one is begun with the first message, once their card is known";
        found.note(Area::Peer, format!("{who}: a contact, without a session as yet"), hint);
    }
}

fn look_at_card(known: &ReachView, now: WallTime, found: &mut Findings) {
    let Some(card) = &known.card else {
        let asked = match known.not_found {
            Some((_, 0)) => "; there was nobody to ask for it",
            Some(_) => "; the DHT has none",
            None => "",
        };
        let message = format!("their card is not known, and without it no message can be encrypted for them{asked}");
        let hint = "it comes from themselves when both of you are on, from the DHT, or from a mailbox that their link names: \
            ask them for a new link";
        return found.note(Area::Card, message, hint);
    };
    let helpers = format!(
        "it names {} and {}",
        count(card.mailboxes.len(), "mailbox", "mailboxes"),
        count(card.relays.len(), "relay", "relays")
    );
    if card.expires <= now {
        let message = format!("their card ran out {} ago; {helpers}", span(now.since(card.expires)));
        found.note(Area::Card, message, "a new one is asked for; first messages wait for it, conversations do not");
    } else {
        found.ok(
            Area::Card,
            format!("their card is known and holds for {} more; {helpers}", span(card.expires.since(now))),
        );
    }
}

/// Whether they take what we write. Of whom they take something the card says, but not whom they have added.
fn look_at_acceptance(known: &ReachView, found: &mut Findings) {
    if known.accepted {
        return;
    }
    let dropped = "unless they have added you, what you write is dropped there. It stays here, and goes again when they add you or \
        write to you, or when a newer card of theirs lets you ask; it is looked for every hour";
    match known.card.as_ref().map(|card| card.policy) {
        Some(RequestPolicy::Contacts) if !known.invited => {
            let message = "their card says that nobody may write to them but their contacts, and who has their link";
            found.note(Area::Policy, message, &format!("{dropped}. With their link you may ask"));
        }
        Some(RequestPolicy::Nobody) => {
            found.note(Area::Policy, "their card says that nobody may write to them but their contacts", dropped);
        }
        _ => {}
    }
    if known.is_full && known.queued > 0 {
        let message = format!(
            "they have not accepted you: {} messages are on their way or with them, and the others wait here",
            limits::MAX_UNACCEPTED_SENT
        );
        found.note(Area::Acceptance, message, "nothing to do: they go out when they accept you or write to you");
    } else if known.awaiting + known.deposited > 0 {
        let message = "they have not accepted you: until they do, nothing of yours is shown as delivered";
        found.ok(Area::Acceptance, message);
    }
}

pub(super) fn look_at_way(
    known: &ReachView,
    now: WallTime,
    peer: &PeerId,
    net: Option<&NetStatus>,
    found: &mut Findings,
) {
    let Some(net) = net else {
        return found.note(Area::Way, "no node runs here: nothing is sent", "`rohrpost run` starts one");
    };
    if let Some(there) = net.peers.iter().find(|there| there.peer_id == *peer) {
        let way = if there.direct { "straight" } else { "through a relay" };
        let message = format!("connected {way}, over {}", there.addr);
        // NET-95: of somebody who is there a try failed, then.
        return match known.next_try.filter(|at| known.queued > 0 && *at > now) {
            Some(at) => {
                let next = span(at.since(now));
                let hint = "it goes by itself. Their node did not take it, perhaps for want of room for your messages or of disk; \
                    if that lasts, ask them to look at `rohrpost doctor`";
                found.note(Area::Way, format!("{message}; what waits is tried again in {next} at the latest"), hint);
            }
            None => found.ok(Area::Way, message),
        };
    }
    let mailboxes = known.card.as_ref().map_or(known.hinted.len(), |card| card.mailboxes.len());
    let tried = match known.addrs.len() {
        0 => "not connected, and no address of theirs is known".to_owned(),
        n => format!("not connected; {} known", count(n, "address", "addresses")),
    };
    let next =
        known.next_try.map_or_else(String::new, |at| format!("; tried again in {} at the latest", span(at.since(now))));
    if mailboxes > 0 {
        let message = format!(
            "{tried}{next}; what you write goes to {}",
            count(mailboxes, "mailbox of theirs", "mailboxes of theirs")
        );
        return found.ok(Area::Way, message);
    }
    let hint = match (net.peers.is_empty(), known.addrs.is_empty()) {
        (true, _) => "this node is connected with nobody: `rohrpost doctor` says what would help",
        (false, true) => {
            "ask them for their link, or for their node to be on; a mailbox would let messages wait for them"
        }
        (false, false) => {
            "their node may be off: the message goes out when it is back. A mailbox, taken by them, would let it wait there"
        }
    };
    found.note(Area::Way, format!("{tried}, nor a mailbox{next}"), hint);
}

fn look_at_outbox(known: &ReachView, found: &mut Findings) {
    if known.queued == 0 && known.deposited == 0 && known.awaiting == 0 {
        return found.ok(Area::Outbox, "nothing waits for them");
    }
    let parts = [
        (known.queued, "queued here"),
        (known.deposited, "in their mailboxes"),
        (known.awaiting, "with their node, not confirmed yet"),
    ];
    let parts: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    found.ok(Area::Outbox, parts.join(", "));
}
