"""Makes the golden vectors of partial credit: what reasoning-gym's scorers give for right, near, malformed and hostile answers.

Run in the repository root:
    pip install reasoning-gym==0.1.25
    python test/golden/reasoning-gym/make-scores.py

Writes scores.json. An answer is a text, or a list of [text, count] that stands for the texts repeated and joined. A score of null
means that the scorer raises. Entries of the generators that draw on word lists are made up here.
"""

import json
import signal
from importlib.metadata import version
from pathlib import Path

import reasoning_gym

HERE = Path(__file__).parent
MEGA = 1_000_000

# Per generator: configs, each with a seed; entries 0 and 1 of each are scored.
CASES = {
    "chain_sum": [{}, {"max_digits": 12, "allow_negation": True}],
    "products": [{}],
    "gcd": [{}],
    "lcm": [{}],
    "count_bits": [{}],
    "base_conversion": [{}, {"min_value": 0, "max_value": 1}],
    "bitwise_arithmetic": [{}, {"difficulty": 4}],
    "binary_alternation": [{}],
    "basic_arithmetic": [{}],
    "simple_equations": [{}],
    "number_sorting": [{}, {"max_numbers": 3, "max_decimals": 0}, {"min_numbers": 1, "max_numbers": 1}],
    "fraction_simplification": [{}, {"min_factor": 2, "styles": ["plain"]}],
    "prime_factorization": [{}, {"min_value": 2, "max_value": 16}],
    "decimal_chain_sum": [{}],
    "decimal_arithmetic": [{}, {"min_num_decimal_places": 0, "max_num_decimal_places": 0, "precision": 2}, {"precision": 5}],
    "calendar_arithmetic": [{"tasks": [task]} for task in ("weekday_offset", "recurring_event_day", "count_days", "count_business_days", "is_leap_year")],
    "binary_matrix": [{"min_n": 2, "max_n": 3, "p_zero": 0.5}, {"min_n": 1, "max_n": 1}],
    "arc_1d": [{"max_size": 10}],
    "propositional_logic": [{}, {"max_complexity": 2}],
}
MADE_UP = {
    "spell_backward": ["nus", "elppa", "gnihtemos"],
    "letter_counting": ["3", "12"],
    "bf": ["patch", "147"],
}

COMMON = [
    "{}", " {}", "{}\n", "{} ", "x{}", "{}x", "{}{}", "the answer is {}", "+{}", "-{}", "0{}", "{}.0", "{}.5", "{},", ",{}", "{}_0",
    "", " ", ",", "x", "0", "1", "-1", "2", "1/2", "NaN", "nan", "sNaN", "Infinity", "-inf", "1e5", "1e400", "1E+3", "0x1f", "1_0", "_1", "1__0",
    "[]", "[[]]", "None", "True", "null", "{{}}", "٣", "１２", "𝟙𝟚", "\u2003{}\u2003", "\ufeff{}", "\x1c{}", "{}\u200b", "é{}", "😀{}", "𝒳",
    "0e999999999999999999999", "1e999999999999999999999", "-0", "0.0", "--1", "+-1", "1 2", "1,2,3", "__import__('os')", "1e-5", ".5", "5.",
]
HUGE = [
    [["9", MEGA]], [["0", MEGA], ["{}", 1]], [["{}", 1], [" ", MEGA]], [["[", 2000], ["]", 2000]], [["9", 4301]], [["9", 4300]], [["é", 3000], ["{}", 1]],
    [["1.", 1], ["9", 5000]], [["1e", 1], ["9", 5000]], [["-", MEGA]],
]
SPECIAL = {
    "number_sorting": [
        "['1']", "[1]", "[1, 2, 3]", '["1", "2"]', "['{}']", "[{}]", "[1,]", "[1 2]", "[[1]]", "[{\"a\": 1}]", "[null]", "[true]", "[false]",
        "[1e400]", "[\"inf\"]", "[-Infinity]", "['1_0']", "[01]", "[1.]", "[.5]", "[+1]", " [1] ", "[1]x", "[\"\\u0031\"]", "['']", "{\"a\": 1}", "1", "\"1\"",
        [["[", 1], ["9", 400], ["]", 1]], [["[", 1], ["1,", 4000], ["1]", 1]],
    ],
    "fraction_simplification": [
        "${}$", "$${}$$", "\\frac{1}{2}", "\\dfrac{1}{2}tail", "\\FRAC{1}{2}", "\\frac {1} {2}", "\\frac{-1}{2}", "\\frac{1/2}{3}", "1/2/3", "1/", "/2",
        "1 / 2", "-1/-2", "$1/2", "٣/٤", "\\frac{٣}{٤}", "1_0/2", "$ $", "1\\2", "\\tfrac{1}{2}",
    ],
    "prime_factorization": ["2 × 3", "2×2×2", "1 × {}", "{} × 1", "-1 × -1 × {}", "2 * 3", "×", "××2", "2 × x", "0 × 5", "٢ × ٣", "2.0 × 3", [["9×", 5000], ["1", 1]], [["0×", 50000], ["1", 1]]],
    "bitwise_arithmetic": ["0X1F", "0x_1", "0x", "0b101", "0o17", "017", "00", "0_0", "0x1__0", "1_000", "-0x1", "- 1", "0xg", "٣", [["0x", 1], ["f", 4000]]],
    "calendar_arithmetic": [
        "Monday", "monday", "TUESDAY", "sunday", "ſunday", "Tueſday", "Mon", "Monday.", " Friday ", "wEDNESDAY", "Yes", "no", "YES", " yes ", "y", "13", "14", "15", "-3", "1_3", "٣",
        "100", "1000", "4", "5", "3", "7", "6", "8", "9", "10", "11", "12", "20", "25", "31",
    ],
    "binary_matrix": [
        "[[0]]", "[[0, 0], [0, 0]]", "((0, 1), (1, 0))", "[(0,1),[1,0]]", "['01','10']", "[[0,1],[1,0],]", "[0]", "[[]]", "[[0] [1]]", "[[0,1],[1,0]", "0 1\n1 0",
        "[[0x0]]", "[['0']]", "[[+0]]", "[[-0]]", "(([0]))", "[(0)]", "[[(0)]]", "[[0],]", "[,]", "[[00]]", "[[01]]", " [[0]]", "[[0]] ",
    ],
    "propositional_logic": [
        "P", "¬P", "¬¬P", "(P)", "((P ∨ ¬P))", "P ∨ ¬P", "P ∧ ¬P", "(P ∧ Q)", "P ∨ Q", "P → Q", "Q → P", "P ↔ Q", "¬(P ∧ Q)", "¬P ∧ Q ∨ R → S ↔ P", "P → Q → R", "A", "p", "p ∨ ¬p",
        "(P", "P)", ")P(", "P ∧", "∧ P", "()", "¬", "P Q", "P∧Q", "P & Q", "P -> Q", "(P ∧ Q) ∨ (R", "((P) ∧ (Q))", "hello ∨ ¬hello", "P ∨ x", "¬(P", "P ∧ (Q ∨ ¬Q)", "R ∧ S", "P ∧ Q ∧ R ∧ S",
        [["¬", 300], ["P", 1]], [["(", 300], ["P", 1], [")", 300]], [["(P ∧ ", 60], ["P", 1], [")", 60]],
    ],
    "decimal_arithmetic": [[["{}", 1], ["9", 40]], [["{}", 1], ["0", 5000]], "1e-400", "{}1", "{}9"],
    "spell_backward": ["NUS", "Nus", "nu", "n", "us", "nusx", "xnus", "elppa!", "elppax", "ELPPAX", "gnihtemosx", "gnihtemox", "nüs", "nu😀s"],
}
# Near misses of a number: the answer plus these, as far as the answer reads as a decimal.
OFFSETS = {"decimal_arithmetic": ["0.001", "-0.001", "0.0011", "0.00100000000001", "1", "-1", "1.4", "0.0005"], "calendar_arithmetic": ["1", "-1", "2", "10", "-5", "100"]}


