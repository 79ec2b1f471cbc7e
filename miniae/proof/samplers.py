"""Sampler check: is z drawn from N(mu, exp(log_var)), each number independently of the others?

With u = (z - mu) / std, all u must be independent draws from N(0, 1): over latents, over rows and
over successive calls with the same Generator. And all noise must come from the Generator: the same
state must give the same z.

>>> report = check_sampler(VAE)
>>> print(report)
>>> report.raise_if_wrong()
"""

import textwrap
from dataclasses import asdict, dataclass, field

import numpy as np

from miniae.plumbing.text import aligned
from miniae.proof import noise
from miniae.proof.estimates import sampler_of
from miniae.proof.noise import Property
from miniae.proof.sampler_causes import of_dependence, of_mean, of_repeats, of_std
from miniae.vae import VAE

ROWS, LATENTS, CALLS = 8, 3, 4
NUMBERS, LEAST = 240_000, 1000  # numbers drawn by default, and the fewest draws of each row
EXTREME = 26.0  # of log_var: beyond the usual clamps, such as -10 and 10, or -20 and 20
USUAL = 4.0  # half of the log_var is between -USUAL and USUAL
MODES = ("in training", "in evaluation")  # of a VAE
ORDER = {"WRONG": 0, "-": 1, "ok": 2}  # the lower one of two verdicts counts
TESTS = 8  # properties with a p-value
SAME = 0.9  # share of equal numbers above which two draws count as the same


@dataclass
class SamplerReport:
    """The results of `check_sampler`; ``print(report)`` shows them.

    Attributes
    ----------
    title : str
    false_alarm : float, the largest probability of calling a right sampler wrong
    alpha : float, the p-value below which a property is WRONG
    properties : list of Property
    causes : list of str, sentences on what is wrong, where this is certain
    """

    title: str
    false_alarm: float
    alpha: float
    properties: list = field(default_factory=list)
    causes: list = field(default_factory=list)

    @property
    def ok(self):
        """Whether no property is wrong."""
        return not any(each.verdict == "WRONG" for each in self.properties)

    def about(self, name):
        """Return the property of this name."""
        return next(each for each in self.properties if each.name == name)

    def to_dict(self):
        """Return everything as plain numbers, strings, lists and dicts."""
        return {**asdict(self), "ok": self.ok}

    def raise_if_wrong(self):
        """Raise AssertionError with the report unless the report is ok."""
        if not self.ok:
            raise AssertionError(f"wrong sampler\n{self}")

    def __str__(self):
        rows = [("property", "", "p-value", "most extreme")]
        rows += [(p.name, p.verdict, f"{p.p:.2g}", p.seen) for p in self.properties]
        lines = [textwrap.shorten(self.title, 80), *aligned(rows)]
        for cause in self.causes:
            lines += textwrap.wrap(f"cause: {cause}", 80, subsequent_indent=" " * 7)
        odds = f"a right sampler is called wrong in one of {1 / self.false_alarm:,.0f} checks"
        return "\n".join([*lines, f"{'all ok' if self.ok else 'WRONG'}; {odds} at most"])


