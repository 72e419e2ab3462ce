"""The journal: rows on their way to disk, safe against a killed process.

An invoker packs each row into memory; at its own convenience (`tick`) it appends what has gathered to a file, as a block that carries
its length and checksum. What the kernel has taken survives the process, so `kill -9` costs at most the rows of the last 250 ms. After
10 s or a million rows the file is closed and the next one started, and the closed one may be turned into Parquet by somebody else.

    invoker-3-0.journal.open    being written        -> tick, close ->    invoker-3-0.journal    closed: ready for the converter
    invoker-3.mark              8 bytes of mapped memory: the highest seq that invoker 3 has attempted, at any moment

A journal is a header (one line of JSON), then blocks:

    magic "OWRB" | bytes of texts | rows | texts before | highest seq attempted | CRC-32 of all the rest | texts (a JSON list) | packed rows

Rows name errors, containers and extras by code: the position of the text among all texts of this journal so far. A block brings the
texts that are new in it, and how many there were before, so a journal cut at any block can be read, and one that has lost a block in
its midst loses that block's rows and texts and no others. Every journal starts a table of its own.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from owray.problems import Problem
from owray.record.layout import ROW

JOURNAL_VERSION = 2
BLOCK_ROWS = 4096
OLDEST_ROW_MS = 250
"""No finished row stays in memory for longer, if `tick` is called at least every TICK_MS."""
TICK_MS = 100
ROTATE_AFTER_S = 10
ROTATE_AFTER_ROWS = 1_000_000
MOST_ERRORS = 1000
OTHER_ERROR = "other"
"""Stands for every error text of an invoker beyond its first MOST_ERRORS distinct ones."""
NOTHING_ATTEMPTED = -1

CLOSED_SUFFIX = ".journal"
OPEN_SUFFIX = ".journal.open"
MARK_SUFFIX = ".mark"

_MAGIC = b"OWRB"
_BLOCK_HEAD = struct.Struct("<4sIIIq")
_CHECKSUM = struct.Struct("<I")
_SEARCH_BYTES = 1 << 20
_WRITE_AFTER_NS = (OLDEST_ROW_MS - TICK_MS) * 1_000_000
_ROTATE_AFTER_NS = ROTATE_AFTER_S * 1_000_000_000
_pack = ROW.pack


class JournalError(Problem):
    """A file that cannot be read as a journal."""


class OtherVersion(JournalError):
    """A journal that another version of owray wrote, and can read."""


@dataclass(frozen=True, slots=True)
class Header:
    """What all rows of a journal have in common. `node` names the machine, `invokers` is how many share the plan."""

    run: str
    invoker: int
    invokers: int
    node: str

    @property
    def stem(self) -> str:
        return f"invoker-{self.invoker}"


class Mark:
    """The highest seq attempted, in a mapped file that outlives the process.

    The file is locked as long as the process lives: who can take the lock (`mark_is_held`) knows that the invoker is gone.
    Raises FileExistsError where this invoker has played before: a second one would play the same calls again.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        os.pwrite(self._descriptor, NOTHING_ATTEMPTED.to_bytes(8, "little", signed=True), 0)
        self._map = mmap.mmap(self._descriptor, 8)
        # Assigning to a view of 64-bit integers is one store: a kill cannot leave half a number.
        self._cell = memoryview(self._map).cast("q")

    def set(self, seq: int) -> None:
        self._cell[0] = seq

    def close(self) -> None:
        self._cell.release()
        self._map.close()
        os.close(self._descriptor)


def read_mark(path: Path) -> int:
    """The highest seq attempted; NOTHING_ATTEMPTED where the invoker was gone before it could say so."""
    content = path.read_bytes()
    return int.from_bytes(content, "little", signed=True) if len(content) == 8 else NOTHING_ATTEMPTED


