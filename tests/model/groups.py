#!/usr/bin/env python3
"""The membership log of a group: an executable model of docs/protocol/group.md, and an oracle for the implementation.

A group is a set of signed, hash-linked operations (a DAG). Who is a member, who is an admin, what the group is called: all of
it is one function of that set, `evaluate`, which looks at no order of arrival and at no clock. Two evaluators are here:
`evaluate` goes once through the admins' standings by rank, over bit sets; `Definition` is the rules word by word, recursive,
with another way to find ancestors, and stops if a rule ever depends on itself in a circle. They must agree in everything.
`counts` says what matters to anybody: it is what honest members build on (`Member.front`) and what a node may not forget.

    groups.py check                 all of the below in little, the table of outcomes, floods, the worst evaluation: two minutes
    groups.py random [SEED] [N]     N random histories: partitions, delays, forgetting, two versions, honest and malicious members
    groups.py small  [N] [M]        three people, and a fourth who may be added: all sets of up to N operations beside each other, and
                                    all histories of up to M (3) operations with every choice of parents
    groups.py mutants [N]           each rule broken once: N histories in which a check must fail
    groups.py worst  [N]            the worst history that is known for the evaluation, and a friendly one
    groups.py stream [SEED] [N]     histories and what follows from them, a line of JSON each, for the tests of the implementation
    groups.py vectors [N]           N of them (40) that have in them what is rare, as a list of JSON

Checked in every history:
  C1 convergence      same operations, another order of arrival: the same admitted, the same state; both evaluators agree (seats,
                      admins, name, limit). A node that forgets what does not count ends in the same state, by heads alone. A newer
                      version, which knows kinds and values that the older does not, admits the same and has the same roster
  C2 no power         every admin was appointed by one who outranks him, up to `create`, and every act was an admin's
  C3 out is out       whatever operations somebody who is out adds, wherever he hangs them in: nothing changes; and of who was
                      removed nothing counts, so that his floods are forgotten
  C4 seniors          whatever operations an admin adds: who outranks him keeps office and seat, and all that they did stands
  C5 members          whatever operations an ordinary member adds: nothing changes but that he leaves
  C6 in and out       who left or was removed and did not ask again after it is out, by the clock of the simulation, which the rules
                      do not see; nobody is out but by his own leave or a person's remove (confirmations are demotes), or a full group
  C7 limits           never more seats than the bound; a change of the limit takes nobody's seat
  C8 honest acts      what an honest member does has its effect in his own view at once
  C9 nobody silently  each honest member signed a consent, later (same clock) than every end of his that lies behind his standing
One exception is known, and is checked to be the only one (`latent`): an admin who left or stepped down *himself* can still
hang acts in before that, until an admin who outranks him demotes him for good. Of the creator nobody can.
Held in 60,000 random histories (959,717 operations admitted, 102,029 of them void, 358,548 refused; two in five with two versions at work,
half of the honest forgetting, a third each with 3 parents and with 2 seats at most), in all 152,153 sets of up to four operations beside each other, and in all
518,468 histories of up to three operations with every choice of parents. Each rule was broken once: 23 of 23 mutants are caught.
Worst evaluation known, 4,093 operations: 0.9 s (a million unions of 512 bytes); the same beside each other 0.02 s.
Not shown: signatures and encodings (here an author cannot be forged; a signature is a word), delivery, messages, rates.
"""
import hashlib
import itertools
import json
import random
import sys
import time

CREATE, ADD, REMOVE, DEMOTE, LEAVE, SET = "create", "add", "remove", "demote", "leave", "set"
KINDS = (CREATE, ADD, REMOVE, DEMOTE, LEAVE, SET)
MEMBER, ADMIN = 0, 1
MAX_DEPTH = 16
PARENTS, SEATS = 8, 250  # parents of an operation, seats of a group; histories also run with 3 and 2, to meet these bounds
STAMPS = itertools.count()
BROKEN = set()  # rules that a mutant breaks


def bits(mask):
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class Op:
    """A signed operation. `under`: the standing (create or add) in which the author acts. `args` by kind: create name limit |
    add person role ground | remove person | demote person | leave | set key value. The ground of an add is a consent, ("consent", seen,
    who signed it): seen is an operation that knows all ends of his that he knows; or ("base", the standing that he has).
    `born`, `confirm`: the simulation's own notes. No rule looks at them."""
    __slots__ = ("author", "parents", "under", "kind", "args", "version", "id", "forged", "own", "person", "role", "born", "confirm")

    def __init__(self, author, parents, under, kind, args=(), forged=False, version=1):
        self.author, self.parents, self.under = author, tuple(sorted(parents)), under
        self.kind, self.args, self.forged, self.version = kind, tuple(args), forged, version
        self.own = kind == LEAVE or kind == DEMOTE and self.args[:1] == (author,)  # an end that one makes to oneself
        self.person = author if kind == CREATE else self.args[0] if kind == ADD and self.args else None
        self.role = ADMIN if kind == CREATE or kind == ADD and len(self.args) > 1 and self.args[1] == ADMIN else MEMBER
        self.born, self.confirm = -1, False
        self.id = hashlib.sha256(repr((author, self.parents, under, kind, self.args, version)).encode()).hexdigest()[:16]

    def __repr__(self):
        args = [f"{a[0]}:{str(a[1])[:4]}" if isinstance(a, tuple) else a for a in self.args]
        return (f"{self.id[:4]}:{self.author}@{self.born}/{(self.under or '-')[:4]} {self.kind}{args} v{self.version}"
                f" <{','.join(p[:4] for p in self.parents)}>{' confirms' if self.confirm else ''}")


