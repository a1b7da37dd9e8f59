//! llama.cpp's names of a Qwen3 model's tensors, and this crate's (those of Hugging Face without `model.`).

pub(crate) const TABLE: &str = "token_embd.weight";
pub(crate) const OUTPUT: &str = "output.weight";
/// Two rows of the output matrix, in rerankers converted for llama.cpp's rank pooling.
pub(crate) const ANSWER_HEAD: &str = "cls.output.weight";

const WHOLE: [(&str, &str); 3] =
    [(TABLE, "embed_tokens.weight"), ("output_norm.weight", "norm.weight"), (OUTPUT, "lm_head.weight")];

const BLOCK: [(&str, &str); 11] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// This crate's name of a tensor; none for tensors that no Qwen3 model has.
pub(crate) fn to_ours(name: &str) -> Option<String> {
    if let Some((_, ours)) = WHOLE.iter().find(|(gguf, _)| *gguf == name) {
        return Some((*ours).to_owned());
    }
    let (index, part) = name.strip_prefix("blk.")?.strip_suffix(".weight")?.split_once('.')?;
    let (_, ours) = BLOCK.iter().find(|(gguf, _)| *gguf == part)?;
    Some(format!("layers.{index}.{ours}.weight"))
}

/// The name in a GGUF of a tensor of ours, for messages about what is missing.
pub(crate) fn from_ours(name: &str) -> String {
    if let Some((gguf, _)) = WHOLE.iter().find(|(_, ours)| *ours == name) {
        return (*gguf).to_owned();
    }
    let block = || {
        let (index, part) = name.strip_prefix("layers.")?.strip_suffix(".weight")?.split_once('.')?;
        let (gguf, _) = BLOCK.iter().find(|(_, ours)| *ours == part)?;
        Some(format!("blk.{index}.{gguf}.weight"))
    };
    block().unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::NAMES;

    #[test]
    fn every_tensor_of_a_block_has_a_name_both_ways() {
        for part in NAMES {
            let ours = format!("layers.27.{part}.weight");
            let gguf = from_ours(&ours);
            assert!(gguf.starts_with("blk.27."), "{gguf}");
            assert_eq!(to_ours(&gguf), Some(ours));
        }
        for ours in ["embed_tokens.weight", "norm.weight", "lm_head.weight"] {
            assert_eq!(to_ours(&from_ours(ours)).as_deref(), Some(ours));
        }
        for name in ["blk.0.attn_q.bias", "rope_freqs.weight", "blk.0.weight", "cls.output.weight", "blk..attn_q"] {
            assert_eq!(to_ours(name), None);
        }
    }
}
