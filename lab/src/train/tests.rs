//! The way back as a whole: same values as the model that searches, a gradient for every parameter, and the right one.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use candle_core::{DType, Device, Tensor, Var};

use super::{
    checkpoint::Checkpoints,
    embedding::{EmbeddingOptions, EmbeddingTask},
    encoded::{Division, Encoded},
    example::Example,
    gradients::{Gradient, Gradients},
    network::{Network, NetworkOptions},
    objective::{ListLoss, Objective, SCORE},
    parameters::{Lora, Parameters, Scope},
    reranking::{RerankingOptions, RerankingTask},
    run::{Report, RunOptions, run},
    schedule::Schedule,
};
use qwen3::{DeviceChoice, Model, ModelFiles, Precision, Prefix};

const WHOLE: Division = Division { part: 1 << 20, kept: 1 << 20 };

fn golden(name: &str) -> ModelFiles {
    ModelFiles::folder(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden").join(name)).unwrap()
}

fn open(name: &str, scope: &Scope, dtype: DType) -> Parameters {
    Parameters::open_as(&golden(name), scope, 7, &Device::Cpu, dtype).unwrap()
}

fn sequences(vocabulary: u32) -> Vec<Vec<u32>> {
    let sequence = |length: u32| (0..length).map(|at| (at * 37 + length * 11) % vocabulary).collect();
    [5, 1, 12, 7].map(sequence).to_vec()
}

/// Some loss that depends on every value of every hidden state.
fn upstream(hidden: &Tensor) -> Tensor {
    let (rows, width) = hidden.dims2().unwrap();
    let values: Vec<f64> = (0..rows * width).map(|at| ((at * 7919 % 97) as f64 / 48.0) - 1.0).collect();
    Tensor::from_vec(values, (rows, width), &Device::Cpu).unwrap().to_dtype(hidden.dtype()).unwrap()
}

fn gradients(parameters: &Parameters, options: NetworkOptions, division: Division) -> BTreeMap<String, Vec<f64>> {
    let network = Network::new(parameters, options);
    let sequences = sequences(parameters.config().qwen.vocab_size as u32);
    let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let encoded = Encoded::new(&network, &sequences, division).unwrap();
    let upstream = upstream(&encoded.hidden);
    let mut gradients = Gradients::default();
    encoded.backward(&network, &upstream, &mut gradients).unwrap();
    let flat = |(name, var): (String, Var)| {
        let gradient = match gradients.get(&name)? {
            Gradient::Dense(tensor) => tensor.clone(),
            Gradient::Rows(rows) => rows.dense(&var).unwrap(),
        };
        assert_eq!(gradient.shape(), var.shape());
        Some((name, gradient.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()))
    };
    parameters.variables().into_iter().filter_map(flat).collect()
}

fn loss(parameters: &Parameters) -> f64 {
    let network = Network::new(parameters, NetworkOptions::default());
    let sequences = sequences(parameters.config().qwen.vocab_size as u32);
    let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let hidden = network.last_hidden(&sequences).unwrap();
    (&hidden * upstream(&hidden)).unwrap().sum_all().unwrap().to_dtype(DType::F64).unwrap().to_scalar().unwrap()
}

#[test]
fn computes_what_the_model_that_searches_computes() {
    for name in ["embed-gqa", "embed-mqa", "embed-sharded", "rerank-tied", "rerank-untied"] {
        let parameters = open(name, &Scope::Everything, DType::F32);
        let sequences = sequences(parameters.config().qwen.vocab_size as u32);
        let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let model = Model::open(&golden(name), Precision::F32).unwrap();
        let expected = model.last_hidden(&sequences, &Prefix::EMPTY).unwrap();
        for recompute in [false, true] {
            let network = Network::new(&parameters, NetworkOptions { recompute, mixed: false });
            let ours: Vec<Vec<f32>> = network.last_hidden(&sequences).unwrap().to_vec2().unwrap();
            for (ours, expected) in ours.iter().flatten().zip(expected.iter().flatten()) {
                assert!((ours - expected).abs() < 1e-4, "{name}: {ours} {expected}");
            }
        }
    }
}

/// Operations that record no way back would silently leave a parameter as it is.
#[test]
fn every_parameter_gets_a_gradient() {
    let lora = Scope::Lora(Lora { rank: 2, alpha: 4.0, ..Lora::default() });
    for scope in [Scope::Everything, lora] {
        let parameters = open("embed-gqa", &scope, DType::F32);
        if scope != Scope::Everything {
            // At the beginning B is zero, and A rightly gets nothing.
            for (_, var) in parameters.variables().into_iter().filter(|(name, _)| name.ends_with("lora_b")) {
                var.set(&Tensor::rand(-0.1f32, 0.1, var.shape(), &Device::Cpu).unwrap()).unwrap();
            }
        }
        let gradients = gradients(&parameters, NetworkOptions::default(), WHOLE);
        let names: Vec<String> = parameters.variables().into_keys().collect();
        assert!(names.len() > 10);
        for name in names {
            let gradient = gradients.get(&name).unwrap_or_else(|| panic!("{name} gets no gradient"));
            assert!(gradient.iter().any(|x| *x != 0.0), "the gradient of {name} is zero");
        }
    }
}

#[test]
fn gradients_are_finite_differences() {
    for scope in [Scope::Everything, Scope::Lora(Lora { rank: 2, alpha: 4.0, ..Lora::default() })] {
        let parameters = open("embed-gqa", &scope, DType::F64);
        let gradients = gradients(&parameters, NetworkOptions::default(), WHOLE);
        for (name, var) in parameters.variables() {
            let before: Vec<f64> = var.flatten_all().unwrap().to_vec1().unwrap();
            let gradient = &gradients[&name];
            let largest = (0..before.len()).max_by(|a, b| gradient[*a].abs().total_cmp(&gradient[*b].abs())).unwrap();
            for at in [largest, before.len() / 2] {
                let moved = |by: f64| {
                    let mut values = before.clone();
                    values[at] += by;
                    var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap()).unwrap();
                    loss(&parameters)
                };
                let step = 1e-5;
                let slope = (moved(step) - moved(-step)) / (2.0 * step);
                moved(0.0);
                let scale = slope.abs().max(gradient[largest].abs()).max(1e-3);
                assert!((slope - gradient[at]).abs() < 1e-4 * scale, "{name}[{at}]: {slope} {}", gradient[at]);
            }
        }
    }
}

