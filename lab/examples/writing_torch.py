"""The speed of quarry's Qwen3 as a writer on a CPU beside transformers', in one run and in turns.

    writing_torch.py [--quarry target/release/quarry] [--rounds 3]     (PyPI: torch, transformers)

The shape of the 0.6B models with random weights and their whole vocabulary, one thread, bf16 (and quarry in int8). Processor time, so that what
others do on the machine counts little; medians over the rounds. Reading is timed with the logits of the last token alone, on both sides; writing
goes on behind 256 tokens with the keys and values that are known.
"""
import argparse, json, statistics, subprocess, time

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

READING = {"prefill-1x512": (1, 512), "prefill-8x64": (8, 64)}
WRITING = {"decode-1x32": (1, 32), "decode-4x32": (4, 32), "decode-8x32": (8, 32)}
BEFORE = 256

a = argparse.ArgumentParser()
a.add_argument("--quarry", default="target/release/quarry")
a.add_argument("--rounds", type=int, default=3)
a = a.parse_args()
torch.set_num_threads(1)
config = Qwen3Config(
    vocab_size=151_669, hidden_size=1024, intermediate_size=3072, num_hidden_layers=28, num_attention_heads=16, num_key_value_heads=8,
    head_dim=128, max_position_embeddings=32_768, rms_norm_eps=1e-6, rope_theta=1e6, tie_word_embeddings=True,
)
config._attn_implementation = "sdpa"
torch.set_default_dtype(torch.bfloat16)
model = Qwen3ForCausalLM(config).eval()


def read(sequences, tokens):
    ids = torch.randint(0, 30_000, (sequences, tokens))
    return model(input_ids=ids, use_cache=True, logits_to_keep=1)


@torch.inference_mode()
def of_torch(load):
    if load in READING:
        begin = time.process_time()
        read(*READING[load])
        return time.process_time() - begin
    sequences, tokens = WRITING[load]
    known = read(sequences, BEFORE).past_key_values
    next = torch.full((sequences, 1), 7)
    begin = time.process_time()
    for _ in range(tokens):
        known = model(input_ids=next, past_key_values=known, use_cache=True).past_key_values
    return time.process_time() - begin


def of_quarry(load, precision):
    command = [a.quarry, "--precision", precision, "bench", "models", "--threads", "1", "--json", "--runs", "1", "--only", load]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["rows"]
    return next(row["cpu_ms"] for row in rows if row["name"] == load) / 1e3


of_torch("prefill-8x64")
for load, (sequences, tokens) in (READING | WRITING).items():
    times = {"torch bf16": [], "quarry bf16": [], "quarry int8": []}
    for _ in range(a.rounds):
        times["torch bf16"].append(of_torch(load))
        for precision in ["bf16", "int8"]:
            times[f"quarry {precision}"].append(of_quarry(load, precision))
    medians = {name: statistics.median(values) for name, values in times.items()}
    rate = lambda seconds: sequences * tokens / seconds
    shown = (f"{name} {rate(seconds):.1f} tokens/s ({medians['torch bf16'] / seconds:.2f}x)" for name, seconds in medians.items())
    print(f"{load}: {', '.join(shown)}", flush=True)
