//! Qwen3 embedding and reranking models on candle.
