"""The certificate: one line for each gradient, optimiser, oracle and specimen of the bug zoo.

    python -m miniae.proof             all of it, in under half a minute
    python -m miniae.proof zoo         the zoo alone
    python -m miniae.proof zoo id ...  some specimens in detail

The exit code is 0 if every line holds, and 1 if not. In a terminal of 100
columns or more (or with COLUMNS=100 before the command) the tables have more columns.
"""

import argparse
import sys
import time
from dataclasses import dataclass

import numpy as np

import miniae
from miniae.conv import Convolution
from miniae.proof.bugzoo import ZOO, score, survey
from miniae.proof.gradcheck import METHODS, check_function, gradient_check
from miniae.proof.optimizers import check_optimizer
from miniae.proof.table import WIDE, fill, table, width
from miniae.regularizers import Penalty

SEQUENTIAL = (
    miniae.LSTM, miniae.GRU, miniae.Bidirectional, miniae.TimeDistributed, miniae.Attention,
    miniae.MultiHeadAttention,
)  # fmt: skip
LIMITS = dict(zip(METHODS, (1e-12, 1e-8, 1e-12), strict=True))  # of the error, by method


@dataclass
class Checked:
    """One gradient check, a line of the table."""

    name: str
    method: str
    entries: int
    error: float
    limit: float
    seconds: float
    ok: bool
    note: str = ""


