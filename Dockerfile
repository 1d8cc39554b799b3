# One image for both ways to run: with CLICKHOUSE_URL, DATABASE_URL and REDIS_URL beside servers, as docker-compose.yml
# does, or alone with the embedded stores: docker run --init -p 8080:8080 -v tidemark:/data tidemark
FROM node:24-bookworm-slim AS build
WORKDIR /app
# Packages first: a change of sources keeps this layer.
COPY package.json package-lock.json ./
COPY server/bootstrap server/bootstrap
RUN node --input-type=module -e 'import { install } from "./server/bootstrap/setup.mjs"; await install();'
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:24-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=8080 \
    TIDEMARK_DATA_DIR=/data
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/clickhouse clickhouse
COPY --from=build /app/server/postgres/migrations server/postgres/migrations
COPY --from=build /app/dist dist
# A named volume takes its owner from here.
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/livez').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Without npm or a shell in between: SIGTERM reaches the service itself, which drains and stops.
CMD ["node", "--enable-source-maps", "dist/server/main.js"]
