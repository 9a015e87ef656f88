# SPDX-License-Identifier: Apache-2.0
# The image of all roles; the role is the file that is run. Build with `docker build .` from a clean clone.
# For production, pin both base images by digest: which one is current is not for a file in Git to say.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
# The build needs no script of any package: esbuild brings its binary as a package of its own.
RUN npm ci --ignore-scripts
COPY crds crds
COPY operator operator
COPY remote remote
COPY webhooks webhooks
COPY nexusctl nexusctl
COPY hack/build hack/build
COPY tsconfig.json ./
RUN node hack/build/main.ts

# The compiler of Rego, by the module that pins it and all it is made of.
FROM golang:1.26-bookworm AS opa
WORKDIR /src
COPY hack/tools/opa ./
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly
RUN go build -trimpath -ldflags='-s -w' -o /opa github.com/open-policy-agent/opa

FROM node:24-bookworm-slim
WORKDIR /app
COPY --from=opa /opa /usr/local/bin/opa
COPY --from=build /src/dist/*.mjs ./
USER 65532:65532
ENV NODE_ENV=production
# What is large goes back to the machine when it is let go (ADR 0051): by itself glibc keeps more and more of it.
ENV MALLOC_MMAP_THRESHOLD_=131072
EXPOSE 8080 9443
# A large young generation only makes garbage wait, and most of the memory is that.
ENTRYPOINT ["node", "--max-semi-space-size=16", "operator.mjs"]
