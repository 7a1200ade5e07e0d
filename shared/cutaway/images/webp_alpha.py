"""The alpha of a WEBP, packed losslessly in little memory (RFC 9649, sections 2.7.1.2 and 3).

libwebp looks for all that its lossless format allows, in 20 bytes a pixel. A matte is mostly runs
of nothing and of all, and its edges are smooth: here each pixel is told by how it differs from what
its neighbours foretell, runs by their length, and both in one prefix code that is made for the
picture. The files are about as large.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cutaway.images.stripes import stripes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["packed_alpha"]

_LOSSLESS_BY_GRADIENT = 1 | 3 << 2  # how it is packed, and how pixels are foretold
_LITERALS, _LENGTHS = 256, 24
_LONGEST_RUN = 4096
_SHORTEST_RUN = 4
_LONGEST_CODE, _LONGEST_CODE_OF_LENGTHS = 15, 7
_ORDER = (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
_WORD = 32


class _Tokens(NamedTuple):
    """What stands for some pixels: the symbols, and the bits that follow each of them."""

    symbols: NDArray[np.intp]
    extra: NDArray[np.intp]
    extra_bits: NDArray[np.intp]


class _Code(NamedTuple):
    """A prefix code: for each symbol its bits, as they stand in the file, and how many."""

    words: NDArray[np.intp]
    lengths: NDArray[np.intp]


def packed_alpha(alpha: NDArray[np.uint8]) -> bytes:
    """Pack an alpha as the body of a WEBP's `ALPH` chunk.

    It is read twice, some rows at a time, and a bounded amount of memory is taken.

    Args:
        alpha: uint8, shape (height, width), at least 1 pixel.
    """
    counts = np.zeros(_LITERALS + _LENGTHS, np.intp)
    for tokens in _tokens(alpha):
        counts += np.bincount(tokens.symbols, minlength=len(counts))
    code = _code(counts, _LONGEST_CODE)
    stream = _Stream()
    stream.put(0, 3)  # no transform, no cache of colours, one set of prefix codes
    _put_code(stream, counts, code)
    for only in (0, 0, 0, 1):  # red, blue, alpha; and the distance, always the pixel before
        stream.put(0b0001 | only << 3, 4)
    for tokens in _tokens(alpha):
        values = code.words[tokens.symbols] | tokens.extra << code.lengths[tokens.symbols]
        stream.extend(values, code.lengths[tokens.symbols] + tokens.extra_bits)
    return bytes([_LOSSLESS_BY_GRADIENT]) + stream.close()


def _tokens(alpha: NDArray[np.uint8]) -> Iterator[_Tokens]:
    """The tokens of all pixels, some rows at a time."""
    height, width = alpha.shape
    for top, bottom in stripes(height, width * 8):
        yield _told(_unforeseen(alpha, top, bottom).ravel())


def _unforeseen(alpha: NDArray[np.uint8], top: int, bottom: int) -> NDArray[np.uint8]:
    """What rows are beyond left + above - above left, cut to 0..255: modulo 256, same shape.

    Of the first row it is what they are beyond the pixel before, of the first column beyond the
    one above.
    """
    rows = alpha[top:bottom]
    above = np.concatenate((alpha[max(0, top - 1) : max(0, top - 1) + 1], rows[:-1]))
    guess = np.empty(rows.shape, np.int16)
    guess[:, 0] = above[:, 0]
    np.add(rows[:, :-1], above[:, 1:], out=guess[:, 1:], dtype=np.int16)
    guess[:, 1:] -= above[:, :-1]
    guess.clip(0, 255, out=guess)
    if top == 0:
        guess[0, 0], guess[0, 1:] = 0, rows[0, :-1]
    return rows - guess.astype(np.uint8)


def _told(values: NDArray[np.uint8]) -> _Tokens:
    """Tell a value once and how often it is repeated, or, if that is seldom, each by itself."""
    starts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    counts = np.diff(np.append(starts, len(values)))
    singles = np.where(counts > _SHORTEST_RUN, 1, counts)
    whole, rest = np.divmod(counts - singles, _LONGEST_RUN)
    tokens = singles + whole + (rest > 0)
    run = np.repeat(np.arange(len(starts)), tokens)
    place = np.arange(len(run)) - np.repeat(np.cumsum(tokens) - tokens, tokens) - singles[run]
    repeats = np.where(place < whole[run], _LONGEST_RUN, rest[run])
    symbols, extra, extra_bits = _of_lengths(repeats)
    literal = place < 0
    return _Tokens(
        np.where(literal, values[starts][run], symbols),
        np.where(literal, 0, extra),
        np.where(literal, 0, extra_bits),
    )


def _of_lengths(lengths: NDArray[np.intp]) -> _Tokens:
    """The symbols of lengths: up to 4 each has its own, beyond they give the two highest bits."""
    less = np.maximum(lengths - 1, 0)
    highest = np.frexp(less)[1] - 1
    extra_bits = np.maximum(highest - 1, 0)
    top_two = less >> extra_bits
    symbols = np.where(less < 4, less, 2 * highest + (top_two & 1))  # noqa: PLR2004
    return _Tokens(_LITERALS + symbols, less & ((1 << extra_bits) - 1), extra_bits)


def _code(counts: NDArray[np.intp], longest: int) -> _Code:
    """The best prefix code for symbols that occur so often (D. Huffman, 1952), canonical."""
    lengths = _huffman(counts)
    while lengths.max() > longest:
        counts = (counts + 1) // 2  # nearer to each other, but none is lost
        lengths = _huffman(counts)
    words = np.zeros_like(lengths)
    word = 0
    for length in range(1, longest + 1):
        for symbol in np.flatnonzero(lengths == length):
            words[symbol] = int(f"{word:0{length}b}"[::-1], 2)  # its highest bit comes first
            word += 1
        word <<= 1
    return _Code(words, lengths)


def _huffman(counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many bits each symbol gets; 0 for one that never occurs, or is the only one."""
    lengths = np.zeros(len(counts), np.intp)
    groups = [(int(counts[symbol]), [int(symbol)]) for symbol in np.flatnonzero(counts)]
    heapq.heapify(groups)
    while len(groups) > 1:
        rare, symbols = heapq.heappop(groups)
        other, others = heapq.heappop(groups)
        lengths[symbols + others] += 1
        heapq.heappush(groups, (rare + other, symbols + others))
    return lengths


