//! Numbers in the decimal digits that a spreadsheet counts with: fifteen of them, rounded half up. What a double holds
//! beyond them is noise: 1.005 is a little less in binary, and a cell with two decimals shows 1.01 all the same.

/// Digits that a double holds for certain.
pub(super) const SIGNIFICANT: usize = 15;

/// Most digits that are written of a number: 1e308 has more, and nobody reads them.
const MAX_DIGITS: i32 = 320;

/// A number without its sign: 0.d₁d₂.. times ten to the power of `point`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decimal {
    /// Digits from 0 to 9, the first not 0; none for zero.
    digits: Vec<u8>,
    point: i32,
}

impl Decimal {
    /// The digits of a number; `None` for what is none.
    pub(super) fn of(number: f64) -> Option<Self> {
        if !number.is_finite() {
            return None;
        }
        let written = format!("{:.*e}", SIGNIFICANT - 1, number.abs());
        let (mantissa, exponent) = written.split_once('e')?;
        let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Some(Self { point: if digits.is_empty() { 0 } else { exponent.parse::<i32>().ok()? + 1 }, digits })
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// Power of ten of the first digit.
    pub(super) fn exponent(&self) -> i32 {
        if self.is_zero() { 0 } else { self.point - 1 }
    }

    /// Times ten to the power of `by`.
    pub(super) fn shifted(mut self, by: i32) -> Self {
        if !self.is_zero() {
            self.point = self.point.saturating_add(by);
        }
        self
    }

    /// Rounded half up to so many decimals.
    pub(super) fn rounded(mut self, decimals: usize) -> Self {
        let keep = i64::from(self.point) + decimals as i64;
        if keep >= self.digits.len() as i64 {
            return self;
        }
        let up = keep >= 0 && self.digits.get(keep as usize).is_some_and(|&digit| digit >= 5);
        self.digits.truncate(keep.max(0) as usize);
        if up {
            while self.digits.last() == Some(&9) {
                self.digits.pop();
            }
            match self.digits.last_mut() {
                Some(last) => *last += 1,
                None => {
                    // 0.996 becomes 1, and 0.5 without decimals too.
                    self.point = if keep == 0 { self.point + 1 } else { self.point.max(1 - decimals as i32) };
                    self.digits.push(1);
                    if keep > 0 {
                        self.point += 1;
                    }
                }
            }
        }
        while self.digits.last() == Some(&0) {
            self.digits.pop();
        }
        if self.digits.is_empty() {
            self.point = 0;
        }
        self
    }

    /// The digits before the point, none for zero, and so many behind it.
    pub(super) fn written(&self, decimals: usize) -> (String, String) {
        let digit =
            |at: i32| usize::try_from(at).ok().and_then(|at| self.digits.get(at)).map_or('0', |&d| (b'0' + d).into());
        let point = self.point.min(MAX_DIGITS);
        let whole = (0..point.max(0)).map(digit).collect();
        let rest = (0..decimals.min(MAX_DIGITS as usize) as i32).map(|at| digit(self.point + at)).collect();
        (whole, rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rounded(number: f64, decimals: usize) -> String {
        let (whole, rest) = Decimal::of(number).unwrap().rounded(decimals).written(decimals);
        format!("{whole}.{rest}")
    }

    #[test]
    fn halves_are_rounded_up_in_decimal() {
        for (number, decimals, expected) in [
            (1.005, 2, "1.01"),
            (2.5, 0, "3."),
            (0.5, 0, "1."),
            (0.4, 0, "."),
            (0.05, 1, ".1"),
            (0.04, 1, ".0"),
            (99.995, 2, "100.00"),
            (0.996, 2, "1.00"),
            (9.5, 0, "10."),
            (0.0, 2, ".00"),
            (1e20, 0, "100000000000000000000."),
            (0.000123, 6, ".000123"),
            (0.30000000000000004, 3, ".300"),
        ] {
            assert_eq!(rounded(number, decimals), expected, "{number} to {decimals}");
        }
        assert_eq!(Decimal::of(f64::NAN), None);
    }

    proptest! {
        #[test]
        fn rounding_is_near(number in -1e12f64..1e12, decimals in 0usize..5) {
            let written: f64 = format!("0{}", rounded(number, decimals)).parse().unwrap();
            prop_assert!((written - number.abs()).abs() <= 0.5001 * 10f64.powi(-(decimals as i32)) + 1e-14 * number.abs());
        }

        #[test]
        fn any_number_is_written(number: f64, decimals in 0usize..40) {
            if let Some(decimal) = Decimal::of(number) {
                decimal.rounded(decimals).written(decimals);
            }
        }
    }
}
