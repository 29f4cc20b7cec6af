//! Medians and what surrounds them.
//!
//! Rates of a shared machine are neither normal nor independent of what else runs, so nothing here assumes a
//! distribution: medians, order statistics, and ratios of rounds that ran next to each other.

/// A median with the lowest and the highest of what was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Of at least one value; of none, all are NaN.
    pub(crate) fn of(values: &[f64]) -> Self {
        let sorted = sorted(values);
        Self {
            low: sorted.first().copied().unwrap_or(f64::NAN),
            median: median_of_sorted(&sorted),
            high: sorted.last().copied().unwrap_or(f64::NAN),
        }
    }
}

/// A median with an interval that holds the true one with at least the named confidence, whatever the
/// distribution is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// How sure it is: the narrowest one of at least 95 %, or all that so few values allow (five: 93.75 %).
    pub(crate) confidence: f64,
}

/// The confidence that an interval is to have where there are enough values.
const WANTED: f64 = 0.95;

impl Interval {
    /// By order statistics (the sign test turned round): between the k-th lowest and the k-th highest value lies
    /// the median with probability `1 - 2 * P(Binomial(n, 1/2) < k)`.
    pub(crate) fn of(values: &[f64]) -> Self {
        let sorted = sorted(values);
        let n = sorted.len();
        let mut k = 1;
        while k < n.div_ceil(2) && confidence(n, k + 1) >= WANTED {
            k += 1;
        }
        Self {
            median: median_of_sorted(&sorted),
            low: sorted.get(k - 1).copied().unwrap_or(f64::NAN),
            high: n
                .checked_sub(k)
                .and_then(|at| sorted.get(at))
                .copied()
                .unwrap_or(f64::NAN),
            confidence: confidence(n, k).max(0.0),
        }
    }
}

/// The probability that the median lies between the k-th lowest and the k-th highest of n values.
fn confidence(n: usize, k: usize) -> f64 {
    let mut term = 0.5_f64.powi(i32::try_from(n).unwrap_or(i32::MAX));
    let mut below = 0.0;
    for i in 0..k {
        below += term;
        term *= (n - i) as f64 / (i + 1) as f64;
    }
    1.0 - 2.0 * below
}

/// The median; NaN of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    median_of_sorted(&sorted(values))
}

/// Each value of one by its neighbour of the other: what disturbs both alike falls out.
pub(crate) fn ratios(ours: &[f64], floor: &[f64]) -> Vec<f64> {
    ours.iter().zip(floor).map(|(ours, floor)| ours / floor).collect()
}

/// The value below which this part of all lies (nearest rank); NaN of nothing.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let sorted = sorted(values);
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.clamp(1, sorted.len().max(1)) - 1)
        .copied()
        .unwrap_or(f64::NAN)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn median_of_sorted(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.len() % 2) {
        (None, _) => f64::NAN,
        (Some(&value), 1) => value,
        (Some(&value), _) => (sorted[middle - 1] + value) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_quantiles() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&hundred, 0.5), 50.0);
        assert_eq!(quantile(&hundred, 0.99), 99.0);
        assert_eq!(quantile(&hundred, 1.0), 100.0);
        assert_eq!(quantile(&[7.0], 0.99), 7.0);
        assert!(quantile(&[], 0.5).is_nan());
        let spread = Spread::of(&[2.0, 9.0, 1.0]);
        assert_eq!((spread.low, spread.median, spread.high), (1.0, 2.0, 9.0));
    }

    #[test]
    fn intervals_are_those_of_the_sign_test() {
        // Tables of the sign test: n = 5 allows no more than 93.75 %, n = 6 takes all, n = 9 leaves out one at
        // each end, n = 15 three.
        let of = |n: i32| Interval::of(&(1..=n).map(f64::from).collect::<Vec<_>>());
        let five = of(5);
        assert_eq!(
            (five.low, five.median, five.high, five.confidence),
            (1.0, 3.0, 5.0, 0.9375)
        );
        let six = of(6);
        assert_eq!((six.low, six.high), (1.0, 6.0));
        assert!((six.confidence - 0.96875).abs() < 1e-12);
        let nine = of(9);
        assert_eq!((nine.low, nine.high), (2.0, 8.0));
        assert!((nine.confidence - 0.9609375).abs() < 1e-12);
        let fifteen = of(15);
        assert_eq!((fifteen.low, fifteen.median, fifteen.high), (4.0, 8.0, 12.0));
        let one = of(1);
        assert_eq!((one.low, one.high, one.confidence), (1.0, 1.0, 0.0));
        assert!(Interval::of(&[]).median.is_nan());
    }

    #[test]
    fn a_disturbance_of_both_sides_falls_out_of_the_ratio() {
        let floor = [100.0, 50.0, 100.0];
        let ours = [90.0, 45.0, 90.0];
        assert!(
            ratios(&ours, &floor)
                .iter()
                .all(|ratio| (ratio - 0.9).abs() < 1e-12)
        );
    }
}
