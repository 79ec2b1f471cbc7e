"""Bags of words: how often each word of a vocabulary occurs in each text, whatever the order.

A word is a run of letters in lower case, with apostrophes inside ("don't"). A run of digits is a
word too, with each digit written as 0, so that all telephone numbers of one length are the same
word. So is each of £ $ € ! ?.
"""

import re
from collections import Counter

import numpy as np

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+|[£$€!?]")
UNKNOWN = "<unknown>"


def words(text):
    """Return the words of a text, a list of str; it may be empty."""
    return [re.sub(r"\d", "0", word) for word in WORD.findall(text.lower())]


class Vocabulary:
    """The words of some texts, the most frequent first. It counts them in other texts.

    Parameters
    ----------
    texts : list of str
    min_count : int, a word is kept if it occurs at least so often in all texts together
    least : int, with fewer words than this to keep there is a ValueError
    name : str, the name of the texts in an error, such as their file

    Attributes
    ----------
    words : list of str; the first one stands for all words that were not kept or are new
    """

    def __init__(self, texts, min_count=2, least=1, name="texts"):
        texts = as_texts(texts)
        totals = Counter(word for text in texts for word in words(text))
        ranked = sorted(totals, key=lambda word: (-totals[word], word))
        kept = [word for word in ranked if totals[word] >= min_count]
        if len(kept) < least:
            raise ValueError(
                f"{name}: of {len(totals)} different words in {len(texts)} texts {len(kept)} occur "
                f"{min_count} times or more, but {least} must: give more texts, or longer ones"
            )
        self.words = [UNKNOWN, *kept]
        self.index = {word: i for i, word in enumerate(self.words)}

    def counts(self, texts):
        """Return the counts, (len(texts), len(self.words)) float32.

        Unknown words count in column 0. A text without words is a row of 0. A multinomial VAE
        accepts it: the reconstruction costs 0 nats, the ELBO is minus the KL, the anomaly score is
        the KL, and log p is exactly 0.
        """
        texts = as_texts(texts)
        table = np.zeros((len(texts), len(self.words)), np.float32)
        for row, text in zip(table, texts, strict=True):
            for word in words(text):
                row[self.index.get(word, 0)] += 1
        return table


def as_texts(texts):
    """Return a list of the texts.

    A single text is an error, since its letters would count as texts. So are numbers.
    """
    if isinstance(texts, str):
        raise TypeError("texts must be a list of texts, got one str; a single text is [text]")
    texts = list(texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts[{i}] is {text!r}, but must be a str")
    return texts
