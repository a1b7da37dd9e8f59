//! The rule for the tokens of a writer of ours: only those may come that keep its text in the [`Form`].

use std::sync::Arc;

use qwen3::{Spellings, TokenMask, TokenSet};

use super::form::{Form, quotable};

/// A vocabulary as the form asks for it.
pub(super) struct Vocabulary {
    /// The bytes of each token.
    bytes: Vec<Vec<u8>>,
    /// Tokens that have any, by their bytes.
    sorted: Vec<u32>,
    /// Tokens that may stand anywhere in a sentence, and the most bytes that one of them has.
    words: TokenSet,
    longest_word: usize,
    /// Tokens with a line end or another control.
    others: Vec<u32>,
    ends: Vec<u32>,
}

impl Vocabulary {
    pub(super) fn of(spellings: &Spellings, ends: &[u32]) -> Self {
        let ids = 0..u32::try_from(spellings.count()).unwrap_or(u32::MAX);
        Self::new(ids.map(|id| spellings.of_token(id).to_vec()).collect(), ends)
    }

    fn new(bytes: Vec<Vec<u8>>, ends: &[u32]) -> Self {
        let of = |id: &u32| bytes[*id as usize].as_slice();
        let mut sorted: Vec<u32> = (0..bytes.len() as u32).filter(|id| !of(id).is_empty()).collect();
        sorted.sort_by(|a, b| of(a).cmp(of(b)));
        let (plain, others): (Vec<u32>, Vec<u32>) =
            sorted.iter().partition(|id| of(id).iter().all(|byte| *byte >= b' '));
        let mut words = TokenSet::none(bytes.len());
        plain.iter().for_each(|id| words.allow(*id));
        let longest_word = plain.iter().map(|id| of(id).len()).max().unwrap_or(0);
        Self { sorted, words, longest_word, others, ends: ends.to_vec(), bytes }
    }

    fn bytes_of(&self, id: u32) -> &[u8] {
        self.bytes.get(id as usize).map_or(&[], Vec::as_slice)
    }

    /// The tokens that may come next.
    fn allowed(&self, form: &Form<'_>) -> TokenSet {
        let mut allowed = TokenSet::none(self.bytes.len());
        match form.room_for_words() {
            // Within a sentence nearly all may: they were told apart once.
            Some(room) if room >= self.longest_word => {
                allowed = self.words.clone();
                for id in &self.others {
                    let mut form = form.clone();
                    if self.bytes_of(*id).iter().all(|byte| form.take(*byte)) {
                        allowed.allow(*id);
                    }
                }
            }
            _ => self.walk(&self.sorted, 0, form, &mut allowed),
        }
        if form.may_end() {
            self.ends.iter().for_each(|end| allowed.allow(*end));
        }
        allowed
    }

    /// Goes on with every byte that may come, from tokens that have `depth` bytes in common, which the form has taken.
    fn walk(&self, tokens: &[u32], depth: usize, form: &Form<'_>, allowed: &mut TokenSet) {
        let whole = tokens.iter().take_while(|id| self.bytes_of(**id).len() == depth).count();
        let (whole, mut rest) = tokens.split_at(whole);
        whole.iter().for_each(|id| allowed.allow(*id));
        while let Some(first) = rest.first() {
            let byte = self.bytes_of(*first)[depth];
            let alike = rest.partition_point(|id| self.bytes_of(*id)[depth] == byte);
            let mut next = form.clone();
            if next.take(byte) {
                self.walk(&rest[..alike], depth + 1, &next, allowed);
            }
            rest = &rest[alike..];
        }
    }
}

/// A text that is held to the form while it is written.
pub(super) struct Held {
    vocabulary: Arc<Vocabulary>,
    passages: Vec<Vec<u8>>,
}

impl Held {
    pub(super) fn to(vocabulary: Arc<Vocabulary>, passages: &[String]) -> Self {
        Self { vocabulary, passages: passages.iter().map(|passage| quotable(passage)).collect() }
    }
}

impl TokenMask for Held {
    fn restrict(&mut self, written: &[u32], allowed: &mut TokenSet) {
        let mut form = Form::new(&self.passages);
        let follows = written.iter().flat_map(|id| self.vocabulary.bytes_of(*id)).all(|byte| form.take(*byte));
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

    fn held() -> Held {
        let tokens = TOKENS.map(|text| text.as_bytes().to_vec()).to_vec();
        Held::to(Arc::new(Vocabulary::new(tokens, &[END])), &PASSAGES.map(str::to_owned))
    }

    /// A text of tokens that a rule lets through, chosen by these numbers.
    fn text(choices: &[usize]) -> String {
        let mut held = held();
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
        let mut held = held();
        for (at, id) in ids.iter().enumerate() {
            let mut allowed = TokenSet::all(TOKENS.len());
            held.restrict(&ids[..at], &mut allowed);
            assert!(allowed.contains(*id), "{}", TOKENS[*id as usize]);
        }
    }
}
