//! What is stored for ever: every shape of every event, and what histories of them mean.

#[cfg(test)]
mod golden;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod samples;
