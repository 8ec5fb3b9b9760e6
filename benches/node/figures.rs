//! Figures, and how they are shown.

use std::time::Duration;

/// Rows of the table, in the order in which they were measured.
#[derive(Default)]
pub struct Table(Vec<[String; 3]>);

impl Table {
    pub fn row(&mut self, what: &str, figure: impl Into<String>, beside: impl Into<String>) {
        let row = [what.to_owned(), figure.into(), beside.into()];
        eprintln!("{}: {}  ({})", row[0], row[1], row[2]);
        self.0.push(row);
    }

    pub fn print(&self) {
        println!("| what | figure | beside |\n|---|---|---|");
        for [what, figure, beside] in &self.0 {
            println!("| {what} | {figure} | {beside} |");
        }
    }
}

/// Times in ascending order.
pub struct Times(Vec<Duration>);

impl Times {
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time below which so many percent are.
    pub fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() * percent / 100).min(self.0.len() - 1)]
    }

    pub fn median(&self) -> Duration {
        self.percentile(50)
    }
}

pub fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

pub fn ratio(figure: f64, limit: f64) -> String {
    format!("{:.2}", figure / limit)
}