@np.errstate(under="ignore")  # whatever np.seterr says
def check_sampler(sampler, mu=None, log_var=None, *, n=None, seed=0, false_alarm=1e-6):
    """Check the distribution of the draws z, their independence and their source of noise.

    Parameters
    ----------
    sampler : function of (mu, log_var, rng) that returns z, or a VAE class, or a VAE
        mu, log_var and z are (n, latent); z may also be (k, n, latent), k draws for each row. For
        a VAE, the reparameterisation in `loss` is checked, in training and in evaluation; of a
        conditional VAE, pass model.given(label).
    mu, log_var : (rows, latent)
        By default random points, with log_var from -26 to 26, which also shows a clamp.
    n : int, draws of each row, 1000 or more; by default enough for 240,000 numbers
    seed : int, of the points and of the noise
    false_alarm : float, the largest probability of calling a right sampler wrong

    Returns
    -------
    SamplerReport
        A property is WRONG if its p-value is below false_alarm divided by the number of
        properties, and by 2 for a VAE, which is checked twice. If draws depend on each other,
        properties that follow from this are not judged.

    Raises
    ------
    TypeError : sampler is neither a function nor a VAE
    ValueError : an argument, or the result of the sampler, has a wrong shape or value

    Notes
    -----
    "std" and "mean" are tested for each row and latent, for each latent and for all numbers;
    "normal" by Kolmogorov and Smirnov; "tails", which that test hardly sees, by counts beyond 2, 3
    and 4 standard deviations. See `noise` for the others. Noise in float32 is right; float16 noise,
    or noise rounded to 5 digits, repeats more often than "repeats" allows.
    """
    latents = LATENTS
    if isinstance(sampler, VAE) or (isinstance(sampler, type) and issubclass(sampler, VAE)):
        modes = {mode: sampler_of(sampler, mode == "in training") for mode in MODES}
        latents = getattr(sampler, "latent_dim", LATENTS)
    elif callable(sampler) and not isinstance(sampler, type) and not hasattr(sampler, "theta"):
        modes = {"": sampler}
    else:
        raise TypeError(
            f"sampler={sampler!r} must be a function of (mu, log_var, rng) that returns z, or a "
            "VAE, or a VAE class"
        )
    if not 0 < false_alarm < 1:
        raise ValueError(f"false_alarm={false_alarm!r} must be between 0 and 1")
    if n is not None and not (isinstance(n, (int, np.integer)) and n >= LEAST):
        raise ValueError(f"n={n!r} must be an integer, {LEAST} or more")
    mu, log_var = _points(mu, log_var, latents, seed)
    alpha = false_alarm / TESTS / len(modes)
    found = {mode: _examine(each, mu, log_var, n, seed, alpha) for mode, each in modes.items()}
    title = f"sampler check of {getattr(sampler, '__name__', repr(sampler))}"
    return SamplerReport(title, false_alarm, alpha, *_merge(found))


def _merge(found):
    """Merge the properties and causes of all modes; each one says in which mode it is wrong."""
    properties, causes = {}, {}
    for mode, (each, reasons) in found.items():
        for p in each:
            properties.setdefault(p.name, []).append((p, mode))
        for reason in reasons:
            causes.setdefault(reason, []).append(mode)
    merged = []
    for pairs in properties.values():
        p, mode = min(pairs, key=lambda pair: (ORDER[pair[0].verdict], pair[0].p))
        if sum(other.verdict == "WRONG" for other, _ in pairs) == 1 < len(found):
            p.seen += f" ({mode})"
        merged.append(p)
    everywhere = len(found)
    return merged, [
        cause if len(modes) == everywhere else f"{cause} ({', '.join(modes)})"
        for cause, modes in causes.items()
    ]


