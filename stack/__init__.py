"""How the services are set up, started and watched: HDFS, Airflow, and where Spark finds its configuration.

It knows processes, ports and files; only the demonstration knows images. Each role can be started in the foreground by
one command (`python -m stack.hdfs namenode`, `python -m stack.airflow scheduler`), which is what a container runs;
`python -m stack` (through `./pipeline`) starts them all detached.
"""
