"""Plain data of a machine, for passes and code generation alike."""

from __future__ import annotations

from tfc.base.records import dataclass

ALIGNMENT = 64  # bytes, of every buffer and of every part of one: a cache line, the widest vector


def aligned(size: int) -> int:
    """The least multiple of ALIGNMENT that is not below `size`."""
    return -(-size // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class Target:
    """What code is generated for. The number of threads is no part of it: results do not depend
    on how many there are.

    features: LLVM's feature string (`+avx2,-avx512f`). vector_bits: of the widest vectors used.
    registers: of vectors. half: instructions between float16 and float32 exist. l3_bytes: of the
    last cache.
    """

    triple: str
    cpu: str
    features: str
    vector_bits: int
    registers: int
    fma: bool
    half: bool = True
    l3_bytes: int = 32 * 1024 * 1024

    @property
    def key(self) -> str:
        """What cached machine code depends on."""
        return f"{self.triple}|{self.cpu}|{self.features}|{self.vector_bits}"

    @property
    def scales(self) -> bool:
        """Whether an instruction multiplies a packet by powers of two."""
        return self.vector_bits == 512 and self.triple.startswith("x86_64")

    @property
    def widens(self) -> bool:
        """Whether LLVM may read all of a packet for the lanes of a mask that it knows: x86 before
        AVX-512."""
        return self.vector_bits < 512 and self.triple.startswith("x86_64")

    def lanes(self, bits: int) -> int:
        """How many elements of `bits` bits one vector register holds."""
        return max(1, self.vector_bits // bits)
