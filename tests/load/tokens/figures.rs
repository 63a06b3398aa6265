//! What the rounds show beside each other, and what a process takes up.

use std::{fmt, fs};

use crate::measure::{Result, Sample, Subject};

/// What of a sample is compared.
#[derive(Clone, Copy)]
pub enum Of {
    Rate,
    Cpu,
    P99,
}

impl Of {
    fn figure(self, sample: &Sample) -> f64 {
        match self {
            Self::Rate => sample.per_second,
            Self::Cpu => sample.per_cpu_second(),
            Self::P99 => sample.latency(0.99).as_secs_f64(),
        }
    }
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rate => "rate",
            Self::Cpu => "per CPU second",
            Self::P99 => "p99",
        })
    }
}

/// Targets, and which of them are reached.
#[derive(Default)]
pub struct Targets(Vec<String>);

impl Targets {
    /// The median of the rounds' ratios must be so much at least; of a latency, at most.
    pub fn demand(&mut self, what: &str, of: Of, bound: f64, ours: &Subject, theirs: &Subject) {
        let pairs = ours.samples.iter().zip(&theirs.samples);
        let mut ratios: Vec<f64> = pairs.map(|(ours, theirs)| of.figure(ours) / of.figure(theirs)).collect();
        ratios.sort_by(f64::total_cmp);
        let Some(median) = ratios.get(ratios.len() / 2).copied() else { return };
        let (reached, bounded) = match of {
            Of::Rate | Of::Cpu => (median >= bound, "at least"),
            Of::P99 => (median <= bound, "at most"),
        };
        let said = if reached { format!("yes: {median:.2}") } else { format!("**no: {median:.2}**") };
        let rounds: Vec<_> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        self.0.push(format!("| {what}, {of}: {bounded} {bound} | {said} | {} |", rounds.join(", ")));
    }

    /// A figure must be so much at least.
    pub fn demand_of(&mut self, what: &str, least: f64, figure: f64) {
        let reached = if figure >= least { "yes" } else { "**no**" };
        self.0.push(format!("| {what}: at least {least:.0} | {reached}: {figure:.0} | |"));
    }

    /// A figure must be so much at most.
    pub fn demand_at_most(&mut self, what: &str, most: f64, figure: f64) {
        let reached = if figure <= most { "yes" } else { "**no**" };
        self.0.push(format!("| {what}: at most {most:.0} | {reached}: {figure:.1} | |"));
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| target | reached, median of the rounds | rounds |\n| --- | --- | --- |")?;
        self.0.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Resident memory of a process in MiB.
#[derive(Clone, Copy)]
pub struct Memory {
    pub all: f64,
    /// Of it pages of no file.
    pub allocated: f64,
}

impl Memory {
    pub fn of(process: &str) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let line = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("a line of /proc")?;
            Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1_024.0)
        };
        Ok(Self { all: line("VmRSS:")?, allocated: line("RssAnon:")? })
    }

    pub fn at_most(self, other: Self) -> Self {
        Self { all: self.all.max(other.all), allocated: self.allocated.max(other.allocated) }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MiB resident, of it {:.1} allocated", self.all, self.allocated)
    }
}
