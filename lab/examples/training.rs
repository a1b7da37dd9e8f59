//! A benchmark of training an embedding model on this machine: tokens a second of whole steps (forward, loss, backward,
//! AdamW), over made-up texts.
//!
//! `cargo run --release -p lab --example training -- MODEL_FOLDER [EXAMPLES_PER_BATCH [TOKENS_PER_TEXT [STEPS]]]`.
//! `RAYON_NUM_THREADS` sets the threads.
#![expect(clippy::print_stdout, reason = "a command line tool reports on standard output")]

use std::{error::Error, sync::atomic::AtomicBool};

use lab::train::{
    Checkpoints, EmbeddingOptions, EmbeddingTask, Example, Network, NetworkOptions, Parameters, RunOptions, Scope, run,
};
use qwen3::{DeviceChoice, ModelFiles};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let folder = arguments.first().ok_or("expected: training MODEL_FOLDER [BATCH [TOKENS [STEPS]]]")?;
    let (batch, tokens, steps) = (number(1, 32)?, number(2, 128)?, number(3, 10)?);
    let files = ModelFiles::folder(folder)?;
    let parameters = Parameters::open(&files, &Scope::Everything, 1, DeviceChoice::Cpu)?;
    // Syllables by lot, so that a batch uses thousands of rows of the table.
    let syllable = |at: usize, seed: usize| {
        let lot = (at + 1).wrapping_mul(seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let letter = |letters: &'static [u8], lot: usize| char::from(letters[lot % letters.len()]);
        let (first, last) = (letter(b"bcdfghklmnprstvw", lot), letter(b"lmnrst", lot >> 8));
        format!("{first}{}{last}", letter(b"aeiou", lot >> 4))
    };
    let word = |at: usize, seed: usize| syllable(2 * at, seed) + &syllable(2 * at + 1, seed);
    let text = |seed: usize| (0..tokens).map(|at| word(at, seed)).collect::<Vec<_>>();
    let example = |seed: usize| Example {
        query: text(seed).join(" "),
        response: text(seed + 1).join(" "),
        rejected_response: Vec::new(),
        scores: Vec::new(),
    };
    let examples: Vec<Example> = (0..batch * steps).map(example).collect();
    let options = EmbeddingOptions { max_tokens: tokens, ..EmbeddingOptions::default() };
    let network = Network::new(&parameters, NetworkOptions::default());
    let task = EmbeddingTask::new(&files, &network, &examples, &[], None, options)?;
    let place = std::env::temp_dir().join(format!("quarry-training-{}", std::process::id()));
    let mut checkpoints = Checkpoints::open(&place, serde_json::Value::Null)?;
    let options = RunOptions { batch, checkpoint_every: 0, ..RunOptions::default() };
    let mut rates = Vec::new();
    run(&task, &options, &mut checkpoints, &AtomicBool::new(false), &mut |report| {
        rates.push(report.tokens as f64 / report.seconds);
    })?;
    std::fs::remove_dir_all(place)?;
    rates.sort_by(f64::total_cmp);
    println!(
        "{batch} x 2 x {tokens} tokens a step: median {:.0}, best {:.0} tokens/s",
        rates[rates.len() / 2],
        rates[rates.len() - 1]
    );
    Ok(())
}
