#!/usr/bin/env python3
"""Executable model of one replicated shard: the causality rules of design.md section 2, nothing else.

A shard is a set of cells (path -> {dot: value}). Every update of a cell is an event with one dot (replica id, counter).
There are no tombstones: what a replica has seen is its context, a plain version vector; a dot that is seen and not
stored has been removed. A cell that came from a replica further ahead keeps what it knows beyond the context (residue).

Profiles, each run over all seeds:
  sync      loss, duplication, reordering of pushes; pulls in chunks, interleaved and interrupted; quorum reads with read
            repair; logs truncated below what all have seen
  horizon   logs truncated early: replicas fall behind and catch up by comparing cells, interrupted and under writes
  crash     plus crashes that lose the unsynced tail
  lives     plus restored backups, shards dropped and subscribed again, replicas that join, replicas gone for ever
  scripted  histories that random runs meet too rarely
  damage    dots lost silently on one replica: repair brings them back, and never brings back what was removed
  rot       cells that can't be read any more are holes, which peers fill (below); logs, too
  rollback  directories that go back in time in place, any number of members, restarts, lost links, late pushes: found at first
            contact, healed by re-dotting (below)
  copies    the same, more often of directories that know that they are not the first: copies, backups, damaged ones
  fresh     the same faults, the other policy: an opening that is not confirmed takes a new id before its first write
  boot      the same, each opening that writes takes a new id: no first contact needed, snapshots restored in any order
Checked after every step, for the acting replicas: each cell holds exactly what the events that it claims to know leave
(`explain`); and whoever has all that a replica had when it answered a write has nothing that was gone there (`promise`).
Not modelled: time to live, types other than counters.
At the end: all replicas equal and exact, counters add up, no residue, no log entry left.

Rule 7, a compare that is interrupted: its session is a record {peer, its id, its context at the start, what is still to be
judged}, durable with what was taken so far. As long as it is there nothing is taken but from it, across crashes and lost links.
It goes on only with the same peer under the same id, whose context covers the start (resume-anywhere), else it is dropped; and
what the record names counts as seen, so a peer that went back in time meanwhile hears of it at first contact. A new life,
a re-dotting and a shard that is dropped end it. It may be dropped at any time, but what is taken from others after that
makes it impossible to come back (resume-dropped).

Holes (decision 0019): of a cell that can't be read the context says more than is known. `need` is the context when that was
found, `got` what those knew who gave their cell of it: between that and theirs rule 3 holds with `got` in place of the context,
and a residue is beyond `got` (hole-settles). Filled, when `got` covers `need`: events are taken into it again (hole-takes). Closed,
when the context covers `got` (hole-closes-early): only then it is read, given and written. Where no peer can add anything, `need`
is given up. A log that can't be read is cut, and a new life begins.
Limits: of what is lost somebody else must have all that its replica knew of it; of two that have holes each may wait for the other.

Rule 9, first contact. A context entry is (id, n, nonce), the nonce being that of the opening that made event n (Seen).
  opened_at  durable: what my id had made when it was last beyond doubt, with the nonce of that event
  sure       durable: this opening is confirmed (or its id is new): nobody knows of other events beyond opened_at
  chain      durable: the openings since opened_at, (my counter then, nonce)
  confirmed  the members that answered this opening's hello; one leaves it when it reopens or the link is lost for long
  met        for each member, its current id and chain as it told me; kept in memory only
1. Opening: draw a nonce. If sure: opened_at = counter, chain = [], not sure. Else opened_at stays. Append to the chain.
2. hello, first message of a session or push connection, both ways: my id, opened_at, chain; the answer quotes the highest
   (n, nonce) of that id in the context or any residue, and is a promise: the answerer takes nothing of this id that another
   opening made beyond opened_at, until a later hello replaces it, the link is lost for longer than a message can be under
   way, or it reopens. A hello closes older connections of that member; what they still held is dropped.
3. A quote, or any vector that comes in, that names n > opened_at of my id while not sure: re-dot, before anything is taken.
   When sure it must fit my chain; else there are two of me, which is reported and not healed.
4. All other members have confirmed: sure, durable before anything leaves. Until then no event beyond opened_at leaves,
   in any form: whoever has some answers no pull, compare or read, pushes nothing, quotes none of them, and does not cut its
   log beyond opened_at. Who can't wait re-dots.
5. A counter folds own dots of this opening, and all of its id once sure: an opening is told under its names or renamed as
   a whole (folds-openings).
6. To re-dot: the events that opening `nonce` made beyond opened_at get, in their order, the dots of the id
   renamed_id(id, opened_at, nonce), where every directory that has them finds the same names (random-names); the id of the
   present opening, which nobody else goes on with, is mine from now on, so sure. Whoever is not sure and hears of one of
   the ids that it would give re-dots as well, before anything is taken (keeps-names); an answer quotes them.
7. Proof. A nonce of my chain in a quote shows that the other history and mine are one up to there. When n reaches the start
   of my next opening, opened_at moves there, else to the start of that opening (proves-part, proves-all); what is named
   beyond that start is of another future, and the rest re-dotted. An answer shows, besides the quote, what else of that
   history is known: by the chains promised to it, or told (no-proof-by-promise), and by the log (no-proof-by-log).
8. A directory that knows that it is not the first (a copy, a restored backup, a damaged one) takes a new id, if it has no
   events beyond opened_at while not sure. Else the original may yet tell those, or have told them: it keeps the id, as one
   that is leaving, durable, and is never sure of it (leaving-stays): when all have confirmed, it re-dots. A member of the
   same id that is neither sure nor leaving has not confirmed it: that one goes first (overtakes).
Limits. (a) First contact with one peer proves nothing (release-early), so all members have to answer, or an id is spent.
(b) Events that one directory told under their old names are there twice if another that has them, too, re-dotted them
because it could not wait for whoever had heard of them; or was shown a later opening, but not that this opening led there;
or that only a part of what this opening made was told (may_be_twice). (c) No snapshot of a future that was itself left
must come back (abandoned-future). `fresh` has no limit (b), `boot` neither (b) nor (c). (d) Events that only the lost
future had in a log, but of which somebody has a residue, leave that residue for ever: cells are exact and become equal, by
compare, but stay unsettled. (e) A machine restored with its memory opens nothing and draws no nonce: it must be made to
reopen. (f) Of a directory and its copy, one must know that it is not the first.

Run:  python3 shard_model.py [SEEDS] [FIRST_SEED] [PROFILE...]
      BREAK=NAME python3 shard_model.py     one rule broken on purpose: the profile in BREAKS must notice
"""
import os
import random
import sys

BREAKS = {
    "no-residue": "sync", "merge-context-early": "sync", "accept-gaps": "sync", "context-after-cells": "sync",
    "push-during-compare": "scripted",
    "resume-anywhere": "crash", "resume-dropped": "scripted",
    "skip-unsettled": "scripted", "skip-changed": "horizon", "skips-marks": "scripted", "tree-of-before": "scripted",
    "lacks-as-now": "horizon", "lacks-nothing": "horizon", "lacks-all-sent": "horizon",
    "merge-later-context": "horizon", "no-horizon": "horizon",
    "send-before-sync": "crash", "same-id-after-restore": "lives", "same-id-after-rejoin": "lives",
    "keep-context-after-drop": "lives", "removes-unsaid": "scripted",
    "damage-removes": "damage",
    "hole-unseen": "rot", "hole-takes": "rot", "hole-any-page": "rot", "hole-closes-early": "rot", "hole-settles": "rot",
    "no-redot": "rollback", "hello-current-counter": "rollback", "hello-seen-only": "rollback", "redot-totals": "rollback",
    "redot-keeps-context": "rollback", "redot-late": "rollback", "release-early": "rollback", "reopen-trusts": "rollback",
    "no-promise": "scripted", "stale-confirm": "scripted", "cut-suspect": "rollback",
    "promise-last": "scripted", "old-connections": "scripted", "abandoned-future": "rollback",
    "same-id-after-boot": "boot", "claim-late": "boot",
    "leaving-stays": "copies", "quotes-untold": "copies", "no-proof": "copies", "random-names": "copies",
    "keeps-names": "copies", "folds-openings": "copies", "overtakes": "scripted", "no-proof-by-promise": "scripted",
    "no-proof-by-log": "scripted", "proves-all": "scripted", "proves-part": "scripted",
}
BREAK = os.environ.get("BREAK", "")
PATHS = ["a", "b", "c", "m/1", "m/2", "m/n/1", "m/n/2"]
COUNTERS = ["n1", "n2"]


