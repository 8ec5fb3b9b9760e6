//! A profile with many people and messages in it: made once, by the messenger itself, and kept for the next run.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rohrpost::base::{MonoTime, Now, PeerId, Secret, WallTime};
use rohrpost::identity::{IdentityKeypair, open_key_file};
use rohrpost::messenger::{Command, Event, FrameToken, Hints, Input, Messenger, Order, Output, SendCommand};
use rohrpost::store::{ProfileDir, Store};

use crate::machine::Person;

/// Messages of one commit.
const AT_ONCE: usize = 200;

/// Who has written.
pub struct Filling {
    pub friends: usize,
    /// Messages of each friend.
    pub each: usize,
    pub strangers: usize,
}

/// The profile of this name, made if it is not there yet.
pub fn made(name: &str, filling: &Filling) -> Person {
    let home = crate::folder().join(name);
    let done = home.join("peer");
    if let Ok(peer) = fs::read_to_string(&done) {
        return Person::at(home, peer);
    }
    if home.exists() {
        fs::remove_dir_all(&home).unwrap();
    }
    fs::create_dir_all(&home).unwrap();
    let person = Person::at(home.clone(), String::new());
    let peer = person.tell(&["init", "--no-passphrase", "--name", "Alice"])["peer_id"].as_str().unwrap().to_owned();
    let dir = ProfileDir::open(&home.join("default")).unwrap().unwrap();
    let material = open_key_file(&dir.read_key_file().unwrap().unwrap(), None).unwrap();
    let now = clock(0);
    let mut rng = ChaCha20Rng::seed_from_u64(0);
    let store = Store::open_existing(dir.path(), &material.store_key, &mut rng, now).unwrap();
    let me = IdentityKeypair::from_seed(&material.identity_seed);
    let (alice, outputs) = Messenger::open(store.clone(), me, now, &mut rng).unwrap();
    let mut post = Post::default();
    post.join(alice, outputs);
    let start = Instant::now();
    for number in 0..filling.friends + filling.strangers {
        writes(&mut post, number, (number < filling.friends).then_some(filling.each));
        eprintln!(
            "{} of {} people: {:.1} s",
            number + 1,
            filling.friends + filling.strangers,
            start.elapsed().as_secs_f64()
        );
    }
    store.close();
    fs::write(done, &peer).unwrap();
    Person::at(home, peer)
}

/// Somebody who writes: a friend so many messages, a stranger one.
fn writes(post: &mut Post, number: usize, messages: Option<usize>) {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1 + number as u64);
    let now = clock(0);
    let store = Store::open(dir.path(), &Secret::random(&mut rng), &mut rng, now).unwrap();
    let (messenger, outputs) = Messenger::open(store, IdentityKeypair::generate(&mut rng), now, &mut rng).unwrap();
    let place = post.join(messenger, outputs);
    let (alice, peer) = (post.people[0].peer_id(), post.people[place].peer_id());
    let add = |peer, name| Command::AddContact { peer, name, hints: Hints::default() };
    if messages.is_some() {
        post.command(0, vec![add(peer, Some(format!("Friend {number}")))]);
        post.command(place, vec![add(alice, None)]);
        post.command(0, vec![send(peer, "hello".into())]);
    }
    let text = |n| format!("message {n} of {number}: {}", "lorem ipsum dolor sit amet ".repeat(4));
    let all: Vec<_> = (0..messages.unwrap_or(1)).map(|n| send(alice, text(n))).collect();
    for some in all.chunks(AT_ONCE) {
        post.command(place, some.to_vec());
    }
    post.leave(place);
}

fn send(to: PeerId, text: String) -> Command {
    Command::Send(SendCommand::text(to, text))
}

fn clock(ticks: u64) -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    Now { wall: WallTime(wall), mono: MonoTime(ticks) }
}

/// A perfect post between messengers of one process.
#[derive(Default)]
struct Post {
    people: Vec<Messenger>,
    places: HashMap<PeerId, usize>,
    queues: Vec<VecDeque<Input>>,
    rngs: Vec<ChaCha20Rng>,
    /// Frames and questions on their way: whose they are, by number.
    asked: HashMap<u64, (usize, u64)>,
    next: u64,
    ticks: u64,
}

