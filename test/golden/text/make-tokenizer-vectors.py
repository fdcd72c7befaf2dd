"""Golden vectors of the tokenizer, by the real Hugging Face libraries.

Run from the repository root:
    node test/golden/text/corpus.ts && python test/golden/text/make-tokenizer-vectors.py
Needs: pip install tokenizers transformers
Reads tokenizer/ and texts.json (made by corpus.ts); writes vectors.json, and merges/ (a BPE with merges in the manner
of Qwen and Llama 3, trained here on the same texts) with merges-vectors.json.
"""

import json
import pathlib
import sys

import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

here = pathlib.Path(__file__).parent
texts = json.loads((here / "texts.json").read_text())
made_by = {
    "command": "node test/golden/text/corpus.ts && python test/golden/text/make-tokenizer-vectors.py",
    "python": sys.version.split()[0],
    "tokenizers": tokenizers.__version__,
    "transformers": transformers.__version__,
}


def vectors(folder):
    fast = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    auto = transformers.AutoTokenizer.from_pretrained(folder)
    raw = Tokenizer.from_file(str(folder / "tokenizer.json"))
    plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
    plain.encode_special_tokens = True
    rows = []
    for text in texts["vectors"]:
        template_ids = raw.encode(text, add_special_tokens=False).ids
        assert fast(text, add_special_tokens=False)["input_ids"] == template_ids, text
        assert auto(text, add_special_tokens=False)["input_ids"] == template_ids, text
        ids = plain.encode(text, add_special_tokens=False).ids
        decoded = fast.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert decoded == text, (text, decoded)
        rows.append(
            {
                "text": text,
                "ids": ids,
                "templateIds": template_ids,
                "templateDecoded": fast.decode(template_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False),
            }
        )
    # Broken sequences a policy may sample: every prefix and suffix of a text, decoded on its own.
    source = plain.encode("🐝 gcd é<answer>日7</answer>", add_special_tokens=False).ids
    pieces = [source[:k] for k in range(1, len(source))] + [source[k:] for k in range(1, len(source))]
    pieces += [source[::-1], [source[0], 2, source[1], 3, source[2]], [1, 0, 1], [source[0], 1, source[1], source[2], source[3]]]
    decoded = [{"ids": p, "text": fast.decode(p, skip_special_tokens=True, clean_up_tokenization_spaces=False)} for p in pieces]
    return {
        "madeBy": made_by,
        "vocabularySize": len(fast),
        "eosId": fast.eos_token_id,
        "bosId": fast.bos_token_id,
        "padId": fast.pad_token_id,
        "encoded": rows,
        "decoded": decoded,
    }


def train_merges(folder):
    folder.mkdir(exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(texts["training"], trainer)
    tokenizer.add_special_tokens(["<|begin|>", "<|end|>", "<|pad|>"])
    tokenizer.add_tokens([AddedToken("<answer>", normalized=False), AddedToken("</answer>", normalized=False)])
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|begin|>", eos_token="<|end|>", pad_token="<|pad|>")
    fast.save_pretrained(folder)


def dump(name, value):
    (here / name).write_text(json.dumps(value, ensure_ascii=True) + "\n")


dump("vectors.json", vectors(here / "tokenizer"))
train_merges(here / "merges")
dump("merges-vectors.json", vectors(here / "merges"))
print("ok", made_by)
