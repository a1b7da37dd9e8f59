//! Chats in, texts out, with a tiny model of random weights: what it writes means nothing, and how it is written is
//! told all the same.

use std::{fs, path::Path, sync::mpsc, thread, time::Duration};

use candle_core::quantized::GgmlDType;
use qwen3::{
    End, Error, Finish, GenerateHandle, GenerateRequest, Generator, GeneratorOptions, Message, ModelFiles, Precision,
    SamplingWishes, TokenMask, TokenSet, WriterOptions, Writing, Written,
};
use tempfile::TempDir;

use crate::{fixture, writer::Writer};

/// Tokens of `fixtures/models/tiny-reranker`, a causal model for all that its files say.
const IM_END: u32 = 1002;

fn tiny() -> ModelFiles {
    ModelFiles::folder(fixture("models/tiny-reranker")).unwrap()
}

fn start(files: &ModelFiles, options: &WriterOptions) -> GenerateHandle {
    let generator =
        Generator::open(files, GeneratorOptions { precision: Precision::F32, ..GeneratorOptions::default() });
    GenerateHandle::start(generator.unwrap(), options).unwrap()
}

fn writer() -> GenerateHandle {
    start(&tiny(), &WriterOptions::default())
}

/// A text drawn by chance, which a seed repeats. Hot, as these weights are too sure of themselves.
fn request(question: &str, seed: u64, max_tokens: usize) -> GenerateRequest {
    GenerateRequest {
        max_tokens: Some(max_tokens),
        seed: Some(seed),
        sampling: SamplingWishes { temperature: Some(8.0), ..SamplingWishes::default() },
        ..GenerateRequest::new(vec![Message::system("Answer from the documents."), Message::user(question)])
    }
}

fn text(handle: &GenerateHandle, request: GenerateRequest) -> (String, End) {
    handle.begin(request).unwrap().wait().unwrap()
}

/// A copy of the tiny model, whose files may be changed.
fn copy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(fixture("models/tiny-reranker").join(file), folder.path().join(file)).unwrap();
    }
    folder
}

fn refusal(files: &ModelFiles) -> String {
    match Generator::open(files, GeneratorOptions::default()) {
        Err(error @ Error::NoWriter { .. }) => error.to_string(),
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("not refused: {}", files.origin()),
    }
}

#[test]
fn a_seed_repeats_a_text_alone_and_beside_others() {
    let handle = writer();
    let alone: Vec<(String, End)> = (0..6).map(|seed| text(&handle, request("Who signs?", seed, 30))).collect();
    assert!(alone.iter().any(|(text, _)| *text != alone[0].0), "seeds write different texts");
    assert!(alone.iter().all(|(text, end)| !text.is_empty() && end.written_tokens <= 30));
    // Begun together, and in another order.
    let pending: Vec<(u64, Writing)> =
        (0..6).rev().map(|seed| (seed, handle.begin(request("Who signs?", seed, 30)).unwrap())).collect();
    for (seed, writing) in pending {
        assert_eq!(writing.wait().unwrap().0, alone[seed as usize].0, "seed {seed}");
    }
    let stats = handle.stats();
    assert!(stats.requests == 12 && stats.tokens > 0 && stats.waiting_bulk == 0);
}

#[test]
fn a_shared_instruction_is_read_once_and_changes_nothing() {
    let first = writer();
    let (expected, end) = text(&first, request("A second question", 5, 20));
    assert_eq!(end.known_tokens, 0);
    let handle = writer();
    let (_, end) = text(&handle, request("A first question", 1, 20));
    assert_eq!(end.known_tokens, 0);
    let (again, end) = text(&handle, request("A second question", 5, 20));
    assert!(end.known_tokens > 5 && end.known_tokens < end.prompt_tokens, "{end:?}");
    assert_eq!(again, expected);
    // Another instruction is another beginning.
    let mut other = request("A second question", 5, 20);
    other.messages[0] = Message::system("Answer in one word.");
    assert_eq!(text(&handle, other).1.known_tokens, 0);
}

