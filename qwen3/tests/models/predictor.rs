//! The writer's arithmetic against reference outputs: logits and greedy continuations, however sequences are put
//! together, cut into parts and joined.

use std::{fs, path::Path};

use candle_core::quantized::GgmlDType;
use qwen3::{
    DeviceChoice, Error, Kernels, KvMemory, ModelConfig, ModelFiles, Onward, Precision, Predictor, tensors, write_gguf,
};
use serde::Deserialize;

use crate::{expected, golden_models, worst, writer::Writer};

#[derive(Deserialize)]
struct Cases {
    yes_id: usize,
    no_id: usize,
    prefix_ids: Vec<u32>,
    suffix_ids: Vec<u32>,
    cases: Vec<Case>,
    greedy: Greedy,
}

#[derive(Deserialize)]
struct Case {
    document_ids: Vec<u32>,
    logit_yes: f32,
    logit_no: f32,
}

#[derive(Deserialize)]
struct Greedy {
    prompt_ids: Vec<u32>,
    continuation_ids: Vec<u32>,
}

impl Cases {
    fn prompts(&self) -> Vec<Vec<u32>> {
        let prompt = |case: &Case| [&self.prefix_ids[..], &case.document_ids, &self.suffix_ids].concat();
        self.cases.iter().map(prompt).collect()
    }

    /// How far logits of the cases are from the reference.
    fn off(&self, logits: &[Vec<f32>]) -> f32 {
        assert_eq!(logits.len(), self.cases.len());
        let off = |(case, row): (&Case, &Vec<f32>)| {
            (row[self.yes_id] - case.logit_yes).abs().max((row[self.no_id] - case.logit_no).abs())
        };
        self.cases.iter().zip(logits).map(off).fold(0.0, f32::max)
    }
}

fn each(check: impl Fn(&Predictor, &Cases, &str)) {
    for folder in golden_models("rerank") {
        let cases: Cases = expected(&folder);
        let predictor = open(&folder, Precision::F32);
        check(&predictor, &cases, &folder.display().to_string());
    }
}

fn open(path: &Path, precision: Precision) -> Predictor {
    Predictor::open(&ModelFiles::open(path).unwrap(), precision, DeviceChoice::Cpu).unwrap()
}

/// One sequence goes on; logits behind its last token.
fn advance(predictor: &Predictor, memory: &mut KvMemory, ids: &[u32]) -> Vec<f32> {
    predictor.advance(&mut [Onward { memory, ids, wants_logits: true }]).unwrap().remove(0)
}

fn likeliest(logits: &[f32]) -> u32 {
    let at = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]).then(b.cmp(a)));
    u32::try_from(at.unwrap()).unwrap()
}

/// The continuation of a prompt, and the logits that each of its tokens was chosen by.
fn greedy(predictor: &Predictor, prompt: &[u32], count: usize) -> (Vec<u32>, Vec<Vec<f32>>) {
    let mut memory = predictor.memory(prompt.len() + count).unwrap();
    let (mut written, mut all) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let unread = written.last().map_or(prompt, std::slice::from_ref);
        let logits = advance(predictor, &mut memory, unread);
        written.push(likeliest(&logits));
        all.push(logits);
    }
    (written, all)
}

#[test]
fn greedy_continuations_token_by_token() {
    each(|predictor, cases, name| {
        let Greedy { prompt_ids, continuation_ids } = &cases.greedy;
        let (written, _) = greedy(predictor, prompt_ids, continuation_ids.len());
        assert_eq!(&written, continuation_ids, "{name}");
    });
}

