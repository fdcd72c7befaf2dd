"""Makes the golden vectors of the task generators from the real reasoning-gym, and of the random numbers from CPython.

Run in the repository root:
    pip install reasoning-gym==0.1.25
    python test/golden/reasoning-gym/make.py

Writes one JSON file per generator beside this script. Holds answers and metadata, never the library's sentences.
Integers beyond 2**53 are written as text. An item the library cannot make (division by zero) is {"undefined": true}.
"""

import json
import platform
import random
import signal
from importlib.metadata import version
from pathlib import Path

import reasoning_gym

HERE = Path(__file__).parent
SEEDS = [0, 42, -7, 2**31 - 1, 2**32, -(2**70) - 3, 10**39 + 7]
LAST_INDEX = 2**31 - 1

# Per generator: config overrides. The first is always the default; the second is Waggle's level 0.
CONFIGS = {
    "chain_sum": [
        {},
        {"max_terms": 3, "max_digits": 2},
        {"min_terms": 1, "max_terms": 12, "max_digits": 10, "allow_negation": True},
        {"min_terms": 50, "max_terms": 50, "min_digits": 15, "max_digits": 15},
    ],
    "products": [
        {},
        {"max_digits": 2},
        {"max_terms": 4, "min_digits": 3, "max_digits": 8, "allow_negation": True},
        {"min_terms": 1, "max_terms": 20, "min_digits": 1, "max_digits": 15},
    ],
    "gcd": [
        {},
        {"max_value": 100},
        {"max_numbers": 5, "min_value": 100, "max_value": 100_000},
        {"min_value": 999_999_999_999, "max_value": 1_000_000_000_000},
        {"max_numbers": 3, "max_value": 2},
    ],
    "number_sorting": [
        {},
        {"max_numbers": 5, "max_decimals": 0, "min_value": 0, "max_value": 99},
        {"min_numbers": 1, "max_numbers": 1, "min_value": -0.6, "max_value": 0.6, "max_decimals": 0},
        {"min_numbers": 30, "max_numbers": 40, "min_value": -1e9, "max_value": 1e9, "min_decimals": 4, "max_decimals": 4},
        {"min_numbers": 8, "max_numbers": 9, "min_value": -0.001, "max_value": 0.001, "min_decimals": 0, "max_decimals": 4},
    ],
    "base_conversion": [
        {},
        {"max_base": 10, "min_value": 1, "max_value": 127},
        {"min_base": 35, "max_base": 36, "max_value": 1},
        {"min_base": 2, "max_base": 36, "min_value": 10_000, "max_value": 1_000_000_000_000},
    ],
    "fraction_simplification": [
        {},
        {"max_value": 12, "min_factor": 2, "max_factor": 9, "styles": ["plain"]},
        {"min_value": 900, "max_value": 1000, "styles": ["latex_frac", "latex_dfrac"]},
        {"min_value": 500_000, "max_value": 1_000_000, "min_factor": 1_000_000, "max_factor": 1_000_000},
        {"min_value": 7, "max_value": 8, "styles": ["latex_inline"]},
    ],
    "prime_factorization": [
        {},
        {"max_value": 300},
        {"min_value": 2, "max_value": 2},
        {"min_value": 9_999_999_000, "max_value": 10_000_000_000},
    ],
    "lcm": [
        {},
        {"max_value": 30},
        {"max_numbers": 5, "min_value": 10, "max_value": 10_000},
        {"min_numbers": 5, "max_numbers": 20, "min_value": 1, "max_value": 1_000_000_000_000},
    ],
    "count_bits": [
        {},
        {"max_n": 1023},
        {"min_n": 1, "max_n": 1},
        {"min_n": 2**32, "max_n": 10**15},
    ],
    "simple_equations": [
        {},
        {"max_terms": 2, "max_value": 12},
        {"min_terms": 1, "max_terms": 1, "max_value": 3},
        {"min_terms": 3, "max_terms": 20, "min_value": 1, "max_value": 3, "operators_weights": [0.2, 0.2, 0.6]},
        {"min_terms": 2, "max_terms": 8, "operators": ["-", "+"], "operators_weights": [0.7, 0.3], "max_value": 1_000_000_000},
    ],
    "bitwise_arithmetic": [{}, {"difficulty": 1}, {"difficulty": 3}, {"difficulty": 7}],
    "binary_alternation": [
        {},
        {"min_n": 4, "max_n": 8},
        {"min_n": 1, "max_n": 3, "p_solvable": 0.5},
        {"min_n": 200, "max_n": 201, "p_solvable": 0.0},
        {"p_solvable": 1.0},
    ],
    "basic_arithmetic": [
        {},
        {"max_terms": 3, "max_digits": 1},
        {"min_terms": 4, "max_terms": 9, "max_digits": 2, "whitespace": "random", "format_style": "natural"},
        {"min_terms": 4, "max_terms": 8, "max_digits": 1, "whitespace": "no_space", "allow_negation": False},
        {"allow_parentheses": False, "operators": ["+", "-"], "max_digits": 6},
        {"allow_parentheses": False, "operators": ["*"], "max_digits": 15},
        {"min_terms": 3, "max_terms": 5, "max_digits": 2, "operators": ["/", "-"]},
    ],
    "decimal_chain_sum": [
        {},
        {"max_terms": 2, "max_digits": 1, "max_decimal_places": 1},
        {"max_terms": 10, "max_digits": 8, "max_decimal_places": 6, "allow_negation": True},
        {"min_decimal_places": 0, "max_decimal_places": 0},
        {"min_digits": 1, "max_digits": 1, "min_decimal_places": 7, "max_decimal_places": 12, "max_terms": 3},
    ],
}