def mark_is_held(path: Path) -> bool:
    """Whether the invoker of this mark still lives (on this machine)."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


class Recorder:
    """Takes the rows of one invoker.

    `add`, `container`, `error`, `once` and `mark` touch memory only. The disk is touched by `tick` and `close` alone, which raise OSError
    when it refuses (full, say): then the half-written block is cut off, what was whole stays readable, and the rows stay in memory for
    the next tick. Codes are good for rows that are added before the next tick.
    """

    def __init__(self, folder: Path, header: Header, clock_ns: Callable[[], int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._header = header
        self._clock_ns = clock_ns
        self._mark = Mark(folder / f"{header.stem}{MARK_SUFFIX}")
        self._highest = NOTHING_ATTEMPTED
        self._rows: list[bytes] = []
        self._rows_written = 0
        self._codes: dict[str, int] = {}
        self._texts = 0
        self._new_texts: list[str] = []
        self._errors: set[str] = set()
        self._containers: set[str] = set()
        self._file: _File | None = None
        self._journals = 0
        self._written_ns = clock_ns()

    def add(self, *values: Any) -> None:
        """Pack one row: the values of PACKED_FIELDS in their order."""
        # Cheaper than packing into a buffer: `pack_into(buffer, offset, *values)` has to copy the values into a longer tuple first.
        self._rows.append(_pack(*values))

    def container(self, fingerprint: str) -> int:
        """The code of a container."""
        code = self._codes.get(fingerprint)
        if code is None:
            code = self._codes[fingerprint] = self.once(fingerprint)
            self._containers.add(fingerprint)
        return code

    def error(self, template: str) -> int:
        """The code of an error's template, or of OTHER_ERROR where there have been too many distinct ones."""
        if template not in self._errors:
            if len(self._errors) >= MOST_ERRORS:
                return self._text(OTHER_ERROR)
            self._errors.add(template)
        return self._text(template)

    def once(self, text: str) -> int:
        """The code of a text that will hardly come again: an extra."""
        code = self._texts
        self._texts = code + 1
        self._new_texts.append(text)
        return code

    def mark(self, seq: int) -> None:
        """Call `seq` is about to be attempted."""
        if seq > self._highest:
            self._highest = seq
            self._mark.set(seq)

    @property
    def containers(self) -> int:
        """How many distinct containers have been named."""
        return len(self._containers)

    @property
    def rows(self) -> int:
        """How many rows have been added."""
        return self._rows_written + len(self._rows)

    def tick(self, now_ns: int) -> None:
        """Write what is due. To be called at least every TICK_MS; cheap when nothing is due. Raises OSError."""
        rotate = self._file is not None and self._file.is_due(now_ns)
        if not self._rows:
            self._written_ns = now_ns
        elif rotate or len(self._rows) >= BLOCK_ROWS or now_ns - self._written_ns >= _WRITE_AFTER_NS:
            self._write(now_ns)
            self._written_ns = now_ns
        if rotate:
            self._seal()

    def close(self) -> None:
        """Write everything and let go of the files. Raises OSError; the files are let go nevertheless."""
        try:
            if self._rows:
                self._write(self._clock_ns())
            self._seal()
        finally:
            if self._file is not None:
                self._file.close()
            self._mark.close()

    def _text(self, text: str) -> int:
        """The code of a text that comes again and again."""
        code = self._codes.get(text)
        if code is None:
            code = self._codes[text] = self.once(text)
        return code

    def _write(self, now_ns: int) -> None:
        file = self._file
        if file is None:
            path = self._folder / f"{self._header.stem}-{self._journals}{OPEN_SUFFIX}"
            file = self._file = _File(path, self._header, now_ns)
        while self._rows:
            some = self._rows[:BLOCK_ROWS]
            file.append(_block(b"".join(some), self._texts - len(self._new_texts), self._new_texts, self._highest))
            file.rows += len(some)
            self._rows_written += len(some)
            del self._rows[: len(some)]
            self._new_texts.clear()

    def _seal(self) -> None:
        """Close the journal, if one is open, and start a new table of texts. All rows have been written."""
        if self._file is None:
            return
        self._file.seal()
        self._file = None
        self._journals += 1
        self._codes.clear()
        self._new_texts.clear()
        self._texts = 0


class _File:
    """A journal being written. Raises OSError from `__init__`, which then leaves no file, from `append` and from `seal`."""

    def __init__(self, path: Path, header: Header, now_ns: int) -> None:
        self.rows = 0
        self._path = path
        self._opened_ns = now_ns
        self._end = 0
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            self.append(_header_line(header))
        except OSError:
            self.close()
            path.unlink()
            raise

    def is_due(self, now_ns: int) -> bool:
        """Whether the next journal should be started."""
        return self.rows >= ROTATE_AFTER_ROWS or now_ns - self._opened_ns >= _ROTATE_AFTER_NS

    def append(self, content: bytes) -> None:
        """Write all of `content` at the end, or nothing."""
        written = 0
        try:
            while written < len(content):
                written += os.pwrite(self._descriptor, memoryview(content)[written:], self._end + written)
        except OSError:
            # If even this fails, the next write starts at the same place, and a reader leaves out what is no whole block.
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
            raise
        self._end += written

    def seal(self) -> None:
        """Close it, and say so by its name."""
        self._path.rename(self._path.with_suffix(""))
        self.close()

    def close(self) -> None:
        os.close(self._descriptor)