def _points(mu, log_var, latents, seed):
    """Return mu and log_var (rows, latent) as float64; those not given are random.

    |mu| is at most std, so the rounding of z in float32 is not larger than that of the noise.
    """
    rng = np.random.default_rng(seed)
    shape = next((np.shape(a) for a in (mu, log_var) if a is not None), (ROWS, latents))
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"mu and log_var must have shape (rows, latent), got shape {shape}")
    if log_var is None:
        size = int(np.prod(shape))
        log_var = np.concatenate(
            [np.linspace(-EXTREME, EXTREME, (size + 1) // 2), np.linspace(-USUAL, USUAL, size // 2)]
        )
        log_var = rng.permutation(log_var).reshape(shape)
    log_var = np.array(log_var, dtype=np.float64)
    if mu is None:
        mu = np.exp(0.5 * log_var) * rng.uniform(0.3, 1, shape) * rng.choice([-1, 1], shape)
    mu = np.array(mu, dtype=np.float64)
    if mu.shape != log_var.shape:
        raise ValueError(f"mu {mu.shape} and log_var {log_var.shape} must have the same shape")
    if not (np.isfinite(mu).all() and np.isfinite(log_var).all()):
        raise ValueError("mu and log_var must be finite; they contain NaN or inf")
    return mu, log_var


def _examine(sampler, mu, log_var, n, seed, alpha):
    """Return the properties of a sampler, and the causes if some are wrong."""
    streams = np.random.SeedSequence(seed).spawn(4)
    few = [np.tile(a, (4, 1)) for a in (mu, log_var)]
    first, again, other = (
        _draw(sampler, few, np.random.default_rng(stream))[0]
        for stream in (streams[1], streams[1], streams[2])
    )
    n = max(LEAST, NUMBERS // mu.size) if n is None else n
    tiled = [np.tile(a, (max(4, n // (CALLS * len(first))), 1)) for a in (mu, log_var)]
    generator = np.random.default_rng(streams[0])
    drawn = [_draw(sampler, tiled, generator) for _ in range(CALLS)]
    z = np.concatenate([z for z, _ in drawn])
    z = z.reshape(len(z), -1, *mu.shape)  # (calls, draws, rows, latents)
    facts = [
        _fact("same rng", np.array_equal(first, again, equal_nan=True),
              "the same state gives the same z", "the same state gives another z"),
        _fact("other rng", np.mean(first == other) < SAME, "another state gives another z",
              "another state gives the same z"),
        _fact("arguments", all(kept for _, kept in drawn), "unchanged",
              "the sampler changed mu or log_var"),
    ]  # fmt: skip
    if not np.isfinite(z).all():
        _, _, *place = np.argwhere(~np.isfinite(z))[0].tolist()
        return [_fact("finite", False, "", f"z has NaN or inf at {place}"), *facts], []
    u = (z.astype(np.float64) - mu) * np.exp(-0.5 * log_var)
    unit = np.ones_like(mu)  # of u; its own standard deviation where that is not 1
    if noise.spread(u, alpha).verdict == "WRONG":
        unit = np.where(std := u.std(axis=(0, 1)), std, 1)
    rounding = 4 * np.finfo(z.dtype).eps * (1 + np.abs(mu) * np.exp(-0.5 * log_var) / unit)
    found = noise.independence(u, np.random.default_rng(streams[3]), alpha)
    found.append(noise.repeats(u / unit, rounding, alpha))
    wrong = {each.name for each in found if each.verdict == "WRONG"}
    causes = of_dependence(u, wrong)
    if wrong == {"repeats"}:
        causes += of_repeats((u / unit)[..., 0, 0].ravel(), rounding[0, 0])
    marginals, more = _marginals(u, mu, log_var, wrong, alpha)
    return [*marginals, *found, *facts], causes + more


def _draw(sampler, arguments, rng):
    """Return z (k, n, latent) of one call, and whether its arguments are unchanged."""
    given = [a.copy() for a in arguments]
    z, shape = np.array(sampler(*given, rng)), arguments[0].shape
    if z.ndim not in (2, 3) or z.shape[-2:] != shape or z.dtype.kind != "f":
        raise ValueError(f"sampler returned {z.dtype} {z.shape} for mu of shape {shape}")
    return z.reshape(-1, *shape), all(map(np.array_equal, given, arguments))


def _marginals(u, mu, log_var, wrong, alpha):
    """Return the properties of the distribution of each number, and causes.

    Dependent numbers count less than independent ones. So if the calls are dependent, only the
    first one is used, and if the rows are dependent, nothing is judged. If mean or std is wrong,
    the shape is still judged, with u scaled by its own mean and std. If u is not normal, std is
    judged by the spread of u^2.
    """
    if "rows" in wrong:
        return _not_judged("the rows depend on each other", "mean", "std", "normal", "tails"), []
    u = u[:1] if "calls" in wrong else u
    n, mean, std = u[..., 0, 0].size, u.mean(axis=(0, 1)), u.std(axis=(0, 1))
    spread = noise.spread(u, alpha)
    if not std.all():
        causes = of_std(std * np.exp(0.5 * log_var), log_var, n)
        rest = _not_judged("some numbers are constant", "mean", "normal", "tails")
        return [spread, *rest], causes
    location = noise.location(u / std if spread.verdict == "WRONG" else u, alpha)
    plain = spread.verdict == location.verdict == "ok"
    normal, tails = noise.shape(u if plain else (u - mean) / std, alpha, "latents" not in wrong)
    bent = "WRONG" in (normal.verdict, tails.verdict)
    if bent and spread.verdict == "WRONG":
        spread = noise.spread(u, alpha, normal=False)
    causes = ["the noise is not normal"] if bent else []
    if location.verdict == "WRONG":
        causes += of_mean(mean, std, mu * np.exp(-0.5 * log_var), n)
    if spread.verdict == "WRONG":
        causes += of_std(std * np.exp(0.5 * log_var), log_var, n)
    return [location, spread, normal, tails], causes


def _not_judged(why, *names):
    """Return properties that cannot be judged."""
    return [Property(name, "-", 1.0, f"not judged, because {why}") for name in names]


def _fact(name, holds, right, wrong):
    """Return the Property of a fact that does not depend on the noise."""
    return Property(name, "ok" if holds else "WRONG", float(holds), right if holds else wrong)
