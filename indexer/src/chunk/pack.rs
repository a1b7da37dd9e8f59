//! Sections to passages. A section above the target is packed block by block; sections under it stay passages of their
//! own, except tiny ones, which join their neighbours so that no passage is a single line without context.

use std::ops::Range;

use super::Chunker;
use super::section::{Section, Sections};
use super::split::Unit;
use extract::BlockKind;

/// Below `target / TINY` tokens, a passage joins what follows it in the same parent.
const TINY: usize = 4;

/// Below `target / MINUTE` tokens, a section joins even a long neighbour.
const MINUTE: usize = 16;

/// A passage in the making.
#[derive(Debug)]
pub(super) struct Draft {
    /// Blocks of the headings that are not in the text.
    pub(super) path: Vec<usize>,
    /// Start of the bytes it stands for: of the first heading it carries.
    pub(super) lead: usize,
    /// Bytes of its text.
    pub(super) text: Range<usize>,
    /// Header row to repeat.
    pub(super) header: Option<Range<usize>>,
    /// First line of the definition that it is a later part of.
    pub(super) definition: Option<String>,
    /// Block the text starts in.
    pub(super) block: usize,
    tokens: usize,
    /// Headings that the path must keep when others join.
    floor: usize,
    /// Where the text starts, and by how many tokens it grows, once its own heading goes into it.
    opening: usize,
    heading_tokens: usize,
}

impl Chunker<'_> {
    pub(super) fn drafts(&self) -> Vec<Draft> {
        let mut drafts: Vec<Draft> = Vec::new();
        for section in Sections::of(self).into_iter().take_while(|_| !self.stop.is_asked()) {
            let joined = drafts.last_mut().is_some_and(|open| self.join(open, &section));
            if !joined {
                drafts.extend(self.pack(&section));
            }
        }
        drafts
    }

    /// Lets a small section join the passage before it, where that helps; tells whether it did.
    fn join(&self, open: &mut Draft, section: &Section) -> bool {
        let tokens = section.tokens();
        let target = self.limits.target;
        let common = open.path.iter().zip(&section.path).take_while(|(a, b)| a == b).count();
        let below = common == open.path.len();
        let (tiny, minute) = (target / TINY, target / MINUTE);
        let wanted = open.tokens < tiny || (below && tokens < tiny) || tokens < minute;
        if common < open.floor || !wanted {
            return false;
        }
        let lowered = if below { 0 } else { open.heading_tokens };
        let total = open.tokens + lowered + section.heading_tokens + tokens + 1;
        let start = if below { open.text.start } else { open.opening };
        let text = start..section.end();
        if total > target || !self.fits(total, open.header.as_ref(), text.clone()) {
            return false;
        }
        if !below {
            open.path.truncate(common);
            open.heading_tokens = 0;
        }
        open.text = text;
        open.tokens = total;
        true
    }

    /// The passages of one section.
    fn pack(&self, section: &Section) -> Vec<Draft> {
        let whole = section.tokens() <= self.limits.target;
        let mut drafts: Vec<Draft> = Vec::new();
        for unit in &section.units {
            let room = self.limits.target;
            let added = drafts.last_mut().is_some_and(|last| self.add(last, unit, room));
            if !added {
                drafts.push(self.draft(section, unit));
            }
        }
        self.merge_short_end(&mut drafts);
        if let Some(first) = drafts.first_mut() {
            first.lead = section.lead;
        }
        if whole && let [only] = drafts.as_mut_slice() {
            only.floor = section.path.len().saturating_sub(1);
            only.opening = section.opening;
            only.heading_tokens = section.heading_tokens;
        }
        drafts
    }

    fn draft(&self, section: &Section, unit: &Unit) -> Draft {
        let definition = match &self.document.blocks[unit.block].kind {
            BlockKind::Code { definition, .. } if unit.continues => definition.clone(),
            _ => None,
        };
        Draft {
            path: section.path.clone(),
            lead: unit.span.start,
            text: unit.span.clone(),
            header: unit.header.clone(),
            definition,
            block: unit.block,
            tokens: unit.tokens,
            floor: section.path.len(),
            opening: unit.span.start,
            heading_tokens: 0,
        }
    }

    /// Adds a unit to a passage if it has room for it.
    fn add(&self, draft: &mut Draft, unit: &Unit, room: usize) -> bool {
        let total = draft.tokens + unit.tokens + 1;
        let text = draft.text.start..unit.span.end;
        if total > room || !self.fits(total, draft.header.as_ref(), text.clone()) {
            return false;
        }
        draft.text = text;
        draft.tokens = total;
        true
    }

    /// A tiny last passage goes into the one before it, a quarter above the target at most.
    fn merge_short_end(&self, drafts: &mut Vec<Draft>) {
        let target = self.limits.target;
        let [.., before, last] = drafts.as_mut_slice() else { return };
        let total = before.tokens + last.tokens + 1;
        let text = before.text.start..last.text.end;
        let tiny = last.tokens < target / TINY && total <= target + target / 4;
        if tiny && self.fits(total, before.header.as_ref(), text.clone()) {
            before.text = text;
            before.tokens = total;
            drafts.pop();
        }
    }
}
