// Bundles the page into src/chainrule/dash/static: the same bytes on every machine.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const OUT = process.argv[2] ?? "../src/chainrule/dash/static";
const LIMIT = 120_000;
const LIBRARIES = ["preact", "@preact/signals", "@preact/signals-core", "uplot"];

// The colours of reports, which are declared once; here they can also be chosen by hand.
function tokens() {
  const report = readFileSync("../src/chainrule/report/style.css", "utf8");
  const light = /^:root \{([^}]*)\}/m.exec(report)?.[1];
  const dark = /prefers-color-scheme: dark\) \{\s*:root \{([^}]*)\}/.exec(report)?.[1];
  if (!light || !dark) throw new Error("report/style.css declares its colours in another way");
  const chosen = dark + " color-scheme: dark;";
  return `:root {${light}}
:root[data-theme="light"] { color-scheme: light; }
@media (prefers-color-scheme: dark) { :root:not([data-theme="light"]) {${dark}} }
:root[data-theme="dark"] {${chosen}}
`;
}

mkdirSync(OUT, { recursive: true });
const options = {
  bundle: true, minify: true, target: "es2023", charset: "utf8", legalComments: "none",
  logLevel: "warning", write: false,
};
const script = await build({
  ...options, entryPoints: ["src/main.tsx"], format: "iife", jsx: "automatic",
  jsxImportSource: "preact",
});
const style = await build({
  ...options,
  stdin: {
    contents: tokens() + readFileSync("node_modules/uplot/dist/uPlot.min.css", "utf8") +
      readFileSync("src/style.css", "utf8"),
    loader: "css",
  },
});
const licences = LIBRARIES.map((name) => {
  const text = readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim();
  return `${name}\n\n${text}\n`;
}).join("\n----\n\n");
const files = {
  "app.js": script.outputFiles[0].text,
  "app.css": style.outputFiles[0].text,
  "index.html": readFileSync("src/index.html", "utf8"),
  "icon.svg": readFileSync("src/icon.svg", "utf8"),
  "LICENSES.txt": licences,
};
for (const [name, text] of Object.entries(files)) writeFileSync(`${OUT}/${name}`, text);
const size = gzipSync(files["app.js"], { level: 9 }).length;
console.log(`app.js ${size} bytes compressed, of at most ${LIMIT}`);
if (size > LIMIT) process.exit(1);