#[test]
fn logits_one_by_one_and_together_in_any_order() {
    each(|predictor, cases, name| {
        let prompts = cases.prompts();
        let alone: Vec<Vec<f32>> = prompts
            .iter()
            .map(|prompt| advance(predictor, &mut predictor.memory(prompt.len()).unwrap(), prompt))
            .collect();
        assert!(cases.off(&alone) < 1e-4, "{name}: off by {}", cases.off(&alone));
        for turn in [1, 3, 7] {
            let order: Vec<usize> = (0..prompts.len()).map(|i| (i * turn + 2) % prompts.len()).collect();
            let mut memories: Vec<KvMemory> =
                order.iter().map(|i| predictor.memory(prompts[*i].len()).unwrap()).collect();
            let mut onward: Vec<Onward> = memories
                .iter_mut()
                .zip(&order)
                .map(|(memory, i)| Onward { memory, ids: &prompts[*i], wants_logits: true })
                .collect();
            for (logits, i) in predictor.advance(&mut onward).unwrap().iter().zip(&order) {
                assert!(worst(logits, &alone[*i]) < 1e-4, "{name}, {i} of {order:?}");
            }
        }
    });
}

/// A prompt in parts, each beside other sequences; logits are wanted only at its end.
#[test]
fn a_prompt_may_come_in_parts() {
    each(|predictor, cases, name| {
        let prompts = cases.prompts();
        for part in [1, 2, 5, 41, 64] {
            let mut memories: Vec<KvMemory> =
                prompts.iter().map(|prompt| predictor.memory(prompt.len()).unwrap()).collect();
            let mut logits = vec![Vec::new(); prompts.len()];
            while logits.iter().any(Vec::is_empty) {
                let mut ends = Vec::new();
                let mut onward = Vec::new();
                for (index, memory) in memories.iter_mut().enumerate() {
                    let (known, count) = (memory.tokens(), prompts[index].len());
                    if known == count {
                        continue;
                    }
                    let end = count.min(known + part);
                    ends.extend((end == count).then_some(index));
                    onward.push(Onward { memory, ids: &prompts[index][known..end], wants_logits: end == count });
                }
                let rows = predictor.advance(&mut onward).unwrap();
                assert_eq!(rows.len(), ends.len());
                ends.into_iter().zip(rows).for_each(|(index, row)| logits[index] = row);
            }
            assert!(cases.off(&logits) < 1e-4, "{name}, parts of {part}: off by {}", cases.off(&logits));
        }
    });
}

/// Sequences begin at different times, and each is given tokens that it would not choose.
#[test]
fn teacher_forced_logits_are_the_same_alone_and_among_others() {
    each(|predictor, cases, name| {
        let texts: Vec<Vec<u32>> = cases
            .prompts()
            .into_iter()
            .take(4)
            .chain([[&cases.greedy.prompt_ids[..], &cases.greedy.continuation_ids].concat()])
            .collect();
        // The reference: each position by a pass of its own over everything before it.
        let whole = |text: &[u32]| advance(predictor, &mut predictor.memory(text.len()).unwrap(), text);
        let first = |index: usize| 1 + index * 5;
        let mut memories: Vec<KvMemory> = texts.iter().map(|text| predictor.memory(text.len()).unwrap()).collect();
        for step in 0.. {
            if memories.iter().zip(&texts).all(|(memory, text)| memory.tokens() == text.len()) {
                break;
            }
            let mut onward = Vec::new();
            let mut ends = Vec::new();
            for (index, memory) in memories.iter_mut().enumerate() {
                let (text, known) = (&texts[index], memory.tokens());
                // Later texts join later.
                if step < 3 * index || known == text.len() {
                    continue;
                }
                let end = if known == 0 { first(index).min(text.len()) } else { known + 1 };
                ends.push((index, end));
                onward.push(Onward { memory, ids: &text[known..end], wants_logits: true });
            }
            for (logits, (index, end)) in predictor.advance(&mut onward).unwrap().iter().zip(ends) {
                let off = worst(logits, &whole(&texts[index][..end]));
                assert!(off < 1e-4, "{name}, text {index} behind {end} tokens: off by {off}");
            }
        }
    });
}

#[test]
fn a_gguf_writes_what_the_safetensors_do() {
    let place = tempfile::tempdir().unwrap();
    for folder in golden_models("rerank") {
        let cases: Cases = expected(&folder);
        let path = place.path().join("model.gguf");
        Writer::of_folder(&folder, |_| GgmlDType::F32).write(&path);
        let predictor = open(&path, Precision::F32);
        let Greedy { prompt_ids, continuation_ids } = &cases.greedy;
        assert_eq!(&greedy(&predictor, prompt_ids, continuation_ids.len()).0, continuation_ids, "{}", folder.display());
    }
}

