//! The rule for the tokens of a writer of ours: only those may come that keep its text in the [`Form`].

use std::sync::Arc;

use qwen3::{Spellings, TokenMask, TokenSet};

use super::form::{Form, quotable};

/// A vocabulary as the form asks for it.
pub(super) struct Vocabulary {
    /// Ids and bytes of all tokens that have any, by their bytes.
    sorted: Vec<(u32, Vec<u8>)>,
    /// Tokens that may stand anywhere in a sentence, and the most bytes that one of them has.
    words: TokenSet,
    longest_word: usize,
    /// Tokens with a line end or another control.
    others: Vec<(u32, Vec<u8>)>,
    ends: Vec<u32>,
    count: usize,
}

impl Vocabulary {
    pub(super) fn of(spellings: &Spellings, ends: &[u32]) -> Self {
        let ids = 0..u32::try_from(spellings.count()).unwrap_or(u32::MAX);
        Self::new(ids.map(|id| (id, spellings.of_token(id).to_vec())).collect(), ends)
    }

    fn new(mut sorted: Vec<(u32, Vec<u8>)>, ends: &[u32]) -> Self {
        let count = sorted.len();
        sorted.retain(|(_, bytes)| !bytes.is_empty());
        sorted.sort_by(|a, b| a.1.cmp(&b.1));
        let (plain, others): (Vec<_>, Vec<_>) =
            sorted.iter().cloned().partition(|(_, bytes)| bytes.iter().all(|byte| *byte >= b' '));
        let mut words = TokenSet::none(count);
        plain.iter().for_each(|(id, _)| words.allow(*id));
        let longest_word = plain.iter().map(|(_, bytes)| bytes.len()).max().unwrap_or(0);
        Self { sorted, words, longest_word, others, ends: ends.to_vec(), count }
    }

    /// The tokens that may come next.
    fn allowed(&self, form: &Form<'_>) -> TokenSet {
        let mut allowed = TokenSet::none(self.count);
        match form.room_for_words() {
            // Within a sentence nearly all may: they were told apart once.
            Some(room) if room >= self.longest_word => {
                allowed = self.words.clone();
                for (id, bytes) in &self.others {
                    let mut form = form.clone();
                    if bytes.iter().all(|byte| form.take(*byte)) {
                        allowed.allow(*id);
                    }
                }
            }
            _ => walk(&self.sorted, 0, form, &mut allowed),
        }
        if form.may_end() {
            self.ends.iter().for_each(|end| allowed.allow(*end));
        }
        allowed
    }
}

/// Goes on with every byte that may come, from tokens that have `depth` bytes in common, which the form has taken.
fn walk(tokens: &[(u32, Vec<u8>)], depth: usize, form: &Form<'_>, allowed: &mut TokenSet) {
    let own = tokens.iter().take_while(|(_, bytes)| bytes.len() == depth).count();
    tokens[..own].iter().for_each(|(id, _)| allowed.allow(*id));
    let mut rest = &tokens[own..];
    while let Some((_, first)) = rest.first() {
        let byte = first[depth];
        let alike = rest.partition_point(|(_, bytes)| bytes[depth] == byte);
        let mut next = form.clone();
        if next.take(byte) {
            walk(&rest[..alike], depth + 1, &next, allowed);
        }
        rest = &rest[alike..];
    }
}

/// A text that is held to the form while it is written.
pub(super) struct Held {
    vocabulary: Arc<Vocabulary>,
    spelled: Arc<dyn Fn(u32) -> Vec<u8> + Send + Sync>,
    passages: Vec<Vec<u8>>,
}

impl Held {
    pub(super) fn to(
        vocabulary: Arc<Vocabulary>,
        spelled: Arc<dyn Fn(u32) -> Vec<u8> + Send + Sync>,
        passages: &[String],
    ) -> Self {
        Self { vocabulary, spelled, passages: passages.iter().map(|passage| quotable(passage)).collect() }
    }
}

impl TokenMask for Held {
    fn restrict(&mut self, written: &[u32], allowed: &mut TokenSet) {
        let mut form = Form::new(&self.passages);
        let follows = written.iter().flat_map(|id| (self.spelled)(*id)).all(|byte| form.take(byte));
        if follows {
            allowed.keep(&self.vocabulary.allowed(&form));
        } else {
            // It cannot be: the text ends.
            allowed.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proof::{Claims, Line};

    const PASSAGES: [&str; 2] = ["Staff have 27 working days of holiday.", "Ask for it in \"Nest\"."];
    const TOKENS: [&str; 24] = [
        "",
        "NONE",
        "NO",
        "N",
        "[",
        "1",
        "2",
        "9",
        "]",
        "] \"",
        "\"",
        "\" =>",
        " => ",
        " ",
        "Staff",
        " have",
        " 27",
        " working days",
        "Ask for",
        " it in",
        " Nest",
        "\n",
        ".\n[",
        "e",
    ];
    /// The first token ends a text.
    const END: u32 = 0;

    /// A text of tokens that a rule lets through, chosen by these numbers.
    fn text(choices: &[usize]) -> String {
        let tokens: Vec<(u32, Vec<u8>)> = (0..).zip(TOKENS).map(|(id, text)| (id, text.as_bytes().to_vec())).collect();
        let vocabulary = Arc::new(Vocabulary::new(tokens, &[END]));
        let spelled = Arc::new(|id: u32| TOKENS[id as usize].as_bytes().to_vec());
        let mut held = Held::to(vocabulary, spelled, &PASSAGES.map(str::to_owned));
        let mut written = Vec::new();
        for choice in choices {
            let mut allowed = TokenSet::all(TOKENS.len());
            held.restrict(&written, &mut allowed);
            let ids: Vec<u32> = (0..TOKENS.len() as u32).filter(|id| allowed.contains(*id)).collect();
            let Some(id) = ids.get(choice % ids.len().max(1)) else { break };
            if *id == END {
                break;
            }
            written.push(*id);
        }
        written.iter().map(|id| TOKENS[*id as usize]).collect()
    }

    proptest! {
        #[test]
        fn whatever_is_written_quotes_a_passage(choices in prop::collection::vec(0usize..1_000, 0..80)) {
            let text = text(&choices);
            let mut claims = Claims::default();
            for line in claims.take(&text) {
                let Line::Claim(claim) = line else { continue };
                let cited = &claim.cited[0];
                let passage = PASSAGES[cited.passage - 1];
                prop_assert!(cited.quote.as_deref().is_some_and(|quote| passage.contains(quote)), "{text}");
            }
        }
    }

    #[test]
    fn a_line_can_be_written_with_these_tokens() {
        let whole = "[1] \"Staff have 27 working days\" => Staff have 27.\n[";
        let ids = [4, 5, 9, 14, 15, 16, 17, 11, 13, 14, 15, 16, 22];
        let spelled: String = ids.iter().map(|id| TOKENS[*id as usize]).collect();
        assert_eq!(spelled, whole);
        let tokens: Vec<(u32, Vec<u8>)> = (0..).zip(TOKENS).map(|(id, text)| (id, text.as_bytes().to_vec())).collect();
        let vocabulary = Arc::new(Vocabulary::new(tokens, &[END]));
        let spelled = Arc::new(|id: u32| TOKENS[id as usize].as_bytes().to_vec());
        let mut held = Held::to(vocabulary, spelled, &PASSAGES.map(str::to_owned));
        for (at, id) in ids.iter().enumerate() {
            let mut allowed = TokenSet::all(TOKENS.len());
            held.restrict(&ids[..at], &mut allowed);
            assert!(allowed.contains(*id), "{}", TOKENS[*id as usize]);
        }
    }
}
