"""Reads weights files into flat dicts of arrays: safetensors, torch, pickles of numpy.

Torch, which is not needed, writes two formats: a zip archive with one pickle and one
raw file a storage (since 1.6), and before that a row of pickles followed by the raw
storages. Flax's variables are often published as one pickle of nested dicts.
"""

import json
import pathlib
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from jaxact.weights import averages, pickles
from jaxact.weights.keymap import WeightsError

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
# Hugging Face's names of a whole file; an index of shards has the other ending.
_IN_FOLDER = ("model.safetensors", "pytorch_model.bin")
_INDEX = ".index.json"
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})(?=\.)")
# A state dict has fewer arrays, and shorter names.
_MOST_ARRAYS = 20_000
_LONGEST_NAME = 1000
# What the numbers of a safetensors file may be; those of 4 to 8 bits need scales that
# each program keeps in a place of its own.
_SAFETENSORS = "F64 F32 F16 BF16 I64 I32 I16 I8 U64 U32 U16 U8 BOOL C64".split()
# Under which keys training scripts store the state dict, in order of preference.
_NESTED = ("model_state", "state_dict", "model_state_dict", "model", "module")


def read_weights(path: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the arrays of a weights file; see `read`."""
    return read(path)[0]


def read(path: str | pathlib.Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Reads the arrays of a weights file; nothing is executed.

    A state dict under "model_state", "state_dict" or "model" is found; entries that
    are not tensors are left out. Nested dicts of numpy arrays are read as paths,
    ``params/conv/kernel``.

    Args:
      path: the file, whose content decides the format, not its name; an index of
        shards (``model.safetensors.index.json``); or a folder with one of Hugging
        Face's names in it. ``#ema`` behind it takes averages, see `averages`.

    Returns:
      The arrays by name, in the layout and precision of the file, and what is to be
      said of the choice between them.

    Raises:
      WeightsError: missing, truncated, of unknown format, or naming other than arrays.
    """
    text = str(path)
    wanted = text.endswith(averages.SUFFIX) and not pathlib.Path(text).exists()
    path = pathlib.Path(text.removesuffix(averages.SUFFIX) if wanted else text)
    path = in_folder(path) or path
    if not path.is_file():
        raise WeightsError(
            f"There is no run and no weights file {path}. Give the folder of a run, or "
            "the path of one .safetensors file, of one torch checkpoint (.pt, .pth, "
            ".pyth, .bin), or of one pickle of numpy arrays."
        )
    with path.open("rb") as file:
        start = file.read(32).lstrip().lower()
    for magic, what in _NO_WEIGHTS.items():
        if start.startswith(magic):
            raise WeightsError(f"The weights file {path} holds none: it is {what}.")
    try:
        return state_dict(_read(path), wanted)
    except WeightsError as error:
        raise WeightsError(f"The weights file {path} is refused: {error}") from None
    except Exception as error:  # garbage makes unpicklers raise almost anything
        raise WeightsError(
            f"The weights file {path} cannot be read ({type(error).__name__}: {error})."
            f" It has {path.stat().st_size:,} bytes; it is truncated, or neither "
            "safetensors nor a torch checkpoint. Download it again and compare its "
            "size or checksum with what its publisher says."
        ) from error


# How files begin that stand in the place of weights; a tensor file begins otherwise.
_NO_WEIGHTS = {
    b"version https://git-lfs": "a pointer of Git LFS. Fetch the file, git lfs pull",
    b"<!doctype html": "a web page. Download the file that it shows or refuses",
    b"<html": "a web page. Download the file that it shows or refuses",
    b"\x89hdf": "of Keras or HDF5. Read are safetensors, torch and NumPy pickles",
    b"\x1f\x8b": "compressed. Unpack it, gunzip",
    b"bzh9": "compressed. Unpack it, bunzip2",
    b"7z\xbc\xaf": "compressed. Unpack it with 7-Zip",
    b"(\xb5/\xfd": "compressed. Unpack it, zstd -d",
    b"gguf": "of GGUF, whose numbers are shortened. Read are safetensors and torch",
    b"\x93numpy": "one array of NumPy, which has no name. Expected is a dict of arrays",
}


def in_folder(path: pathlib.Path) -> pathlib.Path | None:
    """Returns the weights file of a folder of Hugging Face's form; None: no such."""
    names = (f"{name}{end}" for name in _IN_FOLDER for end in ("", _INDEX))
    found = [path / name for name in names if (path / name).is_file()]
    return found[0] if found else None


def _read(path: pathlib.Path) -> Any:
    if path.name.endswith(_INDEX):
        return _read_shards(path)
    if shard := _SHARD.search(path.name):
        raise WeightsError(
            f"it is shard {int(shard[1])} of {int(shard[2])}. Give the index that "
            f"lists them all: {_SHARD.sub('', path.name)}{_INDEX}."
        )
    return _read_file(path)


def _read_shards(path: pathlib.Path) -> dict[str, Any]:
    """Reads the files that an index lists, which lie beside it."""
    try:
        index = json.loads(path.read_bytes())
        places = {str(k): str(v) for k, v in index["weight_map"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(
            f"it is no index of shards ({type(error).__name__}: {error}); expected "
            '{"weight_map": {NAME: FILE}}.'
        ) from None
    arrays: dict[str, Any] = {}
    for shard in sorted(set(places.values())):
        file = path.parent / shard
        if pathlib.Path(shard).name != shard or shard.endswith(_INDEX):
            raise WeightsError(
                f"it names the shard {shard!r}, which is no file beside it."
            )
        if not file.is_file():
            raise WeightsError(
                f"its shard {shard} is not beside it. Download all "
                f"{len(set(places.values()))} shards."
            )
        found, _ = state_dict(_read_file(file))
        listed = {name for name, place in places.items() if place == shard}
        if found.keys() != listed:
            odd = sorted(found.keys() ^ listed)[0]
            where = "the index" if odd in found else f"the shard {shard}"
            raise WeightsError(f"{odd} is not in {where}. Download all files again.")
        arrays |= found
    return arrays


def _read_file(path: pathlib.Path) -> Any:
    if zipfile.is_zipfile(path):
        return _read_torch_zip(path)
    with path.open("rb") as file:
        head = file.read(16)
    # A safetensors file starts with the length of its JSON header.
    if path.suffix == ".safetensors" or head[8:9] == b"{":
        try:
            return load_file(path)
        except (SafetensorError, AttributeError, TypeError, KeyError) as error:
            _check_types(path)
            if not isinstance(error, SafetensorError):
                raise
            raise WeightsError(
                f"as safetensors it is damaged or incomplete ({error}). Download it "
                "again."
            ) from None
    return _read_pickles(path)


def _check_types(path: pathlib.Path) -> None:
    """Raises WeightsError if a safetensors file holds numbers that are not read."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(min(length, path.stat().st_size))
    try:
        entries = json.loads(header).items()
    except (ValueError, AttributeError, RecursionError):
        return  # it is damaged, which is said in other words
    for name, entry in entries:
        kind = entry.get("dtype") if isinstance(entry, Mapping) else None
        if isinstance(kind, str) and kind not in _SAFETENSORS:
            raise WeightsError(
                f"{name[:100]} is of {kind[:20]}, numbers that are not read; read are "
                f"{', '.join(_SAFETENSORS)}. Take the file in 16 or 32 bits."
            )


def _read_torch_zip(path: pathlib.Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        # Torch compresses nothing; what is compressed could grow a thousandfold.
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
            raise WeightsError(
                "it is a compressed zip archive; torch.save writes none."
            )
        found = [name for name in names if name.split("/")[1:] == ["data.pkl"]]
        if len(found) != 1:
            raise WeightsError(
                "it is a zip archive, but not one that torch.save wrote (a folder with "
                "data.pkl in it)."
            )
        folder = found[0].removesuffix("data.pkl")
        order = folder + "byteorder"
        if order in names and archive.read(order) != b"little":
            raise WeightsError("it was written on a big-endian machine.")
        storages: dict[str, np.ndarray] = {}

        def storage(pid: Any) -> np.ndarray:
            _, dtype, key, _, count = pid
            if key not in storages:
                member = archive.getinfo(f"{folder}data/{key}")
                if member.file_size != count * dtype.itemsize:
                    raise WeightsError(f"the storage {key!r} has another size.")
                storages[key] = np.frombuffer(archive.read(member), dtype)
            return storages[key]

        with archive.open(found[0]) as file:
            return pickles.load(file, storage)  # type: ignore[arg-type]


def _paths(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flattens nested dicts; a state dict that training scripts nest stays whole."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if len(flat) > _MOST_ARRAYS or len(prefix) > _LONGEST_NAME:
            raise WeightsError("it holds dicts in dicts without end.")
        whole = key in _NESTED or key in averages.KEYS
        if isinstance(value, Mapping) and not whole:
            flat |= _paths(value, f"{prefix}{key}/")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _read_pickles(path: pathlib.Path) -> Any:
    """Reads torch's old format, or one pickle of nested dicts of numpy arrays."""
    limit = path.stat().st_size
    storages: dict[str, np.ndarray] = {}

    def storage(pid: Any) -> np.ndarray:
        _, dtype, key, _, count, view = pid
        if key not in storages:
            if not 0 <= count * dtype.itemsize <= limit:
                raise WeightsError(f"the storage {key!r} is larger than the file.")
            storages[key] = np.zeros(count, dtype)  # filled below, tensors view it
        if view is None:
            return storages[key]
        _, offset, size = view
        return pickles.strided(storages[key], offset, (size,), (1,))

    with path.open("rb") as file:
        first = pickles.load(file)
        if isinstance(first, Mapping):
            return _paths(first)
        if first != _LEGACY_MAGIC:
            raise WeightsError(
                "it is neither safetensors, nor a torch checkpoint, nor a pickle of a "
                "dict of arrays."
            )
        if pickles.load(file) != _LEGACY_PROTOCOL:
            raise WeightsError("it is a torch checkpoint of an unknown version.")
        pickles.load(file)  # facts about the machine that wrote it
        tree = pickles.load(file, storage)
        for key in pickles.load(file):
            count = int.from_bytes(file.read(8), "little")
            target = storages[key]
            raw = file.read(target.nbytes)
            if count != target.size or len(raw) != target.nbytes:
                raise WeightsError(f"the storage {key!r} is cut short.")
            target[:] = np.frombuffer(raw, target.dtype)
    return tree


def state_dict(
    tree: Any, average: bool = False
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Finds the arrays by name in what a checkpoint holds, and what to say of them.

    ``average``: those of its averages, see `averages`.

    Raises:
      WeightsError: there is no dict with arrays at the known places.
    """
    said: list[str] = []
    for _ in range(10):  # one of them may hold itself
        if not isinstance(tree, Mapping):
            break
        arrays = {str(k): v for k, v in tree.items() if isinstance(v, np.ndarray)}
        inside = [tree[key] for key in _NESTED if isinstance(tree.get(key), Mapping)]
        plain = inside[0] if inside else arrays if arrays else None
        chosen, words = averages.of_tree(tree, average, plain)
        if words:
            said.append(words)
            average = False  # it is found
        if chosen is not None and chosen is not arrays:
            tree = chosen
        elif arrays:
            arrays, words = averages.of_names(arrays, average)
            return arrays, [*said, *([words] if words else [])]
        else:
            keys = ", ".join(map(str, list(tree)[:8])) or "nothing"
            raise WeightsError(
                f"no tensors were found in it; it holds {keys}. Expected a state dict, "
                f"bare or under one of {', '.join(_NESTED)}."
            )
    raise WeightsError(
        f"it holds a {type(tree).__name__}; expected a dict of names and tensors."
    )
