//! Means with their errors, and the paired interval over seeds.

/// A mean over seeds and its standard error.
#[derive(Debug, Clone, Copy)]
pub struct Mean {
    pub value: f64,
    pub error: f64,
}

/// The mean of values that are there.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Mean {
    let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    let many = values.len() as f64;
    let value = values.iter().sum::<f64>() / many;
    let squares: f64 = values.iter().map(|one| (one - value) * (one - value)).sum();
    let error = if values.len() > 1 { libm::sqrt(squares / (many - 1.0) / many) } else { f64::NAN };
    Mean { value, error }
}

/// The mean of paired differences with its 95 % interval by Student's t.
#[derive(Debug, Clone, Copy)]
pub struct Paired {
    pub mean: f64,
    pub half: f64,
    pub pairs: usize,
}

impl Paired {
    pub fn of(ours: &[f64], theirs: &[f64]) -> Self {
        let differences: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours - theirs).collect();
        let pairs = differences.len();
        let Mean { value, error } = mean(differences);
        Self { mean: value, half: error * student(pairs.saturating_sub(1)), pairs }
    }

    /// What the interval says: ours is `lower`, `higher`, or it cannot be told.
    pub fn verdict(&self) -> &'static str {
        match self {
            _ if self.mean + self.half < 0.0 => "lower",
            _ if self.mean - self.half > 0.0 => "higher",
            _ => "not separable",
        }
    }
}

/// The two-sided 95 % quantile of Student's t.
fn student(freedom: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
        2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    ];
    match freedom {
        0 => f64::NAN,
        _ if freedom <= TABLE.len() => TABLE[freedom - 1],
        // Within 0.001 of the true value beyond the table.
        _ => 1.96 + 2.4 / freedom as f64,
    }
}
