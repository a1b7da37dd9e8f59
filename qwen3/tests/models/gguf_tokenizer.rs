//! The tokenizer that a GGUF's metadata give: the same ids as the tokenizer.json they were converted from.

use std::{
    fs,
    path::{Path, PathBuf},
};

use candle_core::quantized::GgmlDType;
use proptest::prelude::*;
use qwen3::{Model, ModelFiles, Precision, Tokenizer};

use crate::{
    fixture,
    gguf::{reranker_writer, score, written},
    writer::{Edit, Writer},
};

const TEXTS: [&str; 16] = [
    "",
    "yes no yesno",
    "It's WE'LL they'd 'S 'Ll I'M",
    "  leading and trailing  ",
    "line\r\nbreaks\n\n\n and\ttabs \u{a0} \u{3000}x",
    "numbers 1234567890 and 3.14159, 1,000",
    "北京是中国的首都。日本語のテキスト、한국어",
    "Ελληνικά, русский, العربية, עברית, हिन्दी",
    "e\u{301}clair and \u{e9}clair, \u{212b} \u{fb01}",
    "🦀🇩🇪👩‍👩‍👧 emoji",
    "<think>inside</think> and <tool_call> or <tool_response>",
    "<|im_start|>user<|im_end|><|endoftext|>",
    "<|fim_prefix|>code<|fim_suffix|><|fim_middle|><|fim_pad|><|repo_name|>r<|file_sep|>",
    "fn main() { println!(\"{}\", x[0]); } // comment",
    "[PAD1020] [PAD151670] Ġ Ċ Â",
    "https://example.com/a?b=c&d=%20e#f -- ... !!! ???",
];

/// The tokenizer of a tokenizer.json, and the one that a GGUF of it gives.
fn tokenizers(json: &Path, rows: usize) -> [Tokenizer; 2] {
    let mut writer = Writer::of_folder(&fixture("models/tiny-reranker"), |_| GgmlDType::F16);
    writer.tokenizer(json, rows);
    let (folder, path) = written(&writer);
    let mut config = Model::open(&ModelFiles::open(&path).unwrap(), Precision::F32).unwrap().config().clone();
    config.qwen.vocab_size = rows;
    let of_metadata = Tokenizer::open(&ModelFiles::open(&path).unwrap(), &config).unwrap();
    fs::copy(json, folder.path().join("tokenizer.json")).unwrap();
    let of_json = Tokenizer::open(&ModelFiles::open(&path).unwrap(), &config).unwrap();
    [of_json, of_metadata]
}

fn check_texts([of_json, of_metadata]: &[Tokenizer; 2], texts: impl IntoIterator<Item = String>) {
    for text in texts {
        assert_eq!(of_json.encode(&text).unwrap(), of_metadata.encode(&text).unwrap(), "{text:?}");
        for limit in [0, 1, 3] {
            assert_eq!(of_json.cut(&text, limit).unwrap(), of_metadata.cut(&text, limit).unwrap(), "{text:?}");
        }
    }
}

#[test]
fn a_tokenizer_from_metadata_gives_the_same_ids() {
    let tiny = tokenizers(&fixture("models/tiny-reranker/tokenizer.json"), 1024);
    check_texts(&tiny, TEXTS.map(str::to_owned));
    for token in ["yes", "no", "<|endoftext|>", "<|im_start|>", "<|im_end|>"] {
        assert_eq!(tiny[0].token_id(token).unwrap(), tiny[1].token_id(token).unwrap());
    }
    proptest!(ProptestConfig::with_cases(300), |(text in "(\\PC|[ \n\t]|'(s|RE)|yes|no|<think>|<\\|im_end\\|>){0,40}")| {
        prop_assert_eq!(tiny[0].encode(&text).unwrap(), tiny[1].encode(&text).unwrap());
    });
}

/// With a real Qwen3 tokenizer.json (11 MB, not in the repository) named by `QUARRY_TOKENIZER`; else nothing to compare.
#[test]
fn the_real_tokenizer_from_metadata_gives_the_same_ids() {
    let Some(json) = std::env::var_os("QUARRY_TOKENIZER").map(PathBuf::from) else { return };
    let real = tokenizers(&json, 151_936);
    check_texts(&real, TEXTS.map(str::to_owned));
    assert_eq!(["<|endoftext|>", "yes", "no"].map(|token| real[1].token_id(token).unwrap()), [151_643, 9693, 2152]);
    let mut compared = 0;
    let mut folders = vec![fixture("handbook"), fixture("../qwen3")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                compared += text.len();
                check_texts(&real, [text]);
            }
        }
    }
    println!("compared {compared} bytes of text");
    proptest!(ProptestConfig::with_cases(3000), |(text in "(\\PC|[ \n\t]|'(s|RE)|<think>|<\\|fim_pad\\|>){0,60}")| {
        prop_assert_eq!(real[0].encode(&text).unwrap(), real[1].encode(&text).unwrap());
    });
}

#[test]
fn odd_tokenizer_metadata_are_refused() {
    let refused = |edit: Edit| {
        let mut writer = reranker_writer();
        edit(&mut writer);
        let (_folder, path) = written(&writer);
        score(&ModelFiles::open(path).unwrap()).unwrap_err().to_string()
    };
    let cases: [(&str, Edit); 8] = [
        ("tokenizer.ggml.model must be gpt2, got llama", &|w| w.text("tokenizer.ggml.model", "llama")),
        ("tokenizer.ggml.pre must be qwen2, got nothing", &|w| w.remove("tokenizer.ggml.pre")),
        ("\"tokenizer.ggml.merges\" is missing", &|w| w.remove("tokenizer.ggml.merges")),
        ("has 2 elements, expected 1024", &|w| w.integers("tokenizer.ggml.token_type", &[1, 1])),
        ("is not two tokens", &|w| w.texts("tokenizer.ggml.merges", &["yesno"])),
        ("not in the vocabulary", &|w| w.texts("tokenizer.ggml.merges", &["<|endoftext|> <|endoftext|>"])),
        ("not in the vocabulary", &|w| w.texts("tokenizer.ggml.merges", &["unheard of"])),
        ("has two ids, 0 and 1", &|w| {
            w.texts("tokenizer.ggml.tokens", &["a", "a"]);
            w.integers("tokenizer.ggml.token_type", &[1, 1]);
        }),
    ];
    for (part, edit) in cases {
        let message = refused(edit);
        assert!(message.contains(part) && message.contains("tokenizer.json beside"), "{part:?} in {message:?}");
    }
    let more = |w: &mut Writer| w.tokenizer(&fixture("models/tiny-reranker/tokenizer.json"), 1024);
    let message = refused(&|w| {
        more(w);
        let tokens: Vec<String> = (0..1030).map(|id| format!("t{id}")).collect();
        w.texts("tokenizer.ggml.tokens", &tokens);
        w.integers("tokenizer.ggml.token_type", &[1; 1030]);
        w.texts::<&str>("tokenizer.ggml.merges", &[]);
    });
    assert!(message.contains("1029") && message.contains("vocab_size is 1024"), "{message}");
}