def _put_code(stream: _Stream, counts: NDArray[np.intp], code: _Code) -> None:
    """Write the prefix code of the pixels, by the lengths of its words."""
    if not code.lengths.any():
        stream.put(0b101, 3)  # a single symbol, of eight bits
        stream.put(int(counts.argmax()), 8)
        return
    of_lengths = _code(np.bincount(code.lengths, minlength=len(_ORDER)), _LONGEST_CODE_OF_LENGTHS)
    stream.put(0, 1)
    stream.put(len(_ORDER) - 4, 4)
    for symbol in _ORDER:
        stream.put(int(of_lengths.lengths[symbol]), 3)
    stream.put(0, 1)  # no end before the last symbol
    stream.extend(of_lengths.words[code.lengths], of_lengths.lengths[code.lengths])


class _Stream:
    """Bits, of which the first stands lowest in the first byte."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._begun, self._bits = 0, 0  # a word that isn't full yet

    def put(self, value: int, bits: int) -> None:
        """Append a number."""
        self.extend(np.array([value]), np.array([bits]))

    def extend(self, values: NDArray[np.intp], bits: NDArray[np.intp]) -> None:
        """Append many numbers, each less than 2 ** bits, of at most 32 bits."""
        ends = self._bits + np.cumsum(bits)
        word, shift = np.divmod(ends - bits, _WORD)
        shifted = values.astype(np.uint64) << shift.astype(np.uint64)
        count = int(ends[-1]) // _WORD + 2
        low = np.bincount(word, shifted & np.uint64(0xFFFFFFFF), count)
        high = np.bincount(word + 1, shifted >> np.uint64(_WORD), count)
        # No bit is in two of them, and floats hold sums of 32 bits exactly.
        words = (low + high).astype(np.uint32)
        words[0] |= self._begun
        full, self._bits = divmod(int(ends[-1]), _WORD)
        self._parts.append(words[:full].astype("<u4").tobytes())
        self._begun = int(words[full])

    def close(self) -> bytes:
        """All bytes, the last one filled up with zeros."""
        rest = self._begun.to_bytes(4, "little")[: -(-self._bits // 8)]
        return b"".join([*self._parts, rest])
