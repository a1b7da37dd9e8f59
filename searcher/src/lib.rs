//! Answers a query: recall, fuse, rerank, highlight.
