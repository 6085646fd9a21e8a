"""Speed and memory on a real broker, as ratios to a ceiling that is measured in the same run."""