def subjects():
    """Return (name, object) of everything that is checked.

    Layers and losses take x of shape (n, 6), convolutions and pooling images of 5 by 4 pixels,
    layers of sequences 5 steps of 6 features, and models 6 features. Add every new public layer,
    loss or model here; the certificate fails without it.
    """
    layers = [
        miniae.Dense(6, 4, rng=3),
        miniae.ReLU(),
        miniae.Sigmoid(),
        miniae.Tanh(),
        miniae.Softplus(),
        miniae.LeakyReLU(0.2),
        miniae.ELU(1.7),
        miniae.GELU(),
        miniae.Dense(6, 4, bias=False, rng=3),
        miniae.BatchNorm(6),
        miniae.LayerNorm(6),
        miniae.Dropout(0.4),
        miniae.Flatten(),
        miniae.Reshape(2, 3),
        miniae.Condition(3),
        miniae.Frozen(miniae.Dense(6, 3)),
        miniae.Conv2D(2, 3, kernel=3, stride=2, padding=1),
        miniae.Conv2D(1, 2, kernel=2, stride=3, padding="same"),
        miniae.ConvTranspose2D(2, 3, kernel=3, stride=2, padding=1, output_padding=(1, 0)),
        miniae.ConvTranspose2D(1, 2, kernel=4, stride=3, padding="same"),
        miniae.Attention(),
        miniae.Attention(causal=True),
        miniae.MultiHeadAttention(6, 2, rng=1),
        miniae.MultiHeadAttention(6, 3, causal=True, rng=1),
        miniae.LSTM(6, 4),
        miniae.GRU(6, 4, return_sequences=True),
        miniae.Bidirectional(miniae.LSTM(6, 3)),
        miniae.Embedding(8, 3),
        miniae.TimeDistributed(miniae.Dense(6, 3)),
        miniae.Repeat(3),
        miniae.Conv1D(2, 3, kernel=3, stride=2, padding=1),
        miniae.ConvTranspose1D(2, 3, kernel=3, stride=2, padding=1, output_padding=1),
        miniae.MaxPool2D(2, padding="same"),
        miniae.UpSample2D(2),
        miniae.Sequential(
            miniae.Dense(6, 5),
            miniae.Softplus(),
            miniae.Dropout(0.2),
            miniae.Dense(5, 3, rng=1),
            miniae.Sigmoid(),
        ),
    ]
    losses = [
        miniae.SquaredError(),
        miniae.BernoulliNLL(),
        miniae.GaussianNLL(0.7),
        miniae.GaussianNLL(0.7, learn_sigma=True),
        miniae.MultinomialNLL(),
        miniae.Masked(miniae.BernoulliNLL()),
        miniae.Masked(miniae.GaussianNLL(0.7, learn_sigma=True)),
        miniae.ColumnGaussianNLL([0.5, 1, 2, 0.3, 1.5, 0.8], learn_sigma=True),
        miniae.PoissonNLL(),
        miniae.CategoricalNLL(3),
        miniae.LaplaceNLL(0.7, learn_scale=True),
        miniae.AbsoluteError(),
        miniae.Huber(0.6),
        miniae.Mixed([("gaussian", 3), (miniae.LaplaceNLL(0.7), 3)]),
    ]
    sparse = {"code_activation": "sigmoid", "penalty": miniae.KLSparsity(0.1, 0.5)}
    masked = miniae.Masked(miniae.GaussianNLL(learn_sigma=True))
    models = {
        "Autoencoder": miniae.Autoencoder(6, 3, (5, 4)),
        "Autoencoder, linear, squared error": miniae.Autoencoder(6, 3, (), loss="mse"),
        "Autoencoder, dropout": miniae.Autoencoder(
            6, 3, (5, 4), dropout=0.3, code_activation="tanh"
        ),
        "Autoencoder, L1 penalty": miniae.Autoencoder(6, 3, (5,), penalty=miniae.L1Penalty(0.3)),
        "Autoencoder, KL sparsity and noise": miniae.Autoencoder(
            6, 3, (5,), corruption=miniae.GaussianNoise(0.3), **sparse
        ),
        "Autoencoder, images, Gaussian": miniae.Autoencoder((2, 3), 3, (5,), loss="gaussian"),
        "VAE": miniae.VAE(6, 2, (5,)),
        "VAE, deep, ReLU": miniae.VAE(6, 3, (7, 5, 4), activation="relu"),
        "VAE, Gaussian, sigma learned": miniae.VAE(6, 2, (5,), likelihood="gaussian"),
        "VAE, Gaussian, sigma fixed": miniae.VAE(6, 2, (5,), likelihood=miniae.GaussianNLL(0.3)),
        "VAE, beta and dropout": miniae.VAE(6, 2, (5,), beta=4.0, dropout=0.2),
        "VAE, free bits": miniae.VAE(6, 4, (5,), free_bits=0.15),
        "VAE, warm-up": miniae.VAE(6, 2, (5,), kl_warmup=4),
        "VAE, images": miniae.VAE((2, 3, 1), 2, (5,)),
        "VAE, multinomial": miniae.VAE(6, 2, (5,), likelihood="multinomial"),
        "VAE, missing entries": miniae.VAE(6, 2, (5,), likelihood=masked),
        "Conditional VAE": miniae.ConditionalVAE(6, 2, (5,), n_classes=3),
        "Importance-weighted VAE": miniae.ImportanceWeightedVAE(6, 2, (5,), k=4),
        "Importance-weighted VAE, sigma learned": miniae.ImportanceWeightedVAE(
            6, 2, (5,), k=3, likelihood="gaussian", dropout=0.2
        ),
        "Multi-modal VAE, subsets": miniae.MultimodalVAE(
            {"a": 1, "b": 2},
            1,
            (),
            likelihood={"a": "gaussian", "b": "bernoulli"},
            n_subsets=1,
            prior=miniae.GaussianPrior(0.5, 2.0),
        ),
        "Sequence autoencoder, word dropout": miniae.SequenceAutoencoder(
            4, 4, 2, (2,), embedding_dim=2, word_dropout=0.3
        ),
        "Sequence VAE, word dropout, free bits": miniae.SequenceVAE(
            4, 4, 2, (2,), embedding_dim=2, word_dropout=0.3, free_bits=0.01
        ),
    }
    return [(str(obj), obj) for obj in layers + losses] + list(models.items())


def public_classes():
    """Return every layer, loss, penalty and model class that `miniae` exports, except the bases."""
    found = {getattr(miniae, name) for name in miniae.__all__}
    bases = (miniae.Layer, miniae.Loss, Penalty, miniae.Model)
    return {c for c in found if isinstance(c, type) and issubclass(c, bases)} - set(bases)


def classes_of(everything):
    """Return the classes of named objects and of their penalties."""
    objects = [obj for _, obj in everything]
    return {type(obj) for obj in [*objects, *(getattr(obj, "penalty", None) for obj in objects)]}


