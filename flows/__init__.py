"""What a person asks for: the pipeline's flows and its command."""
