//! A mailbox that lies: a real one within, and somebody between it and the network who does as he likes.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rohrpost::base::limits::{LANE_CONTACTS, LANE_STRANGERS};
use rohrpost::base::words::MailService;
use rohrpost::base::{MonoTime, Now, PeerId, Secret, WallTime};
use rohrpost::envelope::mailbox::{Answer, Question};
use rohrpost::identity::IdentityKeypair;
use rohrpost::messenger::{Command, Event, Input, Messenger, Order, Output};
use rohrpost::net::{Classes, Lanes, NetConfig, NetHandle, start};
use rohrpost::store::Store;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

/// What he does with what he is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lie {
    /// Nothing: he is as good as any.
    #[default]
    None,
    /// Says *stored* and keeps nothing.
    Drops,
    /// Gives what was deleted again and again, the last first.
    Replays,
    /// Gives envelopes with a bit turned round.
    Tampers,
    /// Answers everything with bytes that mean nothing.
    Babbles,
}

/// What he was asked so far, by kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    pub all: usize,
    pub deposits: usize,
    pub fetches: usize,
    pub deletions: usize,
    pub cards: usize,
}

/// The liar, on loopback.
pub struct Liar {
    runtime: Runtime,
    net: NetHandle,
    peer: PeerId,
    lie: Arc<Mutex<Lie>>,
    asked: watch::Receiver<Asked>,
    /// The other end is with the task that answers.
    _dir: tempfile::TempDir,
}

impl Liar {
    pub fn new(seed: u8, bootstrap: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let me = IdentityKeypair::from_seed(&Secret::new([seed; 32]));
        let peer = me.peer_id();
        let store = Store::open(dir.path(), &Secret::new([seed; 32]), &mut rng, now()).unwrap();
        let (mut messenger, _) = Messenger::open(store, me, now(), &mut rng).unwrap();
        messenger.handle(vec![Input::Command(1, Command::SetMailService(MailService::Open))], now(), &mut rng);
        let (addr, id) = bootstrap.split_once("/p2p/").unwrap();
        let config = NetConfig {
            listen: vec![format!("/ip4/{}/tcp/0", Ipv4Addr::LOCALHOST)],
            serve_mailbox: true,
            public: Some(true),
            bootstrap: vec![(id.parse().unwrap(), vec![addr.to_owned()])],
            // One process holds the networks of many tests.
            max_memory: usize::MAX,
            ..NetConfig::new(Secret::new([seed; 32]))
        };
        let (to_contacts, contacts) = mpsc::channel(LANE_CONTACTS);
        let (to_strangers, strangers) = mpsc::channel(LANE_STRANGERS);
        let lanes = Lanes { contacts: to_contacts, strangers: to_strangers };
        let net = runtime.block_on(start(config, lanes, Classes::default())).unwrap();
        let (lie, (told, asked)) = (Arc::new(Mutex::new(Lie::None)), watch::channel(Asked::default()));
        let mind = Mind { net: net.clone(), messenger, rng, lie: Arc::clone(&lie), told, seen: Vec::new() };
        runtime.spawn(mind.serve(contacts, strangers));
        Self { runtime, net, peer, lie, asked, _dir: dir }
    }

    pub fn addr(&self) -> String {
        format!("{}/p2p/{}", self.net.status().listen_addrs[0], self.peer)
    }

    pub fn lies(&self, lie: Lie) {
        *self.lie.lock().unwrap() = lie;
    }

    pub fn asked(&self) -> Asked {
        *self.asked.borrow()
    }

    /// Waits until he was asked for so much.
    pub fn is_asked(&self, what: impl Fn(&Asked) -> bool) -> Asked {
        let mut asked = self.asked.clone();
        let guarded = async { tokio::time::timeout(crate::node::PATIENCE, asked.wait_for(what)).await };
        *self.runtime.block_on(guarded).expect("he is not asked").unwrap()
    }
}

