"""A small grammar of English sentences, whose entropy is computed exactly."""

import numpy as np

TOPICS = {  # who, what, where
    "sea": ("sailor captain fisher diver", "ship rope net fish", "harbour island bay"),
    "kitchen": ("cook baker waiter guest", "pie soup cake pan", "kitchen oven bakery"),
    "school": ("teacher pupil student reader", "book pencil map lesson", "classroom library yard"),
    "farm": ("farmer shepherd milkmaid rider", "horse plough tractor lamb", "barn meadow stable"),
}
VERBS = "see find clean move want love"
PAST = dict(see="saw", find="found", clean="cleaned", move="moved", want="wanted", love="loved")
ADJECTIVES = "small big new quiet white famous"
TIMES = {"present": ("today", "every day", "each morning"), "past": ("yesterday", "last week")}


def sentence_grammar():
    """Return the rules, a dict: symbol -> list of (probability, symbols that replace it).

    What has no rule is a word. The first symbol is "S". A sentence has a topic, which decides its
    nouns, a number, which decides the first noun and the verb, and a tense, which decides the verb
    and the last words. Each sentence has one derivation: its words show all three.
    """

    def one_of(phrases):
        """Return a rule for phrases, of which the first are the most frequent."""
        weights = 1 / np.arange(2, 2 + len(phrases))
        p = weights / weights.sum()
        return [(float(q), tuple(x.split())) for q, x in zip(p, phrases, strict=True)]

    rules = {"S": [], "ADJECTIVE": [(0.6, ()), (0.4, ("ANY-ADJECTIVE",))]}
    rules["ANY-ADJECTIVE"] = one_of(ADJECTIVES.split())
    for tense, times in TIMES.items():
        rules[f"TIME-{tense}"] = [(0.5, ()), (0.5, (f"ANY-TIME-{tense}",))]
        rules[f"ANY-TIME-{tense}"] = one_of(times)
    for topic, (who, what, where) in TOPICS.items():
        rules[f"WHAT-{topic}"] = one_of(what.split())
        rules[f"WHERE-{topic}"] = [(0.4, ()), (0.6, ("near", "the", f"ANY-WHERE-{topic}"))]
        rules[f"ANY-WHERE-{topic}"] = one_of(where.split())
        for number, ending in (("one", ""), ("many", "s")):
            rules[f"WHO-{topic}-{number}"] = one_of([name + ending for name in who.split()])
            for tense in TIMES:
                p = 0.25 * (0.6 if number == "one" else 0.4) * 0.5
                who_rule, verb = f"WHO-{topic}-{number}", f"VERB-{number}-{tense}"
                body = ("the", "ADJECTIVE", who_rule, verb, "a", "ADJECTIVE", f"WHAT-{topic}")
                rules["S"].append((p, (*body, f"WHERE-{topic}", f"TIME-{tense}")))
    for number in ("one", "many"):
        present = [verb + "s" if number == "one" else verb for verb in VERBS.split()]
        rules[f"VERB-{number}-present"] = one_of(present)
        rules[f"VERB-{number}-past"] = one_of([PAST[verb] for verb in VERBS.split()])
    return rules


def moments(rules, symbol="S"):
    """Return the entropy of what a symbol becomes, in nats, and its mean number of words.

    The entropy of a derivation is that of the first choice, plus those of the parts that follow it,
    averaged over the choice. It is the entropy of the sentence if each has one derivation.
    """
    if symbol not in rules:
        return 0.0, 1.0
    entropy = length = 0.0
    for p, parts in rules[symbol]:
        inside = [moments(rules, part) for part in parts]
        entropy += p * (sum(h for h, _ in inside) - np.log(p))
        length += p * sum(n for _, n in inside)
    return entropy, length


def perplexity(rules):
    """Return exp(entropy per token); the end of the sentence is a token too."""
    entropy, length = moments(rules)
    return float(np.exp(entropy / (length + 1)))


def derive(rules, rng, symbol="S"):
    """Draw what a symbol becomes: return its words, a list, and the log of the probability."""
    if symbol not in rules:
        return [symbol], 0.0
    choices = rules[symbol]
    p, parts = choices[rng.choice(len(choices), p=[p for p, _ in choices])]
    words, log_p = [], np.log(p)
    for part in parts:
        more, log_q = derive(rules, rng, part)
        words, log_p = words + more, log_p + log_q
    return words, log_p


def is_sentence(rules, words):
    """Return whether the grammar can write these words."""

    def rests(symbol, words):
        """Yield what can be left of the words after the symbol."""
        if symbol not in rules:
            if words[:1] == [symbol]:
                yield words[1:]
            return
        for _, parts in rules[symbol]:
            left = [words]
            for part in parts:
                left = [rest for each in left for rest in rests(part, each)]
            yield from left

    return [] in list(rests("S", list(words)))


def ending(words):
    """Return what a sentence ends with: "an object", "a place" or "a time"."""
    if any(" ".join(words).endswith(time) for times in TIMES.values() for time in times):
        return "a time"
    return "a place" if "near" in words else "an object"