class Seen(int):
    """An entry of a context: n, and with it the nonce of the opening that made event n. Compared by n alone; whoever
    keeps the higher n keeps its nonce (join)."""
    def __new__(cls, n, nonce):
        self = int.__new__(cls, n)
        self.nonce = nonce
        return self


def key(dot):
    return dot[0], int(dot[1]), getattr(dot[1], "nonce", None)


def fits(n, chain):
    """Was event n made by the opening that should have made it? chain: (counter at the opening, nonce), in order."""
    made_by = [nonce for since, nonce in chain if since < n]
    return not made_by or made_by[-1] == n.nonce


def renamed_id(origin, top, nonce):
    """What the events of that opening beyond `top` are called when they may not keep their names: every directory that has
    them finds the same name, whoever made it from whom."""
    return f"{origin}/{int(top)}/{nonce}"


def knows(vv, dot):
    return dot[1] <= vv.get(dot[0], 0)


def join(*vvs):
    out = {}
    for vv in vvs:
        for origin, n in vv.items():
            out[origin] = max(out.get(origin, 0), n)
    return out


def clip(vv, origin, top):
    out = {o: n for o, n in vv.items() if o != origin or n <= top}
    if origin in vv and origin not in out and top:
        out[origin] = top
    return out


def beyond(vv, base):
    return {o: n for o, n in vv.items() if n > base.get(o, 0)}


def merge_cells(a, know_a, b, know_b):
    """Rule 3. A dot that both have stays. A dot that one has and the other has not stays, unless the other knows it, so
    removed it - and it can only have removed it if it knows anything at all that the one does not; else it lost it."""
    a_can_remove, b_can_remove = bool(beyond(know_a, know_b)), bool(beyond(know_b, know_a))
    if BREAK == "damage-removes":
        a_can_remove = b_can_remove = True
    kept = {d: v for d, v in a.items() if d in b or not (b_can_remove and knows(know_b, d))}
    kept.update({d: v for d, v in b.items() if d in a or not (a_can_remove and knows(know_a, d))})
    return kept


class Session:
    """A compare: run is whoever takes it forward; None while it is interrupted."""
    def __init__(self, peer, peer_id, start, todo):
        self.peer, self.peer_id, self.start, self.todo, self.run = peer, peer_id, start, todo, None

    def record(self):
        return self.peer, self.peer_id, dict(self.start), list(self.todo)

    @classmethod
    def of(cls, record):
        return record and cls(record[0], record[1], dict(record[2]), list(record[3]))

    def fits(self, peer):
        return BREAK == "resume-anywhere" or (
            peer is self.peer and peer.id == self.peer_id and not beyond(self.start, peer.base))


