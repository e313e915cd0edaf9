"""Whether what clients saw of some ledgers is one linear history of each, in which nothing that was answered is missing.

`History` is told each post and each read when it is sent and when it is answered, by one thread, and judges at the end against
the notes that are there. tests/whole_path/test_history.py feeds it histories that break one rule each.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field


class Broken(AssertionError):
    """The ledgers do not hold what they were seen or said to hold."""


@dataclass(slots=True)
class Post:
    ledger: str
    way: str
    note: str
    sent: int
    """Moments are counted, not timed: what was answered at 3 came before what was sent at 4."""
    answered: int | None = None
    number: int = 0
    """Of the last of its notes, once it is answered."""

    def texts(self) -> list[str]:
        """The notes that it leaves in its ledger, one behind the other."""
        return [f"{self.note} first", f"{self.note} second"] if self.way == "twice" else [self.note]


@dataclass(slots=True)
class Read:
    ledger: str
    sent: int
    answered: int
    notes: Sequence[str]


def other(ledger: str) -> str:
    """The ledger that hears of what is posted `there`."""
    return f"{ledger} other"


@dataclass(slots=True)
class History:
    posts: list[Post] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    moment: int = 0

    def now(self) -> int:
        self.moment += 1
        return self.moment

    def post(self, ledger: str, way: str, note: str) -> Post:
        self.posts.append(Post(ledger, way, note, self.now()))
        return self.posts[-1]

    def answered(self, post: Post, number: int) -> None:
        post.number = number
        post.answered = self.now()

    def read(self, ledger: str, sent: int, notes: Sequence[str]) -> None:
        self.reads.append(Read(ledger, sent, self.now(), notes))

    @property
    def answers(self) -> int:
        return sum(post.answered is not None for post in self.posts)

    def judge(self, found: Mapping[str, Sequence[str]]) -> None:
        """Raises Broken, naming the rule, unless `found`, the notes of every ledger, is what may have become of all this."""
        for ledger, notes in found.items():
            posts = [post for post in self.posts if post.ledger == ledger]
            places = {note: place for place, note in enumerate(notes, start=1)}
            if len(places) != len(notes):
                raise Broken(f"{ledger} holds a note twice")
            if strange := places.keys() - self._texts_for(ledger):
                raise Broken(f"{ledger} holds what nobody posted to it: {min(strange)!r:.60}")
            for post in posts:
                self._judge_post(post, notes, places)
            for read in (read for read in self.reads if read.ledger == ledger):
                _judge_read(read, posts, notes, places)
            _judge_order(ledger, posts, places)
        self._judge_messages(found)

    def _texts_for(self, ledger: str) -> set[str]:
        texts = {text for post in self.posts if post.ledger == ledger for text in post.texts()}
        return texts | {f"{post.note} heard" for post in self.posts if other(post.ledger) == ledger}

    def _judge_post(self, post: Post, notes: Sequence[str], places: Mapping[str, int]) -> None:
        texts = post.texts()
        there = [text for text in texts if text in places]
        if post.answered is not None and list(notes[post.number - len(texts) : post.number]) != texts:
            raise Broken(f"{post.ledger} has lost its note {post.number}, {post.note!r:.60}: {len(notes)} are left")
        if there and (there != texts or places[texts[-1]] - places[texts[0]] != len(texts) - 1):
            raise Broken(f"{post.ledger} has half of {post.note!r:.60}, or it with something amid it")

    def _judge_messages(self, found: Mapping[str, Sequence[str]]) -> None:
        """What the other object was told left after it was durable here, and was answered once it was durable there."""
        for post in self.posts:
            if post.way == "there" and other(post.ledger) in found:
                here, there = post.note in found[post.ledger], f"{post.note} heard" in found[other(post.ledger)]
                if there and not here:
                    raise Broken(f"{post.ledger} has told of {post.note!r:.60} and has lost it")
                if post.answered is not None and not there:
                    raise Broken(f"{other(post.ledger)} has lost {post.note!r:.60}")


def _judge_read(read: Read, posts: Sequence[Post], notes: Sequence[str], places: Mapping[str, int]) -> None:
    if list(notes[: len(read.notes)]) != list(read.notes):
        raise Broken(f"{read.ledger} once showed {len(read.notes)} notes that it does not begin with any more")
    seen = len(read.notes)
    for post in posts:
        place = places.get(post.texts()[-1], 0)
        if post.answered is not None and post.answered < read.sent and place > seen:
            raise Broken(f"{read.ledger} did not show its note {place}, which was answered before")
        if post.sent > read.answered and 0 < place <= seen:
            raise Broken(f"{read.ledger} showed its note {place} before it was sent")


def _judge_order(ledger: str, posts: Sequence[Post], places: Mapping[str, int]) -> None:
    latest = 0
    for post in _in_order(posts, places):
        if post.answered is not None and post.answered < latest:
            raise Broken(f"{ledger} has {post.note!r:.60} behind one that was sent after its answer")
        latest = max(latest, post.sent)


def _in_order(posts: Sequence[Post], places: Mapping[str, int]) -> Iterator[Post]:
    kept = [post for post in posts if post.texts()[0] in places]
    yield from sorted(kept, key=lambda post: places[post.texts()[0]])
