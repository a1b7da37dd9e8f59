//! Turns folders of files into committed chunks.