#[test]
fn prompts_longer_than_a_pass_and_texts_that_wait_are_written_all_the_same() {
    let long = "a long question ".repeat(60);
    let expected = text(&writer(), request(&long, 3, 10)).0;
    let handle = start(&tiny(), &WriterOptions { step_tokens: 7, at_once: 2, queue: 16 });
    let pending: Vec<Writing> = (0..5).map(|_| handle.begin(request(&long, 3, 10)).unwrap()).collect();
    for writing in pending {
        assert_eq!(writing.wait().unwrap().0, expected);
    }
}

#[test]
fn pieces_are_the_text() {
    let handle = writer();
    let whole = text(&handle, request("Umlaute: äöü, 汉字", 9, 60)).0;
    let mut writing = handle.begin(request("Umlaute: äöü, 汉字", 9, 60)).unwrap();
    let prompt_tokens = writing.prompt_tokens();
    let mut pieces = Vec::new();
    let end = loop {
        match writing.next().unwrap().unwrap() {
            Written::Text(piece) => pieces.push(piece),
            Written::End(end) => break end,
        }
    };
    assert!(writing.next().is_none(), "nothing follows the end");
    assert_eq!(end.prompt_tokens, prompt_tokens);
    // The same without blocking.
    let (told, tidings) = mpsc::channel();
    let told = move || told.send(()).unwrap_or_default();
    let mut writing =
        handle.begin(GenerateRequest { told: Some(Box::new(told)), ..request("Umlaute: äöü, 汉字", 9, 60) }).unwrap();
    let mut polled = String::new();
    for () in tidings {
        while let Some(piece) = writing.ready() {
            match piece.unwrap() {
                Written::Text(text) => polled.push_str(&text),
                Written::End(last) => assert_eq!(last.finish, end.finish),
            }
        }
    }
    assert!(polled == whole && writing.ready().is_none());
    assert!(pieces.len() > 1 && pieces.iter().all(|piece| !piece.is_empty()));
    assert_eq!(pieces.concat(), whole);
}

#[test]
fn stop_strings_end_the_text_before_them() {
    let handle = writer();
    let whole = text(&handle, request("q", 2, 40)).0;
    let characters: Vec<char> = whole.chars().collect();
    let stop: String = characters[characters.len() / 2..][..2].iter().collect();
    let stopped = GenerateRequest { stop: vec!["never written".to_owned(), stop.clone()], ..request("q", 2, 40) };
    let (cut, end) = text(&handle, stopped);
    assert_eq!((cut.as_str(), end.finish), (&whole[..whole.find(&stop).unwrap()], Finish::Stop));
}

#[test]
fn the_most_tokens_and_the_context_end_a_text() {
    let handle = writer();
    let (_, end) = text(&handle, request("q", 2, 1));
    assert_eq!((end.written_tokens, end.finish), (1, Finish::Length));
    let options =
        GeneratorOptions { context_tokens: Some(60), precision: Precision::F32, ..GeneratorOptions::default() };
    let generator = Generator::open(&tiny(), options).unwrap();
    // Two contexts and what is kept of beginnings; three blocks, keys and values, two heads of 32, four bytes.
    assert_eq!(generator.memory_bytes(), (2 * 60 + 2048) * 3 * 2 * 2 * 32 * 4);
    let handle = GenerateHandle::start(generator, &WriterOptions::default()).unwrap();
    assert_eq!(handle.context_tokens(), 60);
    let (_, end) = text(&handle, GenerateRequest { messages: vec![Message::user("q")], ..request("q", 4, 5000) });
    assert!(end.finish == Finish::Length && end.prompt_tokens + end.written_tokens == 60, "{end:?}");
    let long = handle.begin(request(&"long ".repeat(100), 1, 5)).err().unwrap();
    assert!(matches!(long, Error::TooLong { limit: 59, .. }), "{long}");
}

