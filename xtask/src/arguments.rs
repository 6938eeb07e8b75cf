//! A task's options, as typed after `cargo xtask`.

use anyhow::{Context, Result, bail};

/// What is left of the command line.
#[derive(Debug)]
pub struct Arguments {
    rest: Vec<String>,
}

impl Arguments {
    /// The command line without the program's name.
    pub fn new(arguments: impl Iterator<Item = String>) -> Self {
        Self {
            rest: arguments.collect(),
        }
    }

    /// Takes the task's name, the first word. None: no task was asked for, or help was.
    pub fn task(&mut self) -> Option<String> {
        let is_task = self
            .rest
            .first()
            .is_some_and(|word| !word.starts_with('-') && word != "help");
        is_task.then(|| self.rest.remove(0))
    }

    /// Takes the word after the task's name, if it is this one.
    pub fn second(&mut self, word: &str) -> bool {
        let found = self.rest.first().is_some_and(|first| first == word);
        found.then(|| self.rest.remove(0)).is_some()
    }

    /// Takes an option without a value; true if it was given.
    pub fn flag(&mut self, name: &str) -> bool {
        let found = self.rest.iter().position(|word| word == name);
        found.inspect(|&at| drop(self.rest.remove(at))).is_some()
    }

    /// Takes an option with a value, written `--name VALUE` or `--name=VALUE`.
    pub fn value(&mut self, name: &str) -> Result<Option<String>> {
        let prefix = format!("{name}=");
        let Some(at) = self
            .rest
            .iter()
            .position(|word| word == name || word.starts_with(&prefix))
        else {
            return Ok(None);
        };
        let word = self.rest.remove(at);
        if let Some(value) = word.strip_prefix(&prefix) {
            return Ok(Some(value.to_owned()));
        }
        let followed = at < self.rest.len();
        Ok(Some(
            followed
                .then(|| self.rest.remove(at))
                .with_context(|| format!("`{name}` needs a value"))?,
        ))
    }

    /// Takes the first word that is no option, called `what` where there is none. Options are taken before.
    pub fn word(&mut self, what: &str) -> Result<String> {
        let found = self.rest.iter().position(|word| !word.starts_with('-'));
        let at = found.with_context(|| format!("what to work on is missing: {what}"))?;
        Ok(self.rest.remove(at))
    }

    /// Refuses what no one took.
    pub fn finish(self) -> Result<()> {
        match self.rest.first() {
            None => Ok(()),
            Some(word) => bail!("`{word}` is no option of this task; `cargo xtask --help` lists them"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Arguments {
        Arguments::new(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_value_is_read_in_both_spellings() {
        for line in ["demo --out pictures", "demo --out=pictures"] {
            let mut arguments = typed(line);
            assert_eq!(arguments.task().as_deref(), Some("demo"));
            assert_eq!(arguments.value("--out").unwrap().as_deref(), Some("pictures"));
            assert!(arguments.finish().is_ok());
        }
    }

    #[test]
    fn a_word_is_what_the_options_leave() {
        let mut arguments = typed("import-nsynth -o model wavenet-ckpt.tar --ema");
        arguments.task();
        assert_eq!(arguments.value("-o").unwrap().as_deref(), Some("model"));
        assert!(arguments.flag("--ema"));
        assert_eq!(arguments.word("CKPT").unwrap(), "wavenet-ckpt.tar");
        assert!(arguments.word("CKPT").unwrap_err().to_string().contains("CKPT"));
    }

    #[test]
    fn an_option_without_its_value_is_refused() {
        let mut arguments = typed("demo --out");
        arguments.task();
        assert!(arguments.value("--out").is_err());
    }

    #[test]
    fn an_unknown_option_is_named() {
        let mut arguments = typed("bundle --dist --fast");
        arguments.task();
        assert!(arguments.flag("--dist"));
        assert!(arguments.finish().unwrap_err().to_string().contains("--fast"));
    }
}
