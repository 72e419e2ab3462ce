"""Maps reads to a genome as sequence aligners do: seed, vote, extend.

    seed     Read and genome are reduced to minimizers (Roberts et al. 2004): of every W consecutive k-mers the one with the least mixed
             code. Two sequences that share W + K - 1 bases share a minimizer, so equal minimizers are where to look.
    vote     A minimizer at q in the read and at x in the genome says that the read starts at x - q. Starts are counted in bins of 16
             bases (diagonals of the alignment matrix); the fullest bin wins.
    extend   The read is compared with the genome around the winning bin by Myers' bit vectors (1999): one column of the edit-distance
             matrix is two machine words as wide as the read, here two Python integers.

The genome is drawn from `reference`, the reads from `seed`: 150 bases each from known places, 2 % of them redrawn. So accuracy is known
too, and a result is `ok` when at least 98 % of the reads were put where they came from. As with a real aligner all calls of a container
share the genome and its index (`cache`): its first call pays for them, in `gen`, and a warm call is almost only mapping, in `compute`.
"""

from __future__ import annotations

import functools
import itertools
import os
import platform
import random
import time
import zlib
from collections import deque

SIZES = {
    "small": {"genome_bases": 20_000, "reads": 50},
    "medium": {"genome_bases": 100_000, "reads": 200},
    "large": {"genome_bases": 1_000_000, "reads": 1_000},
}
READ_BASES = 150
ERROR_RATE = 0.02
ACCURACY_NEEDED = 0.98

K = 15
W = 10
BIN_SHIFT = 4
MARGIN_BASES = 16
"""How far around the winning bin the read is looked for: a read that lost or gained a few bases still fits."""

BASES = "ACGT"
CODE = {base: code for code, base in enumerate(BASES)}
KMER_MASK = (1 << 2 * K) - 1

CONTAINER = os.urandom(8).hex()
BOOT_MS = int(time.time() * 1000)
CALLS = itertools.count(1)


def main(args: dict) -> dict:
    parameters = parameters_of(args)
    started = time.perf_counter_ns()
    make = indexed_genome if args.get("cache", True) else indexed_genome.__wrapped__
    genome, index = make(parameters["genome_bases"], int(args.get("reference", 42)))
    truth, reads = draw_reads(genome, parameters["reads"], int(args.get("seed", 42)))
    made = time.perf_counter_ns()
    placements = [place(read, genome, index) for read in reads]
    mapped = time.perf_counter_ns()
    accuracy = sum(map(is_right, placements, truth)) / len(truth)
    return {
        "checksum": checksum_of(placements),
        "ok": accuracy >= ACCURACY_NEEDED,
        "accuracy": round(accuracy, 4),
        "t": {
            "gen": (made - started) // 1000,
            "compute": (mapped - made) // 1000,
            "io": 0,
            "total": (time.perf_counter_ns() - started) // 1000,
        },
        "n": len(reads),
        "c": CONTAINER,
        "boot": BOOT_MS,
        "k": next(CALLS),
        "py": platform.python_version(),
    }


def parameters_of(args: dict) -> dict:
    """The size's parameters, each replaced by the argument of its name where there is one."""
    size = args.get("size", "small")
    if size not in SIZES:
        raise ValueError(f"align has no size {size!r}, only {', '.join(SIZES)}")
    parameters = {name: int(args.get(name, value)) for name, value in SIZES[size].items()}
    if parameters["genome_bases"] <= READ_BASES or parameters["reads"] < 1:
        raise ValueError(f"align needs a genome longer than {READ_BASES} bases and at least one read, got {parameters}")
    return parameters


# --- inputs ---------------------------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=len(SIZES))
def indexed_genome(bases: int, seed: int) -> tuple:
    """(genome, {minimizer: [positions]}); a container keeps one for each size, as memory allows no more."""
    genome = draw_genome(bases, seed)
    index = {}
    for code, position in minimizers(genome):
        index.setdefault(code, []).append(position)
    return genome, index