/// The one between.
struct Mind {
    net: NetHandle,
    messenger: Messenger,
    rng: ChaCha20Rng,
    lie: Arc<Mutex<Lie>>,
    told: watch::Sender<Asked>,
    /// Every page that was ever given.
    seen: Vec<Vec<u8>>,
}

impl Mind {
    async fn serve(mut self, mut contacts: mpsc::Receiver<Event>, mut strangers: mpsc::Receiver<Event>) {
        loop {
            let event = tokio::select! {
                Some(event) = contacts.recv() => event,
                Some(event) = strangers.recv() => event,
                else => return,
            };
            if let Event::Mail { from, request, question, .. } = event {
                let order = match self.answer(from, &question) {
                    Some(answer) => Order::AnswerMail { request, answer },
                    None => Order::HoldMail { request },
                };
                // What is no answer is not carried: nobody hears the babble.
                let _ = self.net.order(order);
            }
        }
    }

    /// `None`: the question is held.
    fn answer(&mut self, from: PeerId, question: &[u8]) -> Option<Vec<u8>> {
        let lie = *self.lie.lock().unwrap();
        let asked = Question::decode(question);
        self.told.send_modify(|count| {
            count.all += 1;
            match &asked {
                Ok(Question::Deposit(_)) => count.deposits += 1,
                Ok(Question::Fetch { .. }) => count.fetches += 1,
                Ok(Question::Delete { .. }) => count.deletions += 1,
                Ok(Question::Card { .. }) => count.cards += 1,
                _ => {}
            }
        });
        match (lie, &asked) {
            (Lie::Babbles, _) => return Some(vec![1, 3, 0, 0, 0, 2, 0xff, 0xff]),
            (Lie::Drops, Ok(Question::Deposit(_))) => return Some(Answer::Stored.encode().unwrap()),
            (Lie::Replays, Ok(Question::Delete { .. })) => return Some(Answer::Done.encode().unwrap()),
            // He rings all the time.
            (Lie::Drops | Lie::Replays | Lie::Tampers, Ok(Question::Wait { .. })) => {
                return Some(Answer::Waited { came: true }.encode().unwrap());
            }
            _ => {}
        }
        let true_answer = self.within(from, question)?;
        let Ok(answer) = Answer::decode(&true_answer) else { return Some(true_answer) };
        Some(match (lie, answer) {
            (Lie::Replays, Answer::Page { mut items, prekeys, .. }) => {
                self.seen.extend(items.iter().map(|item| item.sealed.clone()));
                let highest = items.iter().map(|item| item.number).max().unwrap_or_default();
                items.clear();
                for (n, sealed) in (highest + 1..).zip(self.seen.iter().rev()).take(64) {
                    items.push(rohrpost::envelope::mailbox::PageItem { number: n, sealed: sealed.clone() });
                }
                Answer::Page { more: false, prekeys, items }.encode().unwrap()
            }
            (Lie::Tampers, Answer::Page { more, prekeys, mut items }) => {
                for item in &mut items {
                    *item.sealed.last_mut().unwrap() ^= 1;
                }
                Answer::Page { more, prekeys, items }.encode().unwrap()
            }
            _ => true_answer,
        })
    }

    /// What the honest mailbox says.
    fn within(&mut self, from: PeerId, question: &[u8]) -> Option<Vec<u8>> {
        let input = Input::Net(Event::Mail { from, origin: None, request: 7, question: question.to_vec() });
        let outputs = self.messenger.handle(vec![input], now(), &mut self.rng);
        let mut answers = outputs.into_iter().filter_map(|output| match output {
            Output::Net(Order::AnswerMail { request: 7, answer }) => Some(Some(answer)),
            Output::Net(Order::HoldMail { request: 7 }) => Some(None),
            Output::Net(order @ Order::RingMail { .. }) => {
                self.net.order(order).unwrap();
                None
            }
            _ => None,
        });
        answers.next().expect("an answer")
    }
}

fn now() -> Now {
    #[expect(clippy::disallowed_methods, reason = "a mailbox knows the day")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let millis = u64::try_from(since.as_millis()).unwrap();
    Now { wall: WallTime(millis), mono: MonoTime(millis) }
}
