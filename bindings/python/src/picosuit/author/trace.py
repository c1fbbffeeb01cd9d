# SPDX-License-Identifier: MIT
"""What the commands of an envelope would do, followed on every way through them.

A condition whose outcome depends on the device splits the way in two where a try-each could go
on after it; the slot, class and device that one way has assumed hold for the rest of it. So the
image of slot 1 is told from that of slot 0, though the choice is made again in each section.
Source: [M 6.4], [M 8.4.10.2], [M 8.4.10.8]. Nothing is judged here: `check` asks the C core.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from . import cbor, names
from .cbor import ARRAY, BYTES, MAP, SIMPLE, TEXT, UINT, Item
from .envelope import Command, Envelope, commands, digest_value
from .problem import Problem

WAYS_MAX = 64  # followed at the same time
VISITS_MAX = 20_000  # of commands, all procedures together
INDEX_MAX = 64  # components selected at the same time
OUTCOMES_MAX = 128  # answers of the device that one way remembers
WRITES_MAX = 256  # writes that one way remembers
CHAIN_MAX = 8  # components that data goes through, ways of decrypting it

Params = Mapping[int, Mapping[int, Item]]  # by component, then by parameter
# What was put where on a way, and the image-match that has looked at it: None, if none has.
Written = Mapping[tuple[int, "Origin"], "Visit | None"]

# Conditions that compare what the device is, and the parameter that says with what.
IDENTITY = {names.VENDOR_CHECK: names.P_VENDOR, names.CLASS_CHECK: names.P_CLASS,
            names.DEVICE_CHECK: names.P_DEVICE, names.SLOT_CHECK: names.P_SLOT}  # fmt: skip
MOVES = (names.WRITE, names.FETCH, names.COPY, names.SWAP)


@dataclass(frozen=True)
class Assumed:
    """What a way takes for granted of the device, because a condition has chosen it."""

    condition: int  # names.SLOT_CHECK, ...
    component: int
    value: bytes  # encoded parameter


@dataclass(frozen=True)
class Origin:
    """Where the content of a component comes from.

    uri         text item of a fetch
    literal     parameter content of a write
    encryption  encryption-infos that were applied on the way here
    via         components it went through
    """

    uri: Item | None = None
    literal: Item | None = None
    encryption: tuple[Item, ...] = ()
    via: tuple[int, ...] = ()


@dataclass(frozen=True)
class Visit:
    """A command, carried out for one component on one way. The state is that before it.

    is_final  its failure, if it is a condition, would end the procedure
    """

    command: Command
    procedure: str
    section: int
    component: int
    params: Params
    content: Mapping[int, Origin]  # by component; missing: what was there before the update
    when: tuple[Assumed, ...]
    is_final: bool
    written: Written

    def get(self, parameter: int, component: int | None = None) -> Item | None:
        return self.params.get(self.component if component is None else component, {}).get(
            parameter)  # fmt: skip

    @property
    def source(self) -> int | None:
        """The component that a copy or swap takes its data from."""
        item = self.get(names.P_SOURCE)
        return None if item is None else item.number

    @property
    def result(self) -> Origin:
        """Where the content of the component comes from afterwards."""
        return moved(self.command.number, self.params, self.content, self.component).get(
            self.component, Origin())  # fmt: skip

    @property
    def looked(self) -> Visit | None:
        """The image-match that has looked at the component before, as it is now."""
        return self.written.get((self.component, self.content.get(self.component, Origin())))


class _Nesting(Enum):
    TOP = 0
    TRY = 1
    RUN = 2


@dataclass(frozen=True)
class _Way:
    params: Params = field(default_factory=dict)
    content: Mapping[int, Origin] = field(default_factory=dict)
    outcomes: Mapping[Assumed, bool] = field(default_factory=dict)
    when: tuple[Assumed, ...] = ()
    index: tuple[int, ...] = (0,)
    is_soft: bool = False
    written: Written = field(default_factory=dict)

    def has(self, condition: int) -> bool:
        """Whether a condition on what the device is has held on this way."""
        return any(is_so and one.condition == condition
                   for one, is_so in self.outcomes.items())


class Trace:
    """visits       in the order of the procedures
    by_command   the same, by the offset of the command
    ends         ways on which a procedure succeeds; a procedure without sections is not there
    is_complete  no limit was reached, and every command is known and could be followed

    peeks: whether a payload in the envelope has the right digest decides which way is taken.
    """

    def __init__(self, envelope: Envelope, *, peeks: bool = True) -> None:
        self.envelope, self.peeks = envelope, peeks
        self.visits: list[Visit] = []
        self.by_command: dict[int, list[Visit]] = {}
        self._hashed: dict[int, list[int | bytes]] = {}  # payloads, by where they stand
        self.ends: dict[str, list[_Way]] = {}
        self.is_complete = True
        for self._procedure, sections in (("update", names.UPDATE), ("invoke", names.INVOKE)):
            ways = [_Way()]
            for self._section in sections:
                for sequence in self._sequences(self._section):
                    ways = [replace(way, index=(0,), is_soft=False) for way in ways]
                    ways, _ = self._run(sequence, ways, _Nesting.TOP, False)
                    self.ends[self._procedure] = ways

    def _sequences(self, section: int) -> Iterator[Item]:
        """The shared sequence and the section; neither where the section is absent."""
        if self.envelope.manifest.get(section) is None:
            return
        for key in (names.SHARED, section):
            try:
                sequence = self.envelope.section(key)
            except Problem:
                self.is_complete = False
                continue
            if sequence is not None:
                yield sequence
            elif key == section:
                self.is_complete = False  # severed, and gone

    def looks(self, visit: Visit, component: int, origin: Origin) -> list[Visit | None]:
        """The image-matches that have looked at what a visit has put into a component, one for
        each way on which the procedure then succeeds; None: nothing has."""
        return [way.written[component, origin] for way in self.ends[visit.procedure]
                if way.when[: len(visit.when)] == visit.when
                and (component, origin) in way.written]  # fmt: skip

    # -- sequences -------------------------------------------------------------------------

    def _run(
        self, sequence: Item, ways: list[_Way], nesting: _Nesting, is_try: bool
    ) -> tuple[list[_Way], list[_Way]]:
        """Ways that come out at the end, and those that a condition has ended.

        is_try  a try-each around it would go on after a failure
        """
        done: list[_Way] = []
        failed: list[_Way] = []
        for command in self._commands(sequence):
            good: list[_Way] = []
            for way in ways:
                ends = is_try and (way.is_soft or nesting is not _Nesting.TRY)
                ends = ends or (nesting is _Nesting.RUN and way.is_soft)
                passed, stopped = self._step(command, way, ends)
                good += passed
                for other in stopped:
                    if nesting is _Nesting.RUN and other.is_soft:
                        done.append(other)
                    elif nesting is _Nesting.RUN or (nesting is _Nesting.TRY and other.is_soft):
                        failed.append(other)
            ways = self._bounded(good)
        return self._bounded(done + ways), self._bounded(failed)

    def _commands(self, sequence: Item) -> list[Command]:
        try:
            return commands(sequence)
        except Problem:
            self.is_complete = False
            return []

    def _bounded(self, ways: list[_Way]) -> list[_Way]:
        if len(ways) > WAYS_MAX:
            self.is_complete = False
        return ways[:WAYS_MAX]

    def _inner(self, item: Item) -> Item | None:
        if item.major == BYTES:
            try:
                return item.inner()
            except Problem:
                pass
        self.is_complete = False
        return None

    # -- commands --------------------------------------------------------------------------

    def _step(self, command: Command, way: _Way, ends: bool) -> tuple[list[_Way], list[_Way]]:
        """ends: a condition that fails here lets the procedure go on elsewhere."""
        number = command.number
        if number == names.SET_INDEX:
            return [replace(way, index=self._index(command.argument))], []
        ways = [way]
        stopped: list[_Way] = []
        for component in way.index:
            if len(self.visits) >= VISITS_MAX:
                self.is_complete = False
                return [], stopped
            after: list[_Way] = []
            for one in ways:
                visit = self._visit(command, one, component, not ends)
                passed, ended = self._one(command, one, component, ends)
                after += [self._noted(visit, way) for way in passed]
                stopped += ended
            ways = self._bounded(after)
        return ways, stopped

    def _visit(self, command: Command, way: _Way, component: int, is_final: bool) -> Visit:
        visit = Visit(command, self._procedure, self._section, component, way.params, way.content,
                      way.when, is_final, way.written)  # fmt: skip
        self.visits.append(visit)
        self.by_command.setdefault(command.label.start, []).append(visit)
        return visit

    def _noted(self, visit: Visit, way: _Way) -> _Way:
        """The way after a command that has succeeded, with what it has written or compared."""
        number, component = visit.command.number, visit.component
        new: dict[tuple[int, Origin], Visit | None] = {}
        if number in MOVES:
            for where in {component, component if visit.source is None or number != names.SWAP
                          else visit.source}:  # fmt: skip
                new[where, way.content.get(where, Origin())] = None
        elif number == names.IMAGE_MATCH:
            new[component, way.content.get(component, Origin())] = visit
        if not new:
            return way
        if len(way.written) >= WRITES_MAX:
            self.is_complete = False
            return way
        gone = {where for where, _ in new} if number in MOVES else set()
        kept = {key: check for key, check in way.written.items()
                if check is not None or key[0] not in gone}  # overwritten before it was looked at
        return replace(way, written={**kept, **new})

    def _index(self, argument: Item) -> tuple[int, ...]:
        count = len(self.envelope.components)
        if argument.major == ARRAY:
            chosen = [child.value for child in argument.children if child.major == UINT]
            self.is_complete &= len(chosen) == len(argument.children) <= INDEX_MAX
        elif argument.major == UINT:
            chosen = [argument.value]
        else:
            chosen = list(range(count))  # true
            self.is_complete &= (argument.major, argument.value) == (SIMPLE, 21)
            self.is_complete &= count <= INDEX_MAX
        return tuple(chosen[:INDEX_MAX])

    def _one(
        self, command: Command, way: _Way, component: int, ends: bool
    ) -> tuple[list[_Way], list[_Way]]:
        number, argument = command.number, command.argument
        if number in (names.OVERRIDE, names.SET):
            return [self._set(way, component, argument, number == names.SET)], []
        if number in (names.TRY_EACH, names.RUN):
            return self._nested(command, way, component, ends)
        if number in IDENTITY:
            if len(way.outcomes) >= OUTCOMES_MAX:
                self.is_complete = False
                return [way], [way]
            return _identity(number, way, component, ends)
        if number == names.IMAGE_MATCH and ends:
            outcome = self._matches(way, component)
            return [way] if outcome is not False else [], [way] if outcome is not True else []
        if names.name_of(names.COMMANDS, number).startswith("condition-"):
            return ([] if number == names.ABORT else [way]), [way]
        if number not in MOVES:
            self.is_complete &= number in (names.INVOKE_COMMAND, 29)  # 29: wait changes nothing
            return [way], []
        content = moved(number, way.params, way.content, component)
        return [replace(way, content=content)], []

    def _matches(self, way: _Way, component: int) -> bool | None:
        """Whether an integrated payload that was put there as it is has the digest; None: only
        the device knows."""
        origin = way.content.get(component)
        digest = way.params.get(component, {}).get(names.P_DIGEST)
        if not self.peeks or origin is None or digest is None:
            return None
        if origin.encryption or origin.uri is None:
            return None
        if origin.uri.major != TEXT or digest.major != BYTES:
            return None
        payload = self.envelope.payloads.get(str(origin.uri.text))
        if payload is None:
            return None
        found = self._hashed.get(payload.start)
        if found is None:
            found = self._hashed[payload.start] = digest_value(payload.content)
        return digest.content == cbor.encode(found)

    def _set(self, way: _Way, component: int, argument: Item, is_weak: bool) -> _Way:
        if argument.major != MAP:
            self.is_complete = False
            return way
        params = dict(way.params.get(component, {}))
        for key, value in argument.pairs:
            number = key.number
            if number == names.P_SOFT:
                way = replace(way, is_soft=value.value == 21)
            elif number not in names.PARAMETERS:
                self.is_complete = False
            elif not (is_weak and number in params):
                params[number] = value
        return replace(way, params={**way.params, component: params})

    def _nested(
        self, command: Command, way: _Way, component: int, ends: bool
    ) -> tuple[list[_Way], list[_Way]]:
        """Both have an index and a soft-failure of their own."""
        is_choice = command.number == names.TRY_EACH
        choices = command.argument.children if is_choice else (command.argument,)
        done: list[_Way] = []
        failed: list[_Way] = []
        ways = [replace(way, index=(component,), is_soft=is_choice)]
        for n, choice in enumerate(choices):
            if choice.is_null and is_choice:
                done += ways
                break
            sequence = self._inner(choice)
            if sequence is None:
                continue
            more = n + 1 < len(choices)
            passed, failed = self._run(
                sequence, ways, _Nesting.TRY if is_choice else _Nesting.RUN,
                more if is_choice else ends,
            )  # fmt: skip
            done += passed
            ways = [replace(one, index=(component,), is_soft=True) for one in failed]

        def back(inner: list[_Way]) -> list[_Way]:
            return [replace(one, index=way.index, is_soft=way.is_soft) for one in inner]

        # An exhausted try-each aborts; run-sequence hands on what has failed.
        return self._bounded(back(done)), [] if is_choice else back(failed)


def _identity(number: int, way: _Way, component: int, ends: bool) -> tuple[list[_Way], list[_Way]]:
    """A condition on what the device is: known on this way already, or splitting it."""
    value = way.params.get(component, {}).get(IDENTITY[number])
    if value is None:
        return [], [way]
    here = Assumed(number, component, value.encoded)
    outcome = way.outcomes.get(here)
    if outcome is None and number == names.SLOT_CHECK:
        others = (a for a, is_so in way.outcomes.items() if is_so)
        if any(a.condition == number and a.component == component for a in others):
            outcome = False  # it is in another slot
    if outcome is not None:
        return ([way], []) if outcome else ([], [way])
    chosen = (*way.when, here) if ends or number == names.SLOT_CHECK else way.when
    good = replace(way, outcomes={**way.outcomes, here: True}, when=chosen)
    bad = replace(way, outcomes={**way.outcomes, here: False})
    return [good], [bad]


def moved(
    number: int, params: Params, content: Mapping[int, Origin], component: int
) -> dict[int, Origin]:
    """Content of the components after a directive."""
    content, mine = dict(content), params.get(component, {})
    info, source = mine.get(names.P_ENCRYPTION), mine.get(names.P_SOURCE)
    decrypted = () if info is None else (info,)
    other = None if source is None else source.number
    if number == names.FETCH:
        content[component] = Origin(uri=mine.get(names.P_URI))
    elif number == names.WRITE:
        content[component] = Origin(literal=mine.get(names.P_CONTENT), encryption=decrypted)
    elif number == names.COPY and other is not None:
        content[component] = _gone_through(content.get(other, Origin()), other, decrypted)
    elif number == names.SWAP and other is not None:
        before = content.get(component, Origin())
        content[component] = _gone_through(content.get(other, Origin()), other)
        content[other] = _gone_through(before, component)
    return content


def _gone_through(origin: Origin, component: int, decrypted: tuple[Item, ...] = ()) -> Origin:
    return replace(origin, encryption=(origin.encryption + decrypted)[-CHAIN_MAX:],
                   via=(*origin.via, component)[-CHAIN_MAX:])  # fmt: skip


def unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
