//! A keep-alive connection that does as little as it can, and the binary that is measured over it.

use std::{path::PathBuf, process::Command};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::measure::Result;

/// One connection, one request at a time.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(8 << 10) })
    }

    /// The whole answer, which must begin like this.
    pub async fn ask(&mut self, request: &[u8], expected: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the service closed the connection".into());
            }
            if is_whole(&self.buffer)? {
                break;
            }
        }
        if self.buffer.starts_with(expected) {
            Ok(&self.buffer)
        } else {
            Err(String::from_utf8_lossy(&self.buffer).into_owned().into())
        }
    }
}

/// `MUNIMENT_TEST_BINARY`, or what cargo builds from this tree with optimisation.
pub fn optimised_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("MUNIMENT_TEST_BINARY") {
        return Ok(path.into());
    }
    let build = ["build", "--quiet", "--release", "--package", "cli"];
    if !Command::new(env!("CARGO")).args(build).current_dir(env!("CARGO_MANIFEST_DIR")).status()?.success() {
        return Err("the service does not build".into());
    }
    // `target/<profile>/examples/<name>` is this program.
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(3).ok_or("this program is not in cargo's target directory")?;
    Ok(target.join("release/muniment"))
}

/// Whether all of an answer is there; it must say how long it is.
fn is_whole(answer: &[u8]) -> Result<bool> {
    let Some(head) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(false) };
    for line in str::from_utf8(&answer[..head])?.split("\r\n") {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok(answer.len() - (head + 4) >= value.trim().parse::<usize>()?);
        }
    }
    Err("an answer without a length".into())
}
