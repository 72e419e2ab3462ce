"""A storm from the wish to the verdict: choose actions, deploy what is missing, play, watch, judge, sum up."""
