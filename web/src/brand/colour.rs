//! A colour of the page and whether it can be read: relative luminance and contrast as WCAG 2.2 defines them.

/// Red, green and blue of sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colour([u8; 3]);

/// Contrast that text needs (WCAG 2.2, success criterion 1.4.3).
pub(super) const READABLE: f64 = 4.5;

impl Colour {
    pub(super) const WHITE: Self = Self([255, 255, 255]);

    pub(super) const fn of(red: u8, green: u8, blue: u8) -> Self {
        Self([red, green, blue])
    }

    /// Reads `#rgb` or `#rrggbb`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?.chars().map(|digit| digit.to_digit(16)).collect::<Option<Vec<u32>>>()?;
        let value = |high: u32, low: u32| u8::try_from(high * 16 + low).ok();
        match digits[..] {
            [r, g, b] => Some(Self([value(r, r)?, value(g, g)?, value(b, b)?])),
            [r, s, g, h, b, c] => Some(Self([value(r, s)?, value(g, h)?, value(b, c)?])),
            _ => None,
        }
    }

    pub(super) fn css(self) -> String {
        let Self([red, green, blue]) = self;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    fn luminance(self) -> f64 {
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// 1 (the same) to 21 (black and white).
    pub(super) fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// This colour with a share of another.
    pub(super) fn mixed(self, other: Self, share: f64) -> Self {
        let mut mixed = self.0;
        for (own, other) in mixed.iter_mut().zip(other.0) {
            *own = (f64::from(*own) * (1.0 - share) + f64::from(other) * share).round() as u8;
        }
        Self(mixed)
    }

    /// This colour, lightened as far as it has to be to stand out from a dark one.
    pub(super) fn lightened_on(self, dark: Self, contrast: f64) -> Self {
        let steps = (0..=20).map(|step| self.mixed(Self::WHITE, f64::from(step) / 20.0));
        steps.into_iter().find(|colour| colour.contrast(dark) >= contrast).unwrap_or(Self::WHITE)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colours_are_read_and_compared_as_the_standard_does() {
        assert_eq!(Colour::parse("#0b5a6b"), Some(Colour::of(11, 90, 107)));
        assert_eq!(Colour::parse("#FA0").map(Colour::css).as_deref(), Some("#ffaa00"));
        for wrong in ["", "#", "0b5a6b", "#0b5a6", "#0b5a6g", "red", "#0b5a6b;}", "#０00", "#0b5a6b00"] {
            assert_eq!(Colour::parse(wrong), None, "{wrong}");
        }
        let black = Colour::of(0, 0, 0);
        assert!((black.contrast(Colour::WHITE) - 21.0).abs() < 1e-9);
        assert!((Colour::of(0x76, 0x76, 0x76).contrast(Colour::WHITE) - 4.54).abs() < 0.01);
    }

    proptest! {
        #[test]
        fn a_lightened_colour_can_be_read(red: u8, green: u8, blue: u8) {
            let dark = Colour::of(0x26, 0x24, 0x21);
            let light = Colour::of(red, green, blue).lightened_on(dark, 6.0);
            prop_assert!(light.contrast(dark) >= 6.0);
            prop_assert_eq!(Colour::parse(&light.css()), Some(light));
        }
    }
}
