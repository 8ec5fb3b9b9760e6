//! What must be shown in the end, and by which rule something need not be. It is told what people do, never what a messenger makes of
//! it.

use std::collections::{BTreeMap, BTreeSet};

use rohrpost::base::words::{Direction, State};
use rohrpost::base::{MessageId, Millis};

use super::Story;

/// How long an own message is tried.
const GIVEN_UP: Millis = Millis::from_days(30);

/// Something that somebody said.
pub struct Said {
    pub from: usize,
    pub text: String,
    pub at: u64,
    /// How long it is to live.
    pub life: Option<Millis>,
    /// Its writer's folder fell back to before it: he may say that it never was.
    pub unsaid: bool,
    /// The folder of whom it was for fell back since: if it was there, it is not any more.
    pub unheard: bool,
    /// It was seen at the other's, and both clocks were right from when it was said: the two mean the same by its end.
    pub seen: bool,
    /// A clock was wrong before it was seen.
    pub unsound: bool,
    /// Whom it was for had blocked its writer, a contact, and it had not come when he unblocked him: it stays away until something
    /// makes all go again, if anything does (REQ-12).
    pub barred: bool,
    /// Its writer's clock was set back since, or his folder: then it may live for longer.
    pub fell: bool,
}

/// What was there when an old copy was put back: at whom, and how much had been said.
pub struct Back {
    pub said: usize,
    pub shown: [BTreeSet<MessageId>; 2],
}

impl Story {
    /// From the end by his clock on its writer sees it no more, be his program closed meanwhile, and his clock behind.
    pub(super) fn judge_ends(&self) {
        // Small steps of a clock are none, and a minute may not have been noted.
        let by = self.world.now().saturating_sub(70_000);
        for from in 0..2 {
            let over =
                |said: &&Said| said.from == from && !said.fell && said.life.is_some_and(|life| said.at + life.0 <= by);
            let over: Vec<_> = self.said.iter().filter(over).collect();
            if over.is_empty() {
                continue;
            }
            let own = self.world.texts(self.people[from], self.people[1 - from], Direction::Out);
            for said in over {
                assert!(!own.contains(&said.text), "its end has come: {}", said.text);
            }
        }
    }

    pub(super) fn judge(&self) {
        for from in 0..2 {
            self.judge_one(from);
            self.judge_order(from);
        }
    }

    /// Whether somebody may take something for so old that its end has come.
    fn is_over(&self, who: usize, said: &Said, life: Millis, vanishes: bool) -> bool {
        let now = self.world.now();
        now - said.at + self.clocks[who].older(now, said.at, vanishes) >= life.0
    }

    /// What one has said, at the other.
    fn judge_one(&self, from: usize) {
        let (writer, reader) = (self.people[from], self.people[1 - from]);
        let mut shown: BTreeMap<String, usize> = BTreeMap::new();
        for text in self.world.texts(reader, writer, Direction::In) {
            *shown.entry(text).or_default() += 1;
        }
        let own = self.world.history(writer, reader).into_iter();
        let own: BTreeMap<String, State> =
            own.filter(|m| m.direction == Direction::Out).map(|m| (m.text, m.state)).collect();
        for said in self.said.iter().filter(|said| said.from == from) {
            let times = shown.remove(&said.text).unwrap_or(0);
            let state = own.get(&said.text).copied();
            let what = format!("{} is {state:?}, and is shown {times} times", said.text);
            assert!(times <= 1, "{what}");
            let is_gone = |who| said.life.is_some_and(|life| self.is_over(who, said, life, true));
            if said.life.is_some_and(|life| said.at + life.0 <= self.world.now()) {
                assert!(state.is_none() && times == 0, "its end has come: {what}");
                continue;
            }
            if said.life.is_some() && said.seen && !said.unheard && !is_gone(1 - from) {
                assert!(times == 1, "its end has not come: {what}");
            }
            let Some(state) = state else {
                assert!(said.unsaid || is_gone(from), "it is gone at its writer's: {what}");
                continue;
            };
            let may_lack = said.unheard || (said.life.is_some() && !said.seen) || is_gone(1 - from);
            let ok = match state {
                State::Delivered | State::Read => times == 1 || may_lack,
                State::Sent => times == 0 && said.barred,
                State::Undelivered => self.is_over(from, said, GIVEN_UP, false),
                _ => false,
            };
            assert!(ok, "{what}");
        }
        assert_eq!(shown, BTreeMap::new(), "nobody has said that");
    }

    /// What one has said stands at the other's in the order in which he said it, and what he said since the last copy was put back
    /// behind what was there then, if his clock was never set: by it he says when he wrote.
    fn judge_order(&self, from: usize) {
        if self.set[from] {
            return;
        }
        let reader = 1 - from;
        let history = self.world.history(self.people[reader], self.people[from]);
        let texts: Vec<&str> = history.iter().map(|message| message.text.as_str()).collect();
        let since = self.back.as_ref().map_or(0, |back| back.said);
        let said: Vec<&str> =
            self.said[since..].iter().filter(|said| said.from == from).map(|said| said.text.as_str()).collect();
        let mut places = said.iter().filter_map(|said| texts.iter().position(|text| text == said));
        assert!(places.clone().is_sorted(), "it was said in another order: {said:?}, {texts:?}");
        let last =
            history.iter().rposition(|m| self.back.as_ref().is_some_and(|b| b.shown[reader].contains(&m.message_id)));
        if let (Some(first), Some(last)) = (places.next(), last) {
            assert!(first > last, "what was written afterwards stands before what was there: {texts:?}");
        }
    }
}
