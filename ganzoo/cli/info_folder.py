"""What ``ganzoo info`` tells of a run or a model: where it stands, how good it is, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ganzoo.card.scores import is_score, measured
from ganzoo.cli.output import out
from ganzoo.registry import Registry
from ganzoo.training.progress import duration
from ganzoo.variant import Json

FILES, NEXT = "files", "next"
TRAIN = ("ganzoo", "train")
CLASSES = 10
"""So many classes are named, unless it is JSON that is asked for."""
LONGEST = 60
"""Letters of a class's name."""

STATES = {
    "done": "done",
    "going on": "a process is training it now",
    "interrupted": "it was asked to end before its budget was spent",
    "stopped": "it has not come to its end",
}


def find_folder(name: str, *, shipped: Mapping[str, Path]) -> Path:
    """The folder of the run or of the model that a name means, as ``ganzoo sample`` takes it.

    The Hub is not asked: a repository is known if it was downloaded before.

    Raises:
        ModelError, UsageError: There is none, or it may mean two things.
        HubError: It has not been downloaded.
    """
    from ganzoo.errors import HubError
    from ganzoo.files import user_path
    from ganzoo.hub.locate import locate
    from ganzoo.model_folder import CONFIG, SCORES
    from ganzoo.training.folder import read_run

    path = user_path(name)
    if name not in shipped and read_run(path) is not None:
        return path
    try:
        return locate(name, files=(CONFIG, SCORES), local_files_only=True).folder
    except HubError as error:
        # More people mistype a folder than ask for what they have not pulled.
        raise HubError(f"there is no folder {name!r} here; {error.message}", hint=error.hint) from error


def tell(name: str, told: Mapping[str, Json], registry: Registry, *, as_json: bool) -> None:
    """Print what :func:`ganzoo.training.report.report` says of what was typed as ``name``."""
    following = commands(name, told, registry)
    if as_json:
        out.json({"name": name, **told, NEXT: following})
        return
    sections: dict[str, Mapping[str, str]] = {FILES: dict(_files(told))}
    for row in told["scores"]:
        title = f"scores: {_protocol(row, (told['dataset'] or {}).get('sha256'))}"
        # Protocols may differ in what the title does not say.
        again = 1 + sum(known.startswith(title) for known in sections)
        sections[f"{title} ({again})" if again > 1 else title] = _scores(row["scores"])
    # A folder may be called like a section.
    first = f"./{name}" if name in (FILES, NEXT) else name
    out.fields({first: dict(_facts(told, following)), **sections, NEXT: following}, whole=(NEXT,))


def commands(name: str, told: Mapping[str, Json], registry: Registry) -> dict[str, str]:
    """What to type next, each as it can be typed."""
    following: dict[str, str] = {}
    quoted = shlex.quote(name)
    if told["model"]:
        following["sample"] = f"ganzoo sample {quoted} --seeds 0-63 -o {told['output'] or 'samples.npz'}"
    if told["model"] and told["judged_by"]:
        known = isinstance(told["data"], str) and (told["run"] or registry.find("dataset", told["data"].partition("?")[0]))
        following["evaluate"] = f"ganzoo evaluate {quoted}" + ("" if known else " --data DATA")
    if told["run"] and (words := _go_on(told, registry)):
        following["resume"] = shlex.join(words)
    return following


def _go_on(told: Mapping[str, Json], registry: Registry) -> list[str]:
    """The command that goes on with a run; with twice the budget, if that is spent. Empty if it would do no good."""
    if told["state"] == "going on" or str(told["alarm"] or "").startswith("diverged"):
        return []
    words = _words(told, registry)
    if not words:
        return []
    words += ["--out", told["run"]]
    if told["state"] != "done":
        return words
    spent = [
        (flag, limit, unit)
        for flag, limit, trained, unit in (
            ("--budget", told["budget"].get("seconds"), told["seconds"], "s"),
            ("--images", told["budget"].get("images"), told["images"], ""),
        )
        if is_score(limit) and is_score(trained) and trained >= limit
    ]
    for flag, limit, unit in spent:
        longer = f"{2 * limit:.15g}{unit}"
        if flag in words:
            at = words.index(flag) + 1
            words[at : at + 1] = [longer]
        else:
            words += [flag, longer]
    # Nothing is spent in a run that is good enough.
    return words if spent else []


def _words(told: Mapping[str, Json], registry: Registry) -> list[str]:
    """The command of a run; said anew if it is of another version, in which its preset may have been another."""
    from ganzoo import __version__
    from ganzoo.training.folder import read_run

    try:
        words = shlex.split(told["command"]) if isinstance(told["command"], str) else []
    except ValueError:
        words = []
    # A call in Python, with data that only its process has, is for nobody to type.
    if tuple(words[:2]) != TRAIN:
        return []
    run = read_run(Path(told["run"])) or {}
    entry = registry.find("variant", str(told["variant"]))
    if run.get("ganzoo") == __version__ and entry and (told["plugin"] or {}).get("version") == entry.origin.version:
        return words
    from ganzoo.training.recorded import command_again

    return command_again(run, told["command"], registry)