#[test]
fn a_circle_is_cut() {
    let handle = writer();
    // The likeliest token of random weights is the same again and again.
    let request = GenerateRequest { max_tokens: Some(2000), ..GenerateRequest::new(vec![Message::user("q")]) };
    let (_, end) = text(&handle, request);
    assert!(end.finish == Finish::Repetition && end.written_tokens < 1000, "{end:?}");
}

/// Lets only letters through, and the end after so many.
struct Letters {
    allowed: TokenSet,
    most: usize,
}

impl TokenMask for Letters {
    fn restrict(&mut self, written: &[u32], allowed: &mut TokenSet) {
        if written.len() < self.most {
            allowed.keep(&self.allowed);
        } else {
            allowed.clear();
            allowed.allow(IM_END);
        }
    }
}

struct Nothing;

impl TokenMask for Nothing {
    fn restrict(&mut self, _: &[u32], allowed: &mut TokenSet) {
        allowed.clear();
    }
}

struct Bomb;

impl TokenMask for Bomb {
    fn restrict(&mut self, _: &[u32], _: &mut TokenSet) {
        panic!("a bug of the caller");
    }
}

#[test]
fn a_mask_holds_a_text_to_its_form() {
    let handle = writer();
    let spellings = handle.spellings();
    let mut allowed = TokenSet::none(spellings.count());
    let is_letters = |token: &u32| {
        let bytes = spellings.of_token(*token);
        !bytes.is_empty() && bytes.iter().all(u8::is_ascii_alphabetic)
    };
    (0..spellings.count() as u32).filter(is_letters).for_each(|token| allowed.allow(token));
    let masked = GenerateRequest { mask: Some(Box::new(Letters { allowed, most: 12 })), ..request("q", 6, 100) };
    let (letters, end) = text(&handle, masked);
    assert!(letters.len() >= 12 && letters.bytes().all(|byte| byte.is_ascii_alphabetic()), "{letters:?}");
    assert_eq!((end.written_tokens, end.finish), (13, Finish::Stop));
    let nothing = GenerateRequest { mask: Some(Box::new(Nothing)), ..request("q", 6, 100) };
    let (none, end) = text(&handle, nothing);
    assert_eq!((none.as_str(), end.written_tokens, end.finish), ("", 0, Finish::Mask));
}

#[test]
fn a_fault_of_one_text_is_its_own() {
    let handle = writer();
    let expected = text(&handle, request("q", 8, 20)).0;
    let sound = handle.begin(request("q", 8, 20)).unwrap();
    let faulty = handle.begin(GenerateRequest { mask: Some(Box::new(Bomb)), ..request("q", 8, 20) }).unwrap();
    assert!(faulty.wait().unwrap_err().to_string().contains("a bug of the caller"));
    assert_eq!(sound.wait().unwrap().0, expected);
}

/// Holds the writer's thread until it is let go.
struct Gate {
    reached: mpsc::Sender<()>,
    pass: mpsc::Receiver<()>,
}

impl TokenMask for Gate {
    fn restrict(&mut self, _: &[u32], _: &mut TokenSet) {
        self.reached.send(()).ok();
        self.pass.recv().ok();
    }
}

#[test]
fn nan_weights_write_nothing_and_say_so() {
    let folder = copy();
    let path = folder.path().join("model.safetensors");
    let mut file = fs::read(&path).unwrap();
    let end = file.len();
    // The last tensor of the file is the final norm or a block's weight: both reach the logits.
    file[end - 64..].as_chunks_mut::<4>().0.iter_mut().for_each(|value| *value = f32::NAN.to_le_bytes());
    fs::write(&path, file).unwrap();
    let handle = start(&ModelFiles::folder(folder.path()).unwrap(), &WriterOptions::default());
    for temperature in [0.0, 1.0] {
        let sampling = SamplingWishes { temperature: Some(temperature), ..SamplingWishes::default() };
        let written = handle.begin(GenerateRequest { sampling, ..request("Who signs?", 1, 5) }).unwrap().wait();
        let told = format!("{:?}", written.expect_err("no text"));
        assert!(told.contains("non-finite logit"), "{temperature}: {told}");
    }
}

