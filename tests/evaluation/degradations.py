"""What can be wrong with samples, done to real pictures, for a judge to rank."""

import torch
from torch.nn.functional import avg_pool2d, pad

from ganzoo.evaluation.by_features import measure_features
from ganzoo.evaluation.features import features_of

COUNT = 2000


def features(judge, samples):
    return features_of(judge, lambda start, stop: samples[start:stop], len(samples))


def knows(judge, store):
    """The part of every fourth of the pictures that the judge takes for what they are."""
    samples, labels = store.batch(torch.arange(0, len(store), 4))
    return (judge.classes(features(judge, samples)) == labels).float().mean()


def scores_of_damaged(judge, store):
    """By what has been done to real pictures, their scores against others, no picture in both."""
    chosen = torch.randperm(len(store), generator=torch.Generator().manual_seed(0))[: 2 * COUNT]
    samples, labels = store.batch(chosen)
    reference = features(judge, samples[COUNT:])
    damaged = damage(samples[:COUNT], labels[:COUNT])
    return {name: measure_features(features(judge, pictures), reference) for name, pictures in damaged.items()}


def damage(pictures, labels):
    """Real pictures as they are, and what has been done to as many, by name."""
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(1))
    colours = {"red and blue swapped": pictures.flip(1), "grey": pictures.mean(1, keepdim=True).expand(-1, 3, -1, -1)}
    return {
        **(colours if pictures.shape[1] == 3 else {}),
        "real": pictures,
        "little noise": (pictures + 0.1 * noise).clamp(-1, 1),
        "much noise": (pictures + 0.4 * noise).clamp(-1, 1),
        "blurred": avg_pool2d(pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1),
        "shifted": torch.roll(pictures, 4, dims=3),
        "half the classes": pictures[labels < 5].repeat(3, 1, 1, 1)[:COUNT],
        "one class": pictures[labels == 1].repeat(20, 1, 1, 1)[:COUNT],
        "100 pictures": pictures[:100].repeat(20, 1, 1, 1),
        "static": noise.clamp(-1, 1),
    }


def assert_real_is_the_floor(scores):
    for measure_ in ("fd", "kid"):
        real = scores["real"][measure_]
        assert all(real < other[measure_] for name, other in scores.items() if name != "real"), measure_
    assert scores["real"]["coverage"] > 0.9
    assert scores["real"]["precision"] > 0.8
    assert abs(scores["real"]["kid"]) < 0.02


def assert_worse_is_ranked_worse(scores):
    fd = {name: values["fd"] for name, values in scores.items()}
    assert fd["real"] < fd["little noise"] < fd["much noise"] < fd["static"]
    assert fd["half the classes"] < fd["one class"]
    assert fd["real"] < fd["100 pictures"]
    assert fd["real"] * 5 < fd["blurred"] < fd["static"]
    assert fd["real"] * 2 < fd["shifted"] < fd["static"]


def assert_what_is_missing_shows(scores):
    for name in ("half the classes", "one class", "100 pictures"):
        assert scores[name]["coverage"] < 0.7 * scores["real"]["coverage"], name
        assert scores[name]["precision"] > 0.7, name
    assert scores["static"]["coverage"] < 0.05