class Replica:
    def __init__(self, world, name):
        self.world, self.name = world, name
        self.base, self.cells, self.residue, self.log, self.horizon = {}, {}, {}, {}, {}
        self.gone = self.late = False
        self.holes = {}          # path -> [need, got]
        self.left = None
        self.session = None      # the compare that this shard is catching up by
        self.outbox = []
        self.nonce = world.fresh_nonce()
        self.confirmed, self.met, self.partly = set(), {}, False
        self.new_id()
        self.sync()

    def new_id(self, name=None):
        """Nobody can have seen anything of it: nothing to confirm."""
        self.id = name or self.world.fresh_id(self.name)
        self.counter = self.opened_at = 0
        self.sure, self.chain, self.leaving = True, [(0, self.nonce)], False
        self.world.openings[self.id, self.nonce] = 0, None

    # -- durability: nothing leaves before the sync ---------------------------------
    def state(self):
        return (self.id, self.counter, dict(self.base), {p: dict(d) for p, d in self.cells.items()},
                {p: dict(r) for p, r in self.residue.items()}, dict(self.log), dict(self.horizon),
                self.opened_at, self.sure, list(self.chain), self.leaving,
                self.session.record() if self.session else self.left)

    def load(self, s, new_life=False):
        self.id, self.counter = s[0], s[1]
        self.base, self.log, self.horizon = dict(s[2]), dict(s[5]), dict(s[6])
        self.cells = {p: dict(d) for p, d in s[3].items()}
        self.residue = {p: dict(r) for p, r in s[4].items()}
        self.opened_at, self.sure, self.chain, self.leaving = s[7], s[8], list(s[9]), s[10]
        self.session, self.outbox = None if new_life else Session.of(s[11]), []
        if new_life and (self.released() or not self.world.hello):
            self.nonce, self.confirmed, self.met = self.world.fresh_nonce(), set(), {}
            self.new_id()
        else:
            self.leaving = self.leaving or new_life
            self.open()

    def open(self):
        """Rule 9. What an unconfirmed opening left unreleased stays suspect: opened_at moves only past what was confirmed."""
        self.nonce = self.world.fresh_nonce()
        self.world.openings[self.id, self.nonce] = self.counter, getattr(self.base.get(self.id), "nonce", None)
        self.confirmed, self.met, self.partly = set(), {}, False
        if self.sure or BREAK == "reopen-trusts":
            self.opened_at, self.chain = self.base.get(self.id, 0), []
        self.chain = [o for o in self.chain if o[0] < self.counter]          # the others made nothing
        self.chain.append((self.counter, self.nonce))
        self.sure = not self.world.rollbacks

    def sync(self):
        self.durable = self.state()
        if not self.released():
            return
        for message in self.outbox:
            self.world.push(self, message)
        self.outbox = []

    def crash(self):
        self.world.forget(self, self.durable[1] if self.durable[0] == self.id else 0)
        self.load(self.durable)

    # -- first contact: did my directory go back in time? ------------------------------
    def released(self):
        """May anything that names my events leave? Not those that an unconfirmed opening made under an old id."""
        return self.sure or self.counter == self.opened_at

    def tells(self):
        """Asked by a peer (pull, compare, read). Whoever can't wait for all members takes a new id: always allowed."""
        if BREAK == "release-early":
            return True
        if not self.released() and self.world.rng.random() < self.world.impatience:
            self.redot("wait")
        return self.released()

    def seen(self, origin):
        """The quote: the highest that I have heard of, in the context or in any residue."""
        vvs = [] if BREAK == "hello-seen-only" else list(self.residue.values())
        if self.session:
            vvs.append(self.session.start)
        n = join(self.base, *vvs).get(origin, 0)
        if origin == self.id and not self.sure and BREAK != "quotes-untold":
            n = min(n, self.opened_at)                           # the rest was told to nobody, and may not keep its names
        return n

    def answer(self, owner):
        """To a hello: the quote, all that shows which openings of the owner's chain are in it, and what I have seen of names
        that the owner would give to what it may not tell."""
        origin, quote = owner.id, self.seen(owner.id)
        shown, nonces = [quote] if quote else [], {nonce for _, nonce in owner.chain}
        if BREAK != "no-proof-by-promise":
            for o, chain in list(self.met.values()) + [(self.id, self.chain)]:
                ends = [since for since, _ in chain[1:]]
                told = [nonce for _, nonce in chain]
                if o == origin and quote and quote.nonce in told:
                    at = told.index(quote.nonce)
                    shown += [Seen(end, nonce) for end, nonce in zip(ends[:at], told)]
        if BREAK != "no-proof-by-log":
            shown += [d[1] for d in self.log if d[0] == origin and d[1] <= quote]
        names = {name: self.seen(name) for name in owner.renamed_ids()}
        return [n for n in shown if n == quote or n.nonce in nonces], {o: n for o, n in names.items() if n}

    def hello(self, peer):
        """First message of every session and push connection, both ways."""
        for owner, other in ((self, peer), (peer, self)):
            if self.world.hello:
                shown, names = other.answer(owner)
                origin = owner.id
                for n in sorted(shown, reverse=True):
                    if owner.id == origin:
                        owner.prove(n)
                for known in [names] + [{origin: n} for n in shown[:1]]:
                    if owner.id == origin:
                        owner.admit(known)
                other.promise(owner)
                if owner.id == other.id and owner.leaving and not (other.leaving or other.sure) and BREAK != "overtakes":
                    continue                                     # whoever may keep the names goes first
                owner.confirmed.add(other)
                if not owner.sure and owner.confirmed >= owner.world.others(owner):
                    if owner.leaving and BREAK != "leaving-stays":
                        owner.redot("all")
                    owner.sure = True                            # durable before anything leaves: sync()

    def promise(self, owner):
        """Keep, for each member's current id, the openings that it told me, up to opened_at those told before. (One whose
        events my context covers may be forgotten when a later one is known.)"""
        origin, chain = self.met.get(owner, (owner.id, []))
        before = [o for o in chain if o[0] < owner.opened_at] if origin == owner.id and BREAK != "promise-last" else []
        if BREAK != "old-connections":
            self.world.drop_dead(self, [owner])                  # a hello replaces the connection of an earlier opening
        self.met[owner] = owner.id, before + owner.chain

    def lineage(self):
        """The openings that this directory comes from."""
        nonces, nonce = [], self.nonce
        while nonce is not None:
            nonces.append(nonce)
            nonce = self.world.openings.get((self.id, nonce), (0, None))[1]
        return nonces

    def renamed_ids(self):
        """The names that my events beyond opened_at get when they may not keep theirs."""
        return [] if self.sure else [renamed_id(self.id, self.opened_at, nonce) for _, nonce in self.chain]

    def prove(self, n):
        """Somebody has seen event n of my id, made by an opening that my directory comes from: what that opening made is
        told under its name when n is as far as it came before the next opening of mine; what came before it is in any case.
        (A counter folds within an opening: part of one can't be told and the rest renamed.)"""
        if self.sure or n <= self.opened_at:
            return
        made_by = [nonce for _, nonce in self.chain[:-1]]
        if n.nonce not in made_by or BREAK == "no-proof":
            return
        at = made_by.index(n.nonce)
        if n >= self.chain[at + 1][0] or BREAK == "proves-all":
            at, self.partly = at + 1, False
        else:
            self.partly = True
        if self.partly and BREAK == "proves-part":
            self.opened_at, self.chain = n, [(int(n), n.nonce)] + self.chain[at + 1:]
            return
        if at == 0:
            return
        self.opened_at = Seen(self.chain[at][0], self.chain[at - 1][1])
        self.chain = self.chain[at:]                             # durable before anything is told: sync()

    def admit(self, known):
        """Every vector that comes in passes here before anything of its message is taken. False: drop the message, end the
        session. (1) It names events of my id that I have not told anybody: my directory went back. (2) It names events of
        a peer's id from a future that this peer, as I promised in its hello, has left: the peer has to meet the sender."""
        if not self.world.hello:
            return True
        n = known.get(self.id, 0)
        if n:
            self.prove(n)
        if any(known.get(name, 0) for name in self.renamed_ids()) and BREAK != "keeps-names":
            self.redot("known")
            return False
        if n > (self.counter if BREAK == "hello-current-counter" else self.opened_at):
            if not self.sure or BREAK == "release-early":
                if BREAK == "redot-late":
                    self.late = True
                    return True
                ends = {nonce: since for (_, nonce), (since, _) in zip(self.chain, self.chain[1:])}
                if n < ends.get(n.nonce, 0):
                    return False                                 # no news of another future; but not to be taken yet
                if BREAK != "no-redot":
                    self.redot("other" if n.nonce in self.lineage() else "unknown")
                return BREAK == "no-redot"
            assert fits(n, self.chain) and n <= self.counter, (self.name, "fork", n, n.nonce, self.counter, self.chain)
        return BREAK == "no-promise" or all(fits(known.get(o, 0), chain) for o, chain in self.met.values())

    def redot(self, why):
        """One batch, synced before anything else happens: what this id made beyond opened_at, which nobody has been told,
        gets dots of new ids in the old order, one for each opening; the last of them is mine from now on. The old id is
        clipped to opened_at, and comes back by pull like any other."""
        old, top = self.id, self.opened_at
        names = {nonce: renamed_id(old, top, nonce) for _, nonce in self.chain}
        if BREAK == "random-names":
            names = {nonce: self.world.fresh_id(self.name) for nonce in names}
        dots, counts = {}, {}
        for n in range(top + 1, self.counter + 1):
            since, nonce = [o for o in self.chain if o[0] < n][-1]
            counts[names[nonce]] = Seen(n - since, nonce)
            dots[old, n] = names[nonce], counts[names[nonce]]
        self.new_id(names[self.nonce])
        self.counter = int(counts.get(self.id, 0))
        for name, n in counts.items():
            self.world.openings[name, n.nonce] = 0, None
            assert name not in self.base, (self.name, "named twice", name)
        self.world.rename({key(d): key(dots[d]) for d in self.log if d in dots}, "part" if self.partly else why)
        self.partly = False
        self.cells = {p: {dots.get(d, d): v for d, v in c.items()} for p, c in self.cells.items()}
        self.log = {dots.get(d, d): p for d, p in self.log.items()}
        if BREAK != "redot-keeps-context":
            self.base, self.horizon = clip(self.base, old, top), clip(self.horizon, old, top)
            self.residue = {p: clip(r, old, top) for p, r in self.residue.items()}
        self.base = join(self.base, counts)
        self.session, self.confirmed = None, set()
        self.outbox = [(d, self.cell_message(self.log[d])) for d in dots.values() if d[0] == self.id and d in self.log]
        self.sync()

    # -- cells -------------------------------------------------------------------
    def knowledge(self, path):
        if path not in self.holes:
            return join(self.base, self.residue.get(path, {}))
        known = join(self.holes[path][1], self.residue.get(path, {}))
        return join(known, self.base) if self.filled(path) else known

    def filled(self, path):
        """May events of it be taken?"""
        return path not in self.holes or BREAK == "hole-takes" or not beyond(*self.holes[path])

    def store(self, path, dots, known):
        if dots:
            self.cells[path] = dots
        else:
            self.cells.pop(path, None)
        self.residue[path] = {} if BREAK == "no-residue" else known
        self.settle([path])

    def settle(self, paths=None):
        """Drop what the context has come to cover. (The engine keeps one vector per batch, and does this lazily.)"""
        for p in list(self.residue) if paths is None else paths:
            hole = p in self.holes and BREAK != "hole-settles"
            rest = beyond(self.residue.get(p, {}), self.holes[p][1] if hole else self.base)
            if rest:
                self.residue[p] = rest
            else:
                self.residue.pop(p, None)

    def cell_message(self, path):
        return path, dict(self.cells.get(path, {})), self.knowledge(path)

    def fill(self, peer, path):
        """A page of one cell, from one who can read it and adds to what is known of it."""
        need, got = self.holes[path]
        gains = {n: beyond(join(*[{o: min(x, need[o])} for o, x in n.base.items() if o in need]), got)
                 for n in self.world.others(self)}
        if not any(gains.values()):
            need.clear()                                         # it was known to nobody else
        elif gains.get(peer) and path not in peer.holes and peer.tells():
            peer.sync()
            if not self.admit(peer.knowledge(path)):
                return
            if BREAK == "hole-any-page":
                need.clear()
            _, dots, known = peer.cell_message(path)
            kept = merge_cells(self.cells.get(path, {}), self.knowledge(path), dots, known)
            self.holes[path][1] = join(got, peer.base)
            self.store(path, kept, join(self.residue.get(path, {}), known))
        self.close(path)

    def close(self, path):
        need, got = self.holes[path]
        if not beyond(need, got) and (not beyond(got, self.base) or BREAK == "hole-closes-early"):
            del self.holes[path]
            self.settle([path])

    def take_cell(self, message):
        path, dots, known = message
        mine = self.cells.get(path, {})
        kept = merge_cells(mine, self.knowledge(path), dots, known)
        self.store(path, kept, join(self.residue.get(path, {}), known))
        if self.late:
            self.late = False
            self.redot("late")

    # -- local events ---------------------------------------------------------------
    def event(self, path, dots, gone, value, k=0):
        if BREAK == "claim-late":
            self.claim()
        self.counter += 1
        dot = (self.id, Seen(self.counter, self.nonce))
        self.base[self.id] = dot[1]
        if value is not None:
            dots[dot] = value
        self.store(path, dots, self.residue.get(path, {}))
        self.log[dot] = path
        self.world.events[key(dot)] = (path, frozenset(map(key, gone)), value)
        if path in COUNTERS:
            self.world.increments[key(dot)] = (path, k)
        message = (dot, self.cell_message(path))
        if BREAK == "send-before-sync":
            self.world.push(self, message)
        else:
            self.outbox.append(message)

    def claim(self):
        """The other policy (fresh, boot): an opening not confirmed takes a new id before anything else of its first write."""
        if self.world.fresh and not self.sure and BREAK != "same-id-after-boot":
            self.new_id()

    def write(self, path, keep, add):
        """Removing what is gone makes no event: my context says so already, to me and to whoever covers it. But not when
        only a residue says so: then the removal is an event of its own, which takes the residue along (removes-unsaid)."""
        old = self.cells.get(path, {})
        gone = [d for d in old if d not in keep]
        said = not beyond(self.residue.get(path, {}), self.base) or BREAK == "removes-unsaid"
        if add or gone or not said:
            if BREAK != "claim-late":
                self.claim()
            self.event(path, {d: v for d, v in old.items() if d in keep}, gone, "v" if add else None)
        self.world.promise(self, path)

    def increment(self, path, k):
        """Folds own dots made since this opening into a running total (older ones may have a future elsewhere, or keep
        their names when these don't), or all of this id once the opening is confirmed (then they have none)."""
        if BREAK != "claim-late":
            self.claim()
        old = self.cells.get(path, {})
        above = 0 if self.world.hello and self.sure or BREAK == "redot-totals" else self.chain[-1][0]
        if BREAK == "folds-openings" and not self.sure:
            above = self.opened_at
        own = [d for d in old if d[0] == self.id and d[1] > above]
        total = k + sum(old[d] for d in own)
        self.event(path, {d: v for d, v in old.items() if d not in own}, own, total, k)

    # -- push: own events, first in first out per replica id ---------------------------
    def take_push(self, sender, message):
        (origin, n), cell = message
        if self.gone or (self.session and BREAK != "push-during-compare") or not self.filled(cell[0]):
            return
        if n <= self.base.get(origin, 0):
            return                                   # duplicate
        if n > self.base.get(origin, 0) + 1 and BREAK != "accept-gaps":
            return                                   # behind: a pull will bring it
        if not self.admit(join(cell[2], {origin: n})):
            return
        self.take_cell(cell)
        self.base[origin] = n
        self.log[(origin, n)] = cell[0]
        self.settle()

    # -- pull: what the log of a peer names beyond my context ---------------------------
    def pull(self, peer, chunk):
        """A generator: yields between chunks, during which anything may happen."""
        self.hello(peer)
        if self.session and not self.session.run:
            if peer is self.session.peer or BREAK == "resume-anywhere":
                self.world.resumed += 1
                yield from self.compare(peer, chunk, True)
            elif self.session.peer.gone or self.world.rng.random() < 0.3:
                self.drop_session()                          # its peer does not come, and this one may have as much
            return
        if not peer.tells():
            return
        peer.sync()
        if any(self.base.get(o, 0) < n for o, n in peer.horizon.items()) and BREAK != "no-horizon":
            yield from self.compare(peer, chunk)
            return
        target, names = dict(peer.base), dict(peer.log)          # one snapshot
        entries = {d: d for d in names}                          # an entry of the log has the nonce of its event
        while not (self.gone or peer.gone or self.session):
            todo = []
            for origin in self.world.shuffled(target):
                n = self.base.get(origin, 0)
                while n < target[origin] and len(todo) < chunk:
                    n += 1
                    todo.append(entries.get((origin, n), (origin, n)))
            if not todo or not peer.tells():
                return
            peer.sync()
            known = dict(peer.base)                              # read before the cells
            if not self.admit(join(known, *peer.residue.values())):
                return
            if any(path in peer.holes or not self.filled(path) for path in [names[d] for d in todo if d in names]):
                return
            for path in dict.fromkeys(names[d] for d in todo if d in names):
                p, dots, residue = path, dict(peer.cells.get(path, {})), peer.residue.get(path, {})
                if BREAK == "merge-context-early":
                    self.base = join(self.base, known)
                if BREAK == "context-after-cells":
                    self.world.busy(peer, path)
                    known = dict(peer.base)
                self.take_cell((p, dots, join(known, residue)))
                if self.world.rng.random() < 0.02:
                    return                                       # interrupted inside a chunk
            for origin, n in todo:
                if n == self.base.get(origin, 0) + 1:
                    self.base[origin] = n
                    if (origin, n) in names:
                        self.log[(origin, n)] = names[(origin, n)]
            self.settle()
            yield
            if any(self.base.get(o, 0) < n for o, n in peer.horizon.items()):
                return                                           # truncated meanwhile: start again

    # -- compare: for whoever fell behind the log; finds differing cells (Merkle), then rule 3 ----
    def compare(self, peer, chunk, resumed=False):
        if self.session and not resumed:
            return
        early = peer.sums(PATHS + COUNTERS) if BREAK == "tree-of-before" else None
        if early:
            yield
            if self.session or not peer.tells():
                return
            peer.sync()
        if not resumed:
            # takes remote events only from here; todo is what is still to be judged
            self.session = Session(peer, peer.id, dict(peer.base), self.world.shuffled(PATHS + COUNTERS))
        session = self.session
        session.run = run = object()
        goes_on = lambda: self.session is session and session.run is run
        start = session.start
        judge = self.judge_cells if self.world.flat or self.holes or peer.holes or self.world.rng.random() < 0.5 else self.judge_leaves
        for ok in judge(peer, session, early):
            if not session.fits(peer):
                self.session = None
                return
            if not ok:
                break
            yield
            if not goes_on():
                return
            if self.gone or peer.gone or self.world.interrupts():
                break
        else:
            if not session.fits(peer) or beyond(peer.horizon, start) or not peer.tells() or not self.admit(
                    join(start, peer.base, *peer.residue.values())):
                if goes_on():
                    self.session = None                          # its log can't name what changed: start again
                return
            peer.sync()
            changed = {p for d, p in peer.log.items() if not knows(start, d)}
            if any(path in peer.holes or not self.filled(path) for path in changed):
                self.session = None                              # it can't be read to the end
                return
            for path in changed:
                if BREAK != "skip-changed":
                    self.take_cell(peer.cell_message(path))      # what changed while cells were being judged
            yield
            if self.gone or not goes_on():
                return
            if not self.admit(start):
                self.session = None
                return
            if BREAK == "merge-later-context":
                start = dict(peer.base)
            self.horizon = join(self.horizon, beyond(start, self.base), peer.horizon)
            self.base = join(self.base, start)
            for d in [d for d in self.log if knows(self.horizon, d)]:
                del self.log[d]
            self.settle()
            self.session = None
        if goes_on():
            self.interrupted()

    def interrupted(self):
        """The link of a compare is lost, say: it may go on later, or begin again."""
        if self.session:
            self.session.run = None
            if self.world.rng.random() < 0.3:
                self.drop_session()

    def drop_session(self):
        """The record goes with it: at the latest when something else is taken."""
        self.left = self.session.record() if BREAK == "resume-dropped" else None
        self.session = None

    def judge_cells(self, peer, session, early):
        """All cells of the peer, page by page: cells are judged at different times."""
        while session.todo:
            path = session.todo[0]
            if path in peer.holes or not self.filled(path):
                yield False
            if not session.fits(peer) or not peer.tells():
                yield False
            peer.sync()
            if not self.admit(join(session.start, peer.knowledge(path))):
                yield False
            same = self.cells.get(path, {}).keys() == peer.cells.get(path, {}).keys()
            unsettled = path in peer.residue and BREAK != "skip-unsettled"
            if not same or unsettled:
                self.take_cell(peer.cell_message(path))
            session.todo = session.todo[1:]
            self.world.judged.append(path)
            yield True

    def sums(self, paths):
        return {p: frozenset(self.cells[p]) for p in paths if self.cells.get(p)}

    def judge_leaves(self, peer, session, early):
        """Down the trees: of a leaf whose sum is another, or that has a mark at the peer, my cells' sums are sent, and the
        peer answers with its cells that are not among them or unsettled, and which of those sums it lacks. Each of these is
        on its way for a while: both sides go on writing. A cell that I have and the peer lacks has been removed there as
        far as the peer knows; that must be asked of what was sent, not of what is here by then."""
        while session.todo:
            leaf, rest = session.todo[:3], session.todo[3:]
            if self.holes or peer.holes:
                yield False                                      # there is no tree
            if not session.fits(peer) or not peer.tells():
                yield False
            peer.sync()
            theirs = {p: s for p, s in early.items() if p in leaf} if early is not None else peer.sums(leaf)
            marked = any(p in peer.residue for p in leaf) and BREAK != "skips-marks"
            yield True
            if theirs != self.sums(leaf) or marked:
                sent = self.sums(leaf)
                yield True
                if not session.fits(peer) or not peer.tells():
                    yield False
                peer.sync()
                known = join(peer.base, *(peer.residue.get(p, {}) for p in leaf))
                theirs = peer.sums(leaf)
                page = [peer.cell_message(p) for p in leaf
                        if p in peer.residue or p in theirs and theirs[p] != sent.get(p)]
                lacking = [p for p, s in sent.items() if theirs.get(p) != s]
                base = dict(peer.base)
                yield True
                if not self.admit(join(session.start, known)):
                    yield False
                if BREAK == "lacks-as-now":
                    lacking = [p for p, s in self.sums(leaf).items() if theirs.get(p) != s]
                if BREAK == "lacks-nothing":
                    lacking = []
                given = [] if BREAK == "lacks-all-sent" else [path for path, _, _ in page]
                for path in lacking:                             # it has another version of some, which is in the page
                    if path not in given:
                        self.take_cell((path, {}, base))
                for message in page:
                    self.take_cell(message)
            session.todo = rest
            self.world.judged.extend(leaf)
            yield True

    def truncate(self, stable):
        stable = {o: min(n, self.base.get(o, 0)) for o, n in stable.items()}
        if not self.released() and BREAK != "cut-suspect":
            stable = clip(stable, self.id, self.opened_at)       # re-dotting reads them there
        if BREAK != "no-horizon":
            self.horizon = join(self.horizon, stable)
        for d in [d for d in self.log if knows(stable, d)]:
            del self.log[d]


