"""A checkpoint of Magenta's NSynth WaveNet (TensorFlow V2: `PREFIX.index` and `PREFIX.data-…`), read into plain arrays.

The published `wavenet-ckpt.tar` is such a checkpoint in an archive. It holds each tensor up to four times: as it was trained
(raw), as a moving average (`/ExponentialMovingAverage`), and twice for Adam. TensorFlow is loaded here, and only as the reader
of the format; it verifies the checksum of all that is read.
"""

import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ..refused import Refused
from .network import Widths, shapes

AVERAGED = "/ExponentialMovingAverage"
STEP = "global_step"
_ARCHIVES = (".tar", ".tar.gz", ".tgz")
_PART = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
_NEEDED = re.compile(r"\.(index|data-\d{5}-of-\d{5})$")
_PUBLISHED = "Magenta's wavenet-ckpt.tar, or a prefix such as wavenet-ckpt/model.ckpt-200000"
# A whole published checkpoint is 1 GB. What claims to be more than this is not unpacked.
_LARGEST_BYTES = 8 << 30


@dataclass(frozen=True)
class Checkpoint:
    """`weights` by plain name (`startconv/W`), f32, complete and finite, of the shapes that `network.shapes` gives; `step` of
    the training, None if the file does not say; `averaged`: whether they are the moving averages; `listing`: what the file
    holds, a line a kind of tensor."""

    weights: Mapping[str, np.ndarray]
    step: int | None
    averaged: bool
    listing: list[str]

    @property
    def widths(self) -> Widths:
        """The network's channels."""
        return Widths.of(self.weights)


def read(path: Path, averaged: bool = False, scratch: Path | None = None) -> Checkpoint:
    """Reads a prefix, one of its files (`PREFIX.index`), or an archive (`.tar`, `.tar.gz`, `.tgz`) that holds one checkpoint.

    An archive is unpacked into a temporary folder in `scratch` (the system's own by default), and removed again. Raises
    `Refused` with one sentence for what is missing, damaged, unsafe, or not this network's."""
    if path.name.lower().endswith(_ARCHIVES):
        with tempfile.TemporaryDirectory(prefix=".checkpoint-", dir=scratch) as folder:
            return _read_prefix(_unpack(path, Path(folder)), averaged, path)
    prefix = _prefix(path)
    return _read_prefix(prefix, averaged, prefix)


def tensorflow():
    """The module; raises `Refused` where it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        import tensorflow
    except ImportError as error:
        raise Refused(
            f"a checkpoint is read with TensorFlow, which cannot be loaded ({error}): "
            "pip install --no-deps -r requirements-nsynth.lock"
        ) from error
    return tensorflow


def _prefix(path: Path) -> Path:
    prefix = path.with_name(_PART.sub("", path.name))
    index = prefix.with_name(f"{prefix.name}.index")
    if index.is_file():
        return prefix
    if path.is_dir():
        inside = sorted(path.glob("*.index"))
        hint = f"name the prefix {inside[0].with_suffix('')}" if inside else f"expected {_PUBLISHED}"
        raise Refused(f"{path} is a folder; {hint}")
    if prefix.is_file():
        raise Refused(f"{path} is no TensorFlow V2 checkpoint: there is no {index.name} beside it; expected {_PUBLISHED}")
    raise Refused(f"there is no checkpoint {path}: no file {index}; expected {_PUBLISHED}")


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpacks the one checkpoint in `archive` into `folder`; returns its prefix there."""
    try:
        with tarfile.open(archive) as opened:
            members = [member for member in opened if _wanted(archive, member)]
            prefix = _one_prefix(archive, members)
            for member in members:
                name = PurePosixPath(member.name)
                if str(name.with_name(_NEEDED.sub("", name.name))) != prefix:
                    continue
                # Under its bare name: no path of the archive's is followed.
                with opened.extractfile(member) as inside, open(folder / name.name, "wb") as copy:
                    shutil.copyfileobj(inside, copy, 1 << 20)
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise Refused(f"cannot unpack {archive}: {error.strerror}") from error
        raise Refused(f"{archive} is not a whole tar archive ({_sentence(error)}); expected {_PUBLISHED}") from error
    return folder / PurePosixPath(prefix).name


