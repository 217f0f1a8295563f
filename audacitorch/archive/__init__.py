"""model.pt as a file: what it is, what it holds and what its code calls, without torch and without running anything.

Source: ``PyTorchStreamReader`` and the source importer of Torch 1.9.0. They take the folder of the first member as the
archive's, look members up below it, and read code from where a class's name says that it is. Only what PyTorch's own
exporter writes is accepted, so that what is judged here is what runs there.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, BinaryIO, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from audacitorch.archive import layout, pickles
from audacitorch.archive.code import Code, read_code
from audacitorch.archive.members import Member, MemberError, read_contents, read_exactly
from audacitorch.archive.names import CUSTOM_CLASSES
from audacitorch.archive.sniff import HEAD, sniff, zip_without_code
from audacitorch.archive.state import count_tensors, misfit
from audacitorch.archive.types import STR, TENSOR, UNKNOWN, Type
from audacitorch.archive.unsafe import is_code, shown, unknown_members, unsafe_reasons
from audacitorch.archive.values import KNOWN_DTYPES, Object, Storage, Tensor
from audacitorch.facts import Archive, Parameter

Pickles = Mapping[str, Optional[pickles.Pickled]]

MAX_CODE = 8 << 20
MAX_PICKLE = 16 << 20
MAX_SMALL = 1 << 10
_VERSIONS = (".data/version", "version")
_PICKLES = ("data.pkl", "constants.pkl")
#: Functions and classes that PyTorch's pickler names, besides the archive's own classes.
_PICKLED_NAMES = re.compile(
    r"__torch__(?:\.[A-Za-z_]\w*)+|torch\.jit\._pickle\.\w+|torch\._utils\._rebuild_\w+|collections\.OrderedDict"
    r"|torch\.(?:device|per_\w+_affine|\w+Storage|\w+_tensor)|torch\._tensor\._rebuild_from_type_v2",
    re.ASCII,
)

__all__ = ["read_archive"]


def read_archive(file: BinaryIO, size: int, every_header: bool = True) -> Archive:
    """Everything that can be known about a model archive of ``size`` bytes without running it.

    ``file`` is any seekable binary file; its end is read first, then the members that matter, never the weights.
    Without ``every_header``, headers of other members are not read either: what is far away takes a request each.

    Raises:
        OSError: reading ``file`` failed. Whatever the bytes are, nothing else is raised.
    """
    head = read_exactly(file, 0, min(size, HEAD))
    kind, detail = sniff(head)
    if kind != "not-a-zip":
        return Archive(kind, detail, size)
    try:
        found = layout.read_layout(file, size, every_header)
    except layout.Ambiguous as error:
        return Archive("ambiguous", str(error), size, unsafe=(f"The file can be read in two ways: {error}.",))
    except layout.CutOff as error:
        return Archive("cut-off", str(error), size)
    except layout.NotAZip as error:
        begins = head[:2] == b"PK"
        return Archive("unreadable" if begins else "not-a-zip", str(error) if begins else detail, size)
    return _Reader(file, size, found).archive()


class _Reader:
    """Reads the members of one archive that matter, and puts together what they say."""

    def __init__(self, file: BinaryIO, size: int, found: layout.Layout) -> None:
        self.file = file
        self.members = found.members
        self.top = self.members[0].name.partition("/")[0] + "/" if self.members else ""
        self.below = {
            member.name[len(self.top) :]: member for member in self.members if member.name.startswith(self.top)
        }
        unpacked = sum(member.size for member in self.members)
        unsafe = (*found.faults, *unsafe_reasons(self.members, size))
        self.base = Archive("torchscript", size=size, members=len(self.members), unpacked_size=unpacked, unsafe=unsafe)
        self.code = Code()
        self.names = self.code.names
        self.contents: Dict[str, bytes] = {}

    def archive(self) -> Archive:
        kind, detail = self.kind()
        if kind != "torchscript":
            return replace(self.base, kind=kind, detail=detail)
        self.read_members()
        version = self.version()
        constants = self.pickled("constants.pkl")
        values = constants.value if constants is not None and isinstance(constants.value, tuple) else ()
        self.names.constants = tuple(map(_type_of_constant, values))
        self.read_code(version)
        root = self.pickled("data.pkl")
        self.verify_classes("constants.pkl", constants)
        self.verify_classes("data.pkl", root)
        found = None if root is None else count_tensors(root.value, self.names.parameter_names)
        pickled = {"data": root, "constants": constants}
        return replace(
            self.base,
            detail=detail or self.missing_data(pickled),
            unsafe=self.base.unsafe
            or (() if self.is_legacy else unknown_members(self.members, self.top))
            or self.tensors_outside(pickled),
            format_version=version,
            producer=self.producer(version),
            calls=tuple(self.code.calls),
            types=tuple(self.code.types),
            settings=tuple(self.code.settings),
            methods=self.methods(found.root_type if found else None),
            returns=self.returns(found.root_type if found else None),
            code_problems=tuple(self.code.problems),
            code_size=sum(member.size for member in self.code_members()),
            parameters=found.parameters if found else None,
            buffers=found.buffers if found else None,
            dtypes=_dtypes(found.dtypes if found else {}, values),
            parameter_dtypes=found.parameter_dtypes if found else {},
            constants=sum(isinstance(one, Tensor) for one in values),
            root_type=found.root_type if found else None,
        )

    def methods(self, root_type: Optional[str]) -> Optional[Mapping[str, Tuple[Parameter, ...]]]:
        """The methods of the model's class, None where it is not known."""
        known = None if root_type is None else self.names.find_class(root_type)
        if known is None:
            return None
        return {
            name: tuple(Parameter(one.name, str(one.type), one.has_default) for one in signature.parameters[1:])
            for name, signature in known.methods.items()
        }

    def returns(self, root_type: Optional[str]) -> Optional[str]:
        """What the forward of the model's class returns, None where it is not known."""
        known = None if root_type is None else self.names.find_class(root_type)
        forward = None if known is None else known.methods.get("forward")
        return None if forward is None else str(forward.returns)

    def data_of(self, pickled: Pickles) -> Iterator[Tuple[Storage, str, Optional[Member]]]:
        """Each tensor's data with the name of the member that holds it, and that member."""
        for folder, found in pickled.items():
            for storage in found.storages if found is not None else ():
                name = f"{folder}/{storage.key}"
                yield storage, name, self.below.get(name) or self.below.get(f"tensors/{storage.key}")

    def missing_data(self, pickled: Pickles) -> str:
        """The first tensor's data that is not there."""
        missing = (name for _, name, member in self.data_of(pickled) if member is None)
        return next((f"it has no member {name!r}" for name in missing), "")

    def tensors_outside(self, pickled: Pickles) -> Tuple[str, ...]:
        """A sentence where a tensor reaches beyond its data: Torch 1.9.0 would let the code use other memory."""
        for storage, _, member in self.data_of(pickled):
            if member is not None and storage.size > member.size:
                return (f"A tensor reaches beyond its data, the {member.size:,} bytes of {shown(member.name)}.",)
        tensors = [one for found in pickled.values() if found is not None for one in found.tensors]
        if all(one.is_inside for one in tensors):
            return ()
        return ("A tensor reaches beyond its data.",)

    def kind(self) -> Tuple[str, str]:
        """The archive's kind, and for TorchScript what is missing."""
        if "constants.pkl" in self.below or any(name.startswith("code/") for name in self.below):
            missing = [name for name in ("constants.pkl", "data.pkl") if name not in self.below]
            return "torchscript", f"it has no member {missing[0]!r}" if missing and not self.is_legacy else ""
        if self.is_legacy:
            return "torchscript", ""
        if "data.pkl" in self.below:
            return (
                "torch-save",
                "it is a file of torch.save: weights or pickled objects, without TorchScript code",
            )
        return "zip-without-code", zip_without_code([member.name for member in self.members])

    @property
    def is_legacy(self) -> bool:
        """The layout of PyTorch 1.0 to 1.3: ``model.json`` names the members that hold code, which may be any."""
        return any(name.lower() == "model.json" for name in self.below)

    def code_members(self) -> List[Member]:
        return [member for path, member in self.below.items() if is_code(path)]

    def read_members(self) -> None:
        """Read versions, pickles and code within bounds; what can't be read is a problem."""
        wanted = [self.below[name] for name in _VERSIONS if name in self.below]
        wanted = [member for member in wanted if max(member.size, member.packed) <= MAX_SMALL]
        pickled = [self.below[name] for name in _PICKLES if name in self.below]
        for member in pickled:
            if max(member.size, member.packed) > MAX_PICKLE:
                self.problem("too-large", f"{self.path(member)} has more than {MAX_PICKLE:,} bytes")
            else:
                wanted.append(member)
        total = 0
        for member in self.code_members():
            total += max(member.size, member.packed)
            if total > MAX_CODE:
                self.problem("too-large", f"there is more of it than {MAX_CODE:,} bytes")
                break
            wanted.append(member)
        for member, content in read_contents(self.file, wanted):
            if isinstance(content, MemberError):
                self.problem("damaged", f"{self.path(member)}: {content}")
            else:
                self.contents[member.name] = content

    def problem(self, kind: str, message: str, line: Optional[int] = None) -> None:
        self.code.problem(kind, message, line)

    def path(self, member: Member) -> str:
        """A member's path below the top folder, as text that any encoding takes."""
        path = member.name[len(self.top) :] if member.name.startswith(self.top) else member.name
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

    def content(self, name: str) -> Optional[bytes]:
        return self.contents.get(self.below[name].name) if name in self.below else None

    def pickled(self, name: str) -> Optional[pickles.Pickled]:
        data = self.content(name)
        if data is None:
            return None
        try:
            found = pickles.describe(data)
        except pickles.Unreadable as error:
            self.problem("unusual", f"{name}: {error}")
            return None
        odd = sorted(one for one in found.globals if not _PICKLED_NAMES.fullmatch(one))
        if odd:
            self.problem("unusual", f"{name}: it names {ascii(odd[0])[:120]}, which PyTorch's pickler does not")
        return found

    def verify_classes(self, name: str, found: Optional[pickles.Pickled]) -> None:
        """Torch looks a member up whatever its case; only a class that is defined under its very name is one here."""
        if found is None or self.code.problems:
            return
        for one in sorted(found.globals):
            known = one.startswith(CUSTOM_CLASSES) or self.names.find_class(one) is not None
            if one.startswith("__torch__.") and not known:
                self.problem("unusual", f"{name}: it names {one[:120]}, which the archive does not define")
                return
        wrong = misfit(found, self.names)
        if wrong is not None:
            self.problem("unusual", f"{name}: {wrong}")

    def version(self) -> Optional[int]:
        """The format's number, from the first of the two members that is there, as the host reads it."""
        texts = [self.content(name) for name in _VERSIONS if name in self.below]
        if not texts:
            self.problem("version", "it has no member 'version'")
            return None
        if texts[0] is None and (self.base.unsafe or self.code.problems):
            return None  # it could not be read, which is told already
        digits = (texts[0] or b"").strip()
        if not digits.isdigit() or len(digits) > 18:
            self.problem("version", "its member 'version' holds no number")
            return None
        return int(digits)

    def producer(self, version: Optional[int]) -> Optional[str]:
        """Which PyTorch wrote the archive, guessed from the members that each one writes."""
        if ".data/serialization_id" in self.below:
            return "PyTorch 2.1 or newer"
        if "byteorder" in self.below:
            return "PyTorch 2.0 or newer"
        if ".data/version" in self.below or (version or 0) > 6:
            return "PyTorch 1.10 or newer"
        if self.is_legacy:
            return "PyTorch 1.0 to 1.3"
        return "PyTorch 1.4 to 2.x" if version is not None else None

    def read_code(self, version: Optional[int]) -> None:
        """Every operator that the code members call, and every type that they name."""
        if self.is_legacy:
            self.problem("unusual", "model.json: it has the layout of PyTorch 1.0 to 1.3, whose code can be anywhere")
        members = [member for member in self.code_members() if member.name in self.contents]
        read_code({self.path(member): self.contents.pop(member.name) for member in members}, version, self.code)


def _dtypes(found: Mapping[str, int], constants: Sequence[object]) -> Dict[str, int]:
    """Elements of each dtype, those of constants with a dtype that Torch 1.9.0 lacks included."""
    dtypes = dict(found)
    for one in constants:
        if isinstance(one, Tensor) and one.dtype not in KNOWN_DTYPES:
            dtypes[one.dtype] = dtypes.get(one.dtype, 0) + one.elements
    return dtypes


def _type_of_constant(value: Any) -> Type:
    if isinstance(value, Tensor):
        return TENSOR
    if isinstance(value, Object):
        return Type(value.type)
    return STR if isinstance(value, str) else UNKNOWN