class Log:
    """What one node has: admitted operations, with their ancestors (as bits) and the ranks of standings, and those that wait for
    parents. Admission looks at the operation and its ancestors and at nothing else, so that all who have the ancestors admit the
    same, in every version."""

    def __init__(self, version=1):
        self.version = version
        self.ops, self.at, self.past, self.rank = [], {}, [], {}
        self.waiting, self.refused, self.by_author, self.about = {}, set(), {}, {}
        self.stamp = next(STAMPS)

    def copy(self):
        new = Log(self.version)
        new.ops, new.at, new.past, new.rank = list(self.ops), dict(self.at), list(self.past), dict(self.rank)
        new.waiting, new.refused = dict(self.waiting), set(self.refused)
        new.by_author = {k: list(v) for k, v in self.by_author.items()}
        new.about = dict(self.about)
        return new

    def knows(self, op_id, other):
        """Whether `other` is an ancestor of the operation `op_id`."""
        return self.past[self.at[op_id]] >> self.at[other] & 1

    def bit(self, op_id):
        return 1 << self.at[op_id]

    def with_past(self, op_id):
        return self.past[self.at[op_id]] | 1 << self.at[op_id]

    def behind(self, parents):
        past = 0
        for p in parents:
            past |= self.with_past(p)
        return past

    def ends(self, who):
        """All leaves and removes of somebody, as bits."""
        return self.about.get(who, 0)

    def fault(self, op, past):
        """Why an operation whose parents are here is refused for good; None if it is not."""
        def in_past(i):
            return i in self.at and past >> self.at[i] & 1

        if "newer" in BROKEN and self.version == 2 and op.kind == "topic" and not op.args:
            return "a newer program refuses what an older admits"
        if "cap" in BROKEN and len(self.by_author.get(op.author, ())) > 5:
            return "a cap refuses"
        if op.kind == CREATE:
            return None if not op.parents and not self.ops and op.under is None else "create"
        if not self.ops or not 0 < len(op.parents) <= PARENTS:
            return "parents"
        if not in_past(op.under):
            return "standing unknown"
        standing = self.ops[self.at[op.under]]
        if standing.kind not in (CREATE, ADD) or standing.person != op.author:
            return "not his standing"
        if op.own:
            return None
        if standing.role != ADMIN and "members act" not in BROKEN:
            return "not an admin"
        if op.kind in (REMOVE, DEMOTE) and len(op.args) < 1 or op.kind == SET and len(op.args) < 2:
            return "form"
        if op.kind == ADD:
            if len(op.args) < 3:
                return "form"
            who, _, (ground, what, *signer) = op.args[:3]
            if who == op.author or self.rank[op.under][0] >= MAX_DEPTH:
                return "himself, or depth"
            if not in_past(what):
                return "ground unknown"
            if ground == "base":
                held = self.ops[self.at[what]]
                if op.role != ADMIN or held.kind not in (CREATE, ADD) or held.person != who:
                    return "base"
            elif signer != [who] and "unsigned" not in BROKEN:
                return "not his consent"
            if "ground" in BROKEN or "base" in BROKEN and ground == "base":
                return None
            if self.ends(who) & past & ~self.with_past(what):
                return "an end of his that the ground does not know"
        return None

    def add(self, op):
        """Takes an operation in; those that waited for it follow."""
        stack = [op]
        while stack:
            op = stack.pop()
            if op.id in self.at or op.id in self.refused:
                continue
            if op.forged:  # a wrong signature leaves no mark under the ID: the right one may come yet
                if "forged" in BROKEN:
                    self.refused.add(op.id)
                continue
            if any(p in self.refused for p in op.parents):
                self.refused.add(op.id)
            elif op.version > self.version or any(p not in self.at for p in op.parents):
                self.waiting[op.id] = op
                continue
            else:
                past = self.behind(op.parents)
                if self.fault(op, past):
                    self.refused.add(op.id)
                else:
                    self.admit(op, past)
            self.waiting.pop(op.id, None)
            if self.waiting:
                stack += [w for w in self.waiting.values() if op.id in w.parents]

    def update(self, version):
        """A newer program: what waited for it is looked at again."""
        self.version, waiting, self.waiting, self.stamp = version, list(self.waiting.values()), {}, next(STAMPS)
        for op in waiting:
            self.add(op)

    def admit(self, op, past):
        i, self.stamp = len(self.ops), next(STAMPS)
        self.at[op.id] = i
        self.ops.append(op)
        self.past.append(past)
        self.by_author.setdefault(op.author, []).append(op)
        if op.kind in (LEAVE, REMOVE):
            who = op.author if op.kind == LEAVE else op.args[0]
            self.about[who] = self.about.get(who, 0) | 1 << i
        # Ranks: nearer to the creator is senior; then the earlier by what his appointer knew.
        if op.kind == CREATE:
            self.rank[op.id] = (0, ())
        elif op.kind == ADD:
            depth, path = self.rank[op.under]
            count = len(self.ops) if "arrival rank" in BROKEN else past.bit_count()
            self.rank[op.id] = (depth + 1, path + ((count, op.id),))

    def forget(self, keep, mine=None):
        """Drops of what does not count all but `keep`, the last come first; one's own stays. Whoever needs it asks for it again."""
        take = counts(self, evaluate(self))
        if "forget ends" in BROKEN:
            take = 0
            for o in self.ops:
                take |= 0 if o.own else self.bit(o.id)
        for o in self.by_author.get(mine, ()):
            take |= self.with_past(o.id)
        spare = [i for i in range(len(self.ops)) if not take >> i & 1]
        gone = set(spare[keep:])
        if gone:
            left, waiting = [o for i, o in enumerate(self.ops) if i not in gone], self.waiting
            refused, version = self.refused, self.version
            self.__init__(version)
            self.refused, self.waiting = refused, waiting
            for o in left:
                if all(p in self.at for p in o.parents):
                    self.admit(o, self.behind(o.parents))
        return len(gone)


class State:
    def __init__(self):
        self.seats, self.beyond, self.admins = [], [], {}
        self.name, self.limit, self.topic, self.effective, self.alive = None, None, None, set(), {}
        self.by_others, self.by_himself, self.removed = {}, {}, {}

    def key(self):
        return tuple(self.seats), tuple(self.beyond), tuple(sorted(self.admins.items())), self.name, self.limit

    def roster(self):
        return tuple(self.seats), tuple(self.beyond), tuple(sorted(self.admins.items())), self.name

    def members(self):
        return [who for who, _ in self.seats]


def means(op, version):
    """Whether this version gives a meaning to the key and value of a `set`. What it does not know changes nothing."""
    key, value = op.args[:2]
    if key == "name":
        return isinstance(value, str) and 0 < len(value) <= 64
    if key == "limit":
        return isinstance(value, int) and 2 <= value <= (250 if version == 1 else 1000)
    return key == "topic" and version >= 2


def evaluate(log, version=None):
    """One pass, admins' standings by rank: whatever can end a standing was decided before it. All sets of operations are bits."""
    ops, at, past, rank, version = log.ops, log.at, log.past, log.rank, version or log.version
    standings, under, ends_of, removes_of, own_of, leaves_of, demotes, sets, stands = [], {}, {}, {}, {}, {}, 0, 0, 0
    for i, o in enumerate(ops):
        bit = 1 << i
        if o.kind == DEMOTE:
            demotes |= bit
        if o.kind in (CREATE, ADD):
            standings.append(o)
        if o.kind == CREATE or o.own:
            stands |= bit
        if o.own:
            own_of[o.author] = own_of.get(o.author, 0) | bit
            if o.kind == LEAVE:
                leaves_of[o.author] = leaves_of.get(o.author, 0) | bit
            continue
        if o.kind in (REMOVE, DEMOTE):
            ends_of[o.args[0]] = ends_of.get(o.args[0], 0) | bit
            if o.kind == REMOVE:
                removes_of[o.args[0]] = removes_of.get(o.args[0], 0) | bit
        elif o.kind == SET:
            sets |= bit
        if o.under:
            under.setdefault(o.under, []).append(i)
    state = State()
    ended, memo, known_to = {}, {}, {}
    if "leave void" in BROKEN:
        for i, o in enumerate(ops):
            if o.kind == LEAVE and ops[at[o.under]].kind == ADD:
                stands &= ~(1 << i)
    for s in sorted((s for s in standings if s.role == ADMIN or "members act" in BROKEN), key=lambda s: rank[s.id]):
        if not stands >> at[s.id] & 1:
            continue
        unknown = ~past[at[s.id]]
        ends, own = ends_of.get(s.person, 0) & stands & unknown, own_of.get(s.person, 0) & unknown
        if "leave void" in BROKEN:
            own &= stands | demotes
        ended[s.id] = ends, own
        if s.id in under:
            # Another's end voids all that it does not know; one's own only what knows it.
            known = memo.get(ends)
            if known is None:
                known = -1
                for i in bits(ends):
                    known &= past[i]
                if "weak ends" in BROKEN:
                    known = -1
                memo[ends] = known
            if "own voids" in BROKEN:
                for i in bits(own):
                    known &= past[i]
            for i in under[s.id]:
                if known >> i & 1 and not past[i] & own and ("weak ends" not in BROKEN or not past[i] & ends):
                    stands |= 1 << i

    def removed(s):
        """Whether somebody else has ended the membership by this standing."""
        removes = removes_of.get(s.person, 0) & stands & ~past[at[s.id]]
        if "spare" in BROKEN:
            for i in bits(removes):
                removes &= -1 if past[i] >> at[s.id] & 1 else ~(1 << i)
        if not removes:
            return False
        if s.role != ADMIN or "any admin" in BROKEN:
            return True
        ends, own = ended[s.id]
        if removes & ends:
            return True
        down = (ends | own) & demotes  # no admin any more, as the remover knew
        if removes not in known_to:
            known_to[removes] = 0
            for i in bits(removes):
                known_to[removes] |= past[i]
        return "stepped" not in BROKEN and bool(known_to[removes] & down)

    newest = {}
    for key in ("name", "limit", "topic"):
        mine = [i for i in bits(sets & stands) if ops[i].args[0] == key and means(ops[i], version)]
        covered = 0
        for i in mine:
            covered |= past[i]
        mine = [i for i in mine if not covered >> i & 1]
        newest[key] = min(mine, key=lambda i: (rank[ops[i].under], ops[i].id), default=None)
        if "arrival" in BROKEN and mine:
            newest[key] = mine[-1]
    state.name, state.limit, state.topic = (
        ops[i].args[1] if i is not None else first for i, first in zip(newest.values(), (*ops[0].args[:2], None)))
    best = {}
    for s in sorted(standings, key=lambda s: rank[s.id]):
        if not stands >> at[s.id] & 1:
            continue
        state.removed[s.id] = removed(s)
        state.by_others[s.id], state.by_himself[s.id] = ended.get(s.id, (0, 0))
        if state.removed[s.id] or leaves_of.get(s.person, 0) & (stands if "leave void" in BROKEN else -1) & ~past[at[s.id]]:
            continue
        now = ADMIN if s.role == ADMIN and not any(ended[s.id]) else MEMBER
        state.alive[s.id] = now
        if now == ADMIN:
            state.admins.setdefault(s.person, s.id)
        best[s.person] = min(best.get(s.person, (9,)), (1 - now, rank[s.id]))
    queue = sorted(best, key=lambda who: (-best[who][0], best[who][1]) if "seats" in BROKEN else best[who])
    bound = min(SEATS, state.limit) if "limit" in BROKEN else SEATS
    state.seats, state.beyond = [(w, 1 - best[w][0]) for w in queue[:bound]], queue[bound:]
    state.effective = {ops[i].id for i in bits(stands)}
    return state


