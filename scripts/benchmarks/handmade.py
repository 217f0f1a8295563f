"""TorchScript archives written by hand: a zip file laid out byte by byte, and the members that PyTorch 1.9.0 writes."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import List, Mapping, Optional

HEAD = """class M(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  _is_full_backward_hook : Optional[bool]
"""
_FORWARD = """  def forward(self: __torch__.kit.M,
    x: Tensor) -> Tensor:
"""
_RETURN = "    return torch.mul(x, 2.)\n"
DATA = (
    b"\x80\x02c__torch__.kit\nM\nq\x00)\x81}(X\x08\x00\x00\x00trainingq\x01\x88X\x16\x00\x00\x00"
    b"_is_full_backward_hookq\x02Nubq\x03."
)
CONSTANTS = b"\x80\x02)."
_ALIGNMENT = 64


@dataclass
class Entry:
    """A member as it is written: what its local header and the directory say may differ."""

    name: bytes
    content: bytes
    deflated: bool = False
    local_name: Optional[bytes] = None
    in_directory: bool = True
    listed_content: Optional[bytes] = None
    flags: int = 0


@dataclass
class Layout:
    """A zip file that is laid out by hand."""

    entries: List[Entry]
    prefix: bytes = b""
    comment: bytes = b""
    before_directory: bytes = b""
    after_directory: bytes = b""

    def pack(self) -> bytes:
        """The file's bytes."""
        out = bytearray(self.prefix)
        directory = bytearray()
        count = 0
        for entry in self.entries:
            offset = len(out)
            raw = entry.content
            if entry.deflated:
                squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
                packed = squeeze.compress(raw) + squeeze.flush()
            else:
                packed = raw
            method = 8 if entry.deflated else 0
            crc = zlib.crc32(raw)
            local = entry.name if entry.local_name is None else entry.local_name
            padding = -(offset + 30 + len(local) + 4) % _ALIGNMENT
            extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
            sizes = struct.pack("<III", crc, len(packed), len(raw))
            out += b"PK\3\4" + struct.pack("<HHHHH", 0, entry.flags, method, 0, 0) + sizes
            out += struct.pack("<HH", len(local), len(extra)) + local + extra + packed
            if entry.in_directory:
                count += 1
                directory += b"PK\1\2" + struct.pack("<HHHHHH", 0, 0, entry.flags, method, 0, 0) + sizes
                directory += struct.pack("<HHHHHII", len(entry.name), 0, 0, 0, 0, 0, offset) + entry.name
        out += self.before_directory
        start = len(out)
        out += directory + self.after_directory
        out += b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), start, len(self.comment))
        return bytes(out + self.comment)


def members(code: Mapping[str, str], data: bytes = DATA, version: bytes = b"3\n") -> List[Entry]:
    """The members that PyTorch 1.9.0 writes, below the folder ``m``."""
    listed = [Entry(b"m/data.pkl", data)]
    listed += [Entry(f"m/code/{path}".encode(), text.encode("utf-8", "surrogateescape")) for path, text in code.items()]
    return [*listed, Entry(b"m/constants.pkl", CONSTANTS), Entry(b"m/version", version)]


def forward(statements: str, head: str = HEAD) -> str:
    """The class whose ``forward`` begins with these statements."""
    return head + _FORWARD + statements + _RETURN