def _wanted(archive: Path, member: tarfile.TarInfo) -> bool:
    """Whether it is a part of a checkpoint; raises `Refused` where it would leave the folder or is no plain file."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name:
        raise Refused(f"{archive} is not safe to unpack: its member {member.name!r} leaves the folder")
    if not (member.isfile() or member.isdir()):
        raise Refused(f"{archive} is not safe to unpack: its member {member.name!r} is a link or a device, expected files")
    # "._NAME" is what macOS adds to archives.
    wanted = member.isfile() and _NEEDED.search(name.name) is not None and not name.name.startswith("._")
    if wanted and member.size > _LARGEST_BYTES:
        raise Refused(f"{archive}: its member {member.name!r} has {member.size} bytes, expected {_LARGEST_BYTES} at most")
    return wanted


def _one_prefix(archive: Path, members: Iterable[tarfile.TarInfo]) -> str:
    prefixes = sorted({member.name.removesuffix(".index") for member in members if member.name.endswith(".index")})
    if not prefixes:
        raise Refused(f"{archive} holds no checkpoint: no member ends in .index; expected {_PUBLISHED}")
    if len(prefixes) > 1:
        raise Refused(f"{archive} holds {len(prefixes)} checkpoints, {prefixes[0]} and {prefixes[1]} among them; unpack it and name one")
    return str(PurePosixPath(prefixes[0]))


def _read_prefix(prefix: Path, averaged: bool, where: Path) -> Checkpoint:
    """`where`: the name that messages use."""
    tf = tensorflow()
    # What TensorFlow raises for a damaged file: an OpError, or the errors that its C++ side is translated to.
    damaged = (tf.errors.OpError, LookupError, ValueError, RuntimeError)
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        found = {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}
        types = {name: dtype.name for name, dtype in reader.get_variable_to_dtype_map().items()}
    except damaged as error:
        raise Refused(f"{where}: its index is damaged or no V2 checkpoint's ({_sentence(error)})") from error
    suffix = AVERAGED if averaged else ""
    wanted = _wanted_shapes(found, types, suffix, where)
    try:
        weights = {name: np.asarray(reader.get_tensor(name + suffix), np.float32) for name in wanted}
        step = int(reader.get_tensor(STEP)) if found.get(STEP) == () and types[STEP].startswith("int") else None
    except damaged as error:
        raise Refused(f"{where}: its data are missing, truncated or damaged ({_sentence(error)})") from error
    for name, values in weights.items():
        if not np.isfinite(values).all():
            raise Refused(f"{where}: {name}{suffix} holds values that are not finite")
    return Checkpoint(weights, step, averaged, _listing(found))


def _wanted_shapes(
    found: Mapping[str, tuple[int, ...]], types: Mapping[str, str], suffix: str, where: Path
) -> dict[str, tuple[int, ...]]:
    """Every tensor that the network needs, with widths as `found` has them; raises `Refused`."""
    kind = "averaged" if suffix else "raw"

    def width(name: str) -> int:
        shape = found.get(name + suffix)
        if shape is None:
            other = name if suffix else name + AVERAGED
            if other in found:
                change = "leave out --ema" if suffix else "give --ema"
                raise Refused(f"{where} holds no {kind} weights ({name + suffix} is missing), but the other kind: {change}")
            some = ", ".join(sorted(found)[:3]) or "nothing"
            raise Refused(f"{where} is no NSynth WaveNet: it holds {some} and so on, {len(found)} in all; expected {name + suffix}")
        if len(shape) != 4 or shape[3] < 1:
            raise Refused(f"{where}: {name + suffix} has the shape {list(shape)}, expected four sizes [1, taps, in, out]")
        return shape[3]

    widths = Widths(decoder=width("startconv/W"), skip=width("skip_start/W"), encoder=width("ae_startconv/W"))
    wanted = shapes(widths)
    for name, shape in wanted.items():
        full = name + suffix
        if full not in found:
            raise Refused(f"{where}: the tensor {full} is missing; expected the shape {list(shape)}")
        if found[full] != shape:
            raise Refused(f"{where}: the tensor {full} has the shape {list(found[full])}, expected {list(shape)}")
        if types[full] != "float32":
            raise Refused(f"{where}: the tensor {full} is of {types[full]}, expected float32")
    return wanted


def _listing(found: Mapping[str, tuple[int, ...]]) -> list[str]:
    """A line for each kind of tensor and shape: `dilatedconv_1..30/W [1, 3, 512, 1024] raw, averaged, Adam`."""
    rows: dict[tuple[str, str, tuple[int, ...]], tuple[list[int], list[str]]] = {}
    for name, shape in sorted(found.items()):
        plain, kind = name, "raw"
        for ending, called in ((AVERAGED, "averaged"), ("/Adam", "Adam"), ("/Adam_1", "Adam")):
            if name.endswith(ending):
                plain, kind = name.removesuffix(ending), called
        numbered = re.fullmatch(r"(.+_)(\d+)(/\w+)", plain)
        before, number, after = numbered.groups() if numbered else (plain, None, "")
        numbers, kinds = rows.setdefault((before, after, shape), ([], []))
        if number is not None and int(number) not in numbers:
            numbers.append(int(number))
        if kind not in kinds:
            kinds.append(kind)
    lines = []
    for (before, after, shape), (numbers, kinds) in rows.items():
        span = f"{min(numbers)}..{max(numbers)}" if len(numbers) > 1 else "".join(map(str, numbers))
        lines.append(f"{before}{span}{after} {list(shape)} {', '.join(kinds)}")
    return lines


def _sentence(error: Exception) -> str:
    """The first line of what a library said, without its full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")
