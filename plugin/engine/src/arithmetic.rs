//! Latent arithmetic: sounds reckoned with as with numbers, `A - 0.5*B + C`, which gives a sound like any other.
//!
//! Background threads: the result is decoded once or twice, which takes some 100 ms. The rules:
//!
//! - Weights are scaled to sum to 1, as the pad's do: `A + B` is the mean of both, `A - 0.5*B + C` is two thirds of A and of C less a
//!   third of B. What sums to nothing is a difference, and no sound.
//! - Level and deviation from the pitch, where a model measures them, are the mean of what is added: what is subtracted changes the
//!   colour alone, so that nothing falls silent or out of tune. Nor does it decide length, loop or pitch.
//! - Every other dimension may come as far beyond its sounds as on the pad.
//! - Sounds are read side by side from their beginnings, each held in its loop until all have been through theirs.
//! - The loop is found anew in the decoding, as in a recording; if there is none there, a sound whose sounds can be held is held
//!   where all of them are in their loops. What the decoding is out of tune by is taken out, as after an import.

pub mod expression;
pub mod names;
mod parser;
mod token;
mod unfolding;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::credits::{Credits, Ingredient, Recipe};
use crate::decoder::{DecodeError, Decoder};
use crate::embedding::{EmbeddingError, LoopRegion};
use crate::model::manifest::PitchInput;
use crate::model::{Model, ModelError};
use crate::note_render::{BlendedNote, NoteRender};
use crate::sound::{DEFAULT_VELOCITY, Layer, MAX_TEXT_CHARS, Sound};
use crate::sustain_loop;
use crate::tuning::Tuner;

use expression::{Dims, DimsUse, Tree};
pub use expression::{Expression, ExpressionError};
pub use names::{Bound, Names};
use unfolding::{Space, Unfolded, Unfolding};

/// Pitches that are this close are one.
const SAME_PITCH_SEMITONES: f32 = 0.01;

