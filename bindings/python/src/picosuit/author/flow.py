# SPDX-License-Identifier: MIT
"""The command flow of an envelope as a picture (SVG), 1000 pixels wide.

On the left the commands, one row each, in boxes the ways of a try-each; on the right a line for
each component, and what happens to it: data comes from a source or from another line. Widths are
those of a monospaced font, so nothing overlaps whatever the text is.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import drawsvg as svg  # type: ignore[import-untyped]
from rich.cells import cell_len

from . import names
from .cbor import MAP, TEXT, UINT, Item
from .envelope import Command, Envelope, commands
from .phrases import algorithm, bytes_text, count, encryption, joined, safe, size
from .problem import Problem
from .trace import IDENTITY, Visit, unique
from .words import SECTION_WORDS, Words, severed_state

WIDTH, MARGIN, BAR = 1000, 16, 22  # pixels; BAR: the strip that names the procedure
FONT, CELL, FONT_SIZE = "DejaVu Sans Mono, Menlo, Consolas, monospace", 6.65, 11
ROW, LINE, INDENT, PILL = 24, 14, 14, 19
SOURCES, COLUMN = 150, 84  # widths: sources, a component at most
COLUMNS_MAX, ROWS_MAX, DEPTH_MAX, PILLS_MAX = 10, 400, 10, 4
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#6f4fa0", "#8a5a2b",
          "#4d4d4d", "#a00000")  # fmt: skip
INK, DIM, PALE, BOX = "#1c1c1c", "#6a6a6a", "#f3f4f6", "#b4bac4"
BARS = {"update": "#2f5d8a", "invoke": "#2f7a4d", "always": "#7a7a7a", "other": "#7a7a7a"}


@dataclass
class Row:
    """One row of the picture.

    depth   of the box it stands in
    lines   of text
    kind    section, box, command, note
    note    at the right end of the text
    """

    kind: str
    depth: int
    lines: list[str]
    note: str = ""
    command: Command | None = None
    visits: list[Visit] = field(default_factory=list)
    pills: list[str] = field(default_factory=list)
    title: str = ""
    top: float = 0
    end: int = 0  # of a box: number of the row that closes it

    @property
    def height(self) -> float:
        """Of the row itself, without what is in the box."""
        if self.kind == "end":
            return 6
        content = max(len(self.lines) * LINE, len(self.pills) * PILL)
        return max(ROW, content + 10) + (6 if self.kind == "section" else 0)


def draw(envelope: Envelope) -> str:
    """The picture. The same envelope gives the same bytes."""
    return _Picture(Words(envelope)).svg()


class _Picture:
    def __init__(self, words: Words) -> None:
        self.words = words
        self.envelope = words.envelope
        self.columns = self._columns()
        left = WIDTH - MARGIN - len(self.columns) * self._column_width - SOURCES
        self.text_left, self.text_right = MARGIN + BAR + 8, left - 10
        self.sources = left
        self.rows: list[Row] = []
        self.boxes: list[Row] = []
        self.bars: list[tuple[str, str, int, int]] = []  # kind, title, first row, row behind
        self._collect()

    # -- columns ---------------------------------------------------------------------------

    def _columns(self) -> list[int]:
        """Components that something is done to; at most so many as can be told apart."""
        used = {visit.component for visit in self.words.trace.visits}
        used |= {visit.source for visit in self.words.trace.visits if visit.source is not None}
        every = range(len(self.envelope.components))
        return [n for n in every if n in used or len(every) <= 4][:COLUMNS_MAX]

    @property
    def _column_width(self) -> float:
        return min(COLUMN, 330 / max(1, len(self.columns)))

    def x(self, component: int) -> float | None:
        """Middle of a component's column; None: it has none."""
        if component not in self.columns:
            return None
        return self.sources + SOURCES + (self.columns.index(component) + 0.5) * self._column_width

    def color(self, component: int) -> str:
        return COLORS[component % len(COLORS)]

    # -- rows ------------------------------------------------------------------------------

    def _collect(self) -> None:
        groups = [("always", "ALWAYS", (names.SHARED,)), ("update", "UPDATE", names.UPDATE),
                  ("invoke", "INVOKE", names.INVOKE), ("other", "OTHER", (15, 18, 24))]  # fmt: skip
        drawn: set[int] = set()
        for kind, title, sections in groups:
            first = len(self.rows)
            for section in sections:
                if self._has(section) and len(self.rows) < ROWS_MAX:
                    self._section(section, is_again=section in drawn)
                    drawn.add(section)
            if len(self.rows) > first:
                self.bars.append((kind, title, first, len(self.rows)))

    def _has(self, section: int) -> bool:
        if section == names.SHARED:
            return self.envelope.common.get(4) is not None
        return self.envelope.manifest.get(section) is not None

    def _section(self, section: int, is_again: bool) -> None:
        is_shared = section == names.SHARED
        name = "shared sequence" if is_shared else names.MEMBERS[section]
        text = f"{name}: {SECTION_WORDS[section]}"
        self.rows.append(Row("section", 0, [text], "" if is_shared else f"({section})"))
        if is_again:
            self.rows.append(Row("note", 0, ["the same commands as above"]))
            return
        try:
            sequence = self.envelope.section(section)
            if sequence is None:
                self.rows.append(Row("note", 0, [severed_state(self.envelope, section)[1]]))
            else:
                self._sequence(sequence, 0, "")
        except Problem as e:
            self.rows.append(Row("note", 0, self._wrapped(f"cannot be read: {safe(e.what)}", 0)))

    def _sequence(self, sequence: Item, depth: int, otherwise: str) -> None:
        """otherwise  where a condition that fails leads"""
        for command in commands(sequence):
            if len(self.rows) >= ROWS_MAX:
                if self.rows[-1].kind != "cut":
                    self.rows.append(Row("cut", 0, ["... and more: picosuit inspect shows all"]))
                return
            if command.number == names.SET_INDEX:
                continue  # the column tells
            self._command(command, depth, otherwise)

    def _command(self, command: Command, depth: int, otherwise: str) -> None:
        visits = self.words.trace.by_command.get(command.label.start, [])
        is_condition = command.name.startswith("condition-")
        try:
            text, title = self._short(command, visits), self.words.sentence(command)
        except Problem as e:
            text = title = f"cannot be read: {safe(e.what)}"
        note = otherwise if is_condition else ""
        row = Row("command", depth, self._wrapped(text, depth, len(note)), note, command, visits,
                  self._pills(command, visits), title)  # fmt: skip
        self.rows.append(row)
        if command.number == names.TRY_EACH:
            self._try_each(command, depth, otherwise)
        elif command.number == names.RUN:
            self._box("sequence", command.argument, depth, otherwise)

    def _try_each(self, command: Command, depth: int, otherwise: str) -> None:
        choices = command.argument.children
        for n, choice in enumerate(choices, 1):
            if choice.is_null:
                self.rows.append(Row("note", depth + 1, ["or else: go on"]))
                continue
            following = f"else way {n + 1}" if n < len(choices) else "else fail"
            if n < len(choices) and choices[n].is_null:
                following = "else go on"
            self._box(f"way {n}", choice, depth, following)

    def _box(self, title: str, item: Item, depth: int, otherwise: str) -> None:
        box = Row("box", depth + 1, [title])
        self.rows.append(box)
        self.boxes.append(box)
        try:
            self._sequence(item.inner(), min(depth + 1, DEPTH_MAX), otherwise)
        except Problem as e:
            self.rows.append(Row("note", depth + 1, [f"cannot be read: {safe(e.what, 40)}"]))
        box.end = len(self.rows)
        self.rows.append(Row("end", depth, []))

    # -- texts -----------------------------------------------------------------------------

    def _wrapped(self, text: str, depth: int, reserved: int = 0) -> list[str]:
        """At most three lines that fit beside each other's box and note."""
        room = self.text_right - self.text_left - min(depth, DEPTH_MAX) * (INDENT + 4) - 16
        cells = max(12, int(room / CELL) - (reserved + 2 if reserved else 0))
        found: list[str] = []
        line = ""
        for word in text.split(" "):
            while cell_len(word) > cells:
                found, line = ([*found, line] if line else found), ""
                head = _cut(word, cells)
                found.append(head)
                word = word[len(head) :]
            if line and cell_len(line) + 1 + cell_len(word) > cells:
                found.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        found.append(line)
        return found if len(found) <= 3 else [*found[:2], _cut(found[2], cells - 3) + "..."]

    def _short(self, command: Command, visits: Sequence[Visit]) -> str:
        """The sentence without what the picture shows: component, source, target."""
        number = command.number
        if number in IDENTITY:
            what = names.PARAMETERS[IDENTITY[number]].removesuffix("-identifier")
            return f"check {what.removeprefix('component-')} {self._each(visits, IDENTITY[number])}"
        if number == names.IMAGE_MATCH:
            return f"check digest {self._split(visits, self.words.image_text)}"
        if number in (names.OVERRIDE, names.SET) and command.argument.major == MAP:
            verb = "set" if number == names.OVERRIDE else "set, if not set yet:"
            return f"{verb} {self._parameters(command.argument)}"
        if number == names.FETCH:
            sizes = unique(self._amount(visit) for visit in visits)
            return f"fetch {joined(size for size in sizes if size)}" if any(sizes) else "fetch"
        if number == names.COPY:
            return "copy, decrypting it" if self.words.cipher_text(visits) else "copy"
        if number == names.WRITE:
            return "write, decrypting it" if self.words.cipher_text(visits) else "write"
        if number in (names.SWAP, names.INVOKE_COMMAND):
            return "exchange" if number == names.SWAP else "start"
        if number == names.TRY_EACH:
            return "try, until one succeeds"
        return self.words.act(command)

    def _split(self, visits: Sequence[Visit], text: Callable[[Visit], str]) -> str:
        """Components are named only where each has something of its own."""
        said = {visit.component: text(visit) for visit in visits}
        if len(set(said.values())) > 1 < len(said):
            return self.words.paired(visits, text, "", "{what}: {text}")
        return joined(map(text, visits)) if visits else ""

    def _each(self, visits: Sequence[Visit], parameter: int) -> str:
        def one(visit: Visit) -> str:
            item = visit.get(parameter)
            return "(not set)" if item is None else self._value(parameter, item)

        return self._split(visits, one)

    def _value(self, number: int, value: Item) -> str:
        if number in (names.P_VENDOR, names.P_CLASS, names.P_DEVICE):
            text = self.words.id_text(value)
            is_bare = value.value == 16 and not text.endswith(")")
            return f"{text[:8]}..." if is_bare else text
        if number == names.P_DIGEST:
            return self.words.digest_text(value, short=True)
        return self.words.parameter(number, value)

    def _parameters(self, argument: Item) -> str:
        texts = []
        for key, value in argument.pairs:
            number = key.number if key.number is not None else 0
            name = names.name_of(names.PARAMETERS, number)
            for end in ("-identifier", "component-", "image-"):
                name = name.replace(end, "") if number != names.P_SOURCE else "source"
            if number == names.P_ENCRYPTION:
                name, shown = "decryption", self._cipher(value)
            else:
                try:
                    shown = self._value(number, value)
                except Problem:
                    shown = "malformed"
            texts.append(f"{name} {shown}")
        return ", ".join(texts)

    def _cipher(self, value: Item) -> str:
        try:
            found = encryption(value)
        except Problem:
            return "malformed"
        kid = found.recipients[0][1]
        whom = "one device" if kid is None else bytes_text(kid)
        if len(found.recipients) > 1:
            whom = f"{len(found.recipients)} devices"
        return f"{algorithm(found.cipher)} for {whom}"

    def _amount(self, visit: Visit) -> str:
        uri = visit.get(names.P_URI)
        if uri is None or uri.major != TEXT:
            return ""
        payload = self.envelope.payloads.get(str(uri.text))
        if payload is not None:
            return f"{size(payload.value)}, integrated"
        wanted = visit.get(names.P_SIZE)
        return size(wanted.value) if wanted is not None and wanted.major == UINT else ""

    def _pills(self, command: Command, visits: Sequence[Visit]) -> list[str]:
        """Sources of a row that are no components."""
        parameter = {names.FETCH: names.P_URI, names.WRITE: names.P_CONTENT}.get(command.number)
        if parameter is None:
            return []
        shown = unique(self._pill(visit.get(parameter)) for visit in visits)
        rest = len(shown) - PILLS_MAX + 1
        return shown if rest <= 1 else [*shown[: PILLS_MAX - 1], f"{rest} more"]

    def _pill(self, item: Item | None) -> str:
        """As much of a URI as fits; its end tells more than its beginning."""
        if item is None:
            return "not set"
        if item.major != TEXT:
            return count(item.value, "byte")
        cells = int((SOURCES - 36) / CELL)
        text = safe(str(item.text), 400)
        if cell_len(text) <= cells:
            return text
        end = ""
        while cell_len(text[-len(end) - 1 :]) <= cells - 3:
            end = text[-len(end) - 1 :]
        return f"...{end.lstrip('.')}"

    # -- drawing ---------------------------------------------------------------------------

    def svg(self) -> str:
        top = 96.0
        for row in self.rows:
            row.top = top
            top += row.height
        ends = [row.top for row in self.rows] + [top]
        bottom = top
        self.canvas = svg.Drawing(WIDTH, bottom + 44, font_family=FONT, font_size=FONT_SIZE)
        self._rect(0, 0, WIDTH, bottom + 44, "#ffffff")
        self._headings(bottom)
        for kind, title, first, behind in self.bars:
            self._bar(kind, title, ends[first], ends[behind])
        for row in self.rows:
            if row.kind == "section":
                self._section_band(row)
        self._lifelines(bottom)
        for box in self.boxes:
            self._draw_box(box, ends[box.end])
        for row in self.rows:
            self._draw_row(row)
        self._legend(bottom + 22)
        text: str = self.canvas.as_svg()
        return text + "\n"

    def _text(
        self, x: float, y: float, text: str, color: str = INK, anchor: str = "start",
        weight: str = "normal", title: str = "",
    ) -> None:  # fmt: skip
        item = svg.Text(text, FONT_SIZE, _n(x), _n(y), fill=color, text_anchor=anchor,
                        font_weight=weight, xml__space="preserve")  # fmt: skip
        if title:
            item.append_title(title)
        self.canvas.append(item)

    def _rect(self, x: float, y: float, w: float, h: float, fill: str, **more: object) -> None:
        self.canvas.append(svg.Rectangle(_n(x), _n(y), _n(w), _n(h), fill=fill, **more))

    def _line(self, x1: float, y1: float, x2: float, y2: float, color: str, **more: object) -> None:
        self.canvas.append(svg.Line(_n(x1), _n(y1), _n(x2), _n(y2), stroke=color, **more))

    def _polygon(self, points: Sequence[float], fill: str, **more: object) -> None:
        self.canvas.append(svg.Lines(*map(_n, points), close=True, fill=fill, **more))

    def _headings(self, bottom: float) -> None:
        envelope = self.envelope
        signed = joined(algorithm(_alg(envelope, block)) for block in envelope.blocks)
        by = f"signed: {signed}" if envelope.blocks else "not signed"
        title = f"Update {envelope.sequence:,}   {size(len(envelope.data))}, {by}"
        self._text(MARGIN, 24, title, weight="bold")
        whom = [f"{what} {joined(found)}" for what, number in (
                    ("vendor", names.VENDOR_CHECK), ("class", names.CLASS_CHECK))
                if (found := self.words.identities(number))]  # fmt: skip
        self._text(MARGIN, 42, _cut("for " + (", ".join(whom) or "any device"), 140), DIM)
        self._text(self.text_left, 80, "commands", DIM)
        self._text(self.sources + 14, 80, "sources", DIM)
        cells = max(1, int((self._column_width - 6) / CELL))
        for n in self.columns:
            x, full = self.x(n), self.words.component(n)
            short = full if cell_len(full) <= cells else _cut(full, max(1, cells - 2)) + ".."
            assert x is not None  # it is a column
            self._text(x, 80, short, self.color(n), "middle", "bold", full)
        hidden = len(envelope.components) - len(self.columns)
        if hidden:
            self._text(WIDTH - MARGIN, 60, f"{count(hidden, 'component')} not shown", DIM, "end")

    def _bar(self, kind: str, title: str, top: float, bottom: float) -> None:
        self._rect(MARGIN, top, BAR, bottom - top - 4, BARS[kind], rx=4)
        if bottom - top > len(title) * CELL + 12:
            x, y = MARGIN + BAR / 2 + 4, (top + bottom) / 2
            self.canvas.append(
                svg.Text(title, FONT_SIZE, _n(x), _n(y), fill="#ffffff", text_anchor="middle",
                         font_weight="bold", transform=f"rotate(-90 {_n(x)} {_n(y)})"))  # fmt: skip

    def _section_band(self, row: Row) -> None:
        left = MARGIN + BAR + 4
        self._rect(left, row.top + 3, WIDTH - MARGIN - left, row.height - 8, "#e6e9ee", rx=4)

    def _lifelines(self, bottom: float) -> None:
        for n in self.columns:
            x = self.x(n)
            assert x is not None  # it is a column
            self._line(x, 86, x, bottom, self.color(n), stroke_width=2, stroke_opacity=0.35)

    def _left(self, depth: int) -> float:
        return self.text_left + min(depth, DEPTH_MAX) * INDENT

    def _draw_box(self, box: Row, bottom: float) -> None:
        left, right = self._left(box.depth) - 8, self.text_right + 6 - 4 * box.depth
        self._rect(left, box.top + 3, right - left, bottom - box.top, PALE,
                   stroke=BOX, rx=5)  # fmt: skip

    def _draw_row(self, row: Row) -> None:
        left = self._left(row.depth)
        color = DIM if row.kind in ("box", "note", "cut") else INK
        weight = "bold" if row.kind in ("section", "box") else "normal"
        first = row.top + (row.height - len(row.lines) * LINE) / 2 + 10
        first += 4 if row.kind == "box" else 0
        for n, line in enumerate(row.lines):
            self._text(left, first + n * LINE, line, color, weight=weight, title=row.title)
        if row.note:
            self._text(self.text_right - 4 - 4 * row.depth, first, row.note, DIM, "end")
        if row.command is not None:
            self._marks(row, row.command, row.top + row.height / 2)

    # -- marks on the lines ----------------------------------------------------------------

    def _marks(self, row: Row, command: Command, y: float) -> None:
        number = command.number
        if number in (names.TRY_EACH, names.RUN):
            return
        start = self._draw_pills(row, y) if row.pills else None
        seen: set[tuple[int, int | None]] = set()
        # The nearest last, so that its arrow lies on those that go on behind it.
        for visit in sorted(row.visits, key=lambda visit: -visit.component):
            source = visit.source if number in (names.COPY, names.SWAP) else None
            x = self.x(visit.component)
            if x is None or (visit.component, source) in seen:
                continue
            seen.add((visit.component, source))
            begin = start if source is None else self.x(source)
            if begin is None:
                self._mark(command, visit, x, y)
            else:
                self._move(command, visit, begin, x, y)

    def _mark(self, command: Command, visit: Visit, x: float, y: float) -> None:
        """What happens at one line alone."""
        color = self.color(visit.component)
        if command.number == names.INVOKE_COMMAND:
            self._polygon([x - 5, y - 7, x + 8, y, x - 5, y + 7], color)
        elif command.name.startswith("condition-"):
            diamond = [x, y - 7, x + 7, y, x, y + 7, x - 7, y]
            self._polygon(diamond, "#ffffff", stroke=color, stroke_width=2)
        else:
            self._circle(x, y, 4, "#ffffff", stroke=color, stroke_width=2)

    def _move(self, command: Command, visit: Visit, start: float, x: float, y: float) -> None:
        """Data from a source or another line."""
        color, number = self.color(visit.component), command.number
        is_secret = number in (names.COPY, names.WRITE) and (
            visit.get(names.P_ENCRYPTION) is not None
        )
        self._arrow(start, x, y, color, is_secret)
        if number == names.SWAP:
            self._head(start, y, -1 if x > start else 1, color)
        elif number == names.COPY:
            self._circle(start, y, 3, color)

    def _draw_pills(self, row: Row, y: float) -> float:
        """The sources of a row, joined if there are several; where an arrow starts."""
        left, joint = self.sources + 8, self.sources + SOURCES - 6
        middles = [y + (n - (len(row.pills) - 1) / 2) * PILL for n in range(len(row.pills))]
        width = 0.0
        for text, middle in zip(row.pills, middles):
            width = cell_len(text) * CELL + 14
            self._rect(left, middle - 8, width, 16, "#ffffff", stroke=DIM, rx=8)
            self._text(left + 7, middle + 4, text, INK)
            if len(middles) > 1:
                self._line(left + width, middle, joint, middle, DIM, stroke_width=2)
        if len(middles) == 1:
            return left + width
        self._line(joint, middles[0], joint, middles[-1], DIM, stroke_width=2)
        return joint

    def _arrow(self, start: float, end: float, y: float, color: str, is_secret: bool) -> None:
        side = 1 if end > start else -1
        dashes = {"stroke_dasharray": "5 3"} if is_secret else {}
        self._line(start, y, end - side * 8, y, color, stroke_width=2, **dashes)
        self._head(end, y, side, color)

    def _head(self, x: float, y: float, side: int, color: str) -> None:
        """A point at a line; side 1: coming from the left."""
        self._polygon([x, y, x - side * 9, y - 5, x - side * 9, y + 5], color)

    def _circle(self, x: float, y: float, r: float, fill: str, **more: object) -> None:
        self.canvas.append(svg.Circle(_n(x), _n(y), r, fill=fill, **more))

    def _legend(self, y: float) -> None:
        x = float(MARGIN)
        entries = (("set", "parameters set"), ("check", "checked"), ("move", "data"),
                   ("secret", "data, decrypted"), ("start", "started"))  # fmt: skip
        for kind, text in entries:
            if kind == "set":
                self._circle(x + 8, y, 4, "#ffffff", stroke=DIM, stroke_width=2)
            elif kind == "check":
                self._polygon([x + 8, y - 7, x + 15, y, x + 8, y + 7, x + 1, y], "#ffffff",
                              stroke=DIM, stroke_width=2)  # fmt: skip
            elif kind == "start":
                self._polygon([x + 3, y - 7, x + 16, y, x + 3, y + 7], DIM)
            else:
                self._arrow(x - 4, x + 20, y, DIM, kind == "secret")
            self._text(x + 26, y + 4, text, DIM)
            x += 26 + len(text) * CELL + 26
        digest = self.envelope.signed_digest[1].hex()
        self._text(WIDTH - MARGIN, y + 4, f"manifest digest {digest[:16]}...", DIM, "end")


def _cut(text: str, cells: int) -> str:
    """The beginning of a text that fits, one character at least."""
    n = 1
    while n < len(text) and cell_len(text[: n + 1]) <= cells:
        n += 1
    return text[:n]


def _n(value: float) -> float | int:
    """A coordinate with at most one decimal, the same on every machine."""
    rounded = round(value, 1)
    return int(rounded) if rounded == int(rounded) else rounded


def _alg(envelope: Envelope, block: Item) -> int | None:
    try:
        return envelope.block(block).alg
    except Problem:
        return None