def check(name, obj, method, seed, n=7):
    """Check an object, in training and, by the trials, in evaluation; return the line."""
    rng = np.random.default_rng(seed)
    shape = obj.input_shape if isinstance(obj, miniae.Model) else (6,)
    shape = (5, 4, obj.c_in) if isinstance(obj, Convolution) else shape
    shape = (5, obj.c_in) if isinstance(obj, miniae.Conv1D) else shape
    shape = (5, 4, 2) if isinstance(obj, (miniae.MaxPool2D, miniae.UpSample2D)) else shape
    shape = (5, 6) if isinstance(obj, SEQUENTIAL) else shape
    x, target = rng.random((2, n, *shape))
    given, loss = {}, obj.reconstruction_loss if isinstance(obj, miniae.Model) else obj
    if getattr(loss, "missing", False):
        target[rng.random(target.shape) < 0.3] = np.nan
    if isinstance(obj, miniae.Model):
        obj.start_epoch(1)  # within the warm-up
        is_masked = loss.takes_nan and not isinstance(obj, miniae.MultimodalVAE)
        x, target = (target, None) if is_masked else (x, None)
        if isinstance(obj, miniae.ConditionalVAE):
            given["labels"] = rng.integers(obj.n_classes, size=n)
        if isinstance(obj, miniae.MultimodalVAE):
            gone = rng.random((n, len(obj.shapes))) < 0.3
            x = np.where(np.repeat(gone, obj.sizes, axis=1), np.nan, x)
        if isinstance(obj, (miniae.SequenceVAE, miniae.SequenceAutoencoder)):
            lengths = 1 + np.arange(n) % (obj.length + 1)  # of the last ones the end is cut off
            words = [rng.integers(2, obj.n_tokens, size - 1) for size in lengths]
            x = miniae.pad_sequences(words, obj.length)
    else:
        x = 3 * rng.standard_normal(x.shape)
        x = rng.integers(obj.n_tokens, size=x.shape) if hasattr(obj, "n_tokens") else x
        target = target if isinstance(obj, miniae.Loss) else None
    start = time.perf_counter()
    options = {"training": True, "method": method, "seed": seed, "tolerance": LIMITS[method]}
    report = gradient_check(obj, x, target, **options, **given)
    entries = sum(int(np.prod(block.shape)) for block in report.blocks)
    seconds = time.perf_counter() - start
    return Checked(name, method, entries, report.max_error, report.tolerance, seconds, report.ok,
                   report.diagnosis)  # fmt: skip


def check_gradients(seed):
    """Yield a line for every public gradient."""
    everything = subjects()
    for name, obj in everything:
        yield check(name, obj, "complex step", seed)
    mu_log_var = np.random.default_rng(seed).standard_normal((5, 4))
    start = time.perf_counter()
    report = check_function(
        lambda v: miniae.gaussian_kl(v[:, :2], v[:, 2:]).sum(),
        lambda v: np.hstack(miniae.gaussian_kl_grad(v[:, :2], v[:, 2:])),
        mu_log_var,
        tolerance=LIMITS["complex step"],
    )
    yield Checked("gaussian_kl", report.method, 20, report.max_error, report.tolerance,
                  time.perf_counter() - start, report.ok, report.diagnosis)  # fmt: skip
    for method in METHODS:
        yield check("VAE, by each method", miniae.VAE(6, 2, (5,)), method, seed)
    full = miniae.VAE(784, 20, (500,))
    yield check("VAE, 784-500-20", full, "projection", seed, n=16)
    for missing in sorted(public_classes() - classes_of(everything), key=lambda c: c.__name__):
        yield Checked(
            missing.__name__, "-", 0, np.nan, 0.0, 0.0, False, "not in subjects(): add it"
        )


def verdict(ok):
    """Return the cell that says whether a line holds."""
    return "ok" if ok else "FAIL"


def total(lines, words):
    """Print how many lines are ok; return whether all are."""
    held = sum(line.ok for line in lines)
    print(f"{held} of {len(lines)} {words}\n", flush=True)
    return held == len(lines)


def show_gradients(seed):
    """Print the table of gradients; return whether all lines hold."""
    lines = list(progress("gradients", check_gradients(seed)))
    columns = 7 if width() >= WIDE else 6
    header = ("gradient", "method", "entries", "error", "limit", "", "seconds")
    rows = [
        (c.name, c.method, f"{c.entries:,}", f"{c.error:.1e}", f"{c.limit:.0e}", verdict(c.ok),
         f"{c.seconds:.2f}")
        for c in lines
    ]  # fmt: skip
    print(table(header[:columns], [row[:columns] for row in rows], flexible=(0,)))
    for c in lines:
        if not c.ok:
            print(fill(f"FAIL: {c.name}: {c.note}"))
    return total(lines, "gradients right")