def text_of(answer):
    return answer if isinstance(answer, str) else "".join(text * count for text, count in answer)


def filled(answer, right):
    if isinstance(answer, str):
        return answer.replace("{}", right)
    return [[text.replace("{}", right), count] for text, count in answer]


def nearby(name, right):
    from decimal import Decimal, InvalidOperation, localcontext

    with localcontext() as context:
        context.prec = 100
        try:
            return [str(Decimal(right) + Decimal(offset)) for offset in OFFSETS.get(name, [])]
        except InvalidOperation:
            return []


def score_of(dataset, text, entry):
    signal.alarm(3)
    try:
        return dataset.score_answer(text, entry)
    except TimeoutError:
        return "endless"
    except Exception:
        return None
    finally:
        signal.alarm(0)


def rows_of(name, dataset, entry):
    right = entry["metadata"]["example_answer"] if entry["answer"] is None else entry["answer"]
    answers = [filled(answer, right) for answer in [*COMMON, *HUGE, *SPECIAL.get(name, [])]] + nearby(name, right)
    unique = list({json.dumps(answer): answer for answer in answers}.values())
    rows = [[answer, score_of(dataset, text_of(answer), entry)] for answer in unique]
    return [row for row in rows if row[1] != "endless"]


def grouped(rows):
    """By score, most answers having the same one."""
    by_score = {}
    for answer, score in rows:
        by_score.setdefault(score, []).append(answer)
    return [[score, answers] for score, answers in by_score.items()]


def on_alarm(_signal, _frame):
    raise TimeoutError


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, on_alarm)
    cases = []
    for name, configs in CASES.items():
        for config in configs:
            dataset = reasoning_gym.create_dataset(name, seed=3, size=10, **config)
            for index in range(2):
                scores = grouped(rows_of(name, dataset, dataset[index]))
                cases.append({"generator": name, "config": config, "seed": "3", "index": index, "scores": scores})
        print(name)
    for name, answers in MADE_UP.items():
        dataset = reasoning_gym.create_dataset(name, seed=3, size=10)
        for answer in answers:
            entry = {"answer": answer, "metadata": {"source_dataset": name}}
            cases.append({"generator": name, "config": {}, "answer": answer, "scores": grouped(rows_of(name, dataset, entry))})
    text = {"made_by": "test/golden/reasoning-gym/make-scores.py", "reasoning_gym": version("reasoning-gym"), "cases": cases}
    (HERE / "scores.json").write_text(json.dumps(text, ensure_ascii=False, separators=(",", ":")) + "\n")
