//! Pictures of pages without text, as whole PNG or JPEG files for OCR. JPEG data are handed out as they are; everything
//! else is unpacked and written as PNG (ISO/IEC 15948).

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use hayro_syntax::Filter;
use hayro_syntax::object::stream::{FilterResult, ImageColorSpace, ImageDecodeParams};
use hayro_syntax::object::{Array, Dict, Name, Object, Stream, String as PdfString};

use super::budget::Budget;
use super::content::PageContent;
use crate::block::Scan;
use crate::input::ExtractLimits;

/// Smallest share of the page of a picture that may be a part of its scan.
const MIN_SHARE: f64 = 0.05;
/// Pieces that the picture of one page may have.
const MAX_PIECES: usize = 40;
/// Most points of a picture, and bytes of all pictures of a document.
const MAX_POINTS: u64 = 60_000_000;
const MAX_BYTES: usize = 96 << 20;

/// Collects the pictures of a document.
pub(super) struct Scans {
    wanted: bool,
    bytes: usize,
    left_out: Option<u32>,
    scans: Vec<Scan>,
}

impl Scans {
    pub(super) fn new(limits: &ExtractLimits) -> Self {
        Self { wanted: limits.scans, bytes: 0, left_out: None, scans: Vec::new() }
    }

    /// Adds the pictures of a page.
    pub(super) fn add(&mut self, page: u32, content: &PageContent<'_>, budget: &Budget) {
        if !self.wanted {
            return;
        }
        let pictures = content.images.iter().filter(|image| image.share >= MIN_SHARE).take(MAX_PIECES);
        for stream in pictures.filter_map(|image| image.stream.as_ref()) {
            let image = if self.bytes < MAX_BYTES { picture(stream, budget) } else { None };
            match image {
                Some(image) => {
                    self.bytes += image.len();
                    self.scans.push(Scan { page, image });
                }
                None => self.left_out = self.left_out.or(Some(page)),
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.scans.is_empty()
    }

    /// Remarks and the pictures.
    pub(super) fn finish(self) -> (Vec<String>, Vec<Scan>) {
        let remark =
            |page| format!("from page {page} on, pictures are too large or of a kind that cannot be handed to OCR");
        (self.left_out.map(remark).into_iter().collect(), self.scans)
    }
}

/// The picture as a file.
fn picture(stream: &Stream<'_>, budget: &Budget) -> Option<Vec<u8>> {
    let dict = stream.dict();
    let (width, height) = (dict.get::<u32>(b"Width")?, dict.get::<u32>(b"Height")?);
    if u64::from(width) * u64::from(height) > MAX_POINTS || !budget.affords(stream) {
        return None;
    }
    if stream.filters()[..] == [Filter::DctDecode] {
        return Some(stream.raw_data().into_owned());
    }
    let mask = dict.get::<bool>(b"ImageMask").unwrap_or(false);
    let colours = if mask { Some(Colours::Grey) } else { Colours::of(dict) };
    let bits = if mask { 1 } else { dict.get::<u8>(b"BitsPerComponent").unwrap_or(8) };
    let parameters = ImageDecodeParams {
        is_indexed: matches!(colours, Some(Colours::Palette(_))),
        bpc: Some(bits),
        num_components: colours.as_ref().map(Colours::components),
        target_dimension: None,
        width,
        height,
    };
    let decoded = stream.decoded_image(&parameters).ok()?;
    let mut samples = Samples::new(decoded, colours, (width, height), bits)?;
    let inverted = dict.get::<Array<'_>>(b"Decode").is_some_and(|ends| ends.iter::<f32>().next() == Some(1.0));
    if inverted && matches!(samples.colours, Colours::Grey) {
        samples.data.iter_mut().for_each(|byte| *byte = !*byte);
    }
    samples.png()
}

/// How samples mean colours.
enum Colours {
    Grey,
    Rgb,
    Cmyk,
    /// Red, green and blue of each.
    Palette(Vec<u8>),
}

impl Colours {
    fn of(dict: &Dict<'_>) -> Option<Self> {
        match dict.get::<Object<'_>>(b"ColorSpace")? {
            Object::Name(name) => Self::named(&name),
            Object::Array(parts) => Self::composed(&parts),
            _ => None,
        }
    }

    fn named(name: &Name<'_>) -> Option<Self> {
        match &**name {
            b"DeviceGray" | b"CalGray" | b"G" => Some(Self::Grey),
            b"DeviceRGB" | b"CalRGB" | b"RGB" => Some(Self::Rgb),
            b"DeviceCMYK" | b"CMYK" => Some(Self::Cmyk),
            _ => None,
        }
    }

    fn composed(parts: &Array<'_>) -> Option<Self> {
        let mut parts = parts.iter::<Object<'_>>();
        let kind = parts.next()?.into_name()?;
        match &*kind {
            b"ICCBased" => match parts.next()?.into_stream()?.dict().get::<u8>(b"N")? {
                1 => Some(Self::Grey),
                3 => Some(Self::Rgb),
                4 => Some(Self::Cmyk),
                _ => None,
            },
            b"Indexed" | b"I" => {
                let base = match parts.next()? {
                    Object::Name(name) => Self::named(&name)?,
                    // One level is enough: a palette of a palette is not allowed.
                    Object::Array(inner) => {
                        match inner.iter::<Object<'_>>().nth(1)?.into_stream()?.dict().get::<u8>(b"N")? {
                            1 => Self::Grey,
                            3 => Self::Rgb,
                            _ => Self::Cmyk,
                        }
                    }
                    _ => return None,
                };
                let _highest = parts.next()?;
                let table = match parts.next()? {
                    Object::String(table) => table_bytes(&table),
                    Object::Stream(table) => table.decoded_data().ok()?.into_owned(),
                    _ => return None,
                };
                Some(Self::Palette(base.to_rgb(&table)))
            }
            _ => Self::named(&kind),
        }
    }

