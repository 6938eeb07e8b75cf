//! The standalone: the plugin with a window, playing through the system's own audio and MIDI.

fn main() -> std::process::ExitCode {
    if nice_plug::wrapper::standalone::nice_export_standalone::<betwixt::Betwixt>() {
        std::process::ExitCode::SUCCESS
    } else {
        std::process::ExitCode::FAILURE
    }
}