def counts(log, state):
    """What matters to anybody, as bits: all that stands and is no own end; for each standing that stands, and that nobody else's remove
    has ended, the first own leave, and unless somebody else ended the office the first own demotion; and all that lies behind."""
    ops, past, take = log.ops, log.past, 0
    own = {}
    for i, o in enumerate(ops):
        if o.id in state.effective and not o.own:
            take |= 1 << i
        if o.own:
            own.setdefault(o.author, []).append(i)
    own = {who: sorted(them, key=lambda i: (past[i].bit_count(), ops[i].id)) for who, them in own.items()}
    for s, removed in state.removed.items():
        if removed and "drag" not in BROKEN or "all heads" in BROKEN:
            continue
        who, unknown = ops[log.at[s]].person, ~past[log.at[s]]
        for kind in (LEAVE, DEMOTE):
            if kind == DEMOTE and (ops[log.at[s]].role != ADMIN or state.by_others[s]):
                continue
            for i in own.get(who, ()):
                if ops[i].kind == kind and unknown >> i & 1:
                    take |= 1 << i
                    break
    if "all heads" in BROKEN:
        return (1 << len(ops)) - 1
    for i in bits(take):
        take |= past[i]
    return take


def heads(log, take):
    """Those of these operations that lie behind none of them."""
    covered = 0
    for i in bits(take):
        covered |= log.past[i]
    return [log.ops[i].id for i in bits(take & ~covered)]


class Definition:
    """The rules as they are written, without an order of work. `busy` catches a rule that depends on itself."""

    def __init__(self, ops, version=1):
        self.ops, self.first, self.version = {o.id: o for o in ops}, ops[0], version
        self.memo, self.busy, self.anc, self.ranks = {}, set(), {}, {}

    def past(self, o):
        if o.id not in self.anc:
            seen, todo = set(), list(o.parents)
            while todo:
                p = todo.pop()
                if p not in seen:
                    seen.add(p)
                    todo += self.ops[p].parents
            self.anc[o.id] = seen
        return self.anc[o.id]

    def rank(self, s):
        if s.id not in self.ranks:
            up = self.rank(self.ops[s.under]) if s.under else ()
            self.ranks[s.id] = (up[0] + 1,) + up[1:] + ((len(self.past(s)), s.id),) if up else (0,)
        return self.ranks[s.id]

    def outranks(self, e, s):
        return self.rank(self.ops[e.under]) < self.rank(s) or "juniors" in BROKEN

    def ends_office(self, s):
        """All that ends the office of an admin's standing."""
        for e in self.ops.values():
            if e.id == s.id or e.id in self.past(s):
                continue
            if e.own:
                if e.author == s.person:
                    yield e
            elif e.kind in (REMOVE, DEMOTE) and e.args[0] == s.person and self.outranks(e, s) and self.stands(e):
                yield e

    def stands(self, o):
        if o.kind == CREATE or o.own:
            return True
        if o.id not in self.memo:
            need(o.id not in self.busy, f"a circle at {o}")
            self.busy.add(o.id)
            s = self.ops[o.under]
            self.memo[o.id] = self.stands(s) and all(
                e.id not in self.past(o) if e.own else o.id in self.past(e) for e in self.ends_office(s))
            self.busy.discard(o.id)
        return self.memo[o.id]

    def by(self, s):
        """What somebody is by this standing: None, MEMBER or ADMIN."""
        if not self.stands(s):
            return None
        ends = list(self.ends_office(s)) if s.role == ADMIN else []
        for e in self.ops.values():
            if e.id in self.past(s):
                continue
            if e.kind == LEAVE and e.author == s.person:
                return None
            if e.kind == REMOVE and e.args[0] == s.person and self.stands(e):
                if s.role == MEMBER or self.outranks(e, s) or any(d.kind == DEMOTE and d.id in self.past(e) for d in ends):
                    return None
        return ADMIN if s.role == ADMIN and not ends else MEMBER

    def setting(self, key, value):
        them = [o for o in self.ops.values() if o.kind == SET and o.args[0] == key and means(o, self.version) and self.stands(o)]
        them = [o for o in them if not any(o.id in self.past(p) for p in them)]
        return min(them, key=lambda o: (self.rank(self.ops[o.under]), o.id)).args[1] if them else value

    def key(self):
        """The same as `State.key`."""
        found, admins = {}, {}
        for s in sorted((s for s in self.ops.values() if s.kind in (CREATE, ADD)), key=self.rank):
            now = self.by(s)
            if now is None:
                continue
            if now == ADMIN:
                admins.setdefault(s.person, s.id)
            found.setdefault(s.person, []).append((1 - now, self.rank(s)))
        queue = sorted(found, key=lambda who: min(found[who]))
        return (tuple((w, 1 - min(found[w])[0]) for w in queue[:SEATS]), tuple(queue[SEATS:]), tuple(sorted(admins.items())),
                self.setting("name", self.first.args[0]), self.setting("limit", self.first.args[1]))


# ---------------------------------------------------------------------------------------------------------------- people

class Member:
    """Somebody with a log of his own."""

    def __init__(self, name, log=None):
        self.name, self.log, self._view, self.left, self.withdrawn = name, log or Log(), None, -1, set()
        self.keep = None  # how much of what does not count he keeps; None: all

    def view(self):
        if self._view is None or self._view[0] != self.log.stamp:
            self._view = self.log.stamp, evaluate(self.log)
        return self._view[1]

    def front(self, also=0):
        """What he names: the heads of what counts, and of what the operation itself asks for."""
        return heads(self.log, counts(self.log, self.view()) | also)

    def own_ends(self, who):
        """Whoever is added now: the add names all his own ends, or they would end it."""
        return 0 if "also" in BROKEN else sum(self.log.bit(o.id) for o in self.log.by_author.get(who, ()) if o.own)

    def make(self, kind, args=(), under=None, parents=None, also=0):
        """An operation as an honest node makes it. If it would have too many parents: a joining operation, or for an end of one's own, which
        need not know much, those behind which the standing lies, and the lowest others."""
        if parents is None:
            parents = sorted(self.front(also))
            if len(parents) > PARENTS:
                at_under = 1 << self.log.at[under]
                parents = sorted(parents, key=lambda p: (not self.log.with_past(p) & at_under, p))[:PARENTS]
                if not (kind == LEAVE or kind == DEMOTE and args[0] == self.name):
                    kind, args = SET, ("join", None)
        return Op(self.name, parents, under, kind, args)


class Sim:
    """What the simulation knows and nobody else does: who signed which consent, and when."""

    def __init__(self):
        self.step, self.consents, self.signed, self.asked, self.bad = 0, [], {}, {}, set()

    def sign(self, who, seen):
        self.consents.append((who, ("consent", seen, who)))
        self.signed[who, seen] = self.asked[who] = self.step
        return self.consents[-1][1]