#[test]
fn abandoned_texts_are_not_written_and_a_full_queue_says_so() {
    let handle = start(&tiny(), &WriterOptions { queue: 2, at_once: 1, step_tokens: 256 });
    let ((reached, seen), (open, pass)) = (mpsc::channel(), mpsc::channel());
    let gate = GenerateRequest { mask: Some(Box::new(Gate { reached, pass })), ..request("q", 1, 1000) };
    let held = handle.begin(gate).unwrap();
    seen.recv().unwrap();
    // The thread stands at the gate: two wait, a third is refused.
    let waiting: Vec<Writing> = (0..2).map(|seed| handle.begin(request("q", seed, 5)).unwrap()).collect();
    assert_eq!(handle.stats().waiting_bulk, 2);
    let busy = handle.begin(request("q", 3, 5)).err().unwrap();
    assert!(matches!(busy, Error::Busy { waiting: 2 }), "{busy}");
    drop(held);
    drop(open);
    for writing in waiting {
        assert!(!writing.wait().unwrap().0.is_empty());
    }
    assert_eq!(handle.stats().abandoned, 1);
}

#[test]
fn waiting_can_be_limited() {
    let handle = writer();
    let ((reached, seen), (open, pass)) = (mpsc::channel(), mpsc::channel());
    let gate = GenerateRequest { mask: Some(Box::new(Gate { reached, pass })), ..request("q", 1, 3) };
    let mut writing = handle.begin(gate).unwrap();
    seen.recv().unwrap();
    assert!(writing.next_until(std::time::Instant::now() + Duration::from_millis(5)).is_none());
    drop(open);
    // Goes on where it was.
    thread::spawn(move || seen.iter().count());
    assert!(matches!(writing.wait().unwrap().1, End { written_tokens: 3, .. }));
}

#[test]
fn impossible_wishes_are_refused_by_name() {
    let handle = writer();
    let error = |request: GenerateRequest| handle.begin(request).err().unwrap().to_string();
    assert!(error(GenerateRequest::default()).contains("needs a message"));
    assert!(error(request("q", 1, 0)).contains("at least 1 token"));
    let sampling = SamplingWishes { top_p: Some(2.0), ..SamplingWishes::default() };
    assert!(error(GenerateRequest { sampling, ..request("q", 1, 5) }).contains("top_p must be 0 to 1, got 2"));
}

#[test]
fn a_text_can_be_begun_by_the_caller() {
    let handle = writer();
    let mut begun = request("q", 3, 12);
    begun.messages.push(Message::assistant("The answer is"));
    let more = handle.count(&begun).unwrap() - handle.count(&request("q", 3, 12)).unwrap();
    assert_eq!(more, handle.tokenizer().count("The answer is").unwrap());
    let (text, _) = text(&handle, begun);
    assert!(!text.contains("The answer is"), "what was begun is not said again");
}

#[test]
fn generation_config_says_how_it_is_written() {
    let folder = copy();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "generation_config.json",
        r#"{"do_sample": true, "temperature": 0.7, "top_k": 9, "eos_token_id": [1001, 5]}"#,
    );
    let handle = start(&ModelFiles::folder(folder.path()).unwrap(), &WriterOptions::default());
    assert_eq!((handle.sampling().temperature, handle.sampling().top_k), (0.7, 9));
    assert_eq!(handle.ends(), [1001, 5, IM_END]);
    write("generation_config.json", r#"{"do_sample": true, "temperature": "hot"}"#);
    let error =
        Generator::open(&ModelFiles::folder(folder.path()).unwrap(), GeneratorOptions::default()).err().unwrap();
    assert!(error.to_string().contains("generation_config.json"), "{error}");
    assert_eq!(writer().ends(), [1001, IM_END]);
}

