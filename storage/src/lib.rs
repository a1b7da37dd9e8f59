//! Crash-safe storage of documents, chunks and vectors.