def consent_of(m, other, sim):
    """His consent, for an admin's node that is about to add him; or the joining operation that has to come before it; or None."""
    log, who = m.log, other.name
    # He brings the ends of his that he knows, with what lies behind them.
    missing = 0
    for i in bits(other.log.ends(who)):
        if other.log.ops[i].id not in log.at:
            missing |= other.log.with_past(other.log.ops[i].id)
    if missing:
        for i in bits(missing):
            log.add(other.log.ops[i])
        return None
    also = m.own_ends(who)
    parents = m.front(also)
    ends = log.ends(who) & log.behind(parents)
    seen = [log.ops[0].id] if not ends else [log.ops[i].id for i in range(len(log.ops)) if not ends & ~log.with_past(log.ops[i].id)]
    if not seen:
        return SET, ("join", None), also
    also |= log.bit(seen[0])
    return ADD, sim.sign(who, seen[0]), also


def honest_act(m, members, sim, rng):
    """Something that an honest node would do in what it knows; None if nothing."""
    log, me = m.log, m.name
    if not log.ops:
        return None
    view = m.view()
    mine = [s for s in view.alive if log.ops[log.at[s]].person == me]
    if not mine:
        return None
    grounds = {log.ops[log.at[s]].args[2][1] for s in mine if log.ops[log.at[s]].kind == ADD and log.ops[log.at[s]].args[2][0] == "consent"}
    pick = rng.random()
    if pick > (0.995 if me == "A" else 0.97) and len(view.seats) > 1 or grounds & m.withdrawn:
        return m.make(LEAVE, (), mine[0])
    if me not in view.admins:
        return None
    under = view.admins[me]
    rank = log.rank[under]
    ranks = {w: log.rank[s] for w, s in view.admins.items()}
    who = rng.choice([w for w in members if w != me])
    inside = view.members()
    if pick < 0.5:
        if who in inside and who not in view.admins:
            if rng.random() < 0.4:
                held = max((s for s in view.alive if log.ops[log.at[s]].person == who), key=lambda s: log.at[s])
                op = m.make(ADD, (who, ADMIN, ("base", held)), under, also=m.own_ends(who))
                if not log.fault(op, log.behind(op.parents)):
                    return op
        elif who not in inside and len(inside) < min(view.limit or 0, SEATS) and who not in view.beyond:
            # He asks, or accepts an invitation: he is out in his own view.
            other = members[who]
            if other.log.ops and who in other.view().members():
                return None
            got = consent_of(m, other, sim)
            if got is None:
                return None
            kind, what, also = got
            if kind == SET:
                return m.make(kind, what, under, also=also)
            if rng.random() < 0.1:  # changes his mind; whoever has the consent has it
                other.withdrawn.add(what[1])
                return None
            other.withdrawn.discard(what[1])
            return m.make(ADD, (who, MEMBER, what), under, also=also)
    elif pick < 0.64:
        gone = [w for w in members if w not in view.admins and w != me and (latent(log, view, w) or (0,)) > rank]
        if gone and rng.random() < 0.6:
            op = m.make(REMOVE if "confirm" in BROKEN else DEMOTE, (gone[0],), under)
            op.confirm = op.kind != SET
            return op
        if who in inside and (who not in view.admins or ranks[who] > rank):
            return m.make(REMOVE, (who,), under)
    elif pick < 0.74:
        if who in view.admins and ranks[who] > rank:
            return m.make(DEMOTE, (who,), under)
    elif pick < 0.80:
        return m.make(SET, ("name", f"n{rng.randrange(9)}"), under)
    elif pick < 0.83:
        return m.make(SET, ("limit", rng.randint(2, 6)), under)
    elif pick < 0.87 and m.log.version == 2:  # what an older program does not know, well-formed or not
        op = m.make(*rng.choice(((SET, ("topic", 7)), (SET, ("limit", 500)), ("topic", ("x",)), ("topic", ()), (SET, ("colour", None)))), under)
        op = Op(me, op.parents, under, op.kind, op.args, version=rng.choice((1, 1, 1, 2)))
        return op
    elif pick < 0.89 and len(view.admins) > 1:
        return m.make(DEMOTE, (me,), under)
    return None


def wild_act(author, log, people, sim, rng, forged=False):
    """Anything at all in somebody's name, hung in anywhere."""
    ops = log.ops
    mode = rng.random()
    if mode < 0.4:
        parents = sorted(heads(log, (1 << len(ops)) - 1))[:PARENTS]
    else:
        parents = sorted({rng.choice(ops).id for _ in range(rng.choice((1, 1, 1, 2, 3)))})
    standings = [o for o in ops if o.kind in (CREATE, ADD)]
    own = [s for s in standings if s.person == author]
    offices = [s for s in own if s.role == ADMIN]
    pool = offices if offices and rng.random() < 0.7 else own if own and rng.random() < 0.92 else standings
    under = rng.choice(pool).id
    if rng.random() < 0.7:
        parents = list(dict.fromkeys(parents + [under]))[:PARENTS]  # likelier to be admitted
    kind = rng.choice((ADD, ADD, ADD, REMOVE, REMOVE, REMOVE, DEMOTE, DEMOTE, LEAVE, SET, SET, "topic"))
    who = author if rng.random() < 0.2 else rng.choice(people)
    args = ()
    if kind == ADD:
        grounds = [c for w, c in sim.consents if w == who] + [o.args[2] for o in ops if o.kind == ADD and len(o.args) > 2 and o.args[0] == who]
        grounds += [("base", s.id) for s in standings if s.person == who] + [("consent", rng.choice(ops).id, author)]
        grounds += [("consent", rng.choice(ops).id, who)] * 2 if who in sim.bad else []
        ground = rng.choice(grounds)
        to_be = ADMIN if ground[0] == "base" else rng.choice((MEMBER, ADMIN, 2))
        if rng.random() < 0.7 and ground[1] in log.at:
            parents = list(dict.fromkeys([ground[1]] + parents))[:PARENTS]
        args = rng.choice(((who, to_be, ground), (who, to_be, ground), (who, to_be, ground, "more"), (who, to_be))) if rng.random() < 0.1 \
            else (who, to_be, ground)
    elif kind in (REMOVE, DEMOTE):
        args = (who,)
    elif kind == SET:
        args = rng.choice((("name", f"w{rng.randrange(9)}"), ("limit", rng.randint(2, 6)), ("limit", 0), ("name", ""), ("topic", 3), ("join", None)))
    op = Member(author, log).make(kind, args, under, parents)
    op.forged = forged
    return op


# ---------------------------------------------------------------------------------------------------------------- checks

class Broken(Exception):
    pass


def need(ok, what, log=None, extra=""):
    if not ok:
        lines = "\n".join(f"   {o}" for o in (log.ops if log else ()))
        raise Broken(f"{what} {extra}\n{lines}")


def latent(log, state, who):
    """The rank of the most senior office that somebody gave up himself, and that nobody who outranks it has ended; or None."""
    found = None
    for s in state.removed:
        o = log.ops[log.at[s]]
        if o.person == who and o.role == ADMIN and state.admins.get(who) != s and not state.by_others[s]:
            found = min(found or (99,), log.rank[s])
    return found


def power(log, state, who):
    """The rank of the best office that somebody has, or could still use; None if there is none."""
    ranks = [log.rank[state.admins[who]]] if who in state.admins else []
    ranks += [latent(log, state, who)] if latent(log, state, who) else []
    return min(ranks, default=None)


def names(log, mask):
    return {log.ops[i].id for i in bits(mask)}


