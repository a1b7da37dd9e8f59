"""Chats as transformers puts them into tokens, for qwen3's test `chats_are_those_of_transformers`.

    chats_transformers.py FOLDER > chats.json      (PyPI: transformers; FOLDER has Qwen3's tokenizer.json and tokenizer_config.json)
    QUARRY_CHATS=chats.json cargo test -p qwen3 chats_are_those_of_transformers -- --ignored
"""
import json, os, sys

from transformers import PreTrainedTokenizerFast

folder = os.path.abspath(sys.argv[1])
template = json.load(open(os.path.join(folder, "tokenizer_config.json")))["chat_template"]
tokenizer = PreTrainedTokenizerFast(tokenizer_file=os.path.join(folder, "tokenizer.json"))
say = lambda role, content: {"role": role, "content": content}
CHATS = [
    [say("user", "Who signs travel claims?")],
    [say("system", "Answer from the passages.\n\n[1] Finance signs."), say("user", "Who signs?")],
    [say("user", "\n\nBlank lines before, and behind.\n\n")],
    [say("system", ""), say("user", "Umlaute äöü, 汉字和标点。 👩‍🔬 e\u0301 \t tabs")],
    [say("user", "a"), say("assistant", "b"), say("user", "c  d"), say("assistant", "<think>\nhm\n</think>\n\ne"), say("user", "123456 f")],
    [say("user", "fn main() {\r\n    println!(\"{}\", 1);\r\n}")],
]
cases = []
for messages in CHATS:
    for thinking in [False, True]:
        chat = dict(chat_template=template, add_generation_prompt=True, enable_thinking=thinking)
        text = tokenizer.apply_chat_template(messages, tokenize=False, **chat)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        plain = "".join(tokenizer.decode([id for id in ids if id not in tokenizer.all_special_ids and not 151643 <= id <= 151656]))
        cases.append({"messages": messages, "thinking": thinking, "ids": ids, "text": plain})
json.dump({"tokenizer": os.path.join(folder, "tokenizer.json"), "cases": cases}, sys.stdout, ensure_ascii=False)