class World:
    def __init__(self, seed, profile):
        self.rng, self.profile = random.Random(f"{seed} {profile}"), profile
        self.rollbacks = profile in ("rollback", "copies", "fresh", "boot")
        self.hello, self.fresh = profile in ("rollback", "copies", "fresh"), profile in ("fresh", "boot")
        self.events, self.increments, self.wire, self.running = {}, {}, [], []
        self.openings, self.drawn, self.snapshots, self.at_risk, self.orphans = {}, 0, [], set(), set()
        self.twins, self.may_be_twice, self.twice, self.promises, self.resumed = {}, set(), 0, [], 0
        self.impatience = self.rng.choice([0, 0.05, 0.2])
        self.ids, self.lost, self.damaged, self.backups, self.judged = 0, set(), set(), [], []
        self.nodes, self.flat = [], False
        for i in range(2 + seed % (3 if profile == "copies" else 4)):
            self.nodes.append(Replica(self, chr(65 + i)))

    # -- helpers used by replicas
    def fresh_id(self, name):
        self.ids += 1
        return f"{name}{self.ids}"

    def fresh_nonce(self):
        self.drawn += 1                  # 32 random bits
        return self.drawn

    def others(self, node):
        return {n for n in self.nodes if n is not node and not n.gone}

    def shuffled(self, items):
        items = list(items)
        self.rng.shuffle(items)
        return items

    def interrupts(self):
        return self.profile != "scripted" and self.rng.random() < 0.03

    def push(self, sender, message):
        for peer in self.nodes:
            if peer is not sender and not peer.gone:
                if self.hello and sender not in peer.met:
                    if self.rng.random() < 0.5:
                        continue                                 # not connected
                    sender.hello(peer)
                for _ in range(self.rng.choice([0, 1, 1, 1, 2])):
                    self.wire.append((sender, peer, message))

    def forget(self, node, kept):
        for d in [d for d in self.events if d[0] == node.id and d[1] > kept]:
            del self.events[d]
            self.increments.pop(d, None)

    def busy(self, peer, path):
        if self.rng.random() < 0.3:
            peer.write(path if path in PATHS else "a", frozenset(), True)
            peer.sync()

    # -- the oracle: its events are (id, n, nonce), for in a fork two of them have the same dot
    def covers(self, known, event):
        """Is it in the history that this vector stands for? openings: (id, nonce) -> where it began, the nonce before."""
        origin, n, made_by = event
        if n > known.get(origin, 0):
            return False
        nonce = getattr(known[origin], "nonce", None)
        while nonce != made_by:
            since, nonce = self.openings.get((origin, nonce), (0, None))
            if n > since:
                return False
        return True

    def rename(self, names, why):
        """Another directory, or what it told, may have the same events under their old names. `why`: who can't wait, or
        hears of a future without hearing where it left, can't know."""
        for old, new in names.items():
            path, gone, value = self.events[old]
            event = path, frozenset(names.get(d, d) for d in gone), value
            assert self.events.setdefault(new, event) == event, ("one name for two", new, event, self.events[new])
            if old in self.increments:
                self.increments[new] = self.increments[old]
            self.twins[new] = old
            if why in ("wait", "unknown", "part"):
                self.may_be_twice.add(new[0])

    def explain(self, path, known):
        removed, live = set(), set()
        for d, (p, gone, value) in self.events.items():
            if p == path and self.covers(known, d):
                removed |= gone
                if value is not None:
                    live.add(d)
        return live - removed

    def promise(self, node, path):
        """Whoever has what this replica had when it answered has nothing that was gone there by then."""
        known = node.knowledge(path)
        gone = {d for d, (p, _, _) in self.events.items() if p == path and self.covers(known, d)}
        self.promises.append((path, dict(node.base), gone - set(map(key, node.cells.get(path, {})))))

    def has(self, node, context):
        return all(self.covers(node.base, (o, int(n), getattr(n, "nonce", None))) for o, n in context.items())

    def check(self, node):
        for path, context, gone in self.promises:
            again = [] if path in self.damaged else sorted(gone & set(map(key, node.cells.get(path, {}))))
            assert not again or not self.has(node, context), (node.name, path, "has again", again)
        for path in PATHS + COUNTERS:
            if path in self.damaged or path in node.holes:
                continue
            got, want = set(map(key, node.cells.get(path, {}))), self.explain(path, node.knowledge(path))
            assert got == want, (node.name, path, "has", sorted(got - want), "lacks", sorted(want - got))

    # -- one step
    def step(self):
        r = self.rng
        alive = [n for n in self.nodes if not n.gone]
        node, peer = r.choice(alive), r.choice(alive)
        x = r.random()
        if self.rollbacks and r.random() < (0.15 if self.profile == "copies" else 0.08):
            self.fault_rollback(node, peer)
        elif x < 0.40:
            paths = [p for p in PATHS + COUNTERS if p not in self.damaged and p not in node.holes]
            counters = [p for p in paths if p in COUNTERS]
            if r.random() < 0.3 and counters:
                node.increment(r.choice(counters), r.randrange(1, 9))
            elif len(paths) > len(counters):
                path = r.choice([p for p in paths if p in PATHS])
                old = node.cells.get(path, {})
                node.write(path, frozenset(d for d in old if r.random() < 0.25), r.random() < 0.7)
            if r.random() < 0.6:
                node.sync()
        elif x < 0.72 and self.wire:
            sender, peer, message = self.wire.pop(r.randrange(len(self.wire)) if r.random() < 0.3 else 0)
            peer.take_push(sender, message)
            node = peer
        elif x < 0.82 and peer is not node:
            self.running.append((node, peer, node.pull(peer, r.choice([1, 2, 5, 100]))))
        elif x < 0.93 and self.running:
            task = node, peer, generator = r.choice(self.running)
            if next(generator, "end") == "end" or r.random() < 0.05:
                self.running.remove(task)
                if node.session and not any(n is node for n, _, _ in self.running):
                    node.interrupted()
        elif x < 0.96:
            self.read(r.sample(alive, r.randrange(1, len(alive) + 1)), r.choice(PATHS + COUNTERS))
        elif x < (0.97 if self.profile == "damage" else 0.963):
            self.repair(node, peer)
        elif x < 0.98:
            stable = {}
            for o in {o for n in alive for o in n.base}:
                stable[o] = min(n.base.get(o, 0) for n in alive)
            early = self.profile in ("horizon", "crash", "lives", "rollback", "copies", "fresh", "boot") and r.random() < 0.5
            node.truncate(dict(node.base) if early else stable)
        elif self.profile == "rot" and node.holes and r.random() < 0.7:
            node.fill(peer, r.choice(sorted(node.holes)))
        elif not self.rollbacks:
            getattr(self, "fault_" + self.profile, lambda n: None)(node)
        self.check(node)
        self.check(peer)

    def read(self, replicas, path):
        """R replicas, merged by rule 3; whoever was behind gets the merged cell."""
        if path in self.damaged:
            return
        for n in replicas[1:]:
            replicas[0].hello(n)
        replicas = [n for n in replicas if n.tells() and path not in n.holes]
        dots, known = {}, {}
        for n in replicas:
            n.sync()
            _, d, k = n.cell_message(path)
            dots, known = merge_cells(dots, known, d, k), join(known, k)
        assert set(map(key, dots)) == self.explain(path, known), ("read", path)
        for n in replicas:
            if not n.session and n.cells.get(path, {}).keys() != dots.keys() and n.admit(known):
                n.take_cell((path, dots, known))
                self.check(n)

    # -- faults of the profiles
    def fault_crash(self, node):
        self.stop(node)
        node.crash()

    def fault_rollback(self, node, peer):
        """Snapshots, rollbacks to them, plain restarts (which lose the unsynced tail), lost links, members that join."""
        r, x = self.rng, self.rng.random()
        mine = [s for n, s in self.snapshots if n is node]
        if x < (0.2 if self.profile == "copies" else 0.3):
            self.snapshots.append((node, node.durable))
        elif x < (0.5 if self.profile == "copies" else 0.4):
            self.fault_life(node, peer)
        elif x < 0.6 and mine:
            i = r.randrange(len(mine))
            if self.hello and BREAK != "abandoned-future":
                self.snapshots = [(n, s) for n, s in self.snapshots if n is not node] + [(node, s) for s in mine[:i + 1]]
            self.reopen(node, mine[i])
        elif x < 0.8:
            self.reopen(node, node.durable)
        elif x < 0.95:
            for a, b in ((node, peer), (peer, node)):            # a link lost for longer than a message can be under way
                a.met.pop(b, None)
                a.confirmed.discard(b)
                self.drop_dead(a, self.nodes)
        elif len(self.nodes) < 6:
            self.nodes.append(Replica(self, chr(65 + len(self.nodes))))

    def fault_life(self, node, peer):
        """A directory that is a copy of another one, or restored from a backup, or was found damaged, and knows it. The
        original may live on, and may have gone on since."""
        state = self.rng.choice([peer.durable, node.durable] + [s for _, s in self.snapshots])
        self.snapshots = [(n, s) for n, s in self.snapshots if n is not node]
        self.reopen(node, state, True)

    def drop_dead(self, node, senders):
        """What openings that have ended sent to this node, and has not arrived, arrives no more."""
        self.wire = [(s, to, m) for s, to, m in self.wire
                     if to is not node or s not in senders or m[0][1].nonce in [nonce for _, nonce in s.chain]]

    def reopen(self, node, state, new_life=False):
        """The process ends; its directory is as in state. What it sent may still arrive; what was sent to it does not."""
        self.stop(node)
        before, context = {p: node.knowledge(p) for p in PATHS + COUNTERS}, node.base
        node.load(state, new_life)
        node.sync()
        self.at_risk |= {d for d, (p, _, _) in self.events.items() if self.covers(before[p], d) and not any(
            self.covers(n.knowledge(p), d) for n in self.nodes)}
        self.orphans |= {d[0] for d in self.events if self.covers(context, d) and not any(
            self.covers(n.base, d) for n in self.nodes)}
        self.wire = [m for m in self.wire if m[1] is not node]
        for n in self.nodes:
            if BREAK != "stale-confirm":
                n.confirmed.discard(node)

    def stop(self, node):
        """Whatever it was pulling, and whoever was pulling from it, has to start again."""
        for n, peer, _ in [t for t in self.running if node in t[:2]]:
            n.interrupted()
        self.running = [t for t in self.running if node not in t[:2]]
        node.interrupted()

    def fault_lives(self, node):
        r, x = self.rng, self.rng.random()
        self.stop(node)
        node.sync()
        if x < 0.3:
            self.backups.append((node, node.state()))
        elif x < 0.6 and self.backups:
            owner, state = r.choice(self.backups)            # restored here, whoever made it
            alive = [n for n in self.nodes if not n.gone]
            for d in [d for d in self.events if d[0] == node.id and not any(
                    knows(n.knowledge(self.events[d][0]), d) for n in alive if n is not node)]:
                self.lost.add(d)
            if self.lost_matters(node):
                self.lost.clear()
                return
            node.load(state)
            node.session = None
            if BREAK != "same-id-after-restore":
                node.new_id()
            node.sync()
        elif x < 0.8:
            if any(beyond(node.base, n.base) for n in self.nodes if not n.gone):
                return                                       # lets go only of what the others have
            node.base, node.cells, node.residue, node.log, node.horizon = (
                node.base if BREAK == "keep-context-after-drop" else {}), {}, {}, {}, {}
            node.session = None
            if BREAK != "same-id-after-rejoin":
                node.new_id()
            node.sync()
        elif x < 0.9 and len(self.nodes) < 7:
            self.nodes.append(Replica(self, chr(65 + len(self.nodes))))
        elif len([n for n in self.nodes if not n.gone]) > 2:
            if not self.lost_matters(node):
                node.gone = True

    def lost_matters(self, node):
        """Events that only this replica has would be lost with it: the model does not take that step."""
        alive = [n for n in self.nodes if not n.gone and n is not node]
        return any(not any(knows(n.base, d) for n in alive) for d in self.events if knows(node.base, d))

    def fault_damage(self, node):
        """Loses a dot that every replica holds; the cell is not written to until it is repaired."""
        alive = [n for n in self.nodes if not n.gone]
        path = self.rng.choice(PATHS + COUNTERS)
        if not self.damaged and node.cells.get(path) and all(
                n.base == node.base and path not in n.residue and not n.session for n in alive):
            node.sync()
            node.cells[path].pop(self.rng.choice(sorted(node.cells[path])))
            self.damaged.add(path)

    def fault_rot(self, node):
        """A restart finds cells that can't be read, and perhaps a log. What is lost, somebody else has."""
        if any(n.holes for n in self.nodes if n is not node):
            return                                               # two may wait for each other: a limit
        self.stop(node)
        node.sync()
        for path in self.rng.sample(PATHS + COUNTERS, self.rng.choice([1, 3])):
            mine = [d for d, (p, _, _) in self.events.items() if p == path and self.covers(node.knowledge(path), d)]
            if path in node.holes or not any(
                    path not in n.holes and all(self.covers(n.base, d) for d in mine) for n in self.others(node)):
                continue
            node.cells.pop(path, None)
            node.residue.pop(path, None)
            if BREAK != "hole-unseen":
                node.holes[path] = [dict(node.base), {}]
        if self.rng.random() < 0.3:
            node.horizon, node.log, node.session, node.left = dict(node.base), {}, None, None
            node.new_id()
        node.sync()

    def repair(self, a, b):
        """Trees are compared only between equal contexts; the cells that differ are exchanged both ways."""
        a.hello(b)
        if a.base == b.base and not (a.session or b.session) and a.released() and b.released():
            for path in [p for p in PATHS + COUNTERS if p not in a.holes and p not in b.holes]:
                message = a.cell_message(path)
                a.take_cell(b.cell_message(path))
                b.take_cell(message)
            self.damaged = {p for p in self.damaged if len({frozenset(n.cells.get(p, {})) for n in self.nodes}) > 1}

    def finish(self):
        alive = [n for n in self.nodes if not n.gone]
        for n in alive:
            self.stop(n)
        for _ in range(12 if self.rollbacks else 6):             # compares get interrupted here too
            for sender, peer, message in self.wire if self.rollbacks else []:
                peer.take_push(sender, message)              # may save an event that nobody else has any more
                self.check(peer)
            for a in alive:
                for b in alive:
                    if a is not b:
                        for path in sorted(a.holes):
                            a.fill(b, path)
                        for _ in a.pull(b, 1000):
                            pass
            for a in alive:
                for b in alive:
                    self.repair(a, b)
        for sender, peer, message in self.wire:              # late messages change nothing
            peer.take_push(sender, message)
        self.damaged.clear()
        known = join(*[n.base for n in alive])
        for n in alive:
            assert not n.holes, (n.name, "holes", n.holes)
            assert n.base == known, (n.name, "context", beyond(known, n.base))
            left = {o for vv in n.residue.values() for o in vv} - self.orphans
            assert not left, (n.name, "residue", n.residue)      # of lost events: see the limits
            self.check(n)
            n.truncate(known)
            assert not n.log, (n.name, "log", n.log)
        for d, (path, _, _) in self.events.items():
            for n in alive:
                names = {d} | {new for new, old in self.twins.items() if old == d}
                held = {e for e in names if self.covers(n.knowledge(path), e)}
                assert names & self.at_risk or held, (n.name, "lost", d)
                if len(held) > 1:
                    assert all(e[0] in self.may_be_twice for e in held - {d}), (n.name, "twice", held)
                    self.twice += 1
                assert n.knowledge(path) == alive[0].knowledge(path), (n.name, path, "knowledge")
        for path in COUNTERS:
            for n in alive:
                want = sum(k for d, (p, k) in self.increments.items() if p == path and self.covers(n.knowledge(p), d))
                got = sum(n.cells.get(path, {}).values())
                assert got == want, (n.name, path, "counts", got, "not", want)