def check_state(log, state, sim=None, honest=()):
    """C1 (the other evaluator), C2, C6, C7, C9 of one log."""
    ops, definition = {o.id: o for o in log.ops}, Definition(log.ops, log.version)
    if not BROKEN or "juniors" in BROKEN:
        for o in log.ops:
            need(definition.stands(o) == (o.id in state.effective), "C1 evaluators differ", log, f"at {o}")
        need(definition.key() == state.key(), "C1 rosters differ", log, f"{definition.key()} {state.key()}")
    less = log.copy()
    less.forget(0)
    need(evaluate(less).key() == state.key(), "C1 what does not count was missed", log)
    for version in (1, 2):
        need(evaluate(log, version).roster() == state.roster(), "C1 versions differ", log)
    everybody = set(state.members()) | set(state.beyond)
    for sid, what in state.alive.items():
        s = ops[sid]
        need(what == MEMBER or s.role == ADMIN, "C2 role", log)
        while s.kind != CREATE:
            above = ops[s.under]
            need(s.id in state.effective and above.role == ADMIN and above.person == s.author
                 and above.id in definition.past(s) and log.rank[above.id] < log.rank[s.id], "C2 chain", log)
            s = above
        s, who, known = ops[sid], ops[sid].person, definition.past(ops[sid])
        ends = [o for o in log.ops if o.kind == LEAVE and o.author == who or o.kind == REMOVE and o.args[0] == who]
        for o in ends:
            if o.kind == LEAVE:
                need(o.id in known, "C6 leave", log, who)
        while s.kind == ADD and s.args[2][0] == "base":
            s = ops[s.args[2][1]]
            need(s.person == who, "C9 base", log)
        if sim and s.kind == ADD and who in honest:
            at = sim.signed.get((who, s.args[2][1]))
            need(at is not None, "C9 he never signed that", log, who)
            need(all(o.born < at for o in ends if o.id in known), "C9 he was out since he signed", log, who)
    for sid in state.removed:
        who = ops[sid].person
        if sid not in state.alive and who not in everybody:
            need(any(o.id not in definition.past(ops[sid]) and (o.kind == LEAVE and o.author == who or o.kind == REMOVE
                     and o.args[0] == who and o.id in state.effective and not o.confirm) for o in log.ops), "C6 out by nobody's wish", log, who)
    for who in honest if sim else ():
        left = max((o.born for o in log.by_author.get(who, ()) if o.kind == LEAVE), default=-1)
        if left >= 0 and sim.asked.get(who, -1) <= left:
            need(who not in everybody, "C6 he left, and did not ask again", log, who)
    need(len(state.seats) <= SEATS, "C7 seats", log)


def check_attacks(log, state, people, sim, rng):
    """C3, C4, C5: what people can do by arbitrary operations in the same log: each alone, and all the powerless together."""
    ops = {o.id: o for o in log.ops}
    powerless = [w for w in people if power(log, state, w) is None]
    before, counted, bad = set(state.members()) | set(state.beyond), names(log, counts(log, state)), sim.bad
    for gang in [[w] for w in people] + [powerless] * (len(powerless) > 1):
        new, sim.bad = log.copy(), set(gang)
        for _ in range(rng.randint(1, 5) + len(gang)):
            new.add(wild_act(rng.choice(gang), new, people, sim, rng))
        sim.bad = bad
        if len(new.ops) == len(log.ops):
            continue
        after = evaluate(new)
        rank = power(log, state, gang[0])
        if rank is None:
            there = set(after.members()) | set(after.beyond)
            gone = before - there
            need(state.effective <= after.effective, "C3 C5 the powerless undid something", new, gang)
            need(there <= before and gone <= set(gang), "C3 C5 the powerless changed the roster", new, gang)
            need((after.admins, after.name, after.limit) == (state.admins, state.name, state.limit), "C3 C5 the powerless changed the group", new, gang)
            need(gone or after.seats == state.seats, "C3 C5 the powerless changed the seats", new, gang)
            if all(state.removed[s] for s in state.removed if ops[s].person in gang):
                need(names(new, counts(new, after)) == counted, "C3 something counts of who was removed", new, gang)
            continue
        for senior, s in state.admins.items():
            if log.rank[s] < rank:
                need(after.admins.get(senior) == s, "C4 a senior lost his office", new, f"{gang} -> {senior}")
                need(senior in after.members() or senior not in state.members(), "C4 a senior lost his seat", new, f"{gang} -> {senior}")
        for o in log.ops:
            if o.id in state.effective and o.under and o.author != gang[0] and ops[o.under].role == ADMIN and log.rank[o.under] < rank:
                need(o.id in after.effective, "C4 a senior's act was undone", new, f"{gang} {o}")


def check_effect(m, op, before):
    """C8: an honest act has its effect in the actor's own view."""
    need(op.id in m.log.at, "C8 an honest act is refused", m.log, f"{op} {m.log.fault(op, m.log.behind(op.parents))}")
    after = m.view()
    need(op.id in after.effective, "C8 an honest act is void", m.log, str(op))
    who = op.author if op.kind == LEAVE else op.args[0] if op.args else None
    if op.kind in (REMOVE, LEAVE):
        need(who not in after.members() + after.beyond, "C8", m.log, str(op))
    elif op.kind == DEMOTE:
        need(who not in after.admins, "C8", m.log, str(op))
        need(not op.confirm or before.seats == after.seats, "C8 a confirmation", m.log, str(op))
    elif op.kind == SET:
        need(who not in ("name", "limit") or not means(op, m.log.version)
             or (after.name if who == "name" else after.limit) == op.args[1], "C8", m.log, str(op))
        need(before.seats == after.seats, "C7 a setting took a seat", m.log, str(op))
    elif op.kind == ADD:
        need(who in after.members() and (op.role == MEMBER or who in after.admins), "C8", m.log, str(op))


def ask(log, pool):
    """Parents that are lacked are asked for, of who named them."""
    for _ in range(99):
        lacked = {p for w in log.waiting.values() for p in w.parents if p not in log.at and p not in log.waiting and p in pool}
        if not lacked:
            break
        for p in sorted(lacked):
            log.add(pool[p])


def give(a, b):
    """What counts for a, and b lacks, by a's heads."""
    lacked = [a.log.ops[i] for i in bits(counts(a.log, a.view())) if a.log.ops[i].id not in b.log.at]
    for o in lacked:
        b.log.add(o)
    return bool(lacked)


def settle(nodes, log):
    for _ in range(30):
        if not sum(give(a, b) for a in nodes for b in nodes if a is not b):
            return
    need(False, "C1 heads do not settle", log)


