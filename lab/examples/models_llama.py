"""The speed of quarry's Qwen3 on a CPU beside llama.cpp's, in one run and in turns.

    models_llama.py [--quarry target/release/quarry] [--rounds 2] [--only embed]     (PyPI: llama-cpp-python, gguf, numpy)

The shape of the 0.6B models with random weights and their whole vocabulary, one thread; llama.cpp in bf16 and Q8_0, quarry in bf16 and int8. Processor
time, so that what others do on the machine counts little; medians over the rounds. The models are written as GGUF files into a temporary
folder (2 GB), without a tokenizer: token ids are given.
"""
import argparse, ctypes, json, os, statistics, subprocess, tempfile, time

import gguf
import llama_cpp
import numpy as np

VOCAB, WIDTH, LAYERS, HEADS, KV, HEAD, INNER = 151_669, 1024, 28, 16, 8, 128, 3072
EMBEDDING = {"query": (1, 16), "embed-16x256": (16, 256), "embed-64x64": (64, 64)}
READING = {"prefill-1x512": (1, 512), "prefill-8x64": (8, 64)}
WRITING = {"decode-1x32": (1, 32), "decode-4x32": (4, 32), "decode-8x32": (8, 32)}
BEFORE = 256

a = argparse.ArgumentParser()
a.add_argument("--quarry", default="target/release/quarry")
a.add_argument("--rounds", type=int, default=2)
a.add_argument("--only", default="", help="loads whose name begins so")
a = a.parse_args()


def write(path, kind):
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_context_length(32_768)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_vocab_size(VOCAB)
    writer.add_tokenizer_model("none")
    chance = np.random.default_rng(0)

    def matrix(name, rows, columns):
        values = chance.standard_normal((rows, columns), dtype=np.float32) * 0.02
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)

    def ones(name, length):
        writer.add_tensor(name, np.ones(length, dtype=np.float32))

    matrix("token_embd.weight", VOCAB, WIDTH)
    ones("output_norm.weight", WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for norm, length in {"attn_norm": WIDTH, "ffn_norm": WIDTH, "attn_q_norm": HEAD, "attn_k_norm": HEAD}.items():
            ones(f"{block}{norm}.weight", length)
        matrix(block + "attn_q.weight", HEADS * HEAD, WIDTH)
        matrix(block + "attn_k.weight", KV * HEAD, WIDTH)
        matrix(block + "attn_v.weight", KV * HEAD, WIDTH)
        matrix(block + "attn_output.weight", WIDTH, HEADS * HEAD)
        matrix(block + "ffn_gate.weight", INNER, WIDTH)
        matrix(block + "ffn_up.weight", INNER, WIDTH)
        matrix(block + "ffn_down.weight", WIDTH, INNER)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Llama:
    def __init__(self, path):
        settings = llama_cpp.llama_model_default_params()
        # Its own tile kernels for eight bits end the process (0.3.36, Sapphire Rapids).
        settings.use_extra_bufts = False
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), settings)

    def context(self, embeds, sequences):
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx, settings.n_batch, settings.n_ubatch, settings.n_seq_max = 8_192, 4_096, 512, sequences
        settings.n_threads = settings.n_threads_batch = 1
        # Each text looks at its own keys alone.
        settings.kv_unified = False
        settings.embeddings = embeds
        settings.pooling_type = llama_cpp.LLAMA_POOLING_TYPE_LAST if embeds else llama_cpp.LLAMA_POOLING_TYPE_NONE
        return llama_cpp.llama_init_from_model(self.model, settings)

    def decode(self, context, sequences, start, tokens):
        batch = llama_cpp.llama_batch_init(sequences * tokens, 0, 1)
        for place in range(sequences * tokens):
            sequence, at = divmod(place, tokens)
            batch.token[place] = (7 * place + 11) % 30_000
            batch.pos[place], batch.n_seq_id[place], batch.seq_id[place][0] = start + at, 1, sequence
            batch.logits[place] = at == tokens - 1
        batch.n_tokens = sequences * tokens
        if llama_cpp.llama_decode(context, batch):
            raise SystemExit("llama.cpp refuses the batch")
        llama_cpp.llama_batch_free(batch)

    def seconds(self, load):
        sequences, tokens = (EMBEDDING | READING | WRITING)[load]
        context = self.context(load in EMBEDDING, sequences)
        if load in WRITING:
            self.decode(context, sequences, 0, BEFORE)
            begin = time.process_time()
            for step in range(tokens):
                self.decode(context, sequences, BEFORE + step, 1)
                llama_cpp.llama_synchronize(context)
        else:
            # Once before, so that pages are there.
            self.decode(context, 1, 0, 8)
            llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
            begin = time.process_time()
            self.decode(context, sequences, 0, tokens)
            llama_cpp.llama_synchronize(context)
        taken = time.process_time() - begin
        llama_cpp.llama_free(context)
        return taken


def of_quarry(load, precision):
    command = [a.quarry, "--precision", precision, "bench", "models", "--threads", "1", "--json", "--runs", "1", "--only", load]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["rows"]
    return next(row["cpu_ms"] for row in rows if row["name"].startswith(load)) / 1e3


llama_cpp.llama_backend_init()
quiet = llama_cpp.llama_log_callback(lambda *_: None)
llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
print("llama.cpp:", llama_cpp.llama_print_system_info().decode())
with tempfile.TemporaryDirectory() as folder:
    llamas = {}
    for name, kind in {"llama bf16": gguf.GGMLQuantizationType.BF16, "llama Q8_0": gguf.GGMLQuantizationType.Q8_0}.items():
        path = os.path.join(folder, name.replace(" ", "-") + ".gguf")
        write(path, kind)
        llamas[name] = Llama(path)
    for load, (sequences, tokens) in (EMBEDDING | READING | WRITING).items():
        if not load.startswith(a.only):
            continue
        times = {name: [] for name in ["llama bf16", "quarry bf16", "llama Q8_0", "quarry int8"]}
        for _ in range(a.rounds):
            for name in times:
                who, precision = name.split()
                times[name].append(llamas[name].seconds(load) if who == "llama" else of_quarry(load, precision))
        all_tokens = sequences * tokens
        medians = {name: statistics.median(seconds) for name, seconds in times.items()}
        words = [f"{name} {median * 1e3:.0f} ms ({all_tokens / median:.1f} tokens/s)" for name, median in medians.items()]
        ratios = [medians["llama bf16"] / medians["quarry bf16"], medians["llama Q8_0"] / medians["quarry int8"]]
        print(f"{load}: {', '.join(words)}; bf16 {ratios[0]:.2f}x, eight bits {ratios[1]:.2f}x", flush=True)
