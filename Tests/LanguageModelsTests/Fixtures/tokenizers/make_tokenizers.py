"""Small byte-level tokenizers and the ids the reference `tokenizers` library gives, as hashes.

make_tokenizers.py [SMOLLM2_TOKENIZER_JSON]   (made with tokenizers 0.23.3; writes beside itself)
texts.json: the strings. NAME.json: a tokenizer. NAME.hashes: for every string 8 hexadecimal digits, the beginning of the
SHA-256 of its ids in decimal, joined by commas. smollm2.hashes is for the real tokenizer, which is not kept here.
beginning.json: a post-processor as Llama 3 has one, for llama3.json; beginning.hashes: with the token that it adds.
"""
import hashlib, json, os, random, sys
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

here = os.path.dirname(os.path.abspath(__file__))
random.seed(20)
TITLES = ["Toy Story (1995)", "Amélie (2001)", "Les Misérables", "千と千尋の神隠し", "Crouching Tiger, Hidden Dragon (2000)", "Se7en",
          "M*A*S*H", "Æon Flux", "Łódź", "Brat 2 – Брат 2", "アキラ", "기생충 (2019)", "Monty Python's \"Life of Brian\"",
          "It's a Wonderful Life", "WALL·E", "¡Átame!", "Ποτέ την Κυριακή", "पथेर पांचाली", "ฟ้าทะลายโจร", "Don't Look Now",
          "I'M ALL RIGHT, we'Ve, You'LL 'S 'ſ it'ſ", "العربية ١٢٣", "שלום", "Ärger im Paradies"]
EMOJI = ["👩‍👩‍👧‍👦", "🏳️‍🌈", "🇫🇷", "👍🏽", "❤️", "🤖", "☕︎", "1️⃣"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u200b", "\u2028", "\u1680", "\x85",
          "\x0b", "\x0c", " \n ", "\ufeff", "\u180e"]
ODD = ["\x00", "\x01", "\x1b", "\x7f", "\x9f", "\ufffd", "\ue000", "\U000e0001", "\u200d", "\u0301", "a\u0301", "e\u0308\u0301",
       "\u1ebf", "\u0fb2\u0f71", "한", "\u1112\u1161\u11ab", "\u212b", "\u2126", "Ⅷ", "½", "²", "①", "٣", "१२", "൧", "ª", "º",
       "ʰ", "_", "ﬁ", "İ", "ı", "ſ", "ß", "ẞ", "\u0958", "\u0344", "\u2adc"]
WORDS = ["the", "movie", "preference", "user", "Whether", "will", "like", "target", "1995", "20", "007", "3.14", "foo_bar", "x=1;",
         "--", "...", "!!!", "?!", "<b>", "</p>", "http://a.b/c?d=1", "Straße", "naïve", "façade", "über", "don't", "I'll",
         "they've", "'re", "''s", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<repo_name>", "<|im_start|", "<word>", "<left>",
         "<right>", "Ünique", "U\u0308nique"]
POOL = TITLES + EMOJI + SPACES * 2 + ODD + WORDS


def scalar():
    ranges = [(0, 0x7f), (0x80, 0x24f), (0x250, 0x2fff), (0x3000, 0xd7ff), (0xe000, 0xffff), (0x10000, 0x10ffff)]
    return chr(random.randint(*random.choice(ranges)))


texts = ["", "a" * 300, " " * 200, "1" * 100, "\n" * 40, "ab" * 150, "é" * 70, "Yes", "No"]
for _ in range(1500):
    joint = random.choice(["", " ", " ", random.choice(SPACES)])
    texts.append(joint.join(random.choice(POOL) for _ in range(random.randint(1, 8))))
for _ in range(700):
    texts.append("".join(scalar() for _ in range(random.randint(1, 10))))
for _ in range(300):
    texts.append("".join(random.choice("ab \n\t'sS1,é") for _ in range(random.randint(1, 40))))
with open(f"{here}/texts.json", "w", encoding="utf-8") as file:
    json.dump(texts, file, ensure_ascii=False, indent=0)

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")


def byte_level(regex, prefix=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), byte_level(False)])


def hashes(name, tokenizer, special=False):
    lines = []
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=special).ids
        lines.append(hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:8])
    with open(f"{here}/{name}.hashes", "w") as file:
        file.write("\n".join(lines) + "\n")


def build(name, model, pre_tokenizer, alphabet, normalizer=None, added=(), strings=False, **trainer):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + ([model.unk_token] if model.unk_token else [])
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=special, show_progress=False, initial_alphabet=alphabet,
                                  **trainer)
    # A base model's tokenizer must have a token for each answer.
    tokenizer.train_from_iterator(TITLES * 3 + WORDS * 3 + texts[9:400] + ["Yes", "No"] * 200, trainer)
    for token in added:
        tokenizer.add_special_tokens([token]) if token.special else tokenizer.add_tokens([token])
    tokenizer.save(f"{here}/{name}.json", pretty=False)
    if strings:  # as libraries before 0.20 wrote merges
        with open(f"{here}/{name}.json", encoding="utf-8") as file:
            content = json.load(file)
        content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
        with open(f"{here}/{name}.json", "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False)
    hashes(name, Tokenizer.from_file(f"{here}/{name}.json"))


full = pre_tokenizers.ByteLevel.alphabet()
build("digits", models.BPE(), pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)]), [],
      limit_alphabet=100)
build("llama3", models.BPE(ignore_merges=True), split(LLAMA3), full)
build("qwen2", models.BPE(), split(QWEN2), full, normalizers.NFC(), added=[
    AddedToken("<word>", single_word=True), AddedToken("<left>", lstrip=True), AddedToken("<right>", rstrip=True, special=True),
    AddedToken("Ünique", normalized=True), AddedToken("<|im_", normalized=False)])
build("prefix", models.BPE(unk_token="<unk>", fuse_unk=True), byte_level(True, prefix=True), [], strings=True, limit_alphabet=60)
build("unknown", models.BPE(unk_token="<unk>"), pre_tokenizers.Sequence([pre_tokenizers.Digits(), byte_level(True)]), [],
      limit_alphabet=60)
if len(sys.argv) > 1:
    hashes("smollm2", Tokenizer.from_file(sys.argv[1]))
llama3, begin = Tokenizer.from_file(f"{here}/llama3.json"), "<|endoftext|>"
llama3.post_processor = processors.Sequence([
    processors.ByteLevel(trim_offsets=False),
    processors.TemplateProcessing(single=f"{begin} $A", pair=f"{begin} $A {begin} $B:1", special_tokens=[(begin, llama3.token_to_id(begin))])])
with open(f"{here}/beginning.json", "w") as file:
    json.dump(json.loads(llama3.to_str())["post_processor"], file)
hashes("beginning", llama3, special=True)
