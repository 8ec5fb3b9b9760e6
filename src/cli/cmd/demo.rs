//! `demo`: two real nodes talk to each other, and every step can be watched.
//!
//! Nothing in it is staged: the nodes have real stores in a temporary folder and a real network on
//! loopback, and what is claimed of disk and wire is looked up there. The story is in this file, the
//! two people in [`stage`], the looking up in [`evidence`], how it is told in [`telling`].

mod evidence;
mod stage;
mod telling;

use crate::api::{
    EventKind, HistoryParams, InboxParams, LinkParams, NoParams, ReadParams, SendParams, Sent, State, WaitFor, Who,
    method,
};
use crate::cli::error::Result;
use crate::cli::output::{Output, hex};

use self::evidence::{Evidence, Needle};
use self::stage::{DEADLINE, Person, Stage};
use self::telling::Telling;

/// Watch two nodes talk to each other, step by step, in a few seconds
#[derive(Debug, clap::Args)]
#[command(after_help = "Everything happens on this machine, in a temporary folder that is removed.")]
pub(crate) struct DemoArgs {}

const SUBJECT: &str = "the tubes under the city";
const FIRST: &str = "Hello Bob, does the pneumatic post reach your desk?";
const ANSWER: &str = "It does, Alice. The capsule came through without a scratch.";
const LAST: &str = "Then no sorting office has read a word of it.";

/// What must be legible nowhere.
const TEXTS: [&str; 4] = [SUBJECT, FIRST, ANSWER, LAST];

/// Runs the demonstration.
pub(crate) fn run(_: DemoArgs, output: &mut Output) -> Result<()> {
    let mut telling = Telling::new(output);
    let mut stage = identities(&mut telling)?;
    nodes(&mut stage, &mut telling)?;
    let first = first_message(&mut stage, &mut telling)?;
    request(&mut stage, &mut telling)?;
    look_with_the_node_off(&mut stage, &mut telling)?;
    acceptance(&mut stage, &first, &mut telling)?;
    conversation(&mut stage, &mut telling)?;
    safety_number(&mut stage, &mut telling)?;
    stage.alice.stop()?;
    stage.bob.stop()?;
    let evidence = Evidence::collect(stage.folder())?;
    disk(&stage, &evidence, &mut telling)?;
    wire(&stage, &mut telling)?;
    telling.end()
}

fn identities(telling: &mut Telling<'_>) -> Result<Stage> {
    telling.step("Two identities", "An identity is a key pair, made here. There is no account and no number.")?;
    let stage = Stage::new()?;
    for person in [&stage.alice, &stage.bob] {
        telling.fact(&format!("{:<6} {}", person.name, person.peer))?;
    }
    telling.check("the two peer IDs differ", stage.alice.peer != stage.bob.peer)?;
    Ok(stage)
}

fn nodes(stage: &mut Stage, telling: &mut Telling<'_>) -> Result<()> {
    telling.step("Two nodes", "Each runs on its own store and listens on this machine. No server is between them.")?;
    for person in [&mut stage.alice, &mut stage.bob] {
        person.start(Vec::new())?;
        for addr in person.addrs() {
            telling.fact(&format!("{:<6} {addr}", person.name))?;
        }
    }
    let listening = !stage.alice.addrs().is_empty() && !stage.bob.addrs().is_empty();
    telling.check("both listen", listening)
}

/// Alice to Bob, whom she knows by his link only.
fn first_message(stage: &mut Stage, telling: &mut Telling<'_>) -> Result<Sent> {
    telling.step(
        "The first message",
        "Bob has handed out his link. Alice writes to it: her node fetches his signed card, agrees on keys\n\
         with it (X25519 and ML-KEM-768) and sends the message encrypted, over an encrypted connection.",
    )?;
    let link = stage.bob.ask::<method::IdShow>(&LinkParams::default())?.link;
    telling.fact(&link)?;
    let sent = stage.alice.ask::<method::Send>(&SendParams {
        to: link,
        text: FIRST.to_owned(),
        subject: Some(SUBJECT.to_owned()),
        wait: Some(WaitFor::Sent),
        timeout_ms: Some(DEADLINE.0),
        ..SendParams::default()
    })?;
    telling.fact(&format!("Alice > {FIRST}    [{}]", sent.state))?;
    telling
        .check("Bob's node has stored the message, and Alice is told no more than that", sent.state == State::Sent)?;
    Ok(sent)
}

