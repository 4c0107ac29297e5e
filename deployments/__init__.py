"""What starts the pipeline and keeps it running: servers, workers, deployments."""

import flows as flows  # sets what Prefect reads from the environment, before it is imported
