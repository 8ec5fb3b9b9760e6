//! A mailbox that many use at once: real questions on the wire, each answered behind its durable commit; and what ten thousand
//! boxes cost in memory.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rohrpost::base::words::MailService;
use rohrpost::base::{MonoTime, Now, PeerId, Secret, WallTime};
use rohrpost::envelope::mailbox::{Answer, Deposit, InvitationKey, OfferIn, Proof, Question, QueueKey, TokenIn};
use rohrpost::envelope::seal::seal;
use rohrpost::envelope::{EnvelopeKind, encode};
use rohrpost::identity::{CardContent, CardKeys, IdentityKeypair, open_key_file};
use rohrpost::messenger::{Command, Event, Input, Messenger, Order, Output};
use rohrpost::net::NetHandle;
use rohrpost::store::{ProfileDir, Store};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::figures::{Table, ms};
use crate::limits::network;
use crate::machine::Person;

/// People who write at the same time, each into the box of the next.
const WRITERS: u8 = 16;
/// What each of them writes.
const LETTERS: usize = 512;
/// Questions that each of them has open.
const OPEN: usize = 16;
const BOXES: u32 = 10_000;
const TEXT: &[u8] = &[b'x'; 200];
const MIB: f64 = 1024.0 * 1024.0;

struct Owner {
    me: IdentityKeypair,
    keys: CardKeys,
    queue: [u8; 16],
}

impl Owner {
    fn new(n: u32, rng: &mut ChaCha20Rng) -> Self {
        let mut queue = [7; 16];
        queue[..4].copy_from_slice(&n.to_be_bytes());
        Self { me: IdentityKeypair::generate(rng), keys: CardKeys::generate(rng), queue }
    }

    fn register(&self) -> Vec<u8> {
        let card = CardContent::new(&self.keys, 1, wall(), self.queue).sign(&self.me);
        let offer = OfferIn { batch: 1, card: &card, prekeys: Vec::new() };
        let invitation = InvitationKey::from_bytes([0; 32]);
        Question::Register { key: QueueKey::from_bytes([1; 32]), invitation, offer }.encode().unwrap()
    }

    fn letter(&self, n: usize, rng: &mut ChaCha20Rng) -> Vec<u8> {
        let (to, plain) = (self.me.peer_id(), encode(EnvelopeKind::Session, TEXT).unwrap());
        let sealed = seal(&self.queue, self.keys.seal_id, &self.keys.seal.public(), to, &plain, rng).unwrap();
        let token = Some(TokenIn::of(&QueueKey::from_bytes([1; 32]), [(n / 256) as u8; 16]));
        Question::Deposit(Deposit { recipient: to, token, proof: Proof::None, sealed: &sealed }).encode().unwrap()
    }
}

/// Asks and waits for the answer, so many at a time; how many there were and whether each was this one.
async fn ask_all(
    (net, heard): &mut (NetHandle, mpsc::Receiver<Event>),
    mailbox: PeerId,
    addrs: &[String],
    questions: Vec<Vec<u8>>,
    expected: &Answer,
) {
    let (all, mut open, mut done) = (questions.len(), 0, 0);
    let mut waiting = questions.into_iter().zip(0_u64..).peekable();
    while done < all {
        while open < OPEN && waiting.peek().is_some() {
            let (question, ticket) = waiting.next().unwrap();
            net.order(Order::AskMailbox { ticket, mailbox, addrs: addrs.to_vec(), anonymous: false, question })
                .unwrap();
            open += 1;
        }
        match heard.recv().await.unwrap() {
            Event::MailAnswered { answer, .. } => {
                assert_eq!(Answer::decode(&answer).unwrap(), *expected);
                (open, done) = (open - 1, done + 1);
            }
            Event::MailFailed { .. } => panic!("a mailbox that is asked by contacts answers"),
            _ => {}
        }
    }
}

