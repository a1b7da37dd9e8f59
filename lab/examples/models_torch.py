"""The speed of quarry's Qwen3 on a CPU beside torch's, in one run and in turns.

    models_torch.py [--quarry target/release/quarry] [--rounds 3]     (PyPI: torch, transformers)

The shape of the 0.6B models with random weights, one thread, bf16 (and quarry in int8). Processor time, so that what others do on the machine counts
little; medians over the rounds. torch reads every candidate of a reranking whole; quarry computes once what they share.
"""
import argparse, json, statistics, subprocess, time

import torch
from transformers import Qwen3Config, Qwen3Model

LOADS = {"query-1x16": (1, 16), "embed-16x256": (16, 256), "embed-64x64": (64, 64), "rerank-100x200": (100, 200)}
AT_ONCE = 4096

a = argparse.ArgumentParser()
a.add_argument("--quarry", default="target/release/quarry")
a.add_argument("--rounds", type=int, default=3)
a = a.parse_args()
torch.set_num_threads(1)
config = Qwen3Config(
    vocab_size=30_100, hidden_size=1024, intermediate_size=3072, num_hidden_layers=28, num_attention_heads=16, num_key_value_heads=8,
    head_dim=128, max_position_embeddings=32_768, rms_norm_eps=1e-6, rope_theta=1e6,
)
config._attn_implementation = "sdpa"
model = Qwen3Model(config).to(torch.bfloat16).eval()


def of_torch(sequences, tokens):
    ids = torch.randint(0, 30_000, (sequences, tokens))
    begin = time.process_time()
    with torch.inference_mode():
        for batch in ids.split(max(1, AT_ONCE // tokens)):
            model(input_ids=batch, use_cache=False)
    return time.process_time() - begin


def of_quarry(load, precision):
    command = [a.quarry, "--precision", precision, "bench", "models", "--threads", "1", "--json", "--runs", "1", "--only", load]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["rows"]
    return next(row["cpu_ms"] for row in rows if row["name"] == load) / 1e3


of_torch(1, 16)
for load, (sequences, tokens) in LOADS.items():
    times = {"torch bf16": [], "quarry bf16": [], "quarry int8": []}
    for _ in range(a.rounds):
        times["torch bf16"].append(of_torch(sequences, tokens))
        for precision in ["bf16", "int8"]:
            times[f"quarry {precision}"].append(of_quarry(load, precision))
    medians = {name: statistics.median(values) for name, values in times.items()}
    shown = (f"{name} {seconds * 1e3:.0f} ms ({medians['torch bf16'] / seconds:.2f}x)" for name, seconds in medians.items())
    print(f"{load}: {', '.join(shown)}", flush=True)