def scripted(seed):
    """Too rare for random runs: a push of what the peer has already removed, below a path already judged equal."""
    world = World(1, "scripted")
    world.flat = True
    a, b, c = world.nodes
    c.write("a", frozenset(), True)
    late = (c.id, c.base[c.id]), c.cell_message("a")
    c.sync()
    b.take_push(c, late)
    b.write("a", frozenset(), False)
    b.sync()
    b.truncate(b.base)
    steps = a.compare(b, 1)
    while len(world.judged) < len(PATHS + COUNTERS):
        next(steps)
    a.take_push(c, late)
    for _ in steps:
        pass
    world.check(a)


def scripted_dropped():
    """A compare that was dropped, with all cells judged: what the peer had removed came in since. A crash must not bring it
    back."""
    world = World(1, "scripted")
    world.flat = True
    a, b, c = world.nodes
    c.write("a", frozenset(), True)
    late = (c.id, c.base[c.id]), c.cell_message("a")
    c.sync()
    b.take_push(c, late)
    b.write("a", frozenset(), False)
    b.sync()
    b.truncate(b.base)
    steps = a.compare(b, 1)
    while len(world.judged) < len(PATHS + COUNTERS):
        next(steps)
    a.session.run = None
    a.sync()
    a.drop_session()
    a.take_push(c, late)
    a.sync()
    a.crash()
    for _ in a.pull(b, 1):
        pass
    world.check(a)