/// Weights in blocks of eight bits are other weights: those read back from the file, written as safetensors, are the
/// reference.
#[test]
fn a_gguf_of_quarrys_own_writes_what_its_weights_say() {
    let place = tempfile::tempdir().unwrap();
    for folder in golden_models("rerank") {
        let cases: Cases = expected(&folder);
        let files = ModelFiles::open(&folder).unwrap();
        let config = ModelConfig::of(&files).unwrap();
        let path = place.path().join("model.gguf");
        let mut out = fs::File::create(&path).unwrap();
        write_gguf(&mut out, &config, None, &tensors(&files, &config).unwrap()).unwrap();
        drop(out);
        let from_gguf = open(&path, Precision::F32);
        let unpacked = place.path().join("unpacked");
        fs::create_dir_all(&unpacked).unwrap();
        fs::copy(folder.join("config.json"), unpacked.join("config.json")).unwrap();
        let weights = tensors(&ModelFiles::open(&path).unwrap(), &config).unwrap();
        safetensors::serialize_to_file(weights, None, &unpacked.join("model.safetensors")).unwrap();
        let from_weights = open(&unpacked, Precision::F32);
        let prompt = &cases.greedy.prompt_ids;
        let (written, logits) = greedy(&from_gguf, prompt, 24);
        let (reference, expected) = greedy(&from_weights, prompt, 24);
        assert_eq!(written, reference, "{}", folder.display());
        for (got, expected) in logits.iter().zip(&expected) {
            assert!(worst(got, expected) < 1e-5);
        }
    }
}

#[test]
fn lesser_precisions_and_candles_way_stay_close() {
    for folder in golden_models("rerank") {
        let cases: Cases = expected(&folder);
        let files = ModelFiles::open(&folder).unwrap();
        // Logits of these models are up to 20.
        for (precision, kernels, bound) in [
            (Precision::F32, Kernels::Candle, 1e-4),
            (Precision::Bf16, Kernels::Fastest, 0.5),
            (Precision::Int8, Kernels::Fastest, 1.0),
        ] {
            let predictor = Predictor::open_with(&files, precision, kernels).unwrap();
            let logits: Vec<Vec<f32>> = cases
                .prompts()
                .iter()
                .map(|prompt| {
                    let mut memory = predictor.memory(prompt.len()).unwrap();
                    let (before, last) = prompt.split_at(prompt.len() - 1);
                    predictor.advance(&mut [Onward { memory: &mut memory, ids: before, wants_logits: false }]).unwrap();
                    advance(&predictor, &mut memory, last)
                })
                .collect();
            let off = cases.off(&logits);
            assert!(off < bound, "{} {precision:?} {kernels:?}: off by {off}", folder.display());
        }
    }
}

#[test]
fn memories_have_a_limit_and_survive_what_is_refused() {
    each(|predictor, cases, _| {
        let prompt = &cases.greedy.prompt_ids;
        let mut memory = predictor.memory(prompt.len()).unwrap();
        let refused = |memory: &mut KvMemory, ids: &[u32]| {
            predictor.advance(&mut [Onward { memory, ids, wants_logits: true }]).unwrap_err()
        };
        assert!(matches!(refused(&mut memory, &[]), Error::Length { length: 0, .. }));
        assert!(matches!(refused(&mut memory, &[1, 99_999]), Error::TokenId { id: 99_999, .. }));
        let too_long = [&prompt[..], &[1]].concat();
        assert!(matches!(refused(&mut memory, &too_long), Error::Length { .. }));
        assert_eq!(memory.tokens(), 0);
        let logits = advance(predictor, &mut memory, prompt);
        assert_eq!(likeliest(&logits), cases.greedy.continuation_ids[0]);
        assert!(matches!(refused(&mut memory, &[1]), Error::Length { .. }));
        assert!(predictor.memory(0).is_err() && predictor.memory(1 << 20).is_err());
        assert!(predictor.advance(&mut []).unwrap().is_empty());
    });
}
