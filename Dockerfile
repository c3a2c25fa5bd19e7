# The servers and the tasks of a site. Neither the project nor a secret is in the
# image: the project is mounted, and so is what running makes (docker-compose.yml).
ARG GO_IMAGE=golang:1.26-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${GO_IMAGE} AS tasks
WORKDIR /src
# modules are fetched anew only when these two change
COPY go.mod go.sum ./
RUN ["go", "mod", "download"]
COPY . .
# one static file, the same from the same source wherever it is compiled
ENV CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false"
RUN ["go", "tool", "mage", "-compile", "/hadjango"]

FROM ${BASE_IMAGE}
# More packages of Debian: npm for projects with a package.json, or libraries that
# the project's requirements load.
ARG PACKAGES="npm"
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
    ca-certificates nginx uwsgi-core uwsgi-plugin-python3 python3-venv ${PACKAGES} \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/cache/ldconfig/aux-cache
# Everything runs as this user. The project's files must be readable by it, so let
# it have your number: docker compose build --build-arg UID=$(id -u)
ARG UID=1000
ARG GID=1000
RUN groupadd --gid ${GID} hadjango \
 && useradd --uid ${UID} --gid ${GID} --create-home --shell /bin/bash hadjango \
 && install --directory --owner=hadjango --group=hadjango /srv/site \
 && install --directory --owner=hadjango --group=hadjango --mode=700 /srv/deploy
COPY --from=tasks /hadjango /usr/local/bin/hadjango
LABEL org.opencontainers.image.title="hadjango" \
      org.opencontainers.image.description="Zero-downtime deploys of Django (any WSGI) projects" \
      org.opencontainers.image.source="https://github.com/hadjango/hadjango" \
      org.opencontainers.image.licenses="MIT"
ENV HADJANGO_SITE=/srv/site HADJANGO_DEPLOY=/srv/deploy LANG=C.UTF-8
WORKDIR /srv/site
USER hadjango
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s CMD ["hadjango", "serve", "-check"]
CMD ["hadjango", "serve"]