/// Computing layers again, or the batch in parts, or both, changes nothing but memory and time.
#[test]
fn saving_memory_gives_the_same_gradients() {
    let parameters = open("embed-gqa", &Scope::Everything, DType::F64);
    let plain = gradients(&parameters, NetworkOptions::default(), WHOLE);
    let parts = Division { part: 12, kept: 0 };
    for (recompute, division) in [(true, WHOLE), (false, parts), (true, parts)] {
        let other = gradients(&parameters, NetworkOptions { recompute, mixed: false }, division);
        assert_eq!(plain.len(), other.len());
        for (name, expected) in &plain {
            let scale = expected.iter().fold(0f64, |most, x| most.max(x.abs()));
            for (a, b) in expected.iter().zip(&other[name]) {
                assert!((a - b).abs() <= 1e-6 * scale, "{name}: {a} {b}");
            }
        }
    }
}

/// bf16 inside changes gradients by rounding, not in direction.
#[test]
fn mixed_precision_points_the_same_way() {
    let parameters = open("embed-gqa", &Scope::Everything, DType::F32);
    let exact = gradients(&parameters, NetworkOptions::default(), WHOLE);
    let mixed = gradients(&parameters, NetworkOptions { recompute: false, mixed: true }, WHOLE);
    for (name, exact) in &exact {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = dot(exact, &mixed[name]) / (dot(exact, exact) * dot(&mixed[name], &mixed[name])).sqrt();
        assert!(cosine > 0.98, "{name}: {cosine}");
    }
}