impl Post {
    fn join(&mut self, messenger: Messenger, outputs: Vec<Output>) -> usize {
        let place = self.people.len();
        self.places.insert(messenger.peer_id(), place);
        self.people.push(messenger);
        self.queues.push(VecDeque::new());
        self.rngs.push(ChaCha20Rng::seed_from_u64(1_000 + place as u64));
        self.carry(place, outputs);
        place
    }

    /// The last one goes; his connections end.
    fn leave(&mut self, place: usize) {
        let peer = self.people.remove(place).peer_id();
        self.places.remove(&peer);
        self.queues.remove(place);
        self.queues[0].push_back(Input::Net(Event::Disconnected(peer)));
        self.run();
    }

    fn command(&mut self, place: usize, commands: Vec<Command>) {
        self.queues[place].extend(commands.into_iter().map(|command| Input::Command(0, command)));
        self.run();
    }

    fn run(&mut self) {
        while let Some(place) = self.queues.iter().position(|queue| !queue.is_empty()) {
            let inputs = self.queues[place].drain(..).collect();
            self.ticks += 1;
            let now = clock(self.ticks);
            let outputs = self.people[place].handle(inputs, now, &mut self.rngs[place]);
            self.carry(place, outputs);
        }
    }

    fn tell(&mut self, place: usize, input: Event) {
        self.queues[place].push_back(Input::Net(input));
    }

    fn number(&mut self, place: usize, ticket: u64) -> u64 {
        self.next += 1;
        self.asked.insert(self.next, (place, ticket));
        self.next
    }

    fn carry(&mut self, place: usize, outputs: Vec<Output>) {
        let me = self.people[place].peer_id();
        for output in outputs {
            match output {
                Output::Net(Order::Connect { peer, .. }) => match self.places.get(&peer).copied() {
                    Some(other) => {
                        self.tell(place, Event::Connected(peer));
                        self.tell(other, Event::Connected(me));
                    }
                    None => self.tell(place, Event::Unreachable(peer)),
                },
                Output::Net(Order::Send { peer, ticket, bytes }) => {
                    let token = FrameToken { stream: 1, frame: self.number(place, ticket) };
                    let Some(other) = self.places.get(&peer).copied() else { continue };
                    self.tell(other, Event::Envelope { from: me, origin: None, token, bytes: bytes.to_vec() });
                }
                Output::Net(Order::Acknowledge(token)) => {
                    let (sender, ticket) = self.asked.remove(&token.frame).unwrap();
                    self.tell(sender, Event::Acked { peer: me, ticket });
                }
                Output::Net(Order::Refuse(_, reason)) => panic!("refused: {reason:?}"),
                Output::Net(Order::FetchBundle { peer, ticket, want_prekey }) => {
                    let request = self.number(place, ticket);
                    let Some(other) = self.places.get(&peer).copied() else { continue };
                    self.tell(other, Event::BundleRequested { from: me, request, want_prekey });
                }
                Output::Net(Order::AnswerBundle { request, card, prekey }) => {
                    let (asker, ticket) = self.asked.remove(&request).unwrap();
                    self.tell(asker, Event::Bundle { peer: me, ticket, card, prekey });
                }
                Output::Reply(_, answer) => drop(answer.unwrap()),
                Output::Net(Order::AskMailbox { mailbox, ticket, .. }) => {
                    self.tell(place, Event::MailFailed { mailbox, ticket });
                }
                Output::Net(Order::FindCard { peer, ticket }) => {
                    self.tell(place, Event::CardNotFound { peer, ticket, asked: 0 });
                }
                Output::Net(
                    Order::Class { .. }
                    | Order::AnswerMail { .. }
                    | Order::HoldMail { .. }
                    | Order::RingMail { .. }
                    | Order::PublishCard { .. },
                )
                | Output::Events(_)
                | Output::WakeAt(_) => {}
            }
        }
    }
}
