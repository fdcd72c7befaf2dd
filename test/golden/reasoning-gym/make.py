"""Makes the golden vectors of the task generators from the real reasoning-gym, and of the random numbers from CPython.

Run in the repository root:
    pip install reasoning-gym==0.1.25
    python test/golden/reasoning-gym/make.py [NAME ...]

Writes one JSON file per generator beside this script, of the named generators only if there are names. Holds answers and
metadata, never the library's sentences. Integers beyond 2**53 are written as text. An item that the library cannot make
(division by zero, a date out of range, a search without end) or that has no right answer is {"undefined": true}.
"""

import json
import platform
import random
import signal
import sys
from decimal import DecimalException
from importlib.metadata import version
from pathlib import Path

import reasoning_gym
from reasoning_gym.composite import DatasetSpec
from reasoning_gym.logic.propositional_logic import Expression

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
        {"min_numbers": 6, "max_numbers": 7, "min_value": -0.01, "max_value": 1, "min_decimals": 5, "max_decimals": 8},
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
    "bitwise_arithmetic": [{}, {"difficulty": 1}, {"difficulty": 3}, {"difficulty": 7}, {"difficulty": 10}],
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
        {"min_terms": 1, "max_terms": 8, "max_digits": 3, "allow_parentheses": False},
        {"max_terms": 10, "max_digits": 15, "allow_parentheses": False, "operators": ["-", "*", "+"], "format_style": "natural"},
    ],
    "decimal_chain_sum": [
        {},
        {"max_terms": 2, "max_digits": 1, "max_decimal_places": 1},
        {"max_terms": 10, "max_digits": 8, "max_decimal_places": 6, "allow_negation": True},
        {"min_decimal_places": 0, "max_decimal_places": 0},
        {"min_digits": 1, "max_digits": 1, "min_decimal_places": 7, "max_decimal_places": 12, "max_terms": 3},
    ],
    "decimal_arithmetic": [
        {},
        {"min_num_decimal_places": 1, "max_num_decimal_places": 1, "max_terms": 2},
        {"min_num_decimal_places": 0, "max_num_decimal_places": 12, "max_terms": 20, "precision": 14},
        {"min_num_decimal_places": 0, "max_num_decimal_places": 0, "min_terms": 1, "precision": 2},
        {"min_num_decimal_places": 2, "max_num_decimal_places": 6, "min_terms": 6, "max_terms": 12, "precision": 50},
        {"min_num_decimal_places": 1, "max_num_decimal_places": 4, "min_terms": 8, "max_terms": 16, "precision": 6},
    ],
    "calendar_arithmetic": [
        {},
        {"tasks": ["is_leap_year", "recurring_event_day"], "leap_year_range": 40},
        {"year": 2024, "offset_upper_bound": 365, "leap_year_range": 2000},
        {"year": 1, "offset_upper_bound": 1, "leap_year_range": 3},
        {"year": 9999, "offset_upper_bound": 40},
        {"year": 1900, "offset_upper_bound": 100_000, "tasks": ["count_business_days", "weekday_offset", "count_days", "count_days"]},
        {"year": 2000, "tasks": ["weekday_of_date_from_first_date"], "offset_upper_bound": 366},
    ],
    "binary_matrix": [
        {},
        {"min_n": 2, "max_n": 3, "p_zero": 0.5},
        {"min_n": 1, "max_n": 1, "p_zero": 1.0},
        {"min_n": 10, "max_n": 14, "p_zero": 0.01},
        {"min_n": 4, "max_n": 9, "p_zero": 0.9},
    ],
    "arc_1d": [
        {},
        {"min_size": 8, "max_size": 10, "num_train": 5},
        {"min_size": 8, "max_size": 8, "num_train": 1},
        {"min_size": 60, "max_size": 100, "num_train": 1},
    ],
    "propositional_logic": [
        {},
        {"max_vars": 2, "max_statements": 2, "max_complexity": 2},
        {"min_vars": 1, "max_vars": 1, "min_statements": 1, "max_statements": 1, "max_complexity": 3},
        {"min_vars": 4, "max_vars": 8, "min_statements": 4, "max_statements": 8, "min_complexity": 2},
        {"min_vars": 10, "max_vars": 10, "min_statements": 1, "max_statements": 2, "min_complexity": 4, "max_complexity": 5},
    ],
}

