"""Render pairs, learn a tokenizer, train, save a transformers folder, measure zero-shot; one command.

    python -m tools.mini_backbone --out src/promptlet/mini/model

The last step is kept, whatever it gives; nothing here compares methods.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

import torch
from benchmarks import machine

from promptlet.mini.datasets import VERSION
from tools.mini_backbone import model as parts
from tools.mini_backbone.evaluate import zero_shot_table
from tools.mini_backbone.pairs import render
from tools.mini_backbone.train import Pairs, train

LOG = Path(__file__).parent / "log.json"


def main() -> None:
    options = _options()
    began = time.monotonic()
    pairs_folder = options.pairs or Path(tempfile.mkdtemp(prefix="mini-pairs-"))
    if not (pairs_folder / "pairs.json").is_file():
        print(f"rendering {options.count:,} pictures into {pairs_folder}", flush=True)
        render(pairs_folder, options.count, options.workers)
    rendered = time.monotonic() - began
    texts = [
        caption
        for _, captions in json.loads((pairs_folder / "pairs.json").read_text())
        for caption in captions
    ]
    tokenizer = parts.make_tokenizer(texts)
    pairs = Pairs(pairs_folder, tokenizer)
    model = parts.make_model(len(tokenizer))
    history: list[dict] = []

    def on_step(report: dict) -> None:
        history.append({key: round(value, 4) for key, value in report.items()})
        print(" ".join(f"{key} {value:.4g}" for key, value in report.items()), flush=True)

    done = train(model, pairs, options.steps, on_step)
    save(options.out, model, tokenizer)
    table = zero_shot_table(str(options.out))
    log = {
        "world_version": VERSION,
        "machine": machine.describe("cpu"),
        "pairs": len(pairs.pixels),
        "things_shown": int(pairs.shown.max()) + 1,
        "render_seconds": round(rendered),
        **done,
        "seconds_in_all": round(time.monotonic() - began),
        "parameters": sum(p.numel() for p in model.parameters()),
        "zero_shot": table,
        "history": history[:: max(1, len(history) // 60)],
    }
    options.log.write_text(json.dumps(log, indent=1) + "\n")
    for row in table:
        print(row)
    if options.pairs is None:
        shutil.rmtree(pairs_folder)


def save(folder: Path, model: torch.nn.Module, tokenizer: object) -> None:
    """A folder as save_pretrained leaves it, weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(parts.PIXELS, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.mini_backbone", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    parser.add_argument("--steps", type=int, default=4000, help="of training (default %(default)s)")
    parser.add_argument("--count", type=int, default=80_000, help="pictures (default %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes that render")
    parser.add_argument("--pairs", type=Path, help="keep the rendered pairs here, or take them from here")
    parser.add_argument("--log", type=Path, default=LOG, help="where the log goes (default %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
