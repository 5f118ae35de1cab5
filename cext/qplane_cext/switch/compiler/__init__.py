"""From BMv2 JSON to the flat program that the engine runs. Plain Python, run once per pipeline."""