def history(rng, deep=True, versions=None, told=None):
    """A random history with partitions and malicious members; then everybody gets everything. `told` is given all that was said, in the
    order in which it came at last, and nothing is checked then: whoever asks for it has checks of his own."""
    global PARENTS, SEATS
    PARENTS, SEATS = rng.choice((8, 8, 3)), rng.choice((250, 250, 2))
    people = [chr(65 + i) for i in range(rng.randint(3, 7))]
    bad = {w for w in people if rng.random() < rng.choice((0, 0.25, 0.5)) * (0.3 if w == "A" else 1)}
    members, sim = {w: Member(w) for w in people}, Sim()
    sim.bad = bad
    versions = rng.random() < 0.4 if versions is None else versions
    for m in members.values():
        m.log.version = rng.randint(1, 2) if versions else 1
        m.keep = rng.choice((None, None, 0, 2))
    create = Op("A", (), None, CREATE, ("name", rng.choice((2, 3, 4, 5, 6, 6))))
    members["A"].log.add(create)
    pool, inbox, held = {create.id: create}, {w: [create] for w in people}, []
    if rng.random() < 0.7:  # begins with some members
        founder = Member("A")
        founder.log.add(create)
        for w in people[1:rng.randint(2, len(people))]:
            op = founder.make(ADD, (w, int(rng.random() < 0.5), sim.sign(w, create.id)), create.id)
            founder.log.add(op)
            members["A"].log.add(op)
            pool[op.id] = op
            for p in people:
                inbox[p].append(op)
    sides, pace = {w: 0 for w in people}, rng.choice((0.2, 0.5, 0.9))
    for step in range(1, rng.randint(10, 60)):
        sim.step = step
        if rng.random() < 0.1:
            sides = {w: rng.randrange(rng.randint(1, 3)) for w in people}
            for op, to in held:
                inbox[to].append(op)
            held = []
        for w in people:
            rng.shuffle(inbox[w])
            for _ in range(sum(rng.random() < pace for _ in inbox[w])):
                members[w].log.add(inbox[w].pop())
            if rng.random() < 0.3:
                ask(members[w].log, pool)
            if members[w].keep is not None and members[w].log.ops and rng.random() < 0.3:
                members[w].log.forget(members[w].keep, w)
        a, b = rng.sample(people, 2)
        if sides[a] == sides[b] and members[a].log.ops and members[b].log.ops and rng.random() < 0.3:
            give(members[a], members[b])
        for w in rng.sample(people, len(people)):
            m = members[w]
            if not m.log.ops:
                continue
            if w in bad and step > 5 and rng.random() < 0.6:
                if rng.random() < 0.15:  # a copy with a wrong signature, which may come before the right one
                    o = rng.choice(m.log.ops)
                    op = Op(o.author, o.parents, o.under, o.kind, o.args, True, o.version)
                    for p in people:
                        if rng.random() < 0.6:
                            inbox[p].append(op)
                    break
                forged = rng.random() < 0.1
                op = wild_act(rng.choice(people) if forged else w, m.log, people, sim, rng, forged)
                op.born = step
                m.log.add(op)
                to = [p for p in people if rng.random() < 0.6]
            else:
                before = m.view()
                op, to = honest_act(m, members, sim, rng), people
                if op is not None and op.id in m.log.at:
                    op = None
                if op is not None:
                    op.born = step
                    m.log.add(op)
                    if w not in bad and told is None:
                        check_effect(m, op, before)
            if op is None:
                continue
            if not op.forged:
                pool.setdefault(op.id, op)
            for p in to:
                if sides[p] == sides[w]:
                    inbox[p].append(op)
                else:
                    held.append((op, p))
            break
    if told is not None:
        told += rng.sample(list(pool.values()), len(pool))
        final = Log(2)
        for op in told:
            final.add(op)
        return final, evaluate(final)
    everything = list(pool.values()) + [Op(o.author, o.parents, o.under, o.kind, o.args, True, o.version) for o in pool.values() if rng.random() < 0.1]
    rng.shuffle(everything)
    final = Log(2)
    for op in everything:
        final.add(op)
    state = evaluate(final)
    whole, forgetful, older = Member("-", final), [], []
    for w in [w for w in people if w not in bad]:
        m = members[w]
        rng.shuffle(everything)
        for op in everything:
            m.log.add(op)
            if m.keep is not None and rng.random() < 0.1 and m.log.ops:
                m.log.forget(m.keep, w)
        if m.log.version == 1:
            older.append((set(m.log.at), m.view().key()) if m.keep is None else None)
            m.log.update(2)
            ask(m.log, pool)
        if m.keep is not None:
            forgetful.append(m)
            continue
        need(set(m.log.at) == set(final.at), "C1 admitted sets differ", final, f"{w}: {set(m.log.at) ^ set(final.at)}")
        mine = m.view()
        need(mine.key() == state.key() and mine.effective == state.effective, "C1 states differ", final)
    older = [o for o in older if o]
    need(all(o == older[0] for o in older), "C1 older nodes differ", final)
    if forgetful:
        settle(forgetful, final)
        first = forgetful[0]
        for m in forgetful:
            need(m.view().key() == first.view().key() and names(m.log, counts(m.log, m.view())) == names(first.log, counts(first.log, first.view())),
                 "C1 who forgets differs", final)
        settle([first, whole], final)
        need(first.view().key() == state.key() and names(first.log, counts(first.log, first.view())) == names(final, counts(final, state)),
             "C1 who forgets differs from who has all", final)
    check_state(final, state, sim, [w for w in people if w not in bad])
    if deep:
        check_attacks(final, state, people, sim, rng)
    return final, state


# ---------------------------------------------------------------------------------------------------------------- runs

def menu(log, under, parents):
    """All that three people (and whom they add) can do at these parents."""
    past, root = log.behind(parents), log.ops[0].id
    for s in [log.ops[log.at[i]] for i in under.values()] + [log.ops[log.at[i]] for i in parents if log.ops[log.at[i]].kind == ADD and i not in under.values()]:
        w = s.person
        yield w, LEAVE, (), s.id
        if s.role == ADMIN:
            for x in "ABC":
                yield w, DEMOTE, (x,), s.id
                if x != w:
                    yield w, REMOVE, (x,), s.id
            for x in "ABCD":
                if x != w:
                    for seen in [root] + [log.ops[i].id for i in bits(log.ends(x) & past)]:
                        for r in (MEMBER, ADMIN):
                            yield w, ADD, (x, r, ("consent", seen, x)), s.id
                    if x in under:
                        yield w, ADD, (x, ADMIN, ("base", under[x])), s.id


def small_check(log0, log, new):
    state = evaluate(log)
    other = log0.copy()
    for o in reversed(new):
        other.add(o)
    again = evaluate(other)
    need(set(other.at) == set(log.at) and again.key() == state.key() and again.effective == state.effective, "C1", log)
    check_state(log, state)
    need("A" in state.members() or any(o.own and o.author == "A" for o in new), "C4 the creator is out", log)
    need("D" not in state.members() or any(o.kind == ADD and o.args[0] == "D" and o.id in state.effective for o in new), "C2", log)


def small(size, deep=3):
    """On top of: A creates, adds B as an admin, and C (as a member; as an admin). All sets of up to `size` operations beside
    each other, also several of one author; and all histories of up to `deep` operations with every choice of parents."""
    global PARENTS, SEATS
    PARENTS, SEATS = 8, 250
    started, beside, trees = time.time(), 0, 0
    for role_c in (MEMBER, ADMIN):
        log0 = Log()
        a = Member("A", log0)
        log0.add(Op("A", (), None, CREATE, ("g", 3)))
        root = log0.ops[0].id
        log0.add(a.make(ADD, ("B", ADMIN, ("consent", root, "B")), root))
        log0.add(a.make(ADD, ("C", role_c, ("consent", root, "C")), root))
        under = {w: log0.ops[i].id for i, w in enumerate("ABC")}
        front = sorted(heads(log0, (1 << len(log0.ops)) - 1))
        ops = []
        for w, kind, args, s in menu(log0, under, front):
            op = Op(w, front, s, kind, args)
            if log0.fault(op, log0.behind(front)) is None:
                ops.append(op)
        for n in range(1, size + 1):
            for chosen in itertools.combinations(ops, n):
                log = log0.copy()
                for op in chosen:
                    log.add(op)
                small_check(log0, log, chosen)
                beside += 1
        seen = set()

        def walk(log, new):
            nonlocal trees
            key = frozenset(o.id for o in new)
            if key in seen:
                return
            seen.add(key)
            trees += 1
            if new:
                small_check(log0, log, new)
            if len(new) == deep:
                return
            ids = [o.id for o in new]
            for chosen in [c for n in range(len(ids) + 1) for c in itertools.combinations(ids, n)]:
                parents = sorted(set(chosen) | set(front))
                for w, kind, args, s in menu(log, under, parents):
                    op = Op(w, parents, s, kind, args)
                    if op.id not in log.at and log.fault(op, log.behind(parents)) is None:
                        nxt = log.copy()
                        nxt.add(op)
                        walk(nxt, new + [op])

        walk(log0, [])
        print(f"small: C {'an admin' if role_c else 'a member'}: {len(ops)} operations to choose from; so far {beside} sets beside each other, "
              f"{trees} histories of up to {deep}, {time.time() - started:.0f} s, all held", flush=True)


