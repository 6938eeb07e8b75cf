//! What came of it, and whether that is good.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::figures::Figures;
use crate::memory::Growth;
use crate::weather::Weather;

/// The whole run.
#[derive(Debug)]
pub struct Report {
    pub figures: Figures,
    pub instances: u64,
    pub changes: u64,
    pub evicted: u64,
    pub notes_rendered: u64,
    pub notes_failed: u64,
    pub last_failure: Option<String>,
    pub length: Duration,
    pub growth: Growth,
}

impl Report {
    /// Fails for all that must not be; underruns in fair weather may be forgiven. One that was meant to be everywhere must
    /// have been.
    pub fn judge(&self, forgive_underruns: bool, everywhere: bool) -> Result<()> {
        let mut faults = self.faults(forgive_underruns);
        if everywhere {
            faults.extend(self.left_out());
        }
        if faults.is_empty() {
            return Ok(());
        }
        bail!("{}", faults.join("; "))
    }

    fn faults(&self, forgive_underruns: bool) -> Vec<String> {
        let all = &self.figures;
        let dry = all.underruns_in(Weather::Fair) + all.underruns_in(Weather::Rest);
        let mut faults = Vec::new();
        let mut must = |holds: bool, fault: String| {
            if !holds {
                faults.push(fault);
            }
        };
        must(all.lost == 0, format!("{} notes never ended", all.lost));
        must(
            all.stray == 0,
            format!("{} note ends of notes that were not open", all.stray),
        );
        must(
            all.struck == all.ended + all.silenced + all.lost,
            format!(
                "{} notes struck, {} ended, {} silenced",
                all.struck, all.ended, all.silenced
            ),
        );
        must(
            all.not_finite == 0,
            format!("{} samples that are no numbers", all.not_finite),
        );
        must(
            self.notes_failed == 0,
            format!(
                "{} notes failed: {}",
                self.notes_failed,
                self.last_failure.as_deref().unwrap_or("no reason was given")
            ),
        );
        must(
            dry == 0 || forgive_underruns,
            format!("{dry} voices ran dry in fair weather"),
        );
        let offline = all.underruns_in(Weather::Offline);
        must(offline == 0, format!("{offline} voices ran dry offline"));
        must(
            self.growth.is_flat != Some(false),
            format!(
                "memory grew from {:.0} to {:.0} MB",
                self.growth.first_mb, self.growth.last_mb
            ),
        );
        faults
    }

    /// Where it has not been: it proves nothing of that.
    fn left_out(&self) -> impl Iterator<Item = String> {
        let all = &self.figures;
        [
            (all.peak > 0.0, "sound"),
            (all.streams > 0, "a stream"),
            (all.waiting_blocks > 0, "a note that was missed"),
            (all.stolen > 0, "a stolen voice"),
            (all.offline_blocks > 0, "an offline block"),
            (self.evicted > 0, "an evicted note"),
        ]
        .into_iter()
        .filter(|(went, _)| !went)
        .map(|(_, place)| format!("too mild: there was not even {place}"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = &self.figures;
        let worst = all.worst_block;
        writeln!(
            f,
            "{:.1} minutes, {} instances, {} changes of patch, sound, memory or instance, {} of rate",
            self.length.as_secs_f64() / 60.0,
            self.instances,
            self.changes,
            all.rate_changes
        )?;
        writeln!(
            f,
            "blocks       {} live ({:.1} minutes of sound), {} offline; {} called late; {} of {} audio threads without real-time priority",
            all.blocks,
            all.live.as_secs_f64() / 60.0,
            all.offline_blocks,
            all.late_calls,
            all.ordinary_threads,
            self.instances
        )?;
        writeln!(
            f,
            "notes        {} struck = {} ended + {} silenced with their instance + {} lost; {} ends too many; {} stolen, {} refused",
            all.struck, all.ended, all.silenced, all.lost, all.stray, all.stolen, all.refused
        )?;
        writeln!(
            f,
            "underruns    {} in fair weather, {} in gusts, {} at rest, {} offline",
            all.underruns_in(Weather::Fair),
            all.underruns_in(Weather::Gust),
            all.underruns_in(Weather::Rest),
            all.underruns_in(Weather::Offline)
        )?;
        writeln!(
            f,
            "streams      {} played, {} times degraded; {} blocks with waiting voices",
            all.streams, all.degraded, all.waiting_blocks
        )?;
        writeln!(
            f,
            "rendered     {} notes, {} evicted, {} failed",
            self.notes_rendered, self.evicted, self.notes_failed
        )?;
        writeln!(
            f,
            "worst block  {:.2} ms of {:.2} ms ({:.0} %), by the clock on the wall",
            worst.took.as_secs_f64() * 1e3,
            worst.plays.as_secs_f64() * 1e3,
            worst.share() * 100.0
        )?;
        writeln!(
            f,
            "output       peak {:.2}, {} samples that are no numbers",
            all.peak, all.not_finite
        )?;
        writeln!(
            f,
            "memory       {:.0} MB in the first quarter, {:.0} MB in the last{}",
            self.growth.first_mb,
            self.growth.last_mb,
            match self.growth.is_flat {
                Some(true) => ": flat",
                Some(false) => ": growing",
                None => " (too short to judge)",
            }
        )?;
        let watched = if cfg!(rtsan) {
            "0 violations: the first would have ended this process"
        } else {
            "not built in"
        };
        write!(f, "sanitizer    {watched}")
    }
}
