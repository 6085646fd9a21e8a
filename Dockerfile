# The wheel is built in one stage and installed in another: the image holds no sources and no build tools.
FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
COPY constraints.txt /tmp/constraints.txt
COPY --from=build /wheels /tmp/wheels
RUN pip install --no-cache-dir -c /tmp/constraints.txt /tmp/wheels/*.whl \
    && rm -r /tmp/wheels /tmp/constraints.txt \
    && groupadd --gid 10001 loader \
    && useradd --create-home --uid 10001 --gid 10001 loader \
    && install --directory --owner loader --group loader /data /data/config /data/samples /data/warehouse
COPY --chown=loader:loader config/ /data/config/
# By number: Kubernetes cannot see that a name is not root's.
USER 10001:10001
WORKDIR /data
# A path in a config file is relative to the folder of that file: ../warehouse is /data/warehouse.
ENV LOADER_CONFIG=/data/config/orders.toml PYTHONUNBUFFERED=1
ENTRYPOINT ["loader"]
CMD ["--help"]