# Spellings of an answer; {} is the right one. The library's own score says which count.
SPELLINGS = {
    "chain_sum": ["{}", "+{}", "0{}", "{}.0", "{}.5", "{}x", "x", "", "{} {}"],
    "products": ["{}", "0{}", "{}.00", "{},", "{}1", "-{}1"],
    "gcd": ["{}", "{}1", "x"],
    "lcm": ["{}", "{}1", "x"],
    "count_bits": ["{}", "{}1", "x"],
    "base_conversion": ["{}", "z{}", "{}1"],
    "bitwise_arithmetic": ["{}", "{}0", "hex {}", "{}g"],
    "number_sorting": ["{}", "{}]", "[]", "[12345678901]", "x"],
    "fraction_simplification": ["{}", "1{}", "x", "1/"],
    "prime_factorization": ["{}", "2 × {}", "1 × {}"],
    "decimal_chain_sum": ["{}", "{}1", "x"],
    "simple_equations": ["{}", "{}1", "x"],
}


def portable(value):
    """Tuples as lists, numpy scalars as Python's, integers beyond 2**53 as text."""
    if isinstance(value, dict):
        return {key: portable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [portable(item) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, (str, float)):
        return value
    return value if abs(value) < 2**53 else str(value)


def item_of(name, dataset, index):
    signal.alarm(20)
    try:
        entry = dataset[index]
    except ZeroDivisionError:
        return {"index": index, "undefined": True}
    finally:
        signal.alarm(0)
    item = {"index": index, "answer": entry["answer"], "metadata": portable(entry["metadata"])}
    if index < 2:
        spellings = [text.replace("{}", entry["answer"]) for text in SPELLINGS.get(name, [])]
        item["spellings"] = [[text, dataset.score_answer(text, entry) == 1.0] for text in spellings]
    return item


def generator_vectors(name, configs):
    cases = []
    for config in configs:
        per_seed = 4 if len(json.dumps(config)) > 2 else 10
        for seed in SEEDS:
            dataset = reasoning_gym.create_dataset(name, seed=seed, size=1, **config)
            indices = [*range(per_seed), LAST_INDEX]
            cases.append(
                {"config": config, "seed": str(seed), "items": [item_of(name, dataset, index) for index in indices]}
            )
    return cases


def random_vectors():
    cases = []
    for seed in [*SEEDS, 1, -1, 2**64 - 1, 2**4000, -(10**100)]:
        rng = random.Random(seed)
        numbers = list(range(10, 20))
        case = {
            "seed": str(seed),
            "random": [rng.random() for _ in range(5)],
            "getrandbits": [[bits, str(rng.getrandbits(bits))] for bits in (0, 1, 31, 32, 33, 53, 64, 100, 257)],
            "randbelow": [[n, rng._randbelow(n)] for n in (1, 2, 3, 255, 256, 257, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 10**15, 2**53 - 1)],
            "randint": [[a, b, rng.randint(a, b)] for a, b in ((0, 0), (-5, 5), (1, 6), (-(10**12), 10**12), (0, 2**32))],
            "randrange": [[a, b, c, rng.randrange(a, b, c)] for a, b, c in ((0, 10, 1), (0, 10, 3), (10, 0, -3), (-9, 9, 4), (5, -6, -1))],
            "choice": [rng.choice("abcdefg") for _ in range(5)],
            "choices": rng.choices(numbers, k=5),
            "weighted": rng.choices(numbers[:4], weights=[0.4, 0.4, 0.2, 0], k=8),
            "uniform": [[a, b, rng.uniform(a, b)] for a, b in ((0.0, 1.0), (-100.0, 100.0), (5.5, 5.5))],
        }
        shuffled = list(range(25))
        rng.shuffle(shuffled)
        case["shuffle"] = shuffled
        # Around CPython's switch from a pool to a set.
        case["sample"] = [[n, k, rng.sample(range(n), k)] for n, k in ((10, 10), (21, 5), (22, 5), (85, 6), (86, 6), (300, 20), (1000, 0), (5000, 30))]
        cases.append(case)
    return cases


def write(name, cases):
    text = {
        "made_by": "test/golden/reasoning-gym/make.py",
        "python": platform.python_version(),
        "reasoning_gym": version("reasoning-gym"),
        "cases": cases,
    }
    (HERE / f"{name}.json").write_text(json.dumps(text, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    write("python-random", random_vectors())
    for name, configs in CONFIGS.items():
        write(name, generator_vectors(name, configs))
        print(name)
