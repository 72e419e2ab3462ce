"""Can a run be believed? Pure: figures in, verdict out."""
