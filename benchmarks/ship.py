"""Make a generator that ships with ganzoo out of a run: ``model_cards/NAME``, all of it.

    ganzoo train dcgan --data fashion-mnist --images 4.8M --score-every 240k --out runs/dcgan
    python benchmarks/ship.py runs/dcgan dcgan-fashion-mnist

Weights are stored in 16 bits if that does not move the Fréchet distance by a hundredth of itself; scores are those of what
is stored, against the 10,000 test pictures. Needs: pip install '.[evaluation]'
"""

from __future__ import annotations

import argparse
from pathlib import Path

import ganzoo
from ganzoo import model_folder, pretrained
from ganzoo.card import write_card
from ganzoo.files import replace_folder
from ganzoo.modality_of import modality_of
from ganzoo.sampling import write_preview

ROOT = Path(__file__).parents[1]
MOVED = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--data", default="fashion-mnist-10k", help="what it is scored against")
    arguments = parser.parse_args()
    run = model_folder.find_folder(arguments.run)
    config = model_folder.read_config(run)
    config = config.model_copy(update={"license": "apache-2.0"})
    networks = {role: ganzoo.load(run, role=role) for role in config.networks}
    target = ROOT / "model_cards" / arguments.name
    # Beside it until all is well: what ships now stays if this does not.
    with replace_folder(target) as beside:
        distances = {}
        for half in (False, True):
            pretrained.save(beside, config, networks, half=half)
            scores = ganzoo.evaluate(beside, data=arguments.data, **({} if half else {"measures": ("fd",)}))
            distances[half] = scores.values["fd"]
            print(f"{'half' if half else 'whole'} precision: {distances[half]:.5f}")
        moved = abs(distances[True] / distances[False] - 1)
        if moved > MOVED:
            raise SystemExit(f"half precision moves the distance by {moved:.1%}")
        generator = ganzoo.load(beside)
        assert config.samples is not None
        write_preview(beside / "samples", generator.sample(config.samples.seeds), modality_of(config))
        write_card(beside, arguments.name)
    print(target)


if __name__ == "__main__":
    main()
