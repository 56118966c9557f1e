import numpy as np
import pytest
import torch
from torch import nn

from ganzoo.errors import UsageError
from ganzoo.interfaces import Generator
from ganzoo.latents import truncate
from ganzoo.noise import Noise


class Perceptron(Generator):
    """An MLP with batch norm, whose statistics must not leak from one sample into another."""

    def __init__(self, num_classes=0):
        super().__init__(latent_shape=(16,), sample_shape=(5,), num_classes=num_classes)
        self.embed = nn.Embedding(num_classes, 16) if num_classes else None
        self.layers = nn.Sequential(nn.Linear(16, 67), nn.BatchNorm1d(67), nn.ReLU(), nn.Linear(67, 5), nn.Tanh())

    def forward(self, z, labels=None):
        return self.layers(z if self.embed is None else z * self.embed(labels))


class Convolutional(Generator):
    """A DCGAN in small."""

    def __init__(self, num_classes=0):
        super().__init__(latent_shape=(8,), sample_shape=(3, 12, 12), num_classes=num_classes)
        self.embed = nn.Embedding(num_classes, 8) if num_classes else None
        self.layers = nn.Sequential(
            nn.Linear(8, 16 * 9),
            nn.Unflatten(1, (16, 3, 3)),
            nn.ConvTranspose2d(16, 13, 4, 2, 1),
            nn.BatchNorm2d(13),
            nn.ReLU(),
            nn.ConvTranspose2d(13, 3, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z, labels=None):
        return self.layers(z if self.embed is None else z * self.embed(labels))


class Latents(Generator):
    """Shows its latents."""

    def __init__(self, latent_shape=(4,)):
        super().__init__(latent_shape=latent_shape, sample_shape=latent_shape)

    def forward(self, z, labels=None):
        return z


class Labels(Generator):
    """Shows its labels."""

    def __init__(self, num_classes=10):
        super().__init__(latent_shape=(2,), sample_shape=(), num_classes=num_classes)

    def forward(self, z, labels=None):
        assert labels.dtype == torch.int64
        return labels.float()


@pytest.fixture(params=[Perceptron, Convolutional])
def generator(request):
    """A network that has been trained a little, so that its batch statistics are its own."""
    torch.manual_seed(0)
    network = request.param()
    for _ in range(3):
        network(torch.randn(16, *network.latent_shape))
    return network


@pytest.mark.parametrize("batch", [1, 7, 32, 100])
def test_a_seeds_sample_is_the_same_to_the_bit_in_any_batch(generator, batch):
    seeds = list(range(100))
    whole = generator.sample(seeds)
    parts = [generator.sample(seeds[start : start + batch]) for start in range(0, 100, batch)]
    assert torch.equal(torch.cat(parts), whole)


def test_a_seeds_sample_does_not_depend_on_its_neighbours(generator):
    order = torch.randperm(100, generator=torch.Generator().manual_seed(1)).tolist()
    assert torch.equal(generator.sample(order), generator.sample(range(100))[order])


def test_a_seeds_sample_does_not_depend_on_the_global_random_state(generator):
    before = generator.sample(range(4))
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert torch.equal(generator.sample(range(4)), before)
    assert torch.equal(torch.get_rng_state(), state)


def test_seeds_differ(generator):
    samples = generator.sample([0, 1, 2**63 - 1, 0])
    assert torch.equal(samples[0], samples[3])
    assert not torch.allclose(samples[0], samples[1])
    assert not torch.allclose(samples[0], samples[2])


@pytest.mark.parametrize("seeds", [3, [3], range(3, 4), (s for s in [3]), torch.tensor([3])], ids=lambda s: type(s).__name__)
def test_seeds_come_in_many_forms(seeds):
    torch.testing.assert_close(Latents().sample(seeds)[0], torch.randn(4, generator=torch.Generator().manual_seed(3)))


def test_no_seeds_give_no_samples(generator):
    assert generator.sample([]).shape == (0, *generator.sample_shape)


def test_samples_are_computed_in_evaluation_and_training_goes_on(generator):
    buffers = [b.clone() for b in generator.buffers()]
    generator.train()
    samples = generator.sample(range(5))
    assert generator.training
    assert all(torch.equal(before, after) for before, after in zip(buffers, generator.buffers(), strict=True))
    generator.eval()
    assert torch.equal(generator.sample(range(5)), samples)
    assert not generator.training


def test_the_mode_is_restored_after_a_failure():
    class Failing(Latents):
        def forward(self, z, labels=None):
            raise RuntimeError("out of memory")

    generator = Failing().train()
    with pytest.raises(RuntimeError, match="out of memory"):
        generator.sample([0])
    assert generator.training


def test_samples_are_ordinary_float_tensors(generator):
    """An inference tensor could be used neither in training nor in place."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        samples = generator.sample(range(3))
    assert samples.dtype == torch.float32
    assert not samples.is_inference()
    assert not samples.requires_grad
    assert torch.equal(samples, generator.sample(range(3)))


def test_a_block_is_all_that_is_computed_at_once():
    batches = []

    class Counting(Latents):
        block_size = 8

        def forward(self, z, labels=None):
            batches.append(len(z))
            return z

    assert Counting().sample(range(20)).shape == (20, 4)
    assert batches == [8, 8, 8]


def test_explicit_latents(generator):
    z = torch.randn(40, *generator.latent_shape, generator=torch.Generator().manual_seed(0))
    samples = generator.sample(latents=z)
    with torch.no_grad():
        torch.testing.assert_close(samples, generator.eval()(z))
    torch.testing.assert_close(generator.sample(latents=z[7:9]), samples[7:9])


def test_latents_that_seeds_give_can_be_passed_back():
    generator = Latents((3, 2))
    assert torch.equal(generator.sample(latents=generator.sample(range(5))), generator.sample(range(5)))


@pytest.mark.parametrize("network", [Perceptron, Convolutional])
def test_a_label_changes_the_sample_and_the_batch_does_not(network):
    torch.manual_seed(0)
    generator = network(num_classes=3)
    whole = generator.sample(range(40), labels=1)
    assert torch.equal(generator.sample([39], labels=[1])[0], whole[39])
    assert not torch.allclose(generator.sample([39], labels=2)[0], whole[39])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"seeds": [0, 9, 10, 23]}, [0, 9, 0, 3]),
        ({"seeds": [5, 6], "labels": 7}, [7, 7]),
        ({"seeds": [5, 6], "labels": torch.tensor(7)}, [7, 7]),
        ({"seeds": [5, 6], "labels": np.int64(7)}, [7, 7]),
        ({"seeds": np.array(5), "labels": [7]}, [7]),
        ({"seeds": torch.tensor(12)}, [2]),
        ({"seeds": [5, 6], "labels": [9, 0]}, [9, 0]),
        ({"seeds": range(34), "labels": torch.arange(34) % 2}, [0, 1] * 17),
        ({"latents": torch.zeros(12, 2)}, [*range(10), 0, 1]),
        ({"latents": torch.zeros(2, 2), "labels": [4, 5]}, [4, 5]),
    ],
)
def test_labels(arguments, expected):
    assert Labels().sample(**arguments).tolist() == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either seeds or latents"),
        ({"seeds": [0], "latents": torch.zeros(1, 2)}, "either seeds or latents"),
        ({"seeds": [3, -1]}, "seed -1"),
        ({"seeds": [2**63]}, f"seed {2**63}"),
        ({"seeds": [0], "labels": 10}, r"label 10 is not in \[0, 9\]"),
        ({"seeds": [0, 1], "labels": [0, -1]}, "label -1"),
        ({"seeds": [0, 1], "labels": [0]}, "1 labels for 2 samples"),
        ({"latents": torch.zeros(4, 3)}, r"\(4, 3\), expected \(N, 2\)"),
        ({"latents": torch.zeros(2)}, r"expected \(N, 2\)"),
        ({"seeds": [0], "truncation": 0}, "truncation"),
        ({"seeds": [0], "truncation": -1.0}, "truncation"),
        ({"seeds": [0], "truncation": float("nan")}, "truncation"),
    ],
)
def test_what_cannot_be_sampled(arguments, message):
    with pytest.raises(UsageError, match=message):
        Labels().sample(**arguments)


def test_an_unconditional_generator_takes_no_labels():
    with pytest.raises(UsageError, match="unconditional"):
        Latents().sample([0], labels=0)


def test_truncation_is_monotone_bounded_and_odd():
    z = torch.linspace(-6, 6, 1001)
    cut = truncate(z, 0.7)
    assert (cut.diff() >= 0).all()
    assert (cut.diff()[400:600] > 0).all()
    assert cut.abs().max() <= 0.7
    torch.testing.assert_close(cut, -cut.flip(0))


def test_truncated_latents_follow_the_cut_normal_distribution():
    z = truncate(torch.randn(100_000, generator=torch.Generator().manual_seed(0)), 1.0)
    # P(|z| < 1/2 | |z| < 1) for a standard normal z; three standard errors of 100,000 draws are 0.005.
    assert (z.abs() < 0.5).double().mean().item() == pytest.approx(0.382925 / 0.682689, abs=0.005)


@pytest.mark.parametrize("threshold", [1e-6, 1e3])
def test_truncation_at_its_ends(threshold):
    cut = truncate(torch.linspace(-10, 10, 1001), threshold)
    assert cut.isfinite().all()
    assert cut.abs().max() <= threshold


def test_a_wide_truncation_changes_nothing():
    generator = Latents()
    torch.testing.assert_close(
        generator.sample(range(100), truncation=50.0), generator.sample(range(100)), rtol=1e-6, atol=1e-6
    )


def test_a_narrower_truncation_is_tamer():
    generator = Latents()
    spreads = [generator.sample(range(50), truncation=t).std().item() for t in (0.1, 0.5, 1.0, 2.0)]
    assert spreads == sorted(spreads)
    assert spreads[0] < 0.1


def test_truncation_keeps_a_seeds_sample_its_own(generator):
    assert torch.equal(generator.sample([41], truncation=0.5)[0], generator.sample(range(50), truncation=0.5)[41])


class Uniform(Latents):
    def draw_latents(self, count, rng):
        return torch.rand(count, *self.latent_shape, generator=rng)


def test_only_normal_latents_can_be_truncated():
    assert Uniform().sample([1]).min() >= 0
    with pytest.raises(UsageError, match="truncated"):
        Uniform().sample([1], truncation=1.0)


@pytest.mark.parametrize("seeds", [1.5, [1.5], ["1"], [None]])
def test_a_seed_is_a_whole_number(seeds):
    with pytest.raises(UsageError, match="seed"):
        Latents().sample(seeds)


def test_any_kind_of_integer_is_a_seed():
    expected = Latents().sample([3, 4])
    for seeds in (torch.tensor([3, 4]), torch.tensor([3, 4]).numpy(), (3, 4), range(3, 5)):
        assert torch.equal(Latents().sample(seeds), expected)


def test_all_bits_of_a_seed_count_and_small_seeds_stay_what_they_were():
    generator = Latents((4,))
    small, large, larger = (generator.sample([seed]) for seed in (7, 7 + 2**32, 7 + 2**62))
    assert not torch.allclose(small, large)
    assert not torch.allclose(large, larger)
    for seed in (0, 7, 2**32 - 1):
        expected = torch.randn(1, 4, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(generator.sample([seed]), expected)


def test_whoever_wants_gradients_is_told_where_to_have_them():
    latents = torch.randn(2, 16, requires_grad=True)
    with pytest.raises(UsageError, match=r"keeps no gradients") as caught:
        Perceptron().sample(latents=latents)
    assert "generator(latents)" in caught.value.hint
    with torch.no_grad():
        assert Perceptron().sample(latents=latents).shape == (2, 5)
    Perceptron()(latents).sum().backward()
    assert latents.grad is not None


def test_half_precision_weights_get_half_precision_latents():
    assert Perceptron().bfloat16().sample(range(4)).dtype == torch.float32


@pytest.mark.parametrize("count", [2, 3, 4])
def test_whoever_holds_a_sample_gets_its_row_of_the_noise(count):
    whole = Noise(5).normal(12, 2, 3)
    shared = [Noise(5, "cpu", rank, count).normal(12 // count, 2, 3) for rank in range(count)]
    for rank, rows in enumerate(shared):
        assert torch.equal(rows, whole[rank::count])
    twice = Noise(5, "cpu", 1, 2).part(2, 3)
    assert torch.equal(twice.normal(2, 2, 3), whole[1::2][2::3])


def test_noise_goes_on_from_draw_to_draw_and_begins_again_for_a_part():
    noise = Noise(5)
    first, second = noise.uniform(4), noise.uniform(4)
    assert not torch.equal(first, second)
    assert torch.equal(noise.part(0, 1).uniform(4), first)
