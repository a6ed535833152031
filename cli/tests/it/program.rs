//! Runs the binary with an environment of its own, and ends it with the test.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use shared::testing::eventually;

/// A command of the binary that sees these settings and no others.
pub(crate) fn tapedeck(arguments: &[&str], directory: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapedeck"));
    command.args(arguments).current_dir(directory).env_clear().envs(settings.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end.
pub(crate) fn run(arguments: &[&str], directory: &Path, settings: &[(&str, &str)]) -> Output {
    tapedeck(arguments, directory, settings).output().unwrap()
}

/// What a command that succeeded printed.
pub(crate) fn printed(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command that failed complained of.
pub(crate) fn complaint(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One that runs until it is told to stop; killed when dropped.
pub(crate) struct Running {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let out = collect(child.stdout.take().unwrap(), lines.clone());
        let err = collect(child.stderr.take().unwrap(), lines.clone());
        Self { child, lines, readers: vec![out, err] }
    }

    /// The first line, printed or logged, that contains this; waits for it.
    pub(crate) async fn line(&mut self, part: &str) -> String {
        let found = |lines: &[String]| lines.iter().find(|line| line.contains(part)).cloned();
        let (lines, child) = (self.lines.clone(), &mut self.child);
        eventually(part, async || {
            let ended = child.try_wait().unwrap();
            let lines = lines.lock().unwrap();
            assert!(ended.is_none() || found(&lines).is_some(), "ended without {part:?}: {lines:#?}");
            found(&lines).is_some()
        })
        .await;
        found(&self.lines.lock().unwrap()).unwrap()
    }

    /// Sends a signal and waits for the end; true when it succeeded.
    pub(crate) async fn end(mut self, signal: &str) -> bool {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let mut ended = None;
        let child = &mut self.child;
        eventually("it ends", async || {
            ended = child.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        for reader in std::mem::take(&mut self.readers) {
            reader.join().unwrap();
        }
        ended.unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(stream: impl std::io::Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            lines.lock().unwrap().push(line);
        }
    })
}