def _header_line(header: Header) -> bytes:
    return json.dumps({"owray_journal": JOURNAL_VERSION, "row": ROW.format, **asdict(header)}).encode() + b"\n"


def _block(rows: bytes, texts_before: int, texts: list[str], highest_seq: int) -> bytes:
    encoded = json.dumps(texts).encode() if texts else b""
    head = _BLOCK_HEAD.pack(_MAGIC, len(encoded), len(rows) // ROW.size, texts_before, highest_seq)
    checksum = zlib.crc32(rows, zlib.crc32(encoded, zlib.crc32(head)))
    return b"".join((head, _CHECKSUM.pack(checksum), encoded, rows))


@dataclass(frozen=True, slots=True)
class Block:
    """A whole block: packed rows, how many texts came before it, those that are new in it, and the highest seq attempted by then."""

    rows: bytes
    texts_before: int
    texts: tuple[str, ...]
    highest_seq: int


class Journal:
    """A journal opened for reading, closed or not, whole or torn.

    `header` is None where the file was cut inside it: then there are no blocks. Raises JournalError where the header is damaged, and
    OtherVersion.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            line = file.readline()
        is_cut = not line.endswith(b"\n") and _MAGIC not in line
        self.header = None if is_cut else _read_header(path, line)
        self._start = len(line) if self.header else 0
        self.left_over_bytes = 0
        """What belongs to no whole block, at the end or between two; known once `blocks` has come to its end."""

    def blocks(self) -> Iterator[Block]:
        """All whole blocks: what is torn or damaged is left out, up to the next block whose checksum is right."""
        place = None if self.header is None else self._start
        used = self._start
        with self._path.open("rb") as file:
            while place is not None:
                file.seek(place)
                block = _read_block(file)
                if block is None:
                    place = _find_magic(file, place + 1)
                    continue
                used += file.tell() - place
                place = file.tell()
                yield block
            self.left_over_bytes = file.seek(0, os.SEEK_END) - used


def _read_header(path: Path, line: bytes) -> Header:
    try:
        fields = json.loads(line)
        version, row = fields.pop("owray_journal"), fields.pop("row")
        header = Header(**fields)
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise JournalError(f"{path} is no journal of owray ({problem})") from problem
    if (version, row) != (JOURNAL_VERSION, ROW.format):
        raise OtherVersion(
            f"{path} was written by another version of owray (journals of version {version}, this one reads {JOURNAL_VERSION})."
            "  (recover the run with that version)"
        )
    return header


def _read_block(file: BinaryIO) -> Block | None:
    head = file.read(_BLOCK_HEAD.size)
    checksum = file.read(_CHECKSUM.size)
    if len(checksum) < _CHECKSUM.size:
        return None
    magic, text_bytes, row_count, texts_before, highest_seq = _BLOCK_HEAD.unpack(head)
    remaining = os.fstat(file.fileno()).st_size - file.tell()
    if magic != _MAGIC or text_bytes + row_count * ROW.size > remaining:
        return None
    encoded = file.read(text_bytes)
    rows = file.read(row_count * ROW.size)
    if zlib.crc32(rows, zlib.crc32(encoded, zlib.crc32(head))) != _CHECKSUM.unpack(checksum)[0]:
        return None
    return Block(rows, texts_before, tuple(json.loads(encoded)) if encoded else (), highest_seq)


def _find_magic(file: BinaryIO, start: int) -> int | None:
    """Where the next block may begin. Rows may hold the same bytes by chance: it is one only if its checksum says so."""
    file.seek(start)
    before = b""
    while some := file.read(_SEARCH_BYTES):
        searched = before + some
        found = searched.find(_MAGIC)
        if found >= 0:
            return file.tell() - len(searched) + found
        before = searched[1 - len(_MAGIC) :]
    return None
