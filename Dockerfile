# Stage 1 compiles the kernel and installs the run-time packages. The image's own Node is new enough, so the
# toolchain's Node binaries (optional dependencies) are left out of the result.
FROM node:24-slim AS build
WORKDIR /muninn
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tools ./tools
COPY src ./src
RUN npm run build \
 && npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

# Stage 2 runs as a user without rights; all it writes is under /data.
FROM node:24-slim
WORKDIR /muninn
COPY --from=build /muninn/package.json ./
COPY --from=build /muninn/node_modules ./node_modules
COPY --from=build /muninn/src ./src
COPY bin ./bin
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8080
# exec form: SIGTERM reaches the program, which drains and flushes before it exits.
ENTRYPOINT ["node", "/muninn/bin/muninn.js", "-data-dir=/data"]
