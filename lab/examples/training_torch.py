"""The other side of `cargo run --release -p lab --example training`: the same steps in torch, f32, on the CPU.

    training_torch.py MODEL PAIRS TOKENS [--threads 2] [--steps 12]     (PyPI: torch, transformers)

PAIRS random queries and PAIRS random documents of TOKENS tokens each, InfoNCE with in-batch negatives at temperature 0.05, gradients
clipped to 1, AdamW. Prints the median and the best step; run it in turns with quarry's on a quiet machine.
"""
import argparse, json, time

import torch
from transformers import Qwen3Config, Qwen3Model

a = argparse.ArgumentParser()
a.add_argument("model")
a.add_argument("pairs", type=int)
a.add_argument("tokens", type=int)
a.add_argument("--threads", type=int, default=2)
a.add_argument("--steps", type=int, default=12)
a = a.parse_args()
torch.set_num_threads(a.threads)
config = json.load(open(f"{a.model}/config.json"))
config = Qwen3Config(**{k: v for k, v in config.items() if k not in ("torch_dtype", "dtype", "architectures")})
config._attn_implementation = "sdpa"
model = Qwen3Model(config).float().train()
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.01)
speeds = []
for step in range(a.steps):
    ids = torch.randint(0, config.vocab_size - 3, (2 * a.pairs, a.tokens))
    start = time.time()
    last = model(input_ids=ids, use_cache=False).last_hidden_state[:, -1]
    queries, documents = torch.nn.functional.normalize(last, dim=-1).split(a.pairs)
    own = torch.eye(a.pairs, dtype=torch.bool)
    others = lambda texts: (texts @ texts.T).masked_fill(own, -9e9)
    scores = torch.cat([queries @ documents.T, others(queries), others(documents)], 1) / 0.05
    torch.nn.functional.cross_entropy(scores, torch.arange(a.pairs)).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()
    speeds.append(2 * a.pairs * a.tokens / (time.time() - start))
speeds.sort()
print(f"torch: {a.pairs} x 2 x {a.tokens} tokens a step: median {speeds[len(speeds) // 2]:.0f}, best {speeds[-1]:.0f} tokens/s")