fn request(stage: &mut Stage, telling: &mut Telling<'_>) -> Result<()> {
    telling.step(
        "A request, not a message",
        "Bob does not know Alice. What she wrote waits as a request and is in no inbox; until he accepts,\n\
         nothing tells her whether he has seen, declined or blocked it.",
    )?;
    let alice = stage.alice.peer;
    stage.bob.wait_for("a request", |event| {
        matches!(event, EventKind::RequestNew { peer_id, .. } if *peer_id == alice).then_some(())
    })?;
    let requests = stage.bob.ask::<method::RequestsList>(&NoParams {})?;
    for request in &requests {
        telling.fact(&format!("request of {} ({}), invited: {}", request.name, request.peer_id, request.invited))?;
    }
    let inbox = stage.bob.ask::<method::Inbox>(&InboxParams::default())?;
    let as_written = requests.iter().any(|request| request.peer_id == alice && request.text == FIRST);
    telling.check("the request is there, with the text as it was written", as_written && requests.len() == 1)?;
    telling.check("Bob's inbox is empty", inbox.is_empty())
}

fn look_with_the_node_off(stage: &mut Stage, telling: &mut Telling<'_>) -> Result<()> {
    telling.step(
        "The look at it with the node off",
        "What needs no network works without it: Bob stops his node, reads the request and accepts it.",
    )?;
    stage.bob.stop()?;
    let who = Who::new(stage.alice.peer.to_string());
    let detail = stage.bob.ask::<method::RequestsShow>(&who)?;
    telling.fact(&format!("subject  {}", detail.request.subject.as_deref().unwrap_or_default()))?;
    telling.fact(&format!("text     {}", detail.request.text))?;
    telling.check("the request has survived the end of the node", detail.request.text == FIRST)?;
    let contact = stage.bob.ask::<method::RequestsAccept>(&who)?;
    let requests = stage.bob.ask::<method::RequestsList>(&NoParams {})?;
    telling.check("Alice is a contact now, and no request is left", contact.contact && requests.is_empty())
}

fn acceptance(stage: &mut Stage, first: &Sent, telling: &mut Telling<'_>) -> Result<()> {
    telling.step(
        "Acceptance",
        "Bob's node starts again and finds Alice's. Only now does she learn that her message arrived.",
    )?;
    let known = stage.alice.addrs();
    stage.bob.start(known)?;
    let first = first.message_id;
    let state = stage.alice.wait_for("word of the delivery", |event| match event {
        EventKind::MessageState { message_id, state, .. }
            if *message_id == first && matches!(state, State::Delivered | State::Read) =>
        {
            Some(*state)
        }
        _ => None,
    })?;
    telling.fact(&format!("Alice > {FIRST}    [{state}]"))?;
    let contacts = stage.alice.ask::<method::ContactsList>(&NoParams {})?;
    let bob = stage.bob.peer;
    let both = contacts.iter().any(|contact| contact.peer_id == bob && contact.contact);
    telling.check("the message is delivered, and Bob is Alice's contact, too", both)
}