class Table:
    """A group for histories made by hand: A the creator, B an admin, C an admin after him, X a member, and who is added later."""

    def __init__(self):
        global PARENTS, SEATS
        PARENTS, SEATS = 8, 250
        self.log = Log()
        self.log.add(Op("A", (), None, CREATE, ("g", 50)))
        self.root = self.log.ops[0].id
        self.under = {"A": self.root}
        for who, role in (("B", ADMIN), ("C", ADMIN), ("X", MEMBER)):
            self.do("A", ADD, who, role, ("consent", self.root, who))
        self.base = self.last

    def do(self, author, kind, *args, at=None, under=None):
        m = Member(author, self.log)
        op = m.make(kind, args, under or self.under[author], at and [at] if at is not None else None)
        self.log.add(op)
        need(op.id in self.log.at, f"{op} refused: {self.log.fault(op, self.log.behind(op.parents))}", self.log)
        if kind == ADD:
            self.under[args[0]] = op.id
        self.last = op.id
        return op.id

    def refused(self, author, kind, *args, at=None):
        op = Member(author, self.log).make(kind, args, self.under[author], at and [at])
        self.log.add(op)
        need(op.id not in self.log.at, f"{op} should be refused", self.log)

    def is_in(self, *people):
        state = evaluate(self.log)
        need(sorted(state.members()) == sorted(people), f"in are {state.members()}, should be {people}", self.log)
        return state


def outcomes():
    """The table of outcomes in docs/protocol/group.md, and what was found by trying to break the rules."""
    g = Table()  # remove X, add X by another
    r = g.do("A", REMOVE, "X", at=g.base)
    g.do("B", ADD, "X", MEMBER, ("consent", g.root, "X"), at=g.base)
    g.is_in(*"ABC")
    g.refused("B", ADD, "X", MEMBER, ("consent", g.root, "X"), at=r)  # an old consent, the removal known
    g.do("B", ADD, "X", MEMBER, ("consent", r, "X"))
    g.is_in(*"ABCX")
    g = Table()  # two admins remove each other; remove X, X acts
    g.do("B", REMOVE, "C", at=g.base)
    g.do("C", REMOVE, "B", at=g.base)
    g.is_in(*"ABX")
    g = Table()  # demote B, B adds D
    g.do("A", DEMOTE, "B", at=g.base)
    g.do("B", ADD, "D", MEMBER, ("consent", g.root, "D"), at=g.base)
    g.is_in(*"ABCX")
    for remover, there in (("A", "ABC"), ("C", "ABCX")):  # remove X, make X an admin
        g = Table()
        g.do("B", ADD, "X", ADMIN, ("base", g.under["X"]), at=g.base)
        g.do(remover, REMOVE, "X", at=g.base)
        if remover == "A":
            g.is_in(*there)
        else:
            need("X" in evaluate(g.log).members() + [w for w in "X" if g.log.rank[g.under["C"]] < g.log.rank[g.under["X"]]], "table", g.log)
    g = Table()  # leave, anything
    g.do("X", LEAVE, at=g.base)
    g.do("A", ADD, "X", ADMIN, ("base", g.under["X"]), at=g.base)
    g.is_in(*"ABC")
    g = Table()  # two names; the senior's
    g.do("C", SET, "name", "c", at=g.base)
    g.do("B", SET, "name", "b", at=g.base)
    need(evaluate(g.log).name == "b", "two names", g.log)
    g = Table()  # a senior removes a junior from far back: all that he did is void
    r = g.do("B", REMOVE, "X")
    g.do("B", ADD, "D", MEMBER, ("consent", g.root, "D"))
    g.do("A", REMOVE, "B", at=g.base)
    g.is_in(*"ACX")
    g = Table()  # the limit takes nobody's seat, and beside each other there may be one more
    g.do("C", SET, "limit", 2)
    g.is_in(*"ABCX")
    g = Table()  # who left, and was added again, is not thrown out by the confirmation
    left = g.do("B", LEAVE, at=g.base)
    g.do("C", ADD, "B", MEMBER, ("consent", left, "B"), at=left)
    m = Member("A", g.log)
    g.do("A", REMOVE if "confirm" in BROKEN else DEMOTE, "B", at=left)
    g.is_in(*"ABCX")
    need(latent(g.log, evaluate(g.log), "B") is None, "latent after a confirmation", g.log)
    g = Table()  # many leaves of one who is added again: joining operations first
    for i in range(15):
        op = Op("X", [g.base], g.under["X"], LEAVE, (i,))
        g.log.add(op)
    joins = 0
    for _ in range(9):
        also = 0
        for i in bits(g.log.ends("X")):
            also |= 1 << i
        seen = [o.id for o in g.log.ops if not g.log.ends("X") & ~g.log.with_past(o.id)]
        m = Member("A", g.log)
        op = m.make(ADD, ("X", MEMBER, ("consent", seen[0], "X")), g.root, also=also) if seen else m.make(SET, ("join", None), g.root, also=also)
        g.log.add(op)
        joins += op.kind == SET
        if op.kind == ADD:
            break
    g.is_in(*"ABCX")
    need(len(m.front()) <= PARENTS, "nine heads", g.log)
    return joins


