// Reads the OpenAPI document and makes a form of every operation. No text of it is ever parsed as HTML.

const make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
};

const api = await (await fetch("openapi.json")).json();

// The path below which the server lies.
const base = (api.servers?.[0]?.url ?? "").replace(/\/$/, "");

const resolve = (schema) => {
  if (!schema?.$ref) return schema ?? {};
  return api.components.schemas[schema.$ref.split("/").pop()] ?? {};
};

// A body to start from: the fields that have to be there, or all if none has to.
const example = (reference, depth = 0) => {
  const schema = resolve(reference);
  if (depth > 4) return null;
  if (schema.example !== undefined) return schema.example;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  const variant = schema.oneOf?.find((one) => one.type !== "null") ?? schema.allOf?.[0] ?? schema.anyOf?.[0];
  if (variant) return example(variant, depth + 1);
  const type = [schema.type].flat().find((one) => one !== "null");
  if (type === "array") return [example(schema.items, depth + 1)];
  if (type === "integer" || type === "number") return 1;
  if (type === "boolean") return false;
  if (type === "string") return "";
  const wanted = schema.required ?? Object.keys(schema.properties ?? {});
  return Object.fromEntries(wanted.map((key) => [key, example(schema.properties?.[key], depth + 1)]));
};

const typeName = (schema) => {
  const plain = resolve(schema);
  if (plain.enum) return plain.enum.join(" | ");
  const type = [plain.type].flat().filter((one) => one && one !== "null").join(" | ");
  return type === "array" ? `${typeName(plain.items)}, repeatable` : type;
};

const send = async (method, path, parameters, body, bodyType, output) => {
  const query = new URLSearchParams();
  let address = base + path;
  for (const { name, place, input } of parameters) {
    if (input.value === "") continue;
    if (place === "path") address = address.replace(`{${name}}`, encodeURIComponent(input.value));
    else for (const value of input.value.split("\n")) query.append(name, value);
  }
  if ([...query].length) address += `?${query}`;
  const headers = {};
  const key = document.getElementById("key").value;
  if (key) headers.authorization = `Bearer ${key}`;
  if (body) headers["content-type"] = bodyType;
  const started = performance.now();
  output.textContent = "...";
  try {
    const response = await fetch(address, { method: method.toUpperCase(), headers, body: body?.value });
    const text = await response.text();
    const took = Math.round(performance.now() - started);
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
    output.textContent = `${response.status} in ${took} ms\n${method.toUpperCase()} ${address}\n\n${shown}`;
  } catch (error) {
    output.textContent = String(error);
  }
};

const operation = (path, method, about) => {
  const parameters = (about.parameters ?? []).map((parameter) => {
    const id = `${about.operationId}-${parameter.name}`;
    const input = make("input", { id, required: parameter.required });
    const row = make("tr", {},
      make("th", {}, make("label", { for: id }, make("code", {}, parameter.name), parameter.required ? " *" : "")),
      make("td", {}, input),
      make("td", {}, `${typeName(parameter.schema)}. ${parameter.description ?? ""}`));
    return { name: parameter.name, place: parameter.in, input, row };
  });
  const [bodyType, content] = Object.entries(about.requestBody?.content ?? {})[0] ?? [];
  const json = bodyType === "application/json";
  const body = bodyType && bodyType !== "multipart/form-data"
    ? make("textarea", { rows: 6, "aria-label": "Body", spellcheck: "false" }) : undefined;
  if (json) body.value = JSON.stringify(example(content.schema), null, 2);
  const output = make("pre", { hidden: true, tabindex: 0 });
  const form = make("form", { onsubmit: (event) => {
    event.preventDefault();
    output.hidden = false;
    send(method, path, parameters, body, bodyType, output);
  } });
  if (parameters.length) form.append(make("table", {}, ...parameters.map(({ row }) => row)));
  if (bodyType) form.append(make("p", {}, `Body: ${bodyType}`));
  if (body) form.append(body);
  form.append(make("p", {}, make("button", {}, "Send")), output);
  const text = [about.summary, about.description].filter(Boolean).join(" ");
  return make("details", { id: about.operationId },
    make("summary", {}, make("b", {}, method.toUpperCase()), make("code", {}, path), make("span", {}, about.summary ?? "")),
    make("p", {}, text), form);
};

const root = document.getElementById("operations");
for (const tag of api.tags) {
  root.append(make("h2", {}, tag.name), make("p", {}, tag.description ?? ""));
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, about] of Object.entries(methods)) {
      if (about.tags?.includes(tag.name)) root.append(operation(path, method, about));
    }
  }
}
