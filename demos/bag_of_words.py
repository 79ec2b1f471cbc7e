"""Bags of words: how often each word of a vocabulary occurs in each text, the order forgotten.

A word is a run of letters, with apostrophes inside ("don't"), in lower case; or a run of digits,
each written as 0, so that all telephone numbers of one length are one word; or one of £ $ € ! ?.
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
    """The words of some texts, the most frequent first, and the counting of them in others.

    Parameters
    ----------
    texts : list of str
    min_count : int, how often a word must occur in all of the texts together to be kept
    least : int, how many words must be kept, else ValueError
    name : str, what a message calls the texts, such as the file that they are from

    Attributes
    ----------
    words : list of str; the first stands for all words that were not kept, or are new
    """

    def __init__(self, texts, min_count=2, least=1, name="texts"):
        texts = as_texts(texts)
        totals = Counter(word for text in texts for word in words(text))
        ranked = sorted(totals, key=lambda word: (-totals[word], word))
        kept = [word for word in ranked if totals[word] >= min_count]
        if len(kept) < least:
            raise ValueError(
                f"{name}: of {len(totals)} different words in {len(texts)} texts {len(kept)} occur "
                f"{min_count} times or more, but {least} must; give more texts, or longer ones"
            )
        self.words = [UNKNOWN, *kept]
        self.index = {word: i for i, word in enumerate(self.words)}

    def counts(self, texts):
        """Return the counts, (len(texts), len(self.words)) float32.

        Unknown words count in column 0. A text without any word is a row of 0. A multinomial VAE
        takes it: there is nothing to reconstruct, at 0 nats, so that the ELBO is minus the KL, and
        the anomaly score the KL alone; log p of it is 0 exactly.
        """
        texts = as_texts(texts)
        table = np.zeros((len(texts), len(self.words)), np.float32)
        for row, text in zip(table, texts, strict=True):
            for word in words(text):
                row[self.index.get(word, 0)] += 1
        return table


def as_texts(texts):
    """Return a list of the texts.

    Refuse a single one, whose letters would pass for texts, and numbers.
    """
    if isinstance(texts, str):
        raise TypeError("texts must be a list of texts, got one str; a single text is [text]")
    texts = list(texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts[{i}] is {text!r}, must be a str")
    return texts
