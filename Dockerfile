# What this needs besides the package registries is the base image: `--build-arg BASE=…` takes it from elsewhere.
ARG BASE=python:3.12-slim-bookworm

# The environment: everything locked, bytecode compiled, and nothing of it needed to build.
FROM ${BASE} AS build
RUN pip install --no-cache-dir uv==0.13.9
# The base knows the certificates, also those of a company.
ENV UV_PROJECT_ENVIRONMENT=/opt/worker UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_NO_CACHE=1 UV_SYSTEM_CERTS=1
WORKDIR /app
COPY pyproject.toml uv.lock README.md LICENSE ./
# TensorFlow's headers are for who compiles against it.
RUN uv sync --frozen --no-dev --no-install-project \
 && rm -r /opt/worker/lib/python3*/site-packages/tensorflow/include
COPY worker/ worker/
COPY migrations/ migrations/
RUN uv sync --frozen --no-dev

# The backbone, converted, so that no job ever waits for it. EfficientNet-Lite0's weights come with the packages.
# `docker build --build-arg BACKBONE=mobilenet_v2` takes MobileNetV2's, which it downloads from Keras's server.
FROM build AS backbone
ARG BACKBONE=efficientnet_lite0
RUN /opt/worker/bin/python -m worker.backbone.cache "$BACKBONE" imagenet /data/cache \
 && mkdir -p /opt/keras/models /data/cache/weights \
 && find /data/cache/weights -name '*.h5' -exec mv '{}' /opt/keras/models ';'

FROM ${BASE}
# Neither /data/storage nor /data/models: where somebody forgets to mount them, the worker says so, instead of
# publishing into a container that is thrown away.
RUN groupadd --gid 10001 worker \
 && useradd --uid 10001 --gid 10001 --create-home worker \
 && install -d /data \
 && install -d -o worker -g worker /data/cache /data/tmp
COPY --from=build /opt/worker /opt/worker
COPY --from=build /app /app
COPY --from=backbone /opt/keras /opt/keras
COPY --from=backbone --chown=worker:worker /data/cache /data/cache
# The one that was converted: workers of this image download nothing. BACKBONE=auto follows the active model.
ARG BACKBONE=efficientnet_lite0
ENV PATH=/opt/worker/bin:$PATH \
    KERAS_HOME=/opt/keras \
    PYTHONUNBUFFERED=1 \
    STORAGE_PATH=/data/storage \
    OUTPUT_PATH=/data/models \
    CACHE_PATH=/data/cache \
    TMPDIR=/data/tmp \
    HEALTH_FILE=/tmp/worker-health \
    BACKBONE=$BACKBONE \
    BASE_WEIGHTS=imagenet
WORKDIR /app
USER worker
# As `worker health`, without starting a Python for it.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD find "$HEALTH_FILE" -mmin -1 | grep -q .
STOPSIGNAL SIGTERM
ENTRYPOINT ["worker"]
CMD ["run"]
