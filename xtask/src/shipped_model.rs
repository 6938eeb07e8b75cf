//! What of `models/` goes into a bundle: the manifests, the graphs they name, and the model cards.
//! The training package and reference vectors stay in the checkout.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::folder;

/// The card that goes with each model.
const CARD: &str = "MODEL_CARD.md";

/// The folders in `models` that hold a `model.toml`, sorted by name.
pub fn folders(models: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || format!("{} can't be read", models.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(models).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.join("model.toml").is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Copies one model's shipped files from `model` into `to`.
pub fn copy(model: &Path, to: &Path) -> Result<()> {
    for file in files(model)? {
        folder::copy(&model.join(&file), &to.join(&file))?;
    }
    Ok(())
}

fn files(model: &Path) -> Result<Vec<String>> {
    let manifest = model.join("model.toml");
    let text =
        fs::read_to_string(&manifest).with_context(|| format!("{} can't be read", manifest.display()))?;
    let table: toml::Table = text
        .parse()
        .with_context(|| format!("{} is no TOML", manifest.display()))?;
    let mut files = vec!["model.toml".to_owned()];
    for section in ["encoder", "decoder"] {
        let graph = table
            .get(section)
            .and_then(|section| section.get("graph"))
            .and_then(toml::Value::as_str);
        let graph = graph.with_context(|| format!("{}: [{section}] names no graph", manifest.display()))?;
        files.push(graph.to_owned());
    }
    if model.join(CARD).is_file() {
        files.push(CARD.to_owned());
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_manifest_names_is_shipped() {
        let home = tempfile::tempdir().unwrap();
        let model = home.path().join("models").join("small");
        fs::create_dir_all(&model).unwrap();
        fs::write(
            model.join("model.toml"),
            "[encoder]\ngraph='e.onnx'\n[decoder]\ngraph='d.onnx'\n",
        )
        .unwrap();
        for file in ["e.onnx", "d.onnx", "reference.onnx", CARD] {
            fs::write(model.join(file), file).unwrap();
        }
        fs::create_dir_all(home.path().join("models").join("training")).unwrap();

        let found = folders(&home.path().join("models")).unwrap();
        assert_eq!(found, std::slice::from_ref(&model));
        let shipped = home.path().join("shipped");
        copy(&model, &shipped).unwrap();
        assert!(shipped.join("d.onnx").is_file() && shipped.join(CARD).is_file());
        assert!(!shipped.join("reference.onnx").exists());
    }

    #[test]
    fn a_manifest_without_a_graph_is_named() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("model.toml"), "[encoder]\ngraph='e.onnx'\n").unwrap();
        let said = copy(home.path(), &home.path().join("out"))
            .unwrap_err()
            .to_string();
        assert!(
            said.contains("model.toml") && said.contains("[decoder]"),
            "{said}"
        );
    }
}