/// Why an expression gave no sound.
#[derive(Debug, thiserror::Error)]
pub enum ArithmeticError {
    /// It makes no sense, or not with these sounds.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    /// The licences of its sounds are longer than a sound can say.
    #[error("the licences of its sounds take {chars} characters together; expected at most {MAX_TEXT_CHARS}")]
    Licences {
        /// How long they are.
        chars: usize,
    },
    /// The values are no embedding.
    #[error("the expression comes to no embedding: {0}")]
    Embedding(#[from] EmbeddingError),
    /// The model refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The decoder failed, or was cancelled.
    #[error(transparent)]
    Decoder(#[from] DecodeError),
}

/// Reckons an expression out. An expression that is one sound gives that sound, with the name and the recipe.
///
/// # Errors
/// If a sound is another model's, the expression names dimensions that the model has not, or the decoder fails.
pub fn blend(
    model: &Model,
    bound: &Bound<'_>,
    name: &str,
    cancel: &AtomicBool,
) -> Result<Sound, ArithmeticError> {
    let (expression, sounds) = (bound.expression(), bound.sounds());
    for (sound, named) in sounds.iter().zip(expression.uses()) {
        if sound.model != model.tag() || sound.embedding.dims() != model.manifest().dims {
            let problem = format!(
                "the sound `{}` was encoded by model {}; expected model {}",
                named.text,
                sound.model,
                model.tag()
            );
            return Err(ExpressionError::at(named.column, problem).into());
        }
    }
    let credits = credits(expression, sounds);
    if let Tree::Sound(index) = expression.tree() {
        let sound = &sounds[*index];
        let author = sound.credits.author.clone();
        return Ok(Sound {
            name: name.into(),
            credits: Credits { author, ..credits },
            ..(**sound).clone()
        });
    }
    let licence = licence(sounds);
    let chars = licence.chars().count();
    if chars > MAX_TEXT_CHARS {
        return Err(ArithmeticError::Licences { chars });
    }
    let mut weights = vec![0.0; sounds.len()];
    weigh(expression.tree(), 1.0, &mut weights);
    let pitches = pitches(model, sounds, &weights);
    let &[pitch, ref further @ ..] = pitches.as_slice() else {
        let problem = "its sounds have no pitch in common, which this model's embeddings hold; expected sounds that were recorded within two octaves";
        return Err(ExpressionError::at(1, problem).into());
    };
    let (embedding, held) = at_pitch(model, expression, sounds, pitch)?;
    let further = further.iter().map(|pitch| {
        let (embedding, _) = at_pitch(model, expression, sounds, *pitch)?;
        Ok(Layer {
            pitch: *pitch,
            velocity: DEFAULT_VELOCITY,
            loop_region: None,
            embedding,
        })
    });
    let further = further.collect::<Result<_, ArithmeticError>>()?;
    let heavy: Vec<&Sound> = sounds
        .iter()
        .zip(&weights)
        .filter(|(_, weight)| **weight > 0.0)
        .map(|(sound, _)| &**sound)
        .collect();
    let mut sound = Sound {
        name: name.into(),
        family: common_family(&heavy),
        tags: common_tags(&heavy),
        licence,
        source: format!("latent arithmetic: {}", expression.text()),
        model: model.tag(),
        pitch,
        gain_db: 0.0,
        loop_region: None,
        embedding,
        velocity: DEFAULT_VELOCITY,
        further,
        credits,
    };
    // Who measures nothing may take minutes to decode: then all is left as it was reckoned.
    let mut found = None;
    if let Some(pitch_dim) = model.manifest().pitch_dim {
        let mut decoder = model.decoder()?;
        found = find_loop(model, &mut *decoder, &sound, cancel)?;
        Tuner::new(decoder, pitch_dim, model.frames_per_embedding_frame()).tune(&mut sound, cancel)?;
    }
    let region = found.or(held);
    let at_rest = |region| sustain_loop::at_rest(region, &sound.embedding, seconds_per_frame(model));
    sound.set_loop(region.map(at_rest));
    Ok(sound)
}

fn at_pitch(
    model: &Model,
    expression: &Expression,
    sounds: &[Arc<Sound>],
    pitch: f32,
) -> Result<Unfolded, ArithmeticError> {
    let manifest = model.manifest();
    let space = Space {
        dims: manifest.dims,
        level_dim: manifest.level_dim,
        pitch_dim: manifest.pitch_dim,
        seconds_per_frame: seconds_per_frame(model),
    };
    let sounds: Vec<_> = match manifest.pitch {
        PitchInput::Embedded => sounds.iter().map(|sound| layer_at(sound, pitch)).collect(),
        PitchInput::Conditioned => sounds.to_vec(),
    };
    let dims = |named: &[DimsUse]| dims_of(named, &space).map_err(ArithmeticError::from);
    let unfolding = Unfolding::new(expression.tree(), &sounds, &space, &dims)?;
    Ok(unfolding.unfold(&space)?)
}

/// A sound as it is at the nearest of its pitches, and there alone.
fn layer_at(sound: &Sound, pitch: f32) -> Arc<Sound> {
    let nearest = sound.nearest_pitch(pitch);
    let layer = sound.layers().find(|layer| layer.pitch == nearest);
    let layer = layer.unwrap_or_else(|| sound.layer(0));
    Arc::new(Sound {
        pitch: layer.pitch,
        velocity: layer.velocity,
        loop_region: layer.loop_region,
        embedding: layer.embedding.clone(),
        further: Vec::new(),
        ..sound.clone()
    })
}

fn seconds_per_frame(model: &Model) -> f64 {
    let manifest = model.manifest();
    manifest.embedding_hop_samples as f64 / f64::from(manifest.sample_rate_hz)
}

fn dims_of(named: &[DimsUse], space: &Space) -> Result<Vec<usize>, ExpressionError> {
    let mut dims = Vec::new();
    for DimsUse { dims: of, column } in named {
        let measured = |dim: Option<usize>, what: &str| {
            dim.ok_or_else(|| {
                ExpressionError::at(
                    *column,
                    format!("this model measures no {what}; expected a number"),
                )
            })
        };
        match *of {
            Dims::Level => dims.push(measured(space.level_dim, "level")?),
            Dims::Pitch => dims.push(measured(space.pitch_dim, "pitch")?),
            Dims::Range(first, last) if last < space.dims => dims.extend(first..=last),
            Dims::Range(_, last) => {
                let problem = format!("there is no dimension {last}; expected 0 to {}", space.dims - 1);
                return Err(ExpressionError::at(*column, problem));
            }
        }
    }
    Ok(dims)
}

/// How much each sound counts where the whole has one pitch or family: by what is added, a body's and not its attack's.
fn weigh(tree: &Tree, weight: f32, weights: &mut [f32]) {
    match tree {
        Tree::Sound(index) => weights[*index] += weight,
        Tree::Blend(parts) => {
            let sum: f32 = parts.iter().map(|(weight, _)| weight.max(0.0)).sum();
            for (part, tree) in parts.iter().filter(|(part, _)| *part > 0.0) {
                weigh(tree, weight * part / sum, weights);
            }
        }
        Tree::Attack { body: of, .. } | Tree::Swap { into: of, .. } | Tree::Reverse(of) => {
            weigh(of, weight, weights)
        }
    }
}

/// The result's pitch, and those that it has further embeddings at; none if the model holds pitches in its embeddings, and there
/// is none that all sounds have.
fn pitches(model: &Model, sounds: &[Arc<Sound>], weights: &[f32]) -> Vec<f32> {
    let heavy = || sounds.iter().zip(weights).filter(|(_, weight)| **weight > 0.0);
    let mean: f32 = heavy().map(|(sound, weight)| weight * sound.pitch).sum();
    let Some((first, _)) = heavy().next() else {
        return Vec::new();
    };
    let is_one = |sound: &Sound| (sound.pitch - first.pitch).abs() < SAME_PITCH_SEMITONES;
    if model.manifest().pitch == PitchInput::Conditioned {
        let pitch = if heavy().all(|(sound, _)| is_one(sound)) {
            first.pitch
        } else {
            mean.round()
        };
        return vec![pitch.clamp(0.0, 127.0)];
    }
    let has = |sound: &Sound, pitch: f32| (sound.nearest_pitch(pitch) - pitch).abs() < SAME_PITCH_SEMITONES;
    let own = std::iter::once(first.pitch).chain(first.further.iter().map(|further| further.pitch));
    let mut pitches: Vec<f32> = own
        .filter(|pitch| sounds.iter().all(|sound| has(sound, *pitch)))
        .collect();
    pitches.sort_by(|a, b| (a - mean).abs().total_cmp(&(b - mean).abs()));
    // Of several velocities at one pitch.
    pitches.dedup();
    pitches
}

/// Where the decoding of a sound without a loop can be held, as it is found in a recording.
fn find_loop(
    model: &Model,
    decoder: &mut dyn Decoder,
    sound: &Sound,
    cancel: &AtomicBool,
) -> Result<Option<LoopRegion>, DecodeError> {
    let format = decoder.format();
    let corners = [Some(Arc::new(sound.clone())), None, None, None];
    let frames = model.frames_per_embedding_frame();
    let mut samples = Vec::new();
    if let Some(note) = BlendedNote::new(&corners, [1.0, 0.0, 0.0, 0.0], sound.pitch, format.dims, frames) {
        let mut note = NoteRender::new(note, 0, format);
        while !note.is_done() {
            samples.extend(note.next_run(decoder, cancel)?);
        }
    }
    let levels = sustain_loop::levels_db(&samples, model.manifest().embedding_hop_samples);
    Ok(sustain_loop::find(&levels, seconds_per_frame(model))
        .filter(|region| (region.end_frame as usize) < sound.embedding.frames()))
}

fn credits(expression: &Expression, sounds: &[Arc<Sound>]) -> Credits {
    let ingredients = expression
        .names()
        .into_iter()
        .zip(sounds)
        .map(|(name, sound)| Ingredient {
            name: name.into(),
            sound: sound.name.clone(),
            id: format!("{:016x}", sound.id().0),
            author: sound.credits.author.clone(),
            licence: sound.licence.clone(),
        });
    Credits {
        author: String::new(),
        recipe: Some(Recipe {
            expression: expression.text().into(),
            ingredients: ingredients.collect(),
        }),
    }
}

/// All licences hold at once, each told once; one that is not known is told as such.
fn licence(sounds: &[Arc<Sound>]) -> String {
    let mut terms: Vec<String> = Vec::new();
    for sound in sounds {
        let licence = match sound.licence.trim() {
            "" => "unknown",
            licence => licence,
        };
        // A sound that was made of others has a list already.
        let listed: Vec<&str> = licence.split(" AND ").collect();
        let is_list = listed
            .iter()
            .all(|term| term.matches('(').count() == term.matches(')').count());
        for term in if is_list { listed } else { vec![licence] } {
            let is_choice = term.contains(" OR ") && !is_bracketed(term);
            let term = if is_choice {
                format!("({term})")
            } else {
                term.into()
            };
            if !terms.contains(&term) {
                terms.push(term);
            }
        }
    }
    match terms.as_slice() {
        [one] if one == "unknown" => String::new(),
        [_] => sounds
            .first()
            .map_or_else(String::new, |sound| sound.licence.clone()),
        several => several.join(" AND "),
    }
}

/// Whether the bracket that it begins with ends with it.
fn is_bracketed(term: &str) -> bool {
    let mut depth = 0;
    let mut closes = term.char_indices().filter(|(_, letter)| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    closes
        .next()
        .is_some_and(|(at, letter)| letter == ')' && at + 1 == term.len())
}

/// The family that all are of; empty if there is none.
fn common_family(sounds: &[&Sound]) -> String {
    let family = sounds.first().map_or("", |sound| sound.family.as_str());
    let is_common = sounds.iter().all(|sound| sound.family == family);
    if is_common { family.into() } else { String::new() }
}

/// The tags that all have, in the first one's order.
fn common_tags(sounds: &[&Sound]) -> Vec<String> {
    let Some((first, others)) = sounds.split_first() else {
        return Vec::new();
    };
    let tags = first.tags.iter();
    tags.filter(|tag| others.iter().all(|sound| sound.tags.contains(tag)))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_told_once_each_and_unknown_ones_too() {
        let told = |licences: &[&str]| {
            let sounds = licences.iter().map(|licence| {
                Arc::new(Sound {
                    licence: (*licence).into(),
                    ..crate::blended_note::tests::sound(1, 0.0, None)
                })
            });
            licence(&sounds.collect::<Vec<_>>())
        };
        let (choice, plain) = ("MIT OR Apache-2.0", "MIT (a font)");
        assert_eq!(told(&[choice, choice]), choice);
        assert_eq!(told(&[plain, choice]), "MIT (a font) AND (MIT OR Apache-2.0)");
        assert_eq!(
            told(&["CC0 AND (MIT OR Apache-2.0)", choice, "CC0"]),
            "CC0 AND (MIT OR Apache-2.0)"
        );
        assert_eq!(told(&[plain, ""]), "MIT (a font) AND unknown");
        assert_eq!(told(&["", ""]), "");
        assert_eq!(told(&["(A AND B) OR C", "A"]), "((A AND B) OR C) AND A");
    }
}