# Items per seed where the default's count would make the file needlessly large.
FEWER = {"number_sorting": 4, "arc_1d": 6}
EVEN_FEWER = {"number_sorting": 1, "binary_matrix": 2, "arc_1d": 3, "basic_arithmetic": 3}

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
    "calendar_arithmetic": ["{}", " {}", "{}x", "x", "{} {}"],
    "binary_matrix": ["{}", "{}0", "0 {}", "[[0]]"],
    "arc_1d": ["{}", "0 {}", "{}1"],
    "decimal_arithmetic": ["{}", "-{}", "x", "{}{}", "1{}"],
    "propositional_logic": ["(P ∧ ¬P)", "(P ∨ ¬P)", "P", "", "A", "¬¬¬P", "P ∧ ¬P ∨ P → P ↔ ¬ P"],
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


def has_no_answer(name, dataset, entry):
    """Whether nothing but what is always true follows from the premises."""
    if name != "propositional_logic":
        return False
    premises = [Expression.from_string(premise) for premise in entry["metadata"]["premises"]]
    return all(premise.operator is not None and dataset._is_trivial(premise) for premise in premises)


def item_of(name, dataset, index):
    signal.alarm(3)
    try:
        entry = dataset[index]
    except (ZeroDivisionError, DecimalException, OverflowError, TimeoutError):
        return {"index": index, "undefined": True}
    finally:
        signal.alarm(0)
    if has_no_answer(name, dataset, entry):
        return {"index": index, "undefined": True}
    item = {"index": index, "answer": entry["answer"], "metadata": portable(entry["metadata"])}
    if index < 2:
        spellings = [text.replace("{}", entry["answer"] or "") for text in SPELLINGS.get(name, [])]
        item["spellings"] = [[text, dataset.score_answer(text, entry) == 1.0] for text in spellings]
    return item


def generator_vectors(name, configs):
    cases = []
    for config in configs:
        per_seed = EVEN_FEWER.get(name, 4) if config else FEWER.get(name, 10)
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


# Members with weights, in order; seeds of the whole. Weights need not sum to one.
COMPOSITES = [
    [["chain_sum", 1, {}], ["gcd", 1, {}], ["bitwise_arithmetic", 1, {}]],
    [["propositional_logic", 0.5, {"max_vars": 3}], ["count_bits", 7.25, {}], ["calendar_arithmetic", 2, {"year": 1999}], ["lcm", 0.01, {}]],
    [["base_conversion", 3, {"max_base": 10}]],
    [[name, 1, {}] for name in ("base_conversion", "arc_1d", "propositional_logic", "fraction_simplification", "calendar_arithmetic", "binary_matrix")],
]


def composite_vectors():
    cases = []
    for members in COMPOSITES:
        specs = [DatasetSpec(name=name, weight=weight, config=dict(config)) for name, weight, config in members]
        for seed in SEEDS:
            dataset = reasoning_gym.create_dataset("composite", seed=seed, size=1, datasets=specs)
            items = [[index, dataset[index]["metadata"]["source_dataset"], dataset[index]["answer"]] for index in [*range(8), LAST_INDEX]]
            cases.append({"members": members, "seed": str(seed), "items": items})
    return cases


def write(name, cases):
    text = {
        "made_by": "test/golden/reasoning-gym/make.py",
        "python": platform.python_version(),
        "reasoning_gym": version("reasoning-gym"),
        "cases": cases,
    }
    (HERE / f"{name}.json").write_text(json.dumps(text, ensure_ascii=False, separators=(",", ":")) + "\n")


def on_alarm(_signal, _frame):
    raise TimeoutError


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, on_alarm)
    wanted = sys.argv[1:] or ["python-random", "composite", *CONFIGS]
    if "composite" in wanted:
        write("composite", composite_vectors())
    if "python-random" in wanted:
        write("python-random", random_vectors())
    for name, configs in CONFIGS.items():
        if name in wanted:
            write(name, generator_vectors(name, configs))
            print(name)