pub fn run(table: &mut Table) {
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let post = Person::new("Post");
    let (node, _) = post.on_with(&["--serve-mailbox", "--public"]);
    let mut client = node.client();
    let place = client.call("id.show", &json!({}))["addrs"][0].as_str().unwrap().to_owned();
    let addrs = [place.split("/p2p/").next().unwrap().to_owned()];
    let mailbox: PeerId = post.peer.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut writers = Vec::new();
        for n in 0..WRITERS {
            let net = network(100 + n).await;
            // Contacts have the rate of contacts.
            client.call("contacts.add", &json!({"who": net.0.peer_id()}));
            let me = IdentityKeypair::from_seed(&Secret::new([100 + n; 32]));
            writers.push((net, Owner { me, ..Owner::new(n.into(), &mut rng) }));
        }
        for (net, owner) in &mut writers {
            ask_all(net, mailbox, &addrs, vec![owner.register()], &Answer::Kept { prekeys: 0 }).await;
        }
        let mut tasks = JoinSet::new();
        let letters: Vec<Vec<Vec<u8>>> = (0..writers.len())
            .map(|n| {
                let next = &writers[(n + 1) % writers.len()].1;
                (0..LETTERS).map(|letter| next.letter(letter, &mut rng)).collect()
            })
            .collect();
        let start = Instant::now();
        for ((mut net, _), letters) in writers.into_iter().zip(letters) {
            let addrs = addrs.clone();
            tasks.spawn(async move { ask_all(&mut net, mailbox, &addrs, letters, &Answer::Stored).await });
        }
        tasks.join_all().await;
        let rate = f64::from(WRITERS) * LETTERS as f64 / start.elapsed().as_secs_f64();
        table.row(
            "deposits into a mailbox, on the wire, durable",
            format!("{rate:.0}/s"),
            format!("{WRITERS} writers; goal 2,000/s"),
        );
    });
}

/// Ten thousand boxes of people who never come: what the node has in memory with them, and without.
pub fn boxes(table: &mut Table) {
    let post = Person::new("Post");
    let mut rng = ChaCha20Rng::from_seed([8; 32]);
    let empty = resident(&post);
    let dir = ProfileDir::open(&post.path().join("default")).unwrap().unwrap();
    let material = open_key_file(&dir.read_key_file().unwrap().unwrap(), None).unwrap();
    let now = Now { wall: wall(), mono: MonoTime(0) };
    let store = Store::open_existing(dir.path(), &material.store_key, &mut rng, now).unwrap();
    let me = IdentityKeypair::from_seed(&material.identity_seed);
    let (mut messenger, _) = Messenger::open(store.clone(), me, now, &mut rng).unwrap();
    messenger.handle(vec![Input::Command(0, Command::SetMailService(MailService::Open))], now, &mut rng);
    let start = Instant::now();
    for first in (0..BOXES).step_by(200) {
        let ask = |n| {
            let owner = Owner::new(n, &mut ChaCha20Rng::seed_from_u64(n.into()));
            Input::Net(Event::Mail {
                from: owner.me.peer_id(),
                origin: None,
                request: n.into(),
                question: owner.register(),
            })
        };
        let answers = messenger.handle((first..first + 200).map(ask).collect(), now, &mut rng);
        let kept = answers.iter().filter(|output| matches!(output, Output::Net(Order::AnswerMail { .. }))).count();
        assert_eq!(kept, 200);
    }
    let each = start.elapsed() / BOXES;
    drop(messenger);
    store.close();
    let full = resident(&post);
    table.row("registration of a box, 200 in a commit, each", ms(each), "");
    let beside = format!("without them {:.1} MiB", empty as f64 / MIB);
    table.row("resident with 10,000 boxes", format!("{:.1} MiB", full as f64 / MIB), beside);
    table.row("on the disk, a box without prekeys", format!("{} B", post.bytes() / u64::from(BOXES)), "");
}

/// What the node has in memory once it has counted its rows and looked through the boxes.
fn resident(person: &Person) -> u64 {
    let (node, _) = person.on_with(&["--serve-mailbox"]);
    let mut client = node.client();
    for _ in 0..100 {
        client.call("status", &json!({}));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let resident = node.resident();
    node.off();
    resident
}

fn wall() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    WallTime(since.as_millis() as u64)
}