def floods(size=400):
    """Floods do not count, are forgotten, and leave the state as it was."""
    for what in ("removed", "removed, and leaves", "demoted, and leaves", "a plain member's leaves"):
        g = Table()
        m = Member("A", g.log)
        if what.startswith("removed"):
            g.do("A", REMOVE, "C")
        elif what == "demoted, and leaves":
            g.do("A", DEMOTE, "C")
        before = len(m.front()), counts(g.log, m.view()).bit_count(), m.view().key()
        flood, under = [], [g.under["C"]]
        for i in range(size):  # C hangs in adds, breadth first, each as an admin; or a chain, behind a leave
            if what == "a plain member's leaves":
                op = Op("X", [g.base], g.under["X"], LEAVE, (i,))
            elif what.endswith("and leaves"):
                op = Op("C", [flood[-1].id if flood else g.base], g.under["C"], SET, ("name", f"{i}"))
            else:
                s = under[i // 20]
                op = Op(g.log.ops[g.log.at[s]].person, [g.base] if i < 20 else [s], s, ADD, (f"s{i}", ADMIN, ("consent", g.root, f"s{i}")))
                under.append(op.id)
            flood.append(op)
            g.log.add(op)
        if what.endswith("and leaves"):
            tip = Op("C", [flood[-1].id], g.under["C"], LEAVE)
            g.log.add(tip)
        if what.startswith("demoted"):
            need(counts(g.log, m.view()).bit_count() > size, "the leave drags something in", g.log)
            op = Op("A", [g.base], g.root, REMOVE, ("C",))  # group remove C --since
            g.log.add(op)
            need("C" not in m.view().members(), "out", g.log)
        elif what.startswith("removed"):
            need(m.view().key() == before[2], "a flood changed something")
        need(len(g.log.ops) > size, "the flood is admitted")
        now = counts(g.log, m.view()).bit_count()
        need(now <= before[1] + 2 and len(m.front()) <= before[0] + 2, f"a flood counts: {what} {before[:2]} {now} {len(m.front())}")
        key = m.view().key()
        need(g.log.forget(8) >= size - 10 and m.view().key() == key, "a flood is forgotten")


def run_random(seed, count, quiet=False):
    started, sizes, biggest = time.time(), 0, 0
    stats = dict.fromkeys(("members", "admins", "void", "counting", "refused", "beyond the seats", "two histories", "latent", "joins"), 0)
    for i in range(count):
        rng = random.Random(seed * 1_000_003 + i)
        try:
            log, state = history(rng)
        except (Broken, AssertionError) as broken:
            if not quiet:
                print(f"seed {seed} history {i}: {broken}")
            return i, str(broken).split("\n")[0]
        if quiet:
            continue
        sizes += len(log.ops)
        biggest = max(biggest, len(log.ops))
        stats["members"] += len(state.seats)
        stats["admins"] += len(state.admins)
        stats["void"] += len(log.ops) - len(state.effective)
        stats["counting"] += counts(log, state).bit_count()
        stats["refused"] += len(log.refused)
        stats["beyond the seats"] += len(state.beyond)
        stats["joins"] += sum(o.kind == SET and o.args[0] == "join" for o in log.ops)
        stats["latent"] += any(latent(log, state, w) for w in "ABCDEFG")
        for them in log.by_author.values():
            stats["two histories"] += sum(not log.knows(b.id, a.id) for a, b in zip(them, them[1:]))
    if not quiet:
        print(f"random: {count} histories from seed {seed}, {time.time() - started:.0f} s, {sizes} operations admitted (largest {biggest}), "
              f"{stats}, all held", flush=True)
    return None


MUTANTS = ("own voids", "weak ends", "spare", "stepped", "any admin", "juniors", "leave void", "members act", "ground", "base", "unsigned", "forged",
           "arrival", "arrival rank", "seats", "limit", "confirm", "newer", "cap", "forget ends", "all heads", "drag", "also")


def mutants(count):
    missed = []
    for name in MUTANTS:
        BROKEN.clear()
        BROKEN.add(name)
        found = None
        for what, run in (("outcomes", outcomes), ("floods", floods)):
            try:
                run()
            except (Broken, KeyError) as broken:
                found = found or f"{what}: {(str(broken).splitlines() or [''])[0][:90]}"
        late = run_random(99, count, quiet=True)
        BROKEN.clear()
        if late:
            found = f"history {late[0]}: {late[1][:90]}" + (f"; {found}" if found else "")
        missed += [] if found else [name]
        print(f"mutant {name!r}: {found or 'NOT CAUGHT'}", flush=True)
    print(f"mutants: {len(MUTANTS) - len(missed)} of {len(MUTANTS)} caught{', not: ' + ', '.join(missed) if missed else ''}", flush=True)
    return bool(missed)


def worst(total=4096):
    """k standings of X as an admin, k demotes of him, k removes by a junior, who does not know the demotes; and k acts by the standings.
    Beside each other; and in two chains, of which each standing knows one more, so that none is ended by the same as another."""
    global PARENTS, SEATS
    PARENTS, SEATS = 8, 250
    for parts, chain in ((3, False), (4, False), (4, True)):
        log, k = Log(), (total - 6) // parts

        def put(author, kind, args, under, parents):
            op = Op(author, parents, under, kind, args)
            log.admit(op, log.behind(parents))
            return op.id

        root = put("A", CREATE, ("g", 250), None, ())
        m = put("A", ADD, ("M", ADMIN, ("consent", root, "M")), root, [root])
        i = put("M", ADD, ("I", ADMIN, ("consent", root, "I")), m, [m])
        j = put("I", ADD, ("J", ADMIN, ("consent", root, "J")), i, [i])
        late = put("M", SET, ("name", "later"), m, [j])
        downs, removes = [late], [late]
        for n in range(k):
            downs.append(put("M", DEMOTE, ("X", n), m, [downs[-1] if chain else late]))
            removes.append(put("J", REMOVE, ("X", n), j, [removes[-1] if chain else late]))
        for n in range(k):
            s = put("M", ADD, ("X", ADMIN, ("consent", root, "X"), n), m, [downs[n], removes[n]] if chain else [late])
            if parts == 4:
                put("X", SET, ("name", f"{n}"), s, [s])
        t = time.time()
        state = evaluate(log)
        t, c = time.time() - t, time.time()
        take = counts(log, state)
        print(f"worst: {len(log.ops)} operations ({k} standings, demotes, removes{', acts' if parts == 4 else ''}{'; in chains' if chain else ''}): "
              f"evaluated in {t * 1000:.0f} ms, what counts ({take.bit_count()}) in {(time.time() - c) * 1000:.0f} ms", flush=True)
    friendly(total)
    friendly(300)


def friendly(total):
    """A group that lived long: 200 people come and go, 5 admins, now and then beside each other."""
    rng, log, admins, inside, n, front = random.Random(7), Log(), {}, [], 0, set()

    def put(author, kind, args, under, parents):
        op = Op(author, parents, under, kind, args)
        log.admit(op, log.behind(parents))
        front.difference_update(parents)
        front.add(op.id)
        return op.id

    admins["A"] = root = put("A", CREATE, ("g", 250), None, ())
    for i in range(4):
        admins[f"B{i}"] = put("A", ADD, (f"B{i}", ADMIN, ("consent", root, f"B{i}")), root, sorted(front))
    while len(log.ops) < total:
        who, under = rng.choice(sorted(admins.items()))
        parents = sorted(front)
        if rng.random() < 0.2 and len(log.ops) > 40:
            parents = sorted({log.ops[-rng.randint(1, 20)].id, log.by_author.get(who, [log.ops[0]])[-1].id})
        if inside and (rng.random() < 0.48 or len(inside) > 200):
            put(who, REMOVE, (inside.pop(rng.randrange(len(inside))),), under, parents)
        else:
            n += 1
            put(who, ADD, (f"m{n}", MEMBER, ("consent", root, f"m{n}")), under, parents)
            inside.append(f"m{n}")
    t = time.time()
    state = evaluate(log)
    t, c = time.time() - t, time.time()
    counts(log, state)
    print(f"friendly: {len(log.ops)} operations, {len(state.seats)} members, {len(front)} heads: evaluated in {t * 1000:.0f} ms, what counts in "
          f"{(time.time() - c) * 1000:.0f} ms; ancestor sets {sum(p.bit_length() for p in log.past) / 8e6:.1f} MB", flush=True)


def tell(seed):
    """A history as the tests of the implementation read it: who said what, in the order in which it comes, and what follows; and what is
    in it, in words."""
    told = []
    log, state = history(random.Random(seed), deep=False, versions=False, told=told)
    take = counts(log, state)
    said = {
        "parents": PARENTS, "seats_bound": SEATS, "operations": [[o.id, o.author, o.parents, o.under, o.kind, o.args] for o in told],
        "refused": sorted(log.refused), "void": sorted(o.id for o in log.ops if o.id not in state.effective),
        "idle": sorted(o.id for o in log.ops if not take & log.bit(o.id)), "heads": sorted(heads(log, take)), "seats": state.seats,
        "beyond": state.beyond, "admins": state.admins, "name": state.name, "limit": state.limit,
        "latent": sorted(w for w in "ABCDEFG" if latent(log, state, w))}
    met = {what for what in ("refused", "void", "idle", "beyond", "latent") if said[what]}
    for o in told:
        if o.id in log.refused and all(p in log.at for p in o.parents):
            met.add((log.fault(o, log.behind(o.parents)), o.args[2][0] if o.kind == ADD and len(o.args) > 2 else None))
    return json.dumps(said, separators=(",", ":")), met


def stream(seed, count):
    for i in range(count):
        print(tell(seed * 1_000_003 + i)[0])


def vectors(count):
    """Histories of up to 24 operations, of which each has something that fewer than three before it have."""
    found, seen, seed = [], {}, 77_000_003
    while len(found) < count:
        line, met = tell(seed)
        seed += 1
        if len(json.loads(line)["operations"]) <= 24 and any(seen.get(what, 0) < 3 for what in met):
            found.append(line)
            for what in met:
                seen[what] = seen.get(what, 0) + 1
    print("[", ",\n".join(found), "]", sep="\n")
    print(seen, file=sys.stderr)


def check():
    print(f"check: the table of outcomes, {outcomes()} joining operations for 15 leaves; floods", flush=True)
    floods()
    if run_random(1, 1500):
        return 1
    small(2, 2)
    worst()
    return mutants(1500)


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "check"
    numbers = [int(x) for x in sys.argv[2:]]
    if what == "check":
        sys.exit(check())
    elif what == "small":
        small(*(numbers or (3,)))
    elif what == "random":
        sys.exit(run_random(numbers[0] if numbers else 1, numbers[1] if len(numbers) > 1 else 2000) is not None)
    elif what == "mutants":
        sys.exit(mutants(numbers[0] if numbers else 1500))
    elif what == "worst":
        worst(*numbers)
    elif what == "stream":
        stream(numbers[0] if numbers else 1, numbers[1] if len(numbers) > 1 else 100)
    elif what == "vectors":
        vectors(numbers[0] if numbers else 40)
    else:
        sys.exit(__doc__)
