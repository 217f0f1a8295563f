"""What a file is that is not a TorchScript archive, told from its first bytes or its members, never by loading it."""

from __future__ import annotations

from typing import Sequence, Tuple

from audacitorch.archive.unsafe import shown

HEAD = 1024

_SIGNATURES: Tuple[Tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras saves models"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z file"),
    (b"Rar!", "a RAR file"),
    (b"RIFF", "a RIFF file, such as WAV audio"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"GGUF", "a GGUF model"),
    (b"PYTORCH1", "an archive of a PyTorch preview release"),
    (b"\x7fELF", "a program"),
    (b"%PDF", "a PDF document"),
)
_FLATBUFFERS = {b"PTMF": "mobile PyTorch (.ptl)", b"TFL3": "TensorFlow Lite", b"ET12": "ExecuTorch"}
_LFS = b"version https://git-lfs.github.com/spec/"
_OLD_TORCH_SAVE = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the magic number that torch.save pickles first


def sniff(head: bytes) -> Tuple[str, str]:
    """The kind of ``Archive`` and a description for a message, from the file's first ``HEAD`` bytes."""
    if not head:
        return "empty", "it is empty"
    if head.startswith(_LFS):
        return "lfs-pointer", "it is a Git LFS pointer"
    if _is_pickle(head):
        if _OLD_TORCH_SAVE in head[:64]:
            return "torch-save", "it is a file of torch.save (before PyTorch 1.6)"
        return "pickle", "it is a plain pickle, not an archive"
    if head[257:262] == b"ustar":
        return "not-a-zip", "it is a tar file"
    for signature, description in _SIGNATURES:
        if head.startswith(signature):
            return "not-a-zip", f"it is {description}"
    if _is_onnx(head):
        return "not-a-zip", "it is an ONNX model"
    if head[4:8] in (b"PTMF", b"TFL3", b"ET12"):
        return "not-a-zip", f"it is a {_FLATBUFFERS[head[4:8]]} model"
    if head[8:9] == b"{" and 0 < int.from_bytes(head[:8], "little") < 1 << 27:
        return "not-a-zip", "it is a safetensors file: weights without a program"
    return "not-a-zip", _text(head)


def _is_onnx(head: bytes) -> bool:
    """A protocol buffer whose first field is a small version number, and whose next ones name the producer."""
    return head[:1] == b"\x08" and head[1:2] < b"\x20" and head[2:3] in (b"\x12", b"\x1a", b"\x22", b"\x3a", b"B")


def _is_pickle(head: bytes) -> bool:
    """Protocol 2 and later begin with PROTO; earlier ones with an opcode, which only torch's own files make likely."""
    return head[:1] == b"\x80" and 2 <= head[1] <= 5 if len(head) > 1 else False


def _text(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, likely a download that went wrong"
    if not head.strip(b"\0"):
        return "it begins with nothing but zeros"
    if start.startswith((b"{", b"[")):
        return "it is a JSON text"
    try:
        head.decode("ascii")
    except UnicodeDecodeError:
        return "it is not a zip archive"
    return "it is a text"


def zip_without_code(names: Sequence[str]) -> str:
    """What a zip file is that is neither TorchScript nor of ``torch.save``, by the names of its members."""
    if not names:
        return "it is a zip archive without members"
    last = {name.rpartition("/")[2] for name in names}
    if any(name.endswith("serialized_exported_program.json") or "/models/" in name for name in names):
        return "it is a program of torch.export (.pt2), not TorchScript"
    inner = next((name for name in names if name.endswith(("model.pt", ".pt", ".ptl", ".jit", ".pth", ".zip"))), None)
    if inner is not None:
        return f"it is a zip archive that holds {shown(inner)}: unzip it once more and use that file"
    if {"constants.pkl", "data.pkl"} <= last:
        return "its members lie one folder too deep, as in an archive that was unzipped and zipped again"
    if "bytecode.pkl" in last:
        return "it is a model of the mobile interpreter (.ptl) without TorchScript code"
    if "keras_metadata.pb" in last or "saved_model.pb" in last:
        return "it is a TensorFlow model"
    if "model.weights.h5" in last:
        return "it is a Keras model (.keras)"
    if all(name.endswith(".npy") for name in names):
        return "it is a NumPy file (.npz)"
    if "/" not in names[0]:
        return "it is a zip archive, but its members lie in no folder"
    return "it is a zip archive, but not one of TorchScript"
