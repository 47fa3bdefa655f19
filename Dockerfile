# The front or a worker, one image: `docker run muninn` is the front, `docker run muninn worker` a worker.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/muninn
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY common common
COPY api api
COPY worker worker
RUN /opt/muninn/bin/pip install --quiet --constraint constraints.txt '.[tracing]' \
    && /opt/muninn/bin/pip uninstall --quiet --yes pip

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin muninn
COPY --from=build /opt/muninn /opt/muninn
# Inside a container loopback reaches nobody; what is published outside is decided by `-p`.
ENV PATH=/opt/muninn/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MUNINN_HOST=0.0.0.0
USER 10001
WORKDIR /tmp
EXPOSE 8080
# For the front. A worker serves no port: switch this off for it (`--no-healthcheck`).
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + (os.environ.get('MUNINN_PORT') or os.environ.get('PORT') or '8080') + '/healthz', timeout=2)"]
ENTRYPOINT ["muninn"]
CMD ["api"]