def check_optimizers(seed):
    """Yield the report on every optimiser that `miniae` exports."""
    for name in sorted(miniae.__all__):
        cls = getattr(miniae, name)
        if (
            isinstance(cls, type)
            and issubclass(cls, miniae.Optimizer)
            and cls is not miniae.Optimizer
        ):
            yield check_optimizer(cls, seed=seed)


def show_optimizers(seed):
    """Print the table of optimisers; return whether all lines hold."""
    reports = list(progress("optimisers", check_optimizers(seed)))
    rows = [
        (r.name, r.rule, str(len(r.properties)), verdict(r.ok), ", ".join(r.wrong)) for r in reports
    ]
    print(table(("optimiser", "rule", "properties", "", ""), rows, flexible=(4,)))
    return total(reports, "optimisers right")


def show_oracles():
    """Print the table of oracles; return whether all lines hold."""
    from miniae.proof.oracle_certificate import certificate

    lines = list(progress("oracles", certificate()))
    rows = [(c.name, f"{c.measured:.1e}", f"{c.bound:.1e}", verdict(c.ok), c.note) for c in lines]
    header = ("oracle", "measured", "bound", "", "what is compared")
    print(table(header, rows, flexible=(0, 4)))
    return total(lines, "oracles agree")


def found(row):
    """Return the cells on a specimen, the most important first."""
    each, finding, correct = row.specimen, row.finding, row.correct
    word = "caught" if finding.caught else "ESCAPED"
    said = f"{each.instrument_name}: {finding.cause or finding.evidence}"
    if row.diagnosed is False:
        said += f" (it is: {each.cause})"
    if correct.caught:
        word, said = "ACCUSES", f"{said}; ACCUSES THE CORRECT CODE: {correct.evidence}"
    return each.id, word, said, each.source, finding.evidence if finding.cause else ""


def show_zoo(seed, specimens=None):
    """Print the table of specimens, and the score; return whether all lines hold."""
    rows = list(progress("bug zoo", survey(seed, ZOO if specimens is None else specimens)))
    header = ("specimen", "", "what the instrument says", "source", "figures")
    n = 5 if width() >= 1.5 * WIDE else 4 if width() >= WIDE else 3
    print(table(header[:n], [found(row)[:n] for row in rows], flexible=range(2, n)))
    print(fill(score(rows)) + "\n", flush=True)
    return all(row.ok for row in rows)


def show_specimens(seed, names):
    """Print some specimens in detail; return whether all are caught."""
    known = {each.id: each for each in ZOO}
    for name in names:
        if name not in known:
            raise SystemExit(f"no specimen {name!r}; `python -m miniae.proof zoo` lists them")
    rows = list(survey(seed, [known[name] for name in names]))
    for row in rows:
        each = row.specimen
        print(fill(f"{each.id}, from: {each.source}"))
        print(fill(each.fault))
        print(fill(f"  {each.instrument_name}: {each.instrument.__doc__.splitlines()[0]}"))
        for word, finding in (("wrong", row.finding), ("right", row.correct)):
            caught = "caught" if finding.caught else "not caught"
            cause = f"; diagnosed as {finding.cause}" if finding.cause else ""
            print(fill(f"  {word} code {caught}: {finding.evidence}{cause}"))
        print()
    return all(row.ok for row in rows)


def progress(name, lines):
    """Yield the lines, and count them on stderr if that is a terminal."""
    for i, line in enumerate(lines, 1):
        if sys.stderr.isatty():
            print(f"\r{name}: {i}", end="", file=sys.stderr, flush=True)
        yield line
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def main(argv=None):
    """Print the tables that the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m miniae.proof",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="?", choices=("all", "zoo"), default="all")
    parser.add_argument("id", nargs="*", help="specimens to describe, with zoo")
    parser.add_argument("--seed", type=int, default=0, help="of points and weights (default 0)")
    options = parser.parse_args(argv)
    start = time.perf_counter()
    if options.id:
        return 0 if show_specimens(options.seed, options.id) else 1
    held = []
    if options.what == "all":
        held += [show_gradients(options.seed), show_optimizers(options.seed), show_oracles()]
    held.append(show_zoo(options.seed))
    result = "all holds" if all(held) else "FAILED"
    print(f"{result}; seed {options.seed}, {time.perf_counter() - start:.1f} s")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
