//! What becomes of what a writer says: said, struck, or replaced by what the documents say.

use super::*;

const LEAVE: &str = "Full-time staff have 27 working days of holiday a year. Contractors have none.";

/// Says what it is given, in pieces.
struct Parrot(&'static str, Ending);

impl Writer for Parrot {
    fn name(&self) -> &str {
        "parrot"
    }

    fn room(&self) -> usize {
        20_000
    }

    fn write(&self, brief: &Brief, take: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<Ending, WriterError> {
        assert!(brief.question.contains("27 working days"));
        for piece in self.0.split_inclusive(' ') {
            if take(piece).is_break() {
                return Ok(Ending::Done);
            }
        }
        Ok(self.1)
    }
}

fn source(id: &str, title: &str, text: &str) -> Source {
    let citation = Citation {
        number: 0,
        id: id.into(),
        source: "docs".into(),
        path: format!("{id}.md"),
        title: title.into(),
        url: None,
        passage: 0,
        headings: vec![],
        lines: 1..2,
        place: None,
        text: text.into(),
        quotes: vec![],
    };
    Source { citation, ground: Ground { above: title.into(), text: text.into(), blocks: vec![] } }
}

/// What is said in the end, and how many sentences were heard on the way.
fn written(said: &'static str, ending: Ending) -> (Reply, usize) {
    let sources = [source("printers", "Printers", "Printers take paper."), source("leave", "Leave", LEAVE)];
    let quotations: Vec<Quotation<'_>> = sources.iter().map(Source::quotation).collect();
    let brief = Brief::new("How many days?", &quotations);
    let mut heard = 0;
    let mut hear = |said: Said<'_>| {
        heard += usize::from(!matches!(said, Said::Part));
        ControlFlow::Continue(())
    };
    let mut written = Written::new(&sources, "How many days?", None);
    written.listen(&Parrot(said, ending), &brief, &mut hear);
    let reply = written.reply("parrot", extractive());
    (reply, heard)
}

/// What is said without a writer.
fn extractive() -> Reply {
    let sentence = CitedSentence { text: LEAVE.into(), header: None, citations: vec![1], trust: Some(0.9) };
    Reply {
        question: "How many days?".into(),
        is_rewritten: false,
        outcome: Outcome::Answered,
        writer: "extractive".into(),
        sentences: vec![sentence],
        citations: vec![Citation { number: 1, ..source("leave", "Leave", LEAVE).citation }],
        struck: vec![],
        notes: vec![],
        closest: vec![],
        answerable: None,
        timings: crate::answer::Timings::default(),
        generation: 1,
    }
}

const GOOD: &str = "[2] \"27 working days of holiday\" => Full-time staff have 27 days of holiday.\n";

#[test]
fn what_is_proved_is_said_with_the_words_that_prove_it() {
    let (reply, heard) = written(GOOD, Ending::Done);
    assert_eq!((reply.writer.as_str(), reply.sentences.len(), heard), ("parrot", 1, 1));
    assert_eq!(reply.sentences[0].text, "Full-time staff have 27 days of holiday.");
    // Cited first, whatever its number was for the writer.
    let citation = &reply.citations[0];
    assert_eq!((citation.number, citation.path.as_str()), (1, "leave.md"));
    assert_eq!(&citation.text[citation.quotes[0].clone()], "Full-time staff have 27 working days of holiday a year.");
}

#[test]
fn what_is_not_proved_is_struck() {
    const MIXED: &str = "[2] \"27 working days of holiday\" => Full-time staff have 27 days of holiday.\n\
        [2] \"Contractors have none\" => Contractors have 27 days.\n";
    let (reply, heard) = written(MIXED, Ending::Done);
    assert_eq!((reply.writer.as_str(), reply.sentences.len(), heard), ("parrot", 1, 2));
    assert_eq!(reply.struck[0].flaw, Flaw::Figure("27".into()));
}

#[test]
fn an_answer_that_lost_its_substance_is_what_the_documents_say() {
    let (reply, _) = written("Everybody has 99 days [2].\nAsk Zoe [1].", Ending::Done);
    assert_eq!((reply.writer.as_str(), reply.struck.len()), ("extractive", 2));
    assert_eq!(reply.notes, [ReplyNote::Unproved]);
    assert_eq!(reply.sentences[0].text, LEAVE);
    let (reply, _) = written("NONE", Ending::Done);
    assert_eq!((reply.writer.as_str(), reply.notes.len()), ("extractive", 0));
}

#[test]
fn a_writer_that_goes_on_and_on_is_cut() {
    const LOOP: &str = "[2] \"27 working days of holiday\" => Full-time staff have 27 days of holiday.\n\
        [2] \"27 working days of holiday\" => Full-time staff have 27 days of holiday.\n\
        [2] \"27 working days of holiday\" => Full-time staff have 27 days.\n";
    let (reply, _) = written(LOOP, Ending::Done);
    assert_eq!((reply.sentences.len(), reply.notes.as_slice()), (1, &[ReplyNote::Repeated][..]));
    // Half a sentence may say the opposite of the whole.
    const HALF: &str = "[2] \"27 working days of holiday\" => Full-time staff have 27 days of holiday.\n\
        [2] \"Full-time staff have 27 working days\" => Full-time staff have 27";
    let (reply, _) = written(HALF, Ending::Cut);
    assert_eq!((reply.sentences.len(), reply.struck.len(), reply.notes.as_slice()), (1, 0, &[ReplyNote::Cut][..]));
}

#[test]
fn whoever_leaves_ends_it() {
    let sources = [source("printers", "Printers", "Printers take paper."), source("leave", "Leave", LEAVE)];
    let quotations: Vec<Quotation<'_>> = sources.iter().map(Source::quotation).collect();
    let brief = Brief::new("How many days?", &quotations);
    let mut parts = 0;
    let mut written = Written::new(&sources, "How many days?", None);
    written.listen(&Parrot(GOOD, Ending::Done), &brief, &mut |_| {
        parts += 1;
        if parts == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((parts, written.sentences.len(), written.struck.len(), written.notes.len()), (3, 0, 0, 0));
}

#[test]
fn a_writer_that_fails_leaves_what_the_documents_say() {
    struct Away;
    impl Writer for Away {
        fn name(&self) -> &str {
            "away"
        }

        fn room(&self) -> usize {
            20_000
        }

        fn write(&self, _: &Brief, _: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<Ending, WriterError> {
            let after = std::time::Duration::from_secs(5);
            Err(WriterError::Elsewhere(remote::Fault::Resting { host: "llm".into(), reason: "no".into(), after }))
        }
    }
    let sources = [source("leave", "Leave", LEAVE)];
    let brief = Brief::new("q", &[sources[0].quotation()]);
    let mut hear = |_: Said<'_>| ControlFlow::Continue(());
    let mut written = Written::new(&sources, "q", None);
    written.listen(&Away, &brief, &mut hear);
    let reply = written.reply("away", extractive());
    assert_eq!((reply.writer.as_str(), reply.notes.as_slice()), ("extractive", &[ReplyNote::WriterFailed][..]));
    assert_eq!(reply.sentences.len(), 1);
}
