"""Small tokenizers in the shapes of Llama 2, TinyLlama, Mistral and Phi 3, and ids that the reference libraries give, as hashes.

make_sentencepiece.py   (made with tokenizers 0.23.3 and sentencepiece; reads texts.json, writes beside itself)
NAME.json and NAME.hashes as in make_tokenizers.py. sentencepiece.scores.json: tokens, scores and types as a GGUF file of the
kind `llama` holds them; sentencepiece.hashes: the ids of the sentencepiece library itself for the model they are taken from.
"""
import hashlib, io, json, os
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

here = os.path.dirname(os.path.abspath(__file__))
with open(f"{here}/texts.json", encoding="utf-8") as file:
    texts = json.load(file)
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
SPECIAL = ["<unk>", "<s>", "</s>"]
MARK = "\u2581"


def write_hashes(name, encode):
    with open(f"{here}/{name}.hashes", "w") as file:
        for text in texts:
            file.write(hashlib.sha256(",".join(map(str, encode(text))).encode()).hexdigest()[:8] + "\n")


def trained(size, alphabet):
    """Pieces and merges over words that begin with the mark."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=True)
    tokenizer.train_from_iterator(texts[9:600], trainers.BpeTrainer(vocab_size=size, limit_alphabet=alphabet, show_progress=False))
    model = json.loads(tokenizer.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].get), [tuple(pair) for pair in model["merges"]]


def build(name, bytes_known, normalizer=None, pre_tokenizer=None, added=(), template=True, size=500, alphabet=90, **model):
    pieces, merges = trained(size, alphabet)
    vocabulary = {token: index for index, token in enumerate(SPECIAL + bytes_known + pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, **model))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    for token in added:
        tokenizer.add_special_tokens([token]) if token.special else tokenizer.add_tokens([token])
    if template:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    tokenizer.save(f"{here}/{name}.json", pretty=False)
    again = Tokenizer.from_file(f"{here}/{name}.json")
    write_hashes(name, lambda text: again.encode(text, add_special_tokens=False).ids)


def llama():
    return normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])


fallback = dict(byte_fallback=True, fuse_unk=True, unk_token="<unk>")
# TinyLlama, Llama 2 and Mistral 7B; Phi 3 adds tokens that swallow blanks.
build("llama2", BYTES, llama(), **fallback)
build("phi3", BYTES, llama(), added=[
    AddedToken("<|im_start|>", rstrip=True, special=True), AddedToken("<|im_end|>", lstrip=True, normalized=False),
    AddedToken("movie", normalized=True), AddedToken("<word>", single_word=True, normalized=True)], **fallback)
# Files since Transformers 4.40: marks by the pre-tokenizer, in front of the text alone.
build("metaspace", BYTES, None, pre_tokenizers.Metaspace(MARK, "first", False), added=[
    AddedToken("<|im_start|>", special=True), AddedToken("preference", normalized=False)], **fallback)
build("words", [], normalizers.Sequence([normalizers.NFC()]), pre_tokenizers.Metaspace(MARK, "always", True), template=False,
      alphabet=60, unk_token="<unk>", fuse_unk=False)
# Bytes are missing: such characters are unknown, and wait until a known one comes.
build("gaps", [token for token in BYTES if token not in ("<0xE3>", "<0xCC>")], normalizers.Sequence(
    [normalizers.NFC(), normalizers.Sequence([normalizers.Replace(" ", MARK), normalizers.Prepend(MARK)])]), alphabet=40,
    byte_fallback=True, unk_token="<unk>")
build("fused", [token for token in BYTES if token not in ("<0xE3>", "<0xCC>")], None, pre_tokenizers.Metaspace(MARK, "never", False),
      alphabet=40, byte_fallback=True, fuse_unk=True, unk_token="<unk>", ignore_merges=True)

# Byte-level, split before capitals: Mistral-Nemo and GPT-4o.
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
FIRST, CONTRACTION = r"[^\r\n\p{L}\p{N}]?", "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = f"{FIRST}{UPPER}*{LOWER}+|{FIRST}{UPPER}+{LOWER}*" + r"|\p{N}" + TAIL
O200K = f"{FIRST}{UPPER}*{LOWER}+{CONTRACTION}|{FIRST}{UPPER}+{LOWER}*{CONTRACTION}" + r"|\p{N}{1,3}" + TAIL
for name, pattern, split in [("tekken", TEKKEN, ("isolated", False)), ("o200k", O200K, ("removed", True))]:
    tokenizer = Tokenizer(models.BPE(ignore_merges=name == "tekken"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), split[0], invert=split[1]),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.train_from_iterator(texts[9:600], trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if name == "o200k":  # an unknown token that stands among the added tokens alone, and is never needed
        content = json.loads(tokenizer.to_str())
        del content["model"]["vocab"]["<unk>"]
        content["model"]["unk_token"] = "<unk>"
        tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.save(f"{here}/{name}.json", pretty=False)
    write_hashes(name, lambda text: tokenizer.encode(text, add_special_tokens=False).ids)

# SentencePiece's own.
stream = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(["\nYes", "\nNo"] * 60 + [text for text in texts[9:] if text.strip() and all("\t" < c < "\u0250" for c in text)]), model_writer=stream,
    model_type="bpe", vocab_size=800, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
    character_coverage=0.995, split_digits=True, allow_whitespace_only_pieces=True, num_threads=1, minloglevel=2,
    unk_id=0, bos_id=1, eos_id=2)
model = sentencepiece.SentencePieceProcessor(model_proto=stream.getvalue())
kinds = [2 if model.is_unknown(i) else 3 if model.is_control(i) else 6 if model.is_byte(i) else 1 for i in range(len(model))]
with open(f"{here}/sentencepiece.scores.json", "w", encoding="utf-8") as file:
    json.dump({"tokens": [model.id_to_piece(i) for i in range(len(model))], "scores": [model.get_score(i) for i in range(len(model))],
               "types": kinds}, file, ensure_ascii=False)
# Texts that spell out a control token are for the reader of the file, not for the library.
write_hashes("sentencepiece", lambda text: model.encode(text))