def scripted_went_back():
    """A new member has compared a cell that neither has, so no residue tells of its peer; which goes back in time then."""
    world, a, p, q, old_a, _ = three()
    world.impatience, world.flat = 0, True
    world.nodes.append(Replica(world, "N"))
    new = world.nodes[-1]
    for other in p, q, new:
        a.hello(other)
    a.write("b", frozenset(), True)
    a.sync()
    a.truncate(a.base)
    world.shuffled = lambda items: sorted(items, key=lambda item: item != "c")
    steps = new.pull(a, 1)
    next(steps)
    assert new.session.todo and not new.residue
    new.session.run = None
    new.sync()
    world.reopen(a, old_a)
    world.wire = []
    a.write("m/1", frozenset(), True)
    for other in p, q, new:
        a.hello(other)
    a.sync()
    a.truncate(a.base)
    for _ in new.pull(a, 100):
        pass
    world.check(new)


def scripted_unsettled(flat):
    """An absent cell equals an absent cell that somebody knows to be removed: context alone would claim too much."""
    world = World(2, "scripted")
    world.flat = flat
    world.rng.random = lambda: 0.9
    a, b, c, d = world.nodes
    c.write("a", frozenset(), True)
    bring(c, b, d)
    d.write("a", frozenset(), False)
    world.read([b, d], "a")
    for _ in a.compare(b, 1):
        pass
    world.check(a)