def _facts(told: Mapping[str, Json], following: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    what = f"a {'run' if told['kind'] == 'run' else 'model'} of {told['variant']}"
    preset = f", preset {told['preset']}" if told["preset"] else ""
    yield "what", what + preset
    if told["state"]:
        more = "; a larger budget goes on with it" if told["state"] == "done" and "resume" in following else ""
        yield "state", STATES[told["state"]] + more + ("" if told["model"] else ", and has no model yet")
    if told["plugin"]:
        yield "plugin", f"{told['plugin'].get('distribution')} {told['plugin'].get('version')}"
    shape = "x".join(map(str, told["sample_shape"] or ()))
    dataset = told["dataset"] or {}
    yield "data", f"{dataset.get('name') or told['data']}: {_count(dataset.get('count'))} samples of {shape}"
    yield "classes", _classes(told["num_classes"], told["class_names"])
    yield "trained", _trained(told)
    if told["hardware"]:
        yield "hardware", str(told["hardware"])
    if told["start"]:
        yield "started from", _started(told["start"])
    if told["alarm"] or told["recovered"]:
        yield "noticed", f"it {told['alarm'] or told['recovered']}"
    if scored := told["scored"]:
        yield "while it trained", _scored(scored)
    if told["license"]:
        yield "license", told["license"]
    if told["command"] and not told["run"]:
        yield "trained by", told["command"]


def _started(start: Mapping[str, Any]) -> str:
    roles = start.get("roles")
    which = f" ({', '.join(map(str, roles))})" if isinstance(roles, list) and roles else ""
    return f"the weights of {start.get('from')}{which}, after {_count(start.get('images'))} images"


def _trained(told: Mapping[str, Json]) -> str:
    words = f"{_count(told['images'])} images"
    if is_score(told["seconds"]):
        words += f" in {duration(told['seconds'])}"
    budget = told["budget"] or {}
    limits = [duration(budget["seconds"])] if is_score(budget.get("seconds")) else []
    limits += [f"{_count(budget['images'])} images"] if is_score(budget.get("images")) else []
    return f"{words}, of a budget of {' or '.join(limits)}" if limits else words


def _scored(scored: Mapping[str, Json]) -> str:
    if "by" in scored:
        judge = scored.get("judge")
        by = f", by features of {judge.get('extractor')}" if isinstance(judge, dict) and judge.get("extractor") else ""
        best = f"{scored['score']:.4g}" if is_score(scored.get("score")) else "?"
        return f"its best {scored['by']} was {best}, after {_count(scored.get('images'))} images{by}; these weights are kept"
    values = ", ".join(f"{name} {scored[name]:.4g}" for name in measured(scored))
    return f"{values}, after {_count(scored.get('images'))} images"


def _classes(count: Json, names: Sequence[Any]) -> str:
    if not isinstance(count, int) or count <= 0:
        return "none" if not count else "?"
    shown = [n if len(n) <= LONGEST else f"{n[: LONGEST - 1]}…" for n in map(str, names[:CLASSES])]
    more = [f"and {len(names) - CLASSES:,} more"] if len(names) > CLASSES else []
    return f"{count:,} in the data" + (f": {', '.join([*shown, *more])}" if names else ", which have no names")


def _files(told: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    if told["model"]:
        yield "model", told["model"]
    if told["samples"]:
        yield "samples", told["samples"]
    if found := told["checkpoints"]:
        older = f", and {len(found) - 1} older" if len(found) > 1 else ""
        yield "checkpoints", f"{found[-1]}{older}"


def _scores(scores: Mapping[str, Json]) -> dict[str, str]:
    return {name: f"{float(scores[name]):.4g}" for name in measured(scores)}


def _protocol(row: Mapping[str, Any], trained_on: Json) -> str:
    protocol, held_out = row["protocol"], row.get("held_out")
    if trained_on and trained_on == protocol.get("data_sha256"):
        held_out = False
    words = f"{_count(protocol.get('n_fake'))} samples against {_count(protocol.get('n_real'))} of {protocol.get('data')}"
    seen = {"True": ", none of which it was trained on", "False": ", which it was trained on"}
    method = protocol.get("method")
    by = f"by the protocol {method}" if method else f"by features of {protocol.get('extractor')}"
    return f"{words}{seen.get(str(held_out), '')}, {by}"


def _count(value: Json) -> str:
    return f"{value:,}" if isinstance(value, int) else "?"
