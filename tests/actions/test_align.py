"""The aligner's parts against their definitions, and its judgement of itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def align(load_action):
    return load_action("align")


def by_definition(pattern, text):
    """Least edit distance of the pattern to a stretch of the text, by the matrix (Sellers 1980)."""
    column = list(range(len(pattern) + 1))
    best = column[-1]
    for base in text:
        diagonal, column[0] = column[0], 0
        for i, wanted in enumerate(pattern, start=1):
            diagonal, column[i] = column[i], min(column[i] + 1, column[i - 1] + 1, diagonal + (wanted != base))
        best = min(best, column[-1])
    return best


def mixed_codes(align, sequence):
    codes = []
    for position in range(len(sequence) - align.K + 1):
        code = int("".join(str(align.CODE[base]) for base in sequence[position : position + align.K]), 4)
        codes.append(((code ^ code >> 15) * 0x9E3779B1 & 0xFFFFFFFF, code))
    return codes


@given(pattern=st.text("ACGT", min_size=1, max_size=40), text=st.text("ACGT", max_size=60))
def test_bit_vectors_find_the_distance_that_the_matrix_finds(align, pattern, text):
    assert align.edit_distance(pattern, text) == by_definition(pattern, text)


@given(sequence=st.text("ACGT", max_size=120))
def test_minimizers_are_the_least_k_mers_of_all_windows(align, sequence):
    mixed = mixed_codes(align, sequence)
    chosen = []
    for start in range(len(mixed) - align.W + 1):
        # of equal ones the last
        _, negative = min((code, -position) for position, (code, _) in enumerate(mixed) if start <= position < start + align.W)
        if not chosen or chosen[-1] != -negative:
            chosen.append(-negative)
    assert align.minimizers(sequence) == [(mixed[position][1], position) for position in chosen]


@given(true_start=st.integers(0, 20_000 - 150))
def test_a_read_without_errors_is_put_where_it_came_from(align, true_start):
    genome, index = align.indexed_genome(20_000, 42)
    start, distance = align.place(genome[true_start : true_start + align.READ_BASES], genome, index)
    assert 0 <= true_start - start < 1 << align.BIN_SHIFT
    assert distance == 0


def test_a_read_from_nowhere_is_not_placed(align):
    genome, index = align.indexed_genome(20_000, 42)
    assert align.place("A" * align.READ_BASES, genome, index) == (-1, -1)


def test_the_result_is_not_ok_when_too_many_reads_are_misplaced(load_action):
    align = load_action("align")
    assert align.main({"seed": 3})["ok"]
    align.ERROR_RATE = 0.6
    reply = align.main({"seed": 3})
    assert reply["accuracy"] < align.ACCURACY_NEEDED
    assert reply["ok"] is False


def test_the_genome_and_its_index_are_made_once_for_a_container(load_action):
    align = load_action("align")
    kept = [align.main({"seed": seed})["checksum"] for seed in (1, 2)]
    assert align.indexed_genome.cache_info().misses == 1
    made_anew = [align.main({"seed": seed, "cache": False})["checksum"] for seed in (1, 2)]
    assert align.indexed_genome.cache_info().misses == 1
    assert kept == made_anew


def test_another_reference_is_another_genome(load_action):
    align = load_action("align")
    assert align.main({"reference": 1})["checksum"] != align.main({"reference": 2})["checksum"]


@pytest.mark.parametrize("args", [{"genome_bases": 150}, {"reads": 0}])
def test_a_genome_without_room_for_a_read_is_refused(align, args):
    with pytest.raises(ValueError, match="longer than 150 bases and at least one read"):
        align.main(args)