#[test]
fn a_scope_that_matches_nothing_is_refused() {
    let scope = Scope::Matching(vec!["heads".to_owned()]);
    let error = Parameters::open_as(&golden("embed-gqa"), &scope, 1, &Device::Cpu, DType::F32).err().unwrap();
    assert!(error.to_string().contains("no weight is called like heads"), "{error}");
    let scope = Scope::Lora(Lora { rank: 1000, ..Lora::default() });
    let error = Parameters::open_as(&golden("embed-gqa"), &scope, 1, &Device::Cpu, DType::F32).err().unwrap();
    assert!(error.to_string().contains("a LoRA rank of 1000"), "{error}");
}

/// A model of one layer and its tokenizer, small enough to learn by heart in seconds.
fn small() -> ModelFiles {
    ModelFiles::folder(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/models/tiny-reranker")).unwrap()
}

/// Examples in the toy set.
const SIZE: usize = 4;

fn toy(count: usize) -> Vec<Example> {
    let subjects = ["pump", "valve", "gear", "lamp", "cable", "motor", "sensor", "filter", "switch", "relay"];
    let example = |at: usize| Example {
        query: format!("What does the {} do?", subjects[at % subjects.len()]),
        response: format!("Part {} is described on page {}.", at, 3 * at + 1),
        rejected_response: vec![format!("Part {} is described on page {}.", at + 50, at)],
        scores: Vec::new(),
    };
    (0..count).map(example).collect()
}

fn options(peak: f64) -> RunOptions {
    RunOptions {
        epochs: 40.0,
        batch: 4,
        schedule: Schedule { peak, warmup: 0.1, floor: 0.1 },
        evaluate_every: 10,
        checkpoint_every: 7,
        ..RunOptions::default()
    }
}

/// Trains until `limit` reports were seen; the reports, and the variables at the end.
fn train(objective: &impl Objective, folder: &Path, limit: usize) -> Vec<Report> {
    train_at(1e-2, objective, folder, limit)
}

fn train_at(peak: f64, objective: &impl Objective, folder: &Path, limit: usize) -> Vec<Report> {
    let mut checkpoints = Checkpoints::open(folder, serde_json::json!({"of": "a test"})).unwrap();
    let (stop, mut reports) = (AtomicBool::new(false), Vec::new());
    let mut observe = |report: &Report| {
        reports.push(report.clone());
        stop.store(reports.len() >= limit, Ordering::Relaxed);
    };
    run(objective, &options(peak), &mut checkpoints, &stop, &mut observe).unwrap();
    reports
}

fn values(parameters: &Parameters) -> BTreeMap<String, Vec<f32>> {
    let flat = |(name, var): (String, Var)| (name, var.flatten_all().unwrap().to_vec1().unwrap());
    parameters.variables().into_iter().map(flat).collect()
}

fn open_small(scope: &Scope) -> Parameters {
    Parameters::open(&small(), scope, 1, DeviceChoice::Cpu).unwrap()
}

fn embedding_task<'n>(network: &'n Network<'n>, options: EmbeddingOptions) -> EmbeddingTask<'n> {
    EmbeddingTask::new(&small(), network, &toy(SIZE), &toy(SIZE), None, options).unwrap()
}

/// Some questions, their answers, and a look-alike of each: all can be told apart, so the loss can go to nothing.
#[test]
fn an_embedding_model_learns_a_toy_set_by_heart() {
    let parameters = open_small(&Scope::Everything);
    let network = Network::new(&parameters, NetworkOptions::default());
    let folder = tempfile::tempdir().unwrap();
    let task = embedding_task(&network, EmbeddingOptions { widths: vec![32], ..EmbeddingOptions::default() });
    // Three times this rate brings all texts to one point.
    let reports = train_at(3e-3, &task, folder.path(), usize::MAX);
    let (first, last) = (&reports[0], reports.last().unwrap());
    assert!(first.loss > 0.5 && last.loss < 0.02, "{} -> {}", first.loss, last.loss);
    assert_eq!(last.figures["recall@1"], 1.0);
    assert!(last.figures[SCORE] > 0.999);
}

#[test]
fn a_reranker_learns_a_toy_set_by_heart() {
    let lora = Scope::Lora(Lora { rank: 8, alpha: 16.0, ..Lora::default() });
    for scope in [Scope::Everything, lora] {
        let parameters = open_small(&scope);
        let network = Network::new(&parameters, NetworkOptions::default());
        let folder = tempfile::tempdir().unwrap();
        let (examples, options) = (toy(SIZE), RerankingOptions::default());
        let task = RerankingTask::new(&small(), &network, &examples, &examples, options).unwrap();
        let reports = train(&task, folder.path(), usize::MAX);
        let last = reports.last().unwrap();
        assert!(last.loss < 0.05, "{scope:?}: {} -> {}", reports[0].loss, last.loss);
        assert_eq!((last.figures[SCORE], last.figures["answers"]), (1.0, 1.0));
    }
}

/// Stopped between checkpoints or killed (then all since the last checkpoint is lost), a run ends in the same weights, to
/// the last bit.
#[test]
fn a_run_that_was_cut_ends_as_if_it_had_not_been() {
    let scope = Scope::Matching(vec!["layers".to_owned()]);
    let whole = open_small(&scope);
    let network = Network::new(&whole, NetworkOptions::default());
    let folder = tempfile::tempdir().unwrap();
    let reports = train(&embedding_task(&network, EmbeddingOptions::default()), folder.path(), usize::MAX);
    let cut = tempfile::tempdir().unwrap();
    let before = open_small(&scope);
    let network = Network::new(&before, NetworkOptions::default());
    let first = train(&embedding_task(&network, EmbeddingOptions::default()), cut.path(), 10);
    assert_eq!(first.last().unwrap().step, 10);
    // What a kill while writing leaves behind.
    std::fs::create_dir_all(cut.path().join("new")).unwrap();
    std::fs::write(cut.path().join("new/state.json"), "{").unwrap();
    let after = open_small(&scope);
    let network = Network::new(&after, NetworkOptions::default());
    let task = embedding_task(&network, EmbeddingOptions::default());
    let rest = train(&task, cut.path(), usize::MAX);
    assert_eq!(rest[0].step, 11);
    assert_eq!(rest.last().unwrap().loss, reports.last().unwrap().loss);
    assert_eq!(values(&whole), values(&after));
    let mut checkpoints = Checkpoints::open(cut.path(), serde_json::json!({"of": "another"})).unwrap();
    let error = run(&task, &options(1e-2), &mut checkpoints, &AtomicBool::new(false), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("other settings (of)"), "{error}");
}

/// A student that only hears the teacher's scores ends with the teacher's order.
#[test]
fn lists_are_learned_from_scores() {
    let mut examples = toy(SIZE);
    for (index, example) in examples.iter_mut().enumerate() {
        // The teacher prefers the rejected one for every other query.
        example.scores = if index % 2 == 0 { vec![0.9, 0.1] } else { vec![0.1, 0.9] };
    }
    for list in [ListLoss::Kl(0.1), ListLoss::MarginMse] {
        let parameters = open_small(&Scope::Everything);
        let network = Network::new(&parameters, NetworkOptions::default());
        let options = EmbeddingOptions { contrast: 0.0, lists: Some((list, 1.0)), ..EmbeddingOptions::default() };
        let task = EmbeddingTask::new(&small(), &network, &examples, &examples, None, options).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let last = train(&task, folder.path(), usize::MAX).pop().unwrap();
        assert!(last.loss < 0.01, "{list:?}: {}", last.loss);
        assert!(last.figures["recall@1"] <= 0.5, "{:?}", last.figures);
    }
}
