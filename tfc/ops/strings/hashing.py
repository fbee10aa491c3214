"""The 64-bit hashes that TensorFlow's string ops use, on Python's integers.

`fingerprint` is FarmHash's Fingerprint64, `murmur` the MurmurHash64A that `string_to_hash_bucket`
uses, `siphash` SipHash-2-4 under a key of two words.
"""

from __future__ import annotations

_MASK = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _word(s: bytes, at: int, size: int = 8) -> int:
    return int.from_bytes(s[at : at + size], "little")


def _right(x: int, n: int) -> int:
    """`x`, of any size, taken as 64 bits and rotated right by `n`."""
    x &= _MASK
    return (x >> n) | (x << (64 - n)) & _MASK


def _mix(x: int) -> int:
    x &= _MASK
    return x ^ (x >> 47)


def _pair(u: int, v: int, mul: int) -> int:
    """Two words to one."""
    a = _mix((u ^ v) * mul)
    return _mix((v ^ a) * mul) * mul & _MASK


def fingerprint(s: bytes) -> int:
    """FarmHash's Fingerprint64 of `s`: the same value on every machine and in every version."""
    n = len(s)
    if n <= 16:
        return _up_to_16(s, n)
    if n <= 32:
        mul, c, d = _K2 + n * 2, _word(s, n - 8), _word(s, n - 16) * _K2
        a, b, c = _word(s, 0) * _K1, _word(s, 8), c * mul
        return _pair(_right(a + b, 43) + _right(c, 30) + d, a + _right(b + _K2, 18) + c, mul)
    return _up_to_64(s, n) if n <= 64 else _longer(s, n)


def _up_to_16(s: bytes, n: int) -> int:
    mul = _K2 + n * 2
    if n >= 8:
        a, b = _word(s, 0) + _K2, _word(s, n - 8)
        return _pair(_right(b, 37) * mul + a, (_right(a, 25) + b) * mul, mul)
    if n >= 4:
        return _pair(n + (_word(s, 0, 4) << 3), _word(s, n - 4, 4), mul)
    if n:
        y, z = s[0] + (s[n >> 1] << 8), n + (s[-1] << 2)
        return _mix(y * _K2 ^ z * _K0) * _K2 & _MASK
    return _K2


def _up_to_64(s: bytes, n: int) -> int:
    mul = _K2 + n * 2
    a, b = _word(s, 0) * _K2, _word(s, 8)
    c, d = _word(s, n - 8) * mul, _word(s, n - 16) * _K2
    y = _right(a + b, 43) + _right(c, 30) + d
    z = _pair(y, a + _right(b + _K2, 18) + c, mul)
    e, f = _word(s, 16) * mul, _word(s, 24)
    g, h = (y + _word(s, n - 32)) * mul, (z + _word(s, n - 24)) * mul
    return _pair(_right(e + f, 43) + _right(g, 30) + h, e + _right(f + a, 18) + g, mul)


def _weak(s: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """Four words and two seeds to two words."""
    w, x, y, z = (_word(s, at + 8 * k) for k in range(4))
    a += w
    b = _right(b + a + z, 21)
    c = a
    a += x + y
    return (a + z) & _MASK, (b + _right(a, 44) + c) & _MASK


def _longer(s: bytes, n: int) -> int:
    x, y = 81, 81 * _K1 + 113
    z = _mix(y * _K2 + 113) * _K2
    v = w = (0, 0)
    x = x * _K2 + _word(s, 0)
    end = (n - 1) // 64 * 64
    for at in range(0, end, 64):
        x, y, z, v, w = _block(s, at, _K1, 1, x, y, z, v, w)
    mul = _K1 + ((z & 0xFF) << 1)
    w = w[0] + ((n - 1) & 63), w[1]
    v = v[0] + w[0], v[1]
    w = w[0] + v[0], w[1]
    x, y, z, v, w = _block(s, n - 64, mul, 9, x, y, z, v, w)
    first = _pair(v[0], w[0], mul) + _mix(y) * _K0 + z
    return _pair(first, _pair(v[1], w[1], mul) + x, mul)


_Two = tuple[int, int]


def _block(
    s: bytes, at: int, mul: int, times: int, x: int, y: int, z: int, v: _Two, w: _Two
) -> tuple[int, int, int, _Two, _Two]:
    """The state after 64 bytes; `times` weighs what the last block takes of it more."""
    x = _right(x + y + v[0] + _word(s, at + 8), 37) * mul
    y = _right(y + v[1] + _word(s, at + 48), 42) * mul
    x = (x ^ w[1] * times) & _MASK
    y = (y + v[0] * times + _word(s, at + 40)) & _MASK
    z = _right(z + w[0], 33) * mul & _MASK
    v = _weak(s, at, v[1] * mul, x + w[0])
    w = _weak(s, at + 32, z + w[1], y + _word(s, at + 16))
    return z, y, x, v, w


def murmur(s: bytes, seed: int = 0xDECAFCAFFE) -> int:
    """MurmurHash64A of `s`."""
    mul, n = 0xC6A4A7935BD1E995, len(s)
    h = seed ^ (n * mul & _MASK)
    for at in range(0, n - 7, 8):
        k = _mix(_word(s, at) * mul) * mul & _MASK
        h = (h ^ k) * mul & _MASK
    if n % 8:
        h = (h ^ _word(s, n - n % 8)) * mul & _MASK
    return _mix(_mix(h) * mul)


def siphash(s: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 of `s`."""
    k0, k1 = (k & _MASK for k in key)
    v = [
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    ]
    n = len(s)
    words = [_word(s, at) for at in range(0, n - 7, 8)]
    words.append((n & 0xFF) << 56 | _word(s, n - n % 8))
    for word in words:
        v[3] ^= word
        _rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    _rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _rounds(v: list[int], count: int) -> None:
    for _ in range(count):
        for a, b, left, turn in ((0, 1, 13, True), (2, 3, 16, False), (0, 3, 21, False)):
            v[a] = (v[a] + v[b]) & _MASK
            v[b] = _right(v[b], 64 - left) ^ v[a]
            if turn:
                v[a] = _right(v[a], 32)
        v[2] = (v[2] + v[1]) & _MASK
        v[1] = _right(v[1], 64 - 17) ^ v[2]
        v[2] = _right(v[2], 32)