    fn components(&self) -> u8 {
        match self {
            Self::Grey | Self::Palette(_) => 1,
            Self::Rgb => 3,
            Self::Cmyk => 4,
        }
    }

    fn to_rgb(&self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Grey | Self::Palette(_) => bytes.iter().flat_map(|&grey| [grey; 3]).collect(),
            Self::Rgb => bytes.to_vec(),
            Self::Cmyk => {
                bytes.as_chunks::<4>().0.iter().flat_map(|&[c, m, y, k]| [c, m, y].map(|ink| mixed(ink, k))).collect()
            }
        }
    }
}

fn table_bytes(table: &PdfString<'_>) -> Vec<u8> {
    table.as_bytes().to_vec()
}

/// Light left by a colour and black.
fn mixed(ink: u8, black: u8) -> u8 {
    ((255 - u16::from(ink)) * (255 - u16::from(black)) / 255) as u8
}

/// Unpacked samples, rows on whole bytes.
struct Samples {
    data: Vec<u8>,
    colours: Colours,
    width: u32,
    height: u32,
    bits: u8,
}

impl Samples {
    fn new(decoded: FilterResult<'_>, colours: Option<Colours>, size: (u32, u32), bits: u8) -> Option<Self> {
        let (mut size, mut bits, mut colours) = (size, bits, colours);
        if let Some(image) = &decoded.image_data {
            size = (image.width, image.height);
            bits = image.bits_per_component;
            colours = colours.or(match image.color_space? {
                ImageColorSpace::Gray => Some(Colours::Grey),
                ImageColorSpace::Rgb => Some(Colours::Rgb),
                ImageColorSpace::Cmyk => Some(Colours::Cmyk),
                ImageColorSpace::Unknown(_) => None,
            });
        }
        let mut samples =
            Self { data: decoded.data.into_owned(), colours: colours?, width: size.0, height: size.1, bits };
        if matches!(samples.colours, Colours::Cmyk) && bits == 8 {
            samples.data = Colours::Cmyk.to_rgb(&samples.data);
            samples.colours = Colours::Rgb;
        }
        Some(samples)
    }

    fn png(&self) -> Option<Vec<u8>> {
        let (kind, channels) = match self.colours {
            Colours::Grey => (0, 1),
            Colours::Rgb if self.bits >= 8 => (2, 3),
            Colours::Palette(_) if self.bits <= 8 => (3, 1),
            Colours::Rgb | Colours::Cmyk | Colours::Palette(_) => return None,
        };
        let row = (self.width as usize * channels * usize::from(self.bits)).div_ceil(8);
        if row == 0 || self.data.len() < row || ![1, 2, 4, 8, 16].contains(&self.bits) {
            return None;
        }
        let rows = self.height.min(u32::try_from(self.data.len() / row).ok()?);
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
        for samples in self.data.chunks_exact(row).take(rows as usize) {
            packed.write_all(&[0]).ok()?;
            packed.write_all(samples).ok()?;
        }
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut header = [self.width.to_be_bytes(), rows.to_be_bytes()].concat();
        header.extend([self.bits, kind, 0, 0, 0]);
        chunk(&mut file, b"IHDR", &header);
        if let Colours::Palette(palette) = &self.colours {
            let most = (3usize << self.bits).min(palette.len() / 3 * 3);
            chunk(&mut file, b"PLTE", &palette[..most]);
        }
        chunk(&mut file, b"IDAT", &packed.finish().ok()?);
        chunk(&mut file, b"IEND", &[]);
        Some(file)
    }
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    let mut sum = Crc::new();
    sum.update(kind);
    sum.update(data);
    file.extend((data.len() as u32).to_be_bytes());
    file.extend(kind);
    file.extend(data);
    file.extend(sum.sum().to_be_bytes());
}
