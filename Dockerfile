# Every service of Chromapress but PostgreSQL, each a role by its command: `docker compose build`.
# The same set-up as on a machine: `./pipeline install` does it, from the same lock.

FROM docker.io/library/debian:bookworm-slim AS build
WORKDIR /opt/chromapress
COPY . .
RUN ./pipeline install && \
    # What only builds, and the libraries' own tests.
    .venv/bin/uv pip uninstall --quiet --python .venv/bin/python cmake ninja scikit-build-core pybind11 && \
    rm -rf build .git && find .venv \( -name __pycache__ -o -name tests \) -prune -exec rm -rf {} +
# Nobody can write bytecode later; without it, each task starts some seconds later.
RUN .venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash .venv/lib/python3*/site-packages

FROM docker.io/library/debian:bookworm-slim
RUN apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      ca-certificates openjdk-17-jre-headless procps python3 tini && \
    apt-get clean && rm -rf /var/lib/apt/lists/* && \
    useradd --uid 50000 --create-home chromapress && \
    # Volumes take their owner from the image: all the folders that are mounted, and what is above them.
    install --directory --owner=chromapress /var/lib/chromapress /var/lib/chromapress/hdfs \
      /var/lib/chromapress/airflow /var/lib/chromapress/airflow/logs
COPY --from=build /opt/chromapress /opt/chromapress
WORKDIR /opt/chromapress
ENV CHROMAPRESS_HOME=/var/lib/chromapress PATH=/opt/chromapress/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 \
    # Each role writes it; `chromapress` finds HDFS by it.
    HADOOP_CONF_DIR=/var/lib/chromapress/hadoop/conf
USER chromapress
ENTRYPOINT ["tini", "--", "python", "-m", "stack.role"]
CMD ["--help"]