fn conversation(stage: &mut Stage, telling: &mut Telling<'_>) -> Result<()> {
    telling.step("A conversation", "Both ways, each message under a key of its own that is forgotten after use.")?;
    let (alice, bob) = (stage.alice.peer, stage.bob.peer);
    let send = |from: &mut Person, to: String, text: &str| {
        let (text, wait) = (text.to_owned(), Some(WaitFor::Delivered));
        let params = SendParams { to, text, wait, timeout_ms: Some(DEADLINE.0), ..SendParams::default() };
        from.ask::<method::Send>(&params)
    };
    let answer = send(&mut stage.bob, alice.to_string(), ANSWER)?;
    telling.fact(&format!("Bob   > {ANSWER}    [{}]", answer.state))?;
    let last = send(&mut stage.alice, bob.to_string(), LAST)?;
    telling.fact(&format!("Alice > {LAST}    [{}]", last.state))?;
    let arrived = |sent: &Sent| matches!(sent.state, State::Delivered | State::Read);
    telling.check("both messages are delivered, end to end", arrived(&answer) && arrived(&last))?;

    stage.bob.ask::<method::Read>(&ReadParams { who: alice.to_string(), upto: None })?;
    let last = last.message_id;
    stage.alice.wait_for("word that it was read", |event| match event {
        EventKind::MessageState { message_id, state: State::Read, .. } if *message_id == last => Some(()),
        _ => None,
    })?;
    telling.check("Bob reads, and Alice is told so", true)?;
    let history = |who: String| HistoryParams { who, limit: None, before: None };
    let hers = stage.alice.ask::<method::History>(&history(bob.to_string()))?;
    let his = stage.bob.ask::<method::History>(&history(alice.to_string()))?;
    let texts = |messages: &[crate::api::Message]| messages.iter().map(|m| m.text.clone()).collect::<Vec<_>>();
    telling.check(
        "both see the same three messages in the same order",
        texts(&hers) == [FIRST, ANSWER, LAST] && texts(&his) == texts(&hers),
    )
}

fn safety_number(stage: &mut Stage, telling: &mut Telling<'_>) -> Result<()> {
    telling.step(
        "Nobody in the middle",
        "Both can compare a number made of both keys, in person or in a call. Somebody in the middle would\n\
         make the numbers differ.",
    )?;
    let (alice, bob) = (stage.alice.peer, stage.bob.peer);
    let hers = stage.alice.ask::<method::ContactsShow>(&Who::new(bob.to_string()))?.safety_number;
    let his = stage.bob.ask::<method::ContactsShow>(&Who::new(alice.to_string()))?.safety_number;
    telling.fact(hers.as_deref().unwrap_or_default())?;
    telling.check("both see the same safety number", hers.is_some() && hers == his)
}

fn disk(stage: &Stage, evidence: &Evidence, telling: &mut Telling<'_>) -> Result<()> {
    telling.step(
        "What lies on the disk",
        "Every row is sealed with a key that only the key file holds, and the key file needs the passphrase.",
    )?;
    for (file, length) in evidence.listing() {
        telling.fact(&format!("{length:>9}  {file}"))?;
    }
    if let Some((file, offset, bytes)) = evidence.excerpt() {
        telling.fact(&format!("a piece of {file}, from byte {offset} on:"))?;
        telling.block(&hex::dump(bytes, bytes.len().div_ceil(16)))?;
    }
    telling.check("the search finds a text where one is left in clear (so the search works)", stage.search_works()?)?;
    let keys = [&stage.alice, &stage.bob].map(|person| Needle::key(person.name, person.peer));
    for needle in TEXTS.map(Needle::text).into_iter().chain(keys) {
        let found = evidence.find(&needle);
        if let Some(file) = &found {
            telling.fact(&format!("found in {file}: {}", needle.what))?;
        }
        telling.check(&format!("not found in any file: {}", needle.what), found.is_none())?;
    }
    Ok(())
}

fn wire(stage: &Stage, telling: &mut Telling<'_>) -> Result<()> {
    telling.step(
        "What went over the wire",
        "The envelopes as the network saw them. (On its way each is encrypted once more, by the connection.)\n\
         They are padded to a few sizes, so that lengths tell little.",
    )?;
    let envelopes = stage.envelopes();
    for envelope in &envelopes {
        telling.fact(&format!("{} {:>6} bytes", envelope.way, envelope.bytes.len()))?;
    }
    if let Some(first) = envelopes.iter().find(|envelope| envelope.way.starts_with("Alice")) {
        telling.fact("the beginning of the first:")?;
        telling.block(&hex::dump(&first.bytes, 6))?;
    }
    let sent = |name: &&str| envelopes.iter().any(|envelope| envelope.way.starts_with(*name));
    telling.check("envelopes went both ways", ["Alice", "Bob"].iter().all(sent))?;
    // Not the keys: who opens a session names both sides in its first message, inside the encrypted connection.
    for needle in TEXTS.map(Needle::text) {
        let found = envelopes.iter().any(|envelope| needle.is_in(&envelope.bytes));
        telling.check(&format!("not found in any envelope: {}", needle.what), !found)?;
    }
    Ok(())
}
