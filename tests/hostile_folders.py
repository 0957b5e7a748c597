"""Folders of backbones as nobody would save them: sound ones with one thing made wrong, by a seed.

Run as a program, ``python hostile_folders.py ROOT COUNT``, it loads COUNT of them in one process, made of the
sound folders in ROOT, and prints what became of them as JSON.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import struct
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

DEEP = "[" * 100_000 + "]" * 100_000
VALUES: tuple[Any, ...] = (
    *(None, True, False, "", "x", "text" * 100_000, [], {}, [[]], [None], {"a": {}}, [0] * 100_000),
    *(-1, 0, 1, 2, 3, 7, 10**4, 10**5, 10**7, 2**31 - 1, 2**31, 2**63, 10**30, 10**400, -(10**9)),
    *(0.0, -0.5, 1.5, 1e-30, 1e30, 1e308, float("nan"), float("inf"), -float("inf")),
    *("../../etc/passwd", "/dev/zero", "\x00", "\ud800", "evil.Model", ["a", 1, None, {}]),
)
KEYS = (
    *(
        "num_labels",
        "configuration_files",
        "transformers_weights",
        "fast_tokenizer_files",
        "num_hidden_layers",
        "hidden_size",
        "vocab_size",
        "depths",
        "auto_map",
        "attn_implementation",
    ),
    *("_attn_implementation", "quantization_config", "torch_dtype", "dtype", "model_type", "architectures"),
    *(
        "id2label",
        "extra_ids",
        "tokenizer_class",
        "added_tokens_decoder",
        "tokenizer_file",
        "backbone_config",
    ),
    *("image_mean", "image_std", "size", "crop_size", "resample", "rescale_factor", "do_resize", "do_pad"),
    *("hf_model_name", "hf_tokenizer_name", "timm_model_name", "tokenizer_kwargs", "custom_text", "layers"),
    *("multimodal_cfg", "quick_gelu", "pool_type", "patch_dropout", "act_kwargs", "norm_kwargs", "padding"),
)
LEAST_SOUND = 100


def spoil(folder: Path, draw: random.Random) -> str:
    """Make one thing in a folder wrong; says which."""
    path = draw.choice(sorted(path for path in folder.iterdir() if path.is_file()))
    if path.suffix == ".json":
        ways: tuple[Callable[[Path, random.Random], str], ...] = (
            _json,
            _json,
            _json,
            _json,
            _json,
            _bytes,
            _place,
        )
    elif path.suffix == ".safetensors":
        ways = (_header, _header, _header, _bytes, _place)
    elif path.suffix == ".pt":
        ways = (_torch, _torch, _bytes, _place)
    else:
        ways = (_bytes, _bytes, _place)
    return f"{path.name}: {draw.choice(ways)(path, draw)}"


def _json(path: Path, draw: random.Random) -> str:
    """One to three values at any depth replaced, left out or added."""
    document = json.loads(path.read_text(encoding="utf-8"))
    said = []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        place = draw.choice(_places(document) or [(document, None)])
        holder, key = place
        value = draw.choice(VALUES)
        if key is None or (isinstance(holder, dict) and draw.random() < 0.2):
            key = draw.choice(KEYS)
        if draw.random() < 0.1 and (isinstance(holder, list) or key in holder):
            del holder[key]
            said.append(f"without {key}")
        else:
            holder[key] = "deep" if draw.random() < 0.02 else value
            said.append(f"{key}={str(holder[key])[:40]!r}")
    text = json.dumps(document).replace('"deep"', DEEP)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return ", ".join(said)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """(holder, key) of every value, those of long lists and vocabularies thinned out."""
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    else:
        return []
    step = max(1, len(parts) // 20)
    found: list[tuple[Any, Any]] = []
    for key, part in parts[::step]:
        found += [(value, key), *_places(part)]
    return found


def _bytes(path: Path, draw: random.Random) -> str:
    """Cut, flipped, empty, replaced or lengthened."""
    data = path.read_bytes()
    way = draw.choice(("cut", "flipped", "empty", "zeros", "noise", "doubled", "deep", "long", "prefix"))
    if way == "flipped":
        changed = bytearray(data)
        for _ in range(draw.choice((1, 10, 100))):
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        new = bytes(changed)
    else:
        new = {
            "cut": data[: draw.randrange(len(data))],
            "empty": b"",
            "zeros": bytes(draw.choice((1, 1000, 1 << 20, 32 << 20))),
            "noise": draw.randbytes(draw.choice((9, 1000, 1 << 20))),
            "doubled": data * 2,
            "deep": DEEP.encode(),
            "long": data + b" " * (32 << 20),
            "prefix": b"\xef\xbb\xbf" + data,
        }[way]
    path.write_bytes(new)
    return way


def _place(path: Path, draw: random.Random) -> str:
    """The file is something else than a file."""
    way = draw.choice(("absent", "folder", "zero", "fifo", "loop", "dangling"))
    path.unlink()
    if way == "folder":
        path.mkdir()
    elif way == "zero":
        path.symlink_to("/dev/zero")
    elif way == "fifo":
        os.mkfifo(path)
    elif way == "loop":
        path.symlink_to(path.name)
    elif way == "dangling":
        path.symlink_to("/nonexistent/file")
    return way


def _header(path: Path, draw: random.Random) -> str:
    """A safetensors header that says other things than the file holds."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, content = json.loads(data[8 : 8 + length]), data[8 + length :]
    name = draw.choice([key for key in header if key != "__metadata__"])
    way = draw.choice(("length", "giant", "many", "field", "field", "field", "shape", "name", "metadata"))
    if way == "length":
        wrong = draw.choice((0, 1, length - 1, length + 1, 10**8, 2**40, 2**63, 2**64 - 1))
        path.write_bytes(struct.pack("<Q", wrong) + data[8:])
        return f"length {wrong}"
    if way == "giant":
        path.write_bytes(struct.pack("<Q", 32 << 20) + b"{" + b" " * ((32 << 20) - 2) + b"}" + content)
        return way
    if way == "many":
        header |= {f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(100_000)}
    elif way == "field":
        header[name][draw.choice(("dtype", "shape", "data_offsets"))] = draw.choice(
            (*VALUES, "F64", "F16", "BF16", "I8", "BOOL", [0, 2**62], [-1, 4], [10**9, 10**9])
        )
    elif way == "shape":
        header[name]["shape"] = [draw.choice((0, 1, 2**20, 2**40, 2**62))] * draw.choice((1, 2, 4))
    elif way == "name":
        header[draw.choice(("x", "", "text_model.encoder.layers.99999999.mlp.fc1.weight"))] = header.pop(name)
    else:
        header["__metadata__"] = draw.choice(VALUES)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)
    return f"{way} {name}"


