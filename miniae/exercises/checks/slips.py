"""Wrong answers that every sum, product or mean can have, and the sentences for them."""

import numpy as np


def of_sum(**terms):
    """Return the wrong sums: a term is missing, has the wrong sign, is there twice or halved."""
    total, found = sum(terms.values()), {}
    for name, term in terms.items():
        found[f"no_{name}"] = total - term
        found[f"minus_{name}"] = total - 2 * term
        found[f"twice_{name}"] = total + term
        found[f"half_{name}"] = total - term / 2
    return found


def sentences_of_sum(**names):
    """Return the sentences for `of_sum`; `names` has a text for each term."""
    found = {}
    for name, text in names.items():
        found[f"no_{name}"] = f"the term {text} is missing"
        found[f"minus_{name}"] = f"the term {text} has the wrong sign"
        found[f"twice_{name}"] = f"the term {text} has a factor 2 too many, or is there twice"
        found[f"half_{name}"] = f"the term {text} has a factor 1/2 too many"
    return found


@np.errstate(all="ignore")  # wrong formulas may overflow here without a warning
def of_product(**factors):
    """Return the wrong products: a factor is missing, squared, or divided, added or subtracted."""
    found = {}
    for name, factor in factors.items():
        others = np.ones(())
        for other, value in factors.items():
            if other != name:
                others = others * value
        found[f"no_{name}"] = others * np.ones(np.shape(factor))
        found[f"over_{name}"] = others / factor
        found[f"square_of_{name}"] = others * factor**2
        found[f"plus_{name}"] = others + factor
        found[f"less_{name}"] = others - factor
        if len(factors) > 2:  # else it is no_other
            found[f"only_{name}"] = factor * np.ones(np.shape(others))
    if len(factors) == 2:
        del found[f"plus_{name}"]  # the same as with the other factor
    return found


def sentences_of_product(**names):
    """Return the sentences for `of_product`; `names` has a text for each factor."""
    found = {}
    for name, text in names.items():
        factor = text if text.startswith("the ") else f"the factor {text}"
        found[f"no_{name}"] = f"{factor} is missing"
        found[f"over_{name}"] = f"it is divided by {text}: multiply by it"
        found[f"square_of_{name}"] = f"{factor} is there twice"
        found[f"plus_{name}"] = f"{text} is added: multiply by it"
        found[f"less_{name}"] = f"{text} is subtracted: multiply by it"
        found[f"only_{name}"] = f"this is {text} alone: the other factors are missing"
    return found


def reduced(entries, right):
    """Return the answers of losses (n, d) that are wrong in each entry, in the reduction, or both.

    Parameters
    ----------
    entries : dict, from a key to an array (n, d) of wrong entries
    right : array (n, d), the right entries; the loss is their sum over d, and mean over n
    """

    def reductions(x):
        return {
            "mean_over_features": x.mean(),
            "sum_over_samples": x.sum(),
            "sum_and_mean_exchanged": x.sum() / x.shape[1],
        }

    found = {key: value.sum() / len(value) for key, value in entries.items()}
    found |= reductions(right)
    found["one_number_per_sample"] = right.sum(axis=1)
    found["one_number_per_feature"] = right.sum(axis=0)
    found["mean_per_feature"] = right.mean(axis=0)
    found["mean_per_sample"] = right.mean(axis=1)
    found["not_reduced"] = right
    found["first_sample_only"] = right[0].sum()
    found["last_sample_only"] = right[-1].sum()
    found["largest_sample"] = right.sum(axis=1).max()
    found["median_of_samples"] = np.median(right.sum(axis=1))
    found["n_twice_in_loss"] = right.sum() / len(right) ** 2
    found["n_minus_one"] = right.sum() / (len(right) - 1)
    found["bits"] = right.sum() / len(right) / np.log(2)
    for key, value in entries.items():
        for how, wrong in reductions(value).items():
            found[f"{key}__{how}"] = wrong
    found["minus"] = -right.sum() / len(right)
    for how, wrong in reductions(-right).items():
        found[f"minus__{how}"] = wrong
    found["doubled"] = 2 * right.sum() / len(right)
    for how, wrong in reductions(2 * right).items():
        found[f"doubled__{how}"] = wrong
    found["halved"] = right.sum() / len(right) / 2
    for how, wrong in reductions(right / 2).items():
        found[f"halved__{how}"] = wrong
    return found


def sentences_of_reduced(features="features"):
    """Return the sentences for `reduced`; `features` is the name of the second axis."""
    both = f"take the sum over {features}, the mean over samples"
    return {
        "mean_over_features": f"it is also a mean over {features}: {both}",
        "sum_over_samples": f"it is also a sum over samples: {both}",
        "sum_and_mean_exchanged": (
            f"it is the mean over {features} and the sum over samples: exchange sum and mean"
        ),
        "one_number_per_sample": "it is one number per sample: take the mean over samples",
        "one_number_per_feature": f"it is one number for each of the {features}: {both}",
        "mean_per_feature": f"it is one number for each of the {features}: {both}",
        "mean_per_sample": f"it is one number per sample, and a mean over {features}: {both}",
        "not_reduced": f"it is neither summed nor averaged: {both}",
        "first_sample_only": "this is the first sample only: is the return inside the loop?",
        "last_sample_only": "this is the last sample only: is it = where it must be +=?",
        "largest_sample": "this is the largest sample: take the mean over samples",
        "median_of_samples": "it is the median over samples: take the mean",
        "n_twice_in_loss": "it is divided by n twice",
        "n_minus_one": "it is divided by n - 1: divide by n",
        "bits": "it is in bits, with log2: take the natural logarithm",
        "minus": "it has the wrong sign",
        "doubled": "it has a factor 2 too many",
        "halved": "it has a factor 1/2 too many",
    }


def gradients(entries, right):
    """Return wrong gradients of such a loss, for gradients (n, d) that contain the factor 1/n.

    Parameters
    ----------
    entries : dict, from a key to an array (n, d) of wrong gradients that contain the 1/n
    right : array (n, d)
    """
    n, d = right.shape

    def scaled(x):
        return {
            "n_is_missing": n * x,
            "divided_by_all": x / d,
            "n_and_d_exchanged": n * x / d,
            "n_twice": x / n,
        }

    found = {**entries, **scaled(right)}
    for key, value in entries.items():
        for how, wrong in scaled(value).items():
            found[f"{key}__{how}"] = wrong
    for name, factor in {"minus": -1, "doubled": 2, "halved": 0.5}.items():
        key = f"gradient_{name}"
        found[key] = factor * right
        for how, wrong in scaled(factor * right).items():
            found[f"{key}__{how}"] = wrong
    return found


def sentences_of_gradients(features="features"):
    """Return the sentences for `gradients`; `features` is the name of the second axis."""
    return {
        "n_is_missing": "1/n is missing: the loss is a mean over n samples",
        "divided_by_all": (
            "it is divided by the number of all entries: divide by n only, because the loss is "
            f"a sum over {features}"
        ),
        "n_and_d_exchanged": f"it is divided by the number of {features}: divide by n, the samples",
        "n_twice": "it is divided by n twice: the loss is one mean over n samples",
        "gradient_minus": "the sign is wrong",
        "gradient_doubled": "it has a factor 2 too many",
        "gradient_halved": "it has a factor 1/2 too many",
    }