#[test]
fn models_that_do_not_write_are_refused() {
    let nano = ModelFiles::folder(fixture("models/nano")).unwrap();
    assert!(refusal(&nano).contains("embedding or reranking model"));
    let bert = ModelFiles::folder(fixture("golden/bert-tiny")).unwrap();
    assert!(refusal(&bert).contains("BERT"));
    let folder = copy();
    let tokenizer = fs::read_to_string(folder.path().join("tokenizer.json")).unwrap();
    let change = |from: &str, to: &str| {
        fs::write(folder.path().join("tokenizer.json"), tokenizer.replace(from, to)).unwrap();
        refusal(&ModelFiles::folder(folder.path()).unwrap())
    };
    assert!(change("<|im_end|>", "<|over|>").contains("has no <|im_end|>"));
    let mut parsed: serde_json::Value = serde_json::from_str(&tokenizer).unwrap();
    let text = |part: &str| serde_json::json!({"Sequence": {"id": part, "type_id": 0}});
    let end = serde_json::json!({"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}});
    parsed["post_processor"] = serde_json::json!({
        "type": "TemplateProcessing", "single": [text("A"), end], "pair": [text("A"), text("B")],
        "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [1001], "tokens": ["<|endoftext|>"]}}
    });
    fs::write(folder.path().join("tokenizer.json"), parsed.to_string()).unwrap();
    assert!(refusal(&ModelFiles::folder(folder.path()).unwrap()).contains("embedding"), "it appends an end of text");
}

#[test]
fn a_chat_template_of_another_form_is_refused() {
    let folder = copy();
    let template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}";
    fs::write(folder.path().join("chat_template.jinja"), template).unwrap();
    let error = refusal(&ModelFiles::folder(folder.path()).unwrap());
    assert!(error.contains("chat template") && error.contains("[system] s"), "{error}");
    let chatml = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}\
                  {{ '<|im_start|>assistant\n' }}";
    fs::write(folder.path().join("chat_template.jinja"), chatml).unwrap();
    let bare = start(&ModelFiles::folder(folder.path()).unwrap(), &WriterOptions::default());
    let thoughtless = writer();
    let tokens = |handle: &GenerateHandle| handle.count(&request("q", 1, 1)).unwrap();
    let thought = thoughtless.tokenizer().count("<think>\n\n</think>\n\n").unwrap();
    assert_eq!(tokens(&thoughtless), tokens(&bare) + thought, "no empty thought, as the template has none");
}

/// A GGUF brings its template and tokenizer with it, and says what it is for.
#[test]
fn a_gguf_writes_and_one_that_pools_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let folder = fixture("models/tiny-reranker");
    let path = place.path().join("model.gguf");
    let make = |edit: &dyn Fn(&mut Writer)| {
        let mut writer = Writer::of_folder(&folder, |_| GgmlDType::F32);
        writer.tokenizer(&folder.join("tokenizer.json"), 1024);
        edit(&mut writer);
        writer.write(&path);
        ModelFiles::open(Path::new(&path)).unwrap()
    };
    let plain = make(&|_| ());
    let expected = text(&writer(), request("Wer unterschreibt?", 4, 25)).0;
    assert_eq!(text(&start(&plain, &WriterOptions::default()), request("Wer unterschreibt?", 4, 25)).0, expected);
    for pooling in [3, 4] {
        let pooled = make(&|writer| writer.count("qwen3.pooling_type", pooling));
        assert!(refusal(&pooled).contains("embedding or reranking"), "{pooling}");
    }
    let foreign = make(&|writer| writer.text("tokenizer.chat_template", "{{ messages[0].content }}"));
    assert!(refusal(&foreign).contains("chat template"));
}
