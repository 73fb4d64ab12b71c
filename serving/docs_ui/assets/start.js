// Starts Swagger UI on the service's own OpenAPI document. Everything is relative to the page, so that the page works
// under /api/v1/service/<name> and behind proxies that add or remove a prefix.
"use strict";

async function load() {
  for (const version of ["3", "2"]) {
    // A script with types that OpenAPI 3 cannot describe has a 2.0 document only.
    const answer = await fetch(`swagger.json?version=${version}`);
    const body = await answer.json();
    if (answer.ok) return body;
    if (answer.status !== 404 || version === "2") throw new Error(body.message);
  }
}

function fit(document_, options) {
  const base = location.pathname.replace(/\/docs$/, "");
  const paths = Object.keys(document_.paths || {});
  if (document_.openapi && !document_.servers && base && !paths.some((path) => path.startsWith(base))) {
    document_.servers = [{ url: base }];
  }
  if (document_.swagger) {
    document_.schemes = [location.protocol.replace(":", "")];
  }
  if (options.auth === "false") {
    delete document_.security;
    delete document_.securityDefinitions;
    if (document_.components) delete document_.components.securitySchemes;
    for (const item of Object.values(document_.paths || {})) {
      for (const operation of Object.values(item)) delete operation.security;
    }
  }
  return document_;
}

function withScheme(request) {
  // The dialog takes the bare key, too.
  for (const name of Object.keys(request.headers || {})) {
    const value = request.headers[name];
    if (name.toLowerCase() === "authorization" && !/^bearer /i.test(value)) {
      request.headers[name] = `Bearer ${value.trim()}`;
    }
  }
  return request;
}

async function start() {
  const place = document.getElementById("swagger-ui");
  try {
    const spec = fit(await load(), place.dataset);
    SwaggerUIBundle({
      spec,
      domNode: place,
      presets: [SwaggerUIBundle.presets.apis],
      layout: "BaseLayout",
      // Nothing may be sent to anyone but the service: Swagger UI's default validator is another host.
      validatorUrl: null,
      docExpansion: "list",
      tryItOutEnabled: true,
      displayRequestDuration: true,
      defaultModelsExpandDepth: 0,
      requestInterceptor: withScheme,
    });
  } catch (problem) {
    place.textContent = `The service's OpenAPI document cannot be shown: ${problem.message}`;
  }
}

start();