def draw_genome(bases: int, seed: int) -> str:
    """Uniform bases, two bits each, four to a byte of one long random integer: fast, and alike on all versions of Python."""
    packed = random.Random(seed).getrandbits(2 * bases).to_bytes((2 * bases + 7) // 8, "little")
    unpacked = ["".join(BASES[byte >> shift & 3] for shift in (0, 2, 4, 6)) for byte in range(256)]
    return "".join(map(unpacked.__getitem__, packed))[:bases]


def draw_reads(genome: str, count: int, seed: int) -> tuple:
    """(true start of each read, the reads themselves with errors in them)."""
    uniform = random.Random(seed + 1).random  # + 1: not the stream that drew the genome when both seeds are equal
    truth, reads = [], []
    for _ in range(count):
        start = int(uniform() * (len(genome) - READ_BASES))
        exact = genome[start : start + READ_BASES]
        reads.append("".join([BASES[int(uniform() * 4)] if uniform() < ERROR_RATE else base for base in exact]))
        truth.append(start)
    return truth, reads


# --- seed, vote, extend ---------------------------------------------------------------------------------------------------------------


def minimizers(sequence: str) -> list:
    """(code of the k-mer, its position) of the least k-mer of every window of W, each named once.

    Least by a mixed code, since in the plain order runs of A would win everywhere. `window` holds the k-mers that can still become
    the least, in rising order, so its head is the least of now and every k-mer enters and leaves once.
    """
    chosen = []
    window = deque()
    code = 0
    last = -1
    for end, base in enumerate(sequence):
        code = (code << 2 | CODE[base]) & KMER_MASK
        position = end - K + 1
        if position < 0:
            continue
        mixed = (code ^ code >> 15) * 0x9E3779B1 & 0xFFFFFFFF
        while window and window[-1][0] >= mixed:
            window.pop()
        window.append((mixed, position, code))
        if window[0][1] <= position - W:
            window.popleft()
        if position >= W - 1 and window[0][1] != last:
            last = window[0][1]
            chosen.append((window[0][2], last))
    return chosen


def place(read: str, genome: str, index: dict) -> tuple:
    """(start to the nearest bin, edit distance), or (-1, -1) when no minimizer of the read is in the genome."""
    votes = {}
    for code, offset in minimizers(read):
        for position in index.get(code, ()):
            diagonal = (position - offset) >> BIN_SHIFT
            votes[diagonal] = votes.get(diagonal, 0) + 1
    if not votes:
        return -1, -1
    winner = min(votes, key=lambda diagonal: (-votes[diagonal], diagonal))
    start = winner << BIN_SHIFT
    around = genome[max(0, start - MARGIN_BASES) : start + len(read) + 2 * MARGIN_BASES]
    return start, edit_distance(read, around)


def edit_distance(pattern: str, text: str) -> int:
    """The least edit distance of the pattern to any stretch of the text.

    Bit i of `rises` and `falls` says that cell i of the current column is one more, or one less, than the cell above it; the names of
    the paper are Pv and Mv. `distance` follows the last cell. Nothing is shifted into bit 0, so a match may begin anywhere.
    """
    length = len(pattern)
    matches = dict.fromkeys(BASES, 0)
    for i, base in enumerate(pattern):
        matches[base] |= 1 << i
    full = (1 << length) - 1
    last_bit = 1 << (length - 1)
    rises, falls = full, 0
    distance = best = length
    for base in text:
        equal = matches[base]
        vertical = equal | falls
        horizontal = ((equal & rises) + rises ^ rises | equal) & full
        rises_right = falls | ~(horizontal | rises) & full
        falls_right = rises & horizontal
        if rises_right & last_bit:
            distance += 1
        elif falls_right & last_bit:
            distance -= 1
            best = min(best, distance)
        rises_right = rises_right << 1 & full
        falls_right = falls_right << 1 & full
        rises = falls_right | ~(vertical | rises_right) & full
        falls = rises_right & vertical
    return best


# --- results --------------------------------------------------------------------------------------------------------------------------


def checksum_of(placements: list) -> str:
    return "%08x" % zlib.crc32(b"".join(b"%d,%d;" % placement for placement in placements))


def is_right(placement: tuple, true_start: int) -> bool:
    """Whether a read was put within 40 bases of where it came from, with less than a fifth of it edited."""
    start, distance = placement
    return abs(start - true_start) < 40 and 0 <= distance < READ_BASES / 5
