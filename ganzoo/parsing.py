"""What people type: options, lengths of time, counts and penalties, as values."""

from __future__ import annotations

import json
import re

from ganzoo.errors import UsageError
from ganzoo.variant import Json


def parse_option(text: str) -> tuple[str, Json]:
    """``key=value`` as typed: JSON if it is that, a list if it has commas, else a string.

    Raises:
        UsageError: There is no ``=`` or no key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"-o takes key=value, got {text!r}", hint="for example: -o batch_size=128")
    return key.strip(), parse_value(value.strip())


def parse_value(text: str) -> Json:
    try:
        # No option is nested deeper than this; what is would exhaust the stack further on.
        return json.loads(text) if text.count("[") + text.count("{") < 100 else text
    except (ValueError, RecursionError):
        return [parse_value(part) for part in text.split(",")] if "," in text and text[0] not in '[{"' else text


def parse_penalty(text: str) -> dict[str, dict[str, Json]]:
    """``r1``, ``r1=0.1`` (its weight), or ``none``, as ``--penalty`` takes it."""
    return _parse_term(text, "weight")


def parse_augmentation(text: str) -> dict[str, dict[str, Json]]:
    """``mirror``, ``mirror=0.5`` (its strength p), or ``none``, as ``--augment`` takes it."""
    return _parse_term(text, "p")


def _parse_term(text: str, argument: str) -> dict[str, dict[str, Json]]:
    name, equals, value = text.partition("=")
    if text == "none":
        return {}
    return {name: {argument: parse_value(value)} if equals else {}}


def parse_duration(text: str) -> float:
    """Seconds in ``45s``, ``4m``, ``1.5h``, ``2d``, ``1h30m``. Raises UsageError, for a number without a unit too."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    if not re.fullmatch(r"(\d{1,9}(\.\d{0,9})?[smhd]){1,4}", text):
        raise UsageError(f"cannot read the time {text[:50]!r}", hint="for example: --budget 4m, 90s, 1h30m")
    seconds = sum(float(n) * units[u] for n, _, u in re.findall(r"(\d+(\.\d*)?)([smhd])", text))
    if not 0 < seconds <= 366 * 86400:
        raise UsageError(f"a budget of {text!r} trains nothing" if seconds == 0 else f"a budget of {text!r} is over a year")
    return seconds


def parse_count(text: str, option: str = "") -> int:
    """A count in ``20000``, ``20k``, ``2M``, ``1.5M``. Raises UsageError, naming the option that it follows."""
    named = f"{option}: " if option else ""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{0,15})?)([kKmMgG]?)", text)
    if re.fullmatch(r"\d{16,}", text):
        raise UsageError(f"{named}{text[:20]}… images are more than can be counted")
    if not match:
        example = f"{option} 500k, or 50000, or 2M" if option else "50000, 500k, 2M"
        raise UsageError(f"{named}cannot read {text[:50]!r} as a number of images", hint=f"for example: {example}")
    count = round(float(match[1]) * {"": 1, "k": 1e3, "m": 1e6, "g": 1e9}[match[2].lower()])
    if not 0 < count <= 10**12:
        why = "images train nothing" if count == 0 else "images are more than can be counted"
        raise UsageError(f"{named}{text!r} {why}", hint=f"for example: {option} 500k" if option else None)
    return count
