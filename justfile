# Everyday commands; each is one that can be typed without just, too.

# The list of recipes.
default:
    @just --list

# The binary as the README builds it.
build:
    cargo build --release

# All tests, and the examples in the documentation.
test *filter:
    #!/usr/bin/env bash
    set -euo pipefail
    if cargo nextest --version >/dev/null 2>&1; then
      cargo nextest run --workspace {{ filter }}
      # nextest runs no doctests.
      [ -n "{{ filter }}" ] || cargo test --workspace --doc
    else
      cargo test --workspace {{ filter }}
    fi

# Formatting, and clippy with warnings as errors.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# What a reviewer would run, from a clean clone.
ci:
    .ci/run

# The page in a real browser, with axe-core.
browser:
    .ci/browser

# The hot paths, by criterion.
bench *filter:
    cargo bench -p lab --bench hot_paths -- {{ filter }}

# The documentation of the code, and the tests of the documents.
docs:
    cargo doc --workspace --no-deps
    cargo test --workspace --test e2e documents::

# The binary that is handed out: target/dist/quarry.
dist:
    cargo build --profile dist --bin quarry

# What packages bring beside the binary: target/package.
package:
    rm -rf target/package && mkdir -p target/package
    target/dist/quarry generate target/package
    sed 's|^# data_dir = .*|data_dir = "/var/lib/quarry"|' web/deploy/quarry.toml > target/package/quarry.toml

# The Debian package: target/debian/quarry_*.deb. Needs cargo-deb (`cargo install cargo-deb`).
deb: dist package
    cargo deb --no-build --no-strip