def scripted_said():
    """b knows only by a residue that what it removes is gone. Whoever then has all that b has, has nothing of it either."""
    world = World(2, "scripted")
    a, b, c, d = world.nodes
    a.write("a", frozenset(), True)
    bring(a, b, c, d)
    c.write("a", frozenset(), False)
    world.read([b, c], "a")
    b.write("a", frozenset(), False)
    b.sync()
    bring(b, d)
    world.check(d)


def scripted_before():
    """What was equal before the session began says nothing of what its start tells."""
    world = World(2, "scripted")
    world.rng.random = lambda: 0.9
    a, b, _, _ = world.nodes
    b.write("a", frozenset(), True)
    bring(b, a)
    steps = a.compare(b, 1)
    next(steps)
    b.write("a", frozenset(), False)
    b.sync()
    for _ in steps:
        pass
    world.check(a)


def three():
    """Three members that hold one event of the first. Its opening 2 made nothing yet, and its directory is copied then."""
    world = World(1, "scripted")
    world.hello = world.rollbacks = True
    a, p, q = world.nodes
    a.write("a", frozenset(), True)
    bring(a, p, q)
    bring(p, q)
    world.reopen(a, a.durable)
    return world, a, p, q, a.durable, q.durable


def bring(source, *others):
    for n in others:
        for _ in range(5):
            for _ in n.pull(source, 100):
                pass
        n.sync()