def _torch(path: Path, draw: random.Random) -> str:
    """A checkpoint of torch that unpacks to more than it is, or is no dictionary of tensors."""
    import torch

    weights = torch.load(path, weights_only=True)
    name = draw.choice(list(weights))
    way = draw.choice(("view", "packed", "old", "value", "value", "other", "object", "nan"))
    if way == "view":
        weights[name] = torch.zeros(1).expand(10**5, 10**5)
    elif way == "value":
        weights[draw.choice((name, "extra", 7))] = draw.choice(VALUES)
    elif way == "other":
        weights = draw.choice(([], {}, None, 7, {"state_dict": []}, {"state_dict": {}}, weights[name]))
    elif way == "object":
        weights["evil"] = Path("/")
    elif way == "nan":
        weights[name] = weights[name] * float("nan")
    torch.save(weights, path, _use_new_zipfile_serialization=way != "old")
    if way == "packed":
        bomb = path.with_suffix(".zip")
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new:
            for part in old.infolist():
                new.writestr(
                    part.filename, bytes(len(old.read(part))) + bytes(1 << 27) * part.filename.endswith("/0")
                )
        bomb.replace(path)
    return f"{way} {name}"


def sources(root: Path) -> dict[str, str]:
    """What is loaded of each sound folder in ``root``: itself, with what stands before and behind it."""
    found = {}
    for folder in sorted(root.iterdir()):
        before = "open_clip:" if (folder / "open_clip_config.json").is_file() else ""
        found[folder.name] = before + "{}"
        if (folder / "weights.pt").is_file():
            found[folder.name] = "open_clip:toy-ViT/{}/weights.pt"
    return found


def attack(root: Path, where: Path, seeds: range) -> dict[str, Any]:
    """Load one spoilt folder a seed: how many ended how, the slowest, and the most memory of one, in MB."""
    from promptlet.backbones import load_backbone
    from promptlet.errors import BackboneError

    kinds, ends = sources(root), Counter[str]()
    faults, slowest, largest = [], (0.0, ""), (0.0, "")
    for kind in kinds:  # the libraries are imported, and the sound folders are sound
        load_backbone(kinds[kind].format(root / kind), device="cpu")
    for seed in seeds:
        draw = random.Random(seed)
        kind = draw.choice(list(kinds))
        folder = Path(shutil.copytree(root / kind, where / "folder"))
        wrong = f"{seed} {kind} {spoil(folder, draw)}"
        before, start = _restart_peak(), time.perf_counter()
        try:
            backbone = load_backbone(kinds[kind].format(folder), device="cpu")
            assert backbone.feature_dim > 0
            ends["loaded"] += 1
        except BackboneError:
            ends["refused"] += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            print(wrong, error, file=sys.stderr)
            faults.append(f"{wrong}: {type(error).__name__}: {str(error)[:200]}")
        if (seed + 1) % 250 == 0:
            print(seed + 1, "tried", file=sys.stderr)
        slowest = max(slowest, (time.perf_counter() - start, wrong))
        largest = max(largest, ((_status("VmHWM") - before) / 1024, wrong))
        shutil.rmtree(folder)
    return {"ends": ends, "faults": faults, "slowest": slowest, "largest": largest}


def _restart_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    """Of this process, in KB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def main(root: str, first: str, last: str) -> None:
    import tempfile

    import torch

    torch.set_num_threads(1)
    hard = resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_DATA, (4 << 30, hard))  # a bomb ends this process, not the machine
    try:
        import open_clip

        open_clip.add_model_config(Path(root).parent / "toy-ViT.json")
    except ImportError:
        pass
    with tempfile.TemporaryDirectory() as where:
        print(json.dumps(attack(Path(root), Path(where), range(int(first), int(last)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
