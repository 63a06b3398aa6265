//! Log lines on their way to standard error, many to a system call: one for each request would cost as much as a good part
//! of the request. What tells of trouble is written at once, with all before it; what else was said within the last
//! moment before the process is killed may be lost. Nothing is ever dropped for want of room.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// So long a line may wait for others.
const PATIENCE: Duration = Duration::from_millis(2);
/// Whoever adds a line to so many bytes writes them all.
const MOST: usize = 1 << 20;

/// The lines of a process.
#[derive(Clone)]
pub struct Lines(Arc<Shared>);

struct Shared {
    waiting: Mutex<Vec<u8>>,
    arrived: Condvar,
    /// Held by who writes, so that lines come out in their order.
    output: Mutex<Output>,
}

struct Output {
    to: Box<dyn Write + Send>,
    /// Empty between two writes; kept for its room.
    batch: Vec<u8>,
}

/// A line that is being written.
pub struct Line<'a> {
    lines: &'a Lines,
    at_once: bool,
}

impl Lines {
    /// Lines to `output`, and the thread that writes them.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn to(output: impl Write + Send + 'static) -> io::Result<Self> {
        let output = Mutex::new(Output { to: Box::new(output), batch: Vec::new() });
        let lines = Self(Arc::new(Shared { waiting: Mutex::default(), arrived: Condvar::new(), output }));
        let own = lines.clone();
        thread::Builder::new().name("log-lines".to_owned()).spawn(move || own.write_for_ever())?;
        Ok(lines)
    }

    /// Writes what waits. A line that cannot be written is lost: there is nowhere to say so.
    pub fn flush(&self) {
        let mut output = self.0.output.lock().unwrap_or_else(PoisonError::into_inner);
        let Output { to, batch } = &mut *output;
        mem::swap(&mut *self.waiting(), batch);
        let _ = to.write_all(batch).and_then(|()| to.flush());
        batch.clear();
    }

    fn write_for_ever(&self) {
        loop {
            let waiting = self.0.arrived.wait_while(self.waiting(), |waiting| waiting.is_empty());
            drop(waiting);
            thread::sleep(PATIENCE);
            self.flush();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: self, at_once: true }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line<'a> {
        Line { lines: self, at_once: *meta.level() <= Level::WARN }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut waiting = self.lines.waiting();
        let first = waiting.is_empty();
        waiting.extend_from_slice(bytes);
        let at_once = self.at_once || waiting.len() >= MOST;
        drop(waiting);
        if at_once {
            self.lines.flush();
        } else if first {
            self.lines.0.arrived.notify_one();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tracing_subscriber::fmt;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn lines(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            text.lines().map(str::to_owned).collect()
        }
    }

    #[test]
    fn trouble_is_written_at_once_after_all_before_it_and_the_rest_in_a_moment() {
        let kept = Kept::default();
        let lines = Lines::to(kept.clone()).unwrap();
        let format = fmt().with_writer(lines).without_time().with_target(false).with_ansi(false).finish();
        tracing::subscriber::with_default(format, || {
            for number in 0..1_000 {
                tracing::info!(number, "said");
            }
            tracing::warn!("trouble");
            let written = kept.lines();
            assert_eq!(written.len(), 1_001);
            assert_eq!(
                (written[0].trim(), written[999].trim()),
                ("INFO said number=0", "INFO said number=999")
            );
            assert_eq!(written[1_000].trim(), "WARN trouble");
            tracing::info!("last");
            let began = Instant::now();
            while kept.lines().len() < 1_002 {
                assert!(began.elapsed() < Duration::from_secs(30), "nobody writes it");
                thread::yield_now();
            }
        });
    }
}