def sent(node, peer, path):
    """A push that stays on the wire."""
    node.write(path, frozenset(), True)
    message = (node.id, node.base[node.id]), node.cell_message(path)
    node.sync()
    node.world.wire = [(node, peer, message)]
    return message


def scripted_promise(restart):
    """p confirms before it meets q, who knows the future, tells p of it, and then goes back itself."""
    world, a, p, q, old_a, old_q = three()
    a.hello(p), a.hello(q)
    a.write("b", frozenset(), True)
    bring(a, q)
    world.reopen(a, old_a)
    a.hello(p)
    if restart:
        world.reopen(p, p.durable)
    bring(q, p)
    world.reopen(q, old_q)
    a.write("c", frozenset(), True)
    a.hello(q)
    a.sync()
    world.finish()


def scripted_dead_push():
    """The only thing that still knows the future is a push of q's life before its own rollback; a has reopened since."""
    world, a, p, q, old_a, old_q = three()
    a.hello(p), a.hello(q)
    a.write("b", frozenset(), True)
    bring(a, q)
    late = sent(q, p, "b")
    world.reopen(q, old_q)
    world.reopen(a, old_a)
    a.hello(p), a.hello(q)
    a.write("b", frozenset(), True)
    a.sync()
    world.reopen(a, a.durable)
    a.hello(p)
    p.take_push(q, late)
    world.finish()


def scripted_two_futures():
    """Two lives that both were rolled back, each with a push under way to another peer."""
    world, a, p, q, old_a, _ = three()
    a.hello(p), a.hello(q)
    sent(a, p, "b")
    first = world.wire
    world.reopen(a, old_a)
    world.wire = first
    a.hello(q), a.hello(p)
    first = world.wire
    sent(a, q, "c")
    world.wire += first
    world.reopen(a, old_a)
    a.redot("wait")
    a.hello(p)
    for sender, peer, message in world.wire:
        peer.take_push(sender, message)
    world.finish()


def copied(make=lambda a: a.write("b", frozenset(), True)):
    """The opening 2 of the first makes events that nobody has confirmed yet, and then a copy of it takes the third's place."""
    world, a, p, q, _, _ = three()
    world.impatience = 0
    make(a)
    a.sync()
    world.reopen(q, a.durable, True)
    return world, a, p, q


def scripted_overtaken():
    """The original waits for one member, who has answered the copy: the copy must not name again what the original may tell."""
    world, a, p, q = copied()
    a.hello(q)
    q.hello(p)
    q.sync()
    a.hello(p)
    a.sync()
    world.finish()
    assert not world.twice, "overtaken"


def scripted_later_opening(remembers):
    """Of the original, a later opening was heard last. That the one before told its events shows in what it promised
    then, or in the log."""
    world, a, p, q, _, _ = three()
    world.impatience = 0
    a.write("b", frozenset(), True)
    a.sync()
    backup = a.durable
    a.hello(p), a.hello(q)
    bring(a, p)
    world.reopen(a, a.durable)
    a.hello(p), a.hello(q)
    a.write("c", frozenset(), True)
    bring(a, p)
    if remembers:
        p.truncate(p.base)
    else:
        world.reopen(p, p.durable)
    world.reopen(q, backup, True)
    q.hello(p)
    world.finish()
    assert not world.twice, "a later opening"


def scripted_part(counts):
    """Only a part of what the opening made was told under its name. Of the rest, there is another future; or it is one total
    with what was told."""
    states = []

    def make(a):
        for k in 5, 2:
            a.increment("n1", k) if counts else a.write("b", frozenset(a.cells.get("b", {})), True)
            states.append((a.outbox[-1], a.state()))

    world, a, p, q = copied(make)
    if not counts:
        world.reopen(a, states[0][1])
    a.hello(q), a.hello(p)
    p.take_push(a, states[0][0])
    q.hello(p)
    if counts:
        q.redot("wait")
    else:
        a.write("b", frozenset(), True)
    a.sync()
    world.finish()


def run(profile, seed):
    if profile == "scripted":
        scripted(seed)
        scripted_dropped()
        scripted_went_back()
        scripted_unsettled(True)
        scripted_unsettled(False)
        scripted_said()
        scripted_before()
        scripted_promise(False)
        scripted_promise(True)
        scripted_dead_push()
        scripted_overtaken()
        scripted_later_opening(False)
        scripted_later_opening(True)
        scripted_part(False)
        scripted_part(True)
        return scripted_two_futures()
    world = World(seed, profile)
    for _ in range(160):
        world.step()
    world.finish()


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    assert not BREAK or BREAK in BREAKS, sorted(BREAKS)
    profiles = sys.argv[3:] or ([BREAKS[BREAK]] if BREAK else [
        "scripted", "sync", "horizon", "crash", "lives", "damage", "rot", "rollback", "copies", "fresh", "boot"])
    for profile in profiles:
        for seed in range(first, first + seeds):
            try:
                run(profile, seed)
            except (AssertionError, KeyError) as e:
                print(f"{profile} seed {seed}: {type(e).__name__} {e}")
                return 1
        print(f"{profile}: {seeds} histories hold")
    return 0


if __name__ == "__main__":
    sys.exit(main())
